#include "seed/mkfs.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include <utility>
#include <vector>

#include "base/text.h"
#include "seed/checks.h"
#include "sys/fd.h"
#include "sys/process.h"

namespace pyro::seed {
namespace {

constexpr const char* kSearch = "/usr/bin:/bin:/usr/sbin:/sbin";

Result<std::string> tool(const char* program, const char* package) {
  auto found = sys::find_program(program, kSearch);
  if (found) return found;
  return fail_hint(Errc::kUnavailable, std::string("making a baseline needs ") + program,
                   std::string("run: sudo apt-get install ") + package);
}

// Without attributes (-x-1): those of the host's security modules mean nothing in a guest.
Result<std::vector<std::string>> words(const MakeImage& what) {
  PYRO_TRY(const std::string mkfs, tool("mkfs.erofs", "erofs-utils"));
  std::vector<std::string> out;
  if (what.as_root && ::geteuid() != 0) {
    PYRO_TRY(const std::string unshare, tool("unshare", "util-linux"));
    out = {unshare, "--map-root-user", "--"};
  }
  out.insert(out.end(), {mkfs, "--all-root", "--preserve-mtime", "-x-1", "--quiet", "--",
                         what.image, what.folder});
  return out;
}

// True: it has ended; false: the user wants to stop.
Result<bool> wait_unless_interrupted(const sys::ChildProcess& child, int interrupt_fd) {
  pollfd fds[2] = {{.fd = child.pidfd().get(), .events = POLLIN, .revents = 0},
                   {.fd = interrupt_fd, .events = POLLIN, .revents = 0}};
  PYRO_CHECK(sys::retrying("poll", [&] { return ::poll(fds, 2, -1); }));
  return fds[0].revents != 0;
}

// mkfs.erofs does not always say that this was it.
bool disk_is_full(const std::string& path, std::string_view said) {
  constexpr std::uint64_t kFull = 1U << 20;  // bytes
  struct statvfs fs{};
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  return said.contains("No space left on device") ||
         (::statvfs(folder.c_str(), &fs) == 0 && std::uint64_t{fs.f_bavail} * fs.f_frsize < kFull);
}

std::string end_of_log(int fd) {
  constexpr off_t kShown = 300;
  const off_t size = ::lseek(fd, 0, SEEK_END);
  std::string text(static_cast<std::size_t>(kShown), '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), std::max<off_t>(size - kShown, 0));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return printable(text);
}

std::unexpected<Error> failure(const MakeImage& what, const sys::ExitStatus& status, int log) {
  const std::string said = end_of_log(log);
  if (disk_is_full(what.image, said)) {
    return fail_hint(Errc::kLimit, "there is not enough space for the image " + what.image,
                     "free some disk space and try again");
  }
  Error error{
      .code = Errc::kUnavailable,
      .message = "mkfs.erofs ended with " + std::to_string(status.shell_code()) + ": " + said,
      .hint = {}};
  if (what.as_root && ::geteuid() != 0) {
    error.hint =
        "some modes deny even their owner reading; that needs user namespaces, which this host may "
        "forbid: pack the archive with modes that its owner can read";
  }
  return std::unexpected(std::move(error));
}

}  // namespace

Result<void> make_image(const MakeImage& what, const Progress& progress) {
  PYRO_TRY(std::vector<std::string> argv, words(what));
  // In memory: a disk that is full has no room for the reason either.
  const sys::UniqueFd log(::memfd_create("mkfs.erofs", MFD_CLOEXEC));
  if (!log) return sys::fail_errno("memfd_create", errno);
  const std::string program = argv.front();
  PYRO_TRY(sys::ChildProcess child,
           sys::ChildProcess::spawn({.program = program,
                                     .argv = std::move(argv),
                                     .env = {std::string("PATH=") + kSearch, "LC_ALL=C"},
                                     .fds = {{log.get(), 1}, {log.get(), 2}},
                                     .die_with_parent = true}));
  PYRO_TRY(const bool ended, wait_unless_interrupted(child, progress.interrupt_fd));
  if (!ended) return fail(Errc::kUnavailable, "interrupted");  // and killed, with its owner
  PYRO_TRY(const sys::ExitStatus status, child.wait());
  if (status.shell_code() != 0) return failure(what, status, log.get());
  return {};
}

}  // namespace pyro::seed
