// Makes an environment from the packages of a Debian mirror with mmdebstrap and mkfs.erofs, without
// root: for an ordinary user everything runs in a user namespace with the user's subordinate ids.
#pragma once

#include <string>

#include "image/environments.h"
#include "sys/dirs.h"

namespace pyro::image {

class DebianMirrorSource : public Source {
 public:
  // `env` is asked for PYRO_DEBIAN_MIRROR, PATH and the proxy variables (http_proxy and so on).
  explicit DebianMirrorSource(sys::Environment env) : env_(std::move(env)) {}

  // kUnavailable with a hint when the host lacks a tool or right, when there is no mirror, or when
  // packages cannot be installed; kLimit when the disk has too little room.
  // All processes it starts die with the calling thread, also by SIGKILL.
  Result<std::string> fetch(const CatalogEntry& entry, const std::string& dir,
                            const PullObserver& observer) override;

 private:
  sys::Environment env_;
};

// The host's programs that a pull needs, as absolute paths.
struct DebianTools {
  std::string path;  // PATH for what runs them
  std::string mmdebstrap, mkfs_erofs, unshare;
};
Result<DebianTools> find_debian_tools(const std::string& path);
// For an ordinary user: whether a user namespace with 65536 subordinate ids can be had.
Result<void> check_user_namespace(const DebianTools& tools);
// The words that put a command into fresh namespaces where it is root and dies with its parent.
std::vector<std::string> namespace_words(const DebianTools& tools);

}  // namespace pyro::image
