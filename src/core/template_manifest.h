// manifest.json of a template: what its files were when they were written.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "core/sealed_file.h"

namespace pyro::core {

struct TemplateManifest {
  static constexpr const char* kName = "template manifest";
  std::string key;
  SealedFile memory, state;
  std::optional<SealedFile> scratch;  // of a workspace machine

  template <class M>
  void map(M& m) {
    m.required("key", key);
    m.required("memory", memory);
    m.required("state", state);
    m.optional("scratch", scratch);
  }
};

Result<TemplateManifest> read_template_manifest(const std::string& path);
// Hashes and syncs `folder`'s memory, state and scratch (where there is one) and writes its
// manifest.json, synced.
Result<void> write_template_manifest(const std::string& folder, const std::string& key);
// Reads everything again.
bool template_hashes_match(const std::string& folder);

}  // namespace pyro::core
