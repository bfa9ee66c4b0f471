#include "agent/devices.h"

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

}  // namespace pyro::agent
