// Finding QEMU on the host.
#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>

#include "sys/file.h"
#include "sys/process.h"
#include "vmm/qemu.h"

namespace pyro::vmm {

namespace {
constexpr int kOldestMajor = 7;
constexpr const char* kInstallHint =
    "install it: apt-get install qemu-system-x86 (or set PYRO_QEMU to a qemu-system-x86_64)";
}  // namespace

Result<QemuVersion> parse_qemu_version(const std::string& text) {
  QemuVersion v;
  if (std::sscanf(text.c_str(), "QEMU emulator version %4d.%4d.%4d", &v.major, &v.minor, &v.micro) <
      2) {
    return fail(Errc::kInvalid, "not a QEMU version line");
  }
  return v;
}

Result<sys::FileStamp> program_stamp(const std::string& path) {
  PYRO_TRY(const sys::UniqueFd fd, sys::open_file(path, O_RDONLY));
  return sys::stamp(fd.get());
}

Result<QemuProgram> find_qemu(const std::string& override_path, const std::string& search_path) {
  auto path =
      sys::find_program(override_path.empty() ? "qemu-system-x86_64" : override_path, search_path);
  if (!path) {
    return fail_hint(Errc::kUnavailable, "QEMU is not available: " + path.error().message,
                     kInstallHint);
  }
  PYRO_TRY(const sys::FileStamp stamp, program_stamp(*path));
  PYRO_TRY(const auto run, sys::run_captured({.program = *path,
                                              .argv = {*path, "--version"},
                                              .env = {"PATH=/usr/bin:/bin"},
                                              .die_with_parent = true}));
  const std::string line = run.out.substr(0, run.out.find('\n'));
  const auto version = parse_qemu_version(line);
  if (!version) {
    return fail_hint(Errc::kUnavailable, *path + " does not say a QEMU version: " + line,
                     kInstallHint);
  }
  const std::string text = fmt::format("{}.{}.{}", version->major, version->minor, version->micro);
  if (version->major < kOldestMajor) {
    return fail_hint(
        Errc::kUnavailable,
        fmt::format("{} is QEMU {}; pyro needs {}.0 or newer", *path, text, kOldestMajor),
        kInstallHint);
  }
  return QemuProgram{.path = *path,
                     .version = text,
                     .build_id = fmt::format("{} size={} inode={} ctime={}", line, stamp.size,
                                             stamp.inode, stamp.ctime_ns),
                     .stamp = stamp};
}

}  // namespace pyro::vmm
