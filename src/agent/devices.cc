#include "agent/devices.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include "sys/file.h"

namespace pyro::agent {

Result<std::string> find_device(const std::string& wanted) {
  PYRO_TRY(const auto names, sys::list_dir("/sys/block"));
  for (const std::string& name : names) {
    const auto serial = sys::read_file("/sys/block/" + name + "/serial", 4096);
    if (name == wanted || (serial && !serial->empty() &&
                           serial->substr(0, serial->find_last_not_of('\n') + 1) == wanted)) {
      return "/dev/" + name;
    }
  }
  return fail(Errc::kNotFound, "no disk is called " + wanted);
}

Result<void> mount_at(const char* source, const std::string& target, const char* type,
                      unsigned long flags, const std::string& options) {
  if (::mkdir(target.c_str(), 0755) != 0 && errno != EEXIST) {
    return sys::fail_errno("making " + target, errno);
  }
  if (::mount(source, target.c_str(), type, flags, options.c_str()) != 0) {
    return sys::fail_errno("mounting " + target + " (" + type + ")", errno);
  }
  return {};
}

}  // namespace pyro::agent
