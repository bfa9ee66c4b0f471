#include "seed/checks.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "sys/fd.h"
#include "wire/tree_stream.h"

namespace pyro::seed {
namespace {

// Calls `part` for each component; false from it ends the walk.
template <class F>
void each_component(std::string_view path, F part) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (!part(path.substr(at, slash - at))) return;
    at = slash + 1;
  }
}

}  // namespace

std::unexpected<Error> refuse(std::string_view path, std::string_view what, std::string hint,
                              Errc code) {
  return fail_hint(code, quoted_name(path) + " " + std::string(what), std::move(hint));
}

std::unexpected<Error> refuse_type(std::string_view path, mode_t type) {
  const char* what = "is of an unknown kind";
  if (type == S_IFSOCK) what = "is a socket";
  if (type == S_IFIFO) what = "is a pipe";
  if (type == S_IFCHR || type == S_IFBLK) what = "is a device";
  return refuse(path, what, "only files, folders and symlinks are carried: leave it out");
}

std::unexpected<Error> refuse_errno(std::string_view path, std::string_view what, int e) {
  Error error{
      .code = sys::errc_from_errno(e),
      .os_errno = e,
      .message = quoted_name(path) + " cannot be " + std::string(what) + ": " + std::strerror(e),
      .hint = {}};
  if (e == EACCES || e == EPERM) error.hint = "make it readable for you, or leave it out";
  if (e == ENOENT) error.hint = "it went away while it was read: try again when nothing changes it";
  if (e == ENOSPC || e == EDQUOT) {
    error.code = Errc::kLimit;
    error.hint = "free some disk space and try again";
  }
  if (e == EMFILE || e == ENFILE) error.hint = "raise the limit of open files (ulimit -n)";
  return std::unexpected(std::move(error));
}

Result<std::string> plain_path(std::string_view path) {
  if (path.starts_with('/')) {
    return refuse(path, "is an absolute path", "pack the archive with relative paths (tar -C DIR)");
  }
  std::string out;
  bool leads_out = false;
  each_component(path, [&](std::string_view part) {
    leads_out = part == "..";
    if (part.empty() || part == ".") return true;
    if (!out.empty()) out += '/';
    out += part;
    return !leads_out;
  });
  if (leads_out) {
    return refuse(path, "has \"..\" in its path", "pack the archive from the folder that holds it");
  }
  return out.empty() ? "." : out;
}

Result<void> check_target(std::string_view path, std::string_view target) {
  if (target.empty()) return refuse(path, "is a symlink to nothing", "remove it");
  if (target.size() > wire::kMaxPath) {
    return refuse(path, "is a symlink to more than 4095 bytes", "remove it");
  }
  if (target.find('\0') != std::string_view::npos) {
    return refuse(path, "is a symlink with a NUL byte in its target", "remove it");
  }
  if (target.starts_with('/')) {
    return refuse(path, "is a symlink to the absolute path " + quoted_name(target),
                  "make it relative, or leave it out");
  }
  auto folders = std::ranges::count(path, '/');
  bool named = false;
  bool tangled = false;
  each_component(target, [&](std::string_view part) {
    if (part == "..") {
      tangled = named;
      --folders;
    } else if (!part.empty() && part != ".") {
      named = true;
    }
    return folders >= 0 && !tangled;
  });
  if (tangled) {
    return refuse(path,
                  "is a symlink with \"..\" behind a name in its target " + quoted_name(target),
                  "write the target with \"..\" at its start only");
  }
  if (folders < 0) {
    return refuse(path, "is a symlink that leads out of the tree, to " + quoted_name(target),
                  "bring its target into the tree, or leave it out");
  }
  return {};
}

Result<void> check_interrupt(const Progress& progress) {
  if (progress.interrupt_fd < 0) return {};
  pollfd wanted{.fd = progress.interrupt_fd, .events = POLLIN, .revents = 0};
  if (::poll(&wanted, 1, 0) > 0) return fail(Errc::kUnavailable, "interrupted");
  return {};
}

}  // namespace pyro::seed
