#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/machine.h"
#include "sys/file.h"

namespace pyro::agent {
namespace {

Result<void> load_module(const std::string& name) {
  PYRO_TRY(const sys::UniqueFd file, sys::open_file("/modules/" + name + ".ko", O_RDONLY));
  if (::syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST) {
    return sys::fail_errno("loading module " + name, errno);
  }
  return {};
}

}  // namespace

void boot_machine(const std::function<void(const std::string&)>& log) {
  struct Mount {
    const char* type;
    const char* target;
  };
  for (const auto& [type, target] :
       {Mount{"devtmpfs", "/dev"}, Mount{"proc", "/proc"}, Mount{"sysfs", "/sys"}}) {
    ::mkdir(target, 0755);
    if (::mount(type, target, type, 0, nullptr) != 0 && errno != EBUSY) {
      log(sys::fail_errno(std::string("mounting ") + target, errno).error().message);
    }
  }
  const auto order = sys::read_file("/modules/order");
  if (!order) return log(order.error().message);
  std::string_view rest = *order;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.empty()) continue;
    if (auto r = load_module(name); !r) log(r.error().message);
  }
}

}  // namespace pyro::agent
