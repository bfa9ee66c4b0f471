#include "sys/sparse.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file.h"

namespace pyro::sys {
namespace {

// For file systems without O_TMPFILE (open(2)).
Result<UniqueFd> unlinked_file(const std::string& folder) {
  std::string name = folder + "/.nameless-XXXXXX";
  PYRO_TRY(const int fd,
           retrying("create " + name, [&] { return ::mkostemp(name.data(), O_CLOEXEC); }));
  UniqueFd file(fd);
  PYRO_CHECK(retrying("unlink " + name, [&] { return ::unlink(name.c_str()); }));
  return file;
}

Result<void> copy_by_hand(int from, int to, off_t at, off_t end) {
  std::string buffer(256U << 10, '\0');
  while (at < end) {
    const auto want = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - at));
    PYRO_TRY(const int got,
             retrying("pread", [&] { return ::pread(from, buffer.data(), want, at); }));
    if (got == 0) return fail(Errc::kDamaged, "the file became shorter while it was copied");
    for (int done = 0; done < got;) {
      PYRO_TRY(const int put, retrying("pwrite", [&] {
                 return ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done),
                                 at + done);
               }));
      done += put;
    }
    at += got;
  }
  return {};
}

Result<void> copy_extent(int from, int to, off_t at, off_t end) {
  while (at < end) {
    off_t in = at, out = at;
    const ssize_t n = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - at), 0);
    // Not on every file system, and not between every two.
    if (n <= 0) return copy_by_hand(from, to, at, end);
    at += n;
  }
  return {};
}

}  // namespace

Result<UniqueFd> nameless_file(const std::string& folder) {
  auto file = open_file(folder, O_RDWR | O_TMPFILE);
  if (file || (file.error().os_errno != EOPNOTSUPP && file.error().os_errno != EISDIR)) return file;
  return unlinked_file(folder);
}

Result<void> for_each_extent(int fd,
                             const std::function<Result<void>(off_t begin, off_t end)>& part) {
  off_t end = 0;
  for (;;) {
    const off_t begin = ::lseek(fd, end, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) return {};  // nothing but a hole is left
    if (begin < 0) return fail_errno("lseek", errno);
    end = ::lseek(fd, begin, SEEK_HOLE);
    if (end < 0) return fail_errno("lseek", errno);
    PYRO_CHECK(part(begin, end));
  }
}

Result<void> copy_sparse(int from, int to) {
  struct stat st{};
  PYRO_CHECK(retrying("fstat", [&] { return ::fstat(from, &st); }));
  PYRO_CHECK(retrying("ftruncate", [&] { return ::ftruncate(to, st.st_size); }));
  return for_each_extent(from,
                         [&](off_t begin, off_t end) { return copy_extent(from, to, begin, end); });
}

Result<UniqueFd> nameless_copy(int from, const std::string& folder) {
  PYRO_TRY(UniqueFd to, nameless_file(folder));
  PYRO_CHECK(copy_sparse(from, to.get()));
  return to;
}

Result<UniqueFd> reopen(int fd, int flags) {
  return open_file("/proc/self/fd/" + std::to_string(fd), flags);
}

}  // namespace pyro::sys
