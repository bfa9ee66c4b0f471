#include "client/workspace_paths.h"

#include <algorithm>

#include "base/text.h"

namespace pyro::client {

Result<std::string> tree_path(const std::string& path) {
  std::string_view rest = path;
  if (rest.starts_with('/')) {
    if (!rest.starts_with(kMount) || (rest.size() > std::string_view(kMount).size() &&
                                      rest[std::string_view(kMount).size()] != '/')) {
      return fail_hint(Errc::kInvalid, quoted_name(path) + " is not below /workspace",
                       "give a path below /workspace, or one relative to it");
    }
    rest.remove_prefix(std::string_view(kMount).size());
  }
  std::string plain;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      return fail_hint(Errc::kInvalid, quoted_name(path) + " has \"..\" in it",
                       "give the path without it");
    }
    plain += (plain.empty() ? "" : "/") + std::string(part);
  }
  if (plain.empty()) return std::string(".");
  PYRO_CHECK(wire::check_tree_path(plain));
  return plain;
}

std::string shown_path(const std::string& tree) {
  return tree == "." ? kMount : std::string(kMount) + "/" + tree;
}

std::string kind_name(wire::EntryKind kind) {
  switch (kind) {
    case wire::EntryKind::kDirectory:
      return "directory";
    case wire::EntryKind::kFile:
      return "file";
    case wire::EntryKind::kSymlink:
      return "symlink";
    default:
      return "other";
  }
}

std::string guest_path(const std::string& path) {
  return path.starts_with('/') ? path : std::string(kMount) + "/" + path;
}

}  // namespace pyro::client
