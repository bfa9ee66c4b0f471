#include "core/template_manifest.h"

#include "proto/json.h"
#include "sys/file.h"

namespace pyro::core {
Result<TemplateManifest> read_template_manifest(const std::string& path) {
  PYRO_TRY(const std::string text, sys::read_file(path, 64U << 10));
  return proto::decode_text<TemplateManifest>(text);
}

Result<void> write_template_manifest(const std::string& folder, const std::string& key) {
  TemplateManifest manifest{.key = key};
  PYRO_TRY(manifest.memory, describe_sealed(folder + "/memory"));
  PYRO_TRY(manifest.state, describe_sealed(folder + "/state"));
  if (sys::exists(folder + "/scratch")) {
    PYRO_TRY(manifest.scratch, describe_sealed(folder + "/scratch"));
  }
  return sys::write_file_atomic(folder + "/manifest.json", proto::to_text(proto::encode(manifest)),
                                0400);
}

bool template_hashes_match(const std::string& folder) {
  const auto manifest = read_template_manifest(folder + "/manifest.json");
  if (!manifest) return false;
  const auto same = [&](const char* name, const SealedFile& expected) {
    const auto now = describe_sealed(folder + name);
    return now && now->sha256 == expected.sha256;
  };
  return same("/memory", manifest->memory) && same("/state", manifest->state) &&
         (!manifest->scratch || same("/scratch", *manifest->scratch));
}

}  // namespace pyro::core
