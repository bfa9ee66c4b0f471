#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "image/manifest.h"

// What parses must survive being written and parsed again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = pyro::image::parse_manifest(text)) {
    const auto again = pyro::image::parse_manifest(pyro::image::manifest_text(*manifest));
    // Writing may make a text longer than the bound (escapes); only then may it fail.
    if (again ? *again != *manifest
              : pyro::image::manifest_text(*manifest).size() <= pyro::image::kMaxManifestBytes) {
      std::abort();
    }
  }
  if (const auto verified = pyro::image::parse_verified(text)) {
    const auto again = pyro::image::parse_verified(pyro::image::verified_text(*verified));
    if (!again || *again != *verified) std::abort();
  }
  return 0;
}
