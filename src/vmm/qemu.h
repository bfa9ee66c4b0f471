// The real VMM: QEMU's microvm machine in a jail.
#pragma once

#include <memory>
#include <string>

#include "sys/file.h"
#include "vmm/vmm.h"

namespace pyro::vmm {

// A QEMU on this host.
struct QemuProgram {
  std::string path;      // absolute
  std::string version;   // 7.2.22
  std::string build_id;  // version line and what identifies the file
  sys::FileStamp stamp;  // of the file whose version it is
};

// Of the file that a path leads to, through links.
Result<sys::FileStamp> program_stamp(const std::string& path);
// Finds QEMU (`override_path`, else in `search_path`) and reads its version. kUnavailable with the
// package to install when it is missing or older than 7.0.
Result<QemuProgram> find_qemu(const std::string& override_path, const std::string& search_path);
// "QEMU emulator version 7.2.22 (Debian ...)" -> {7, 2, 22}; kInvalid for anything else.
struct QemuVersion {
  int major = 0, minor = 0, micro = 0;
};
Result<QemuVersion> parse_qemu_version(const std::string& text);

class QemuVmm final : public Vmm {
 public:
  explicit QemuVmm(QemuProgram program) : program_(std::move(program)) {}
  // The Vm must be ended with kill() before it is destroyed: its tasks run on this loop.
  io::Task<std::unique_ptr<Vm>> launch(LaunchSpec spec) override;
  [[nodiscard]] std::string machine_id(const Shape& shape,
                                       const std::string& command_line) const override;

 private:
  QemuProgram program_;
};

}  // namespace pyro::vmm
