// The environment's part of the initial root: the kernel modules a sandbox needs to reach its
// disks, network and console, in the order to load them. The agent (/init) is added by a second
// archive at boot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pyro::image {

// An archive in the kernel's "newc" format
// (Documentation/driver-api/early-userspace/buffer-format.rst), owners 0:0, times 0.
class CpioWriter {
 public:
  void add_dir(std::string_view path);
  void add_file(std::string_view path, std::string_view content);
  void add_program(std::string_view path, std::string_view content);  // executable
  // The finished archive, a multiple of 512 bytes. The writer is empty afterwards.
  std::string finish();

 private:
  void add(std::string_view path, std::uint32_t mode, std::string_view content);
  std::string out_;
  std::uint32_t inode_ = 0;
};

// The names in a module's "depends=" and "softdep=pre:" entries (ELF section .modinfo), with '-'
// turned into '_'. kInvalid when it is not a 64-bit little-endian ELF file with that section.
Result<std::vector<std::string>> module_dependencies(std::string_view module_file);

// `modules_dir` is /lib/modules/VERSION of the kernel (with kernel/ and modules.builtin).
// The archive holds /modules/NAME.ko, /modules/order (one NAME per line, dependencies first) and
// empty /dev, /proc and /sys. A wanted module that is neither there nor built in is kUnavailable.
Result<std::string> build_initramfs(const std::string& modules_dir);

}  // namespace pyro::image
