// manifest.json of a template: what its files were when they were written.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace pyro::core {

struct TemplateFile {
  static constexpr const char* kName = "template file";
  std::uint64_t size = 0, inode = 0;
  std::int64_t ctime_ns = 0;
  std::string sha256;  // over offset and content of each data extent: holes cost nothing

  template <class M>
  void map(M& m) {
    m.required("size", size);
    m.required("inode", inode);
    m.required("ctime_ns", ctime_ns);
    m.required("sha256", sha256);
  }
};

struct TemplateManifest {
  static constexpr const char* kName = "template manifest";
  std::string key;
  TemplateFile memory, state;

  template <class M>
  void map(M& m) {
    m.required("key", key);
    m.required("memory", memory);
    m.required("state", state);
  }
};

Result<TemplateManifest> read_template_manifest(const std::string& path);
// Hashes and syncs `folder`'s memory and state and writes its manifest.json, synced.
Result<void> write_template_manifest(const std::string& folder, const std::string& key);
// Reads everything again.
bool template_hashes_match(const std::string& folder);

}  // namespace pyro::core
