// A sandbox's place on disk: <state>/sandboxes/<id>/ with its lock and record, and its socket
// <runtime>/<id>.sock. The lock is held for life by the supervisor, so a folder whose lock is free
// belongs to nobody and may be removed by anybody.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/sandbox_record.h"
#include "sys/dirs.h"
#include "sys/file.h"

namespace pyro::core {

std::string folder_of(const sys::Dirs& dirs, const std::string& id);
std::string socket_of(const sys::Dirs& dirs, const std::string& id);
// "vm-" and ten hexadecimal digits. Anything else is refused before it becomes part of a path.
bool is_vm_id(const std::string& text);
Result<std::string> new_vm_id();

// Where the logs of a workspace's services are, each in a folder of its own name
// (store/service_log.h). `service` is a plain name.
inline std::string service_logs_folder(const std::string& sandbox) {
  return sandbox + "/services";
}
inline std::string service_log_folder(const std::string& sandbox, const std::string& service) {
  return service_logs_folder(sandbox) + "/" + service;
}

class SandboxFolder {
 public:
  // kConflict when the id exists.
  static Result<SandboxFolder> create(const sys::Dirs& dirs, const std::string& id);
  // One that is there. kNotFound; kConflict when somebody else holds its lock.
  static Result<SandboxFolder> open(const sys::Dirs& dirs, const std::string& id);
  SandboxFolder(SandboxFolder&&) noexcept = default;
  SandboxFolder& operator=(SandboxFolder&&) = delete;

  [[nodiscard]] std::string path() const { return folder_of(dirs_, id_); }
  Result<void> write(const store::SandboxRecord& record) const {
    return store::write_record(folder_of(dirs_, id_), record);
  }
  // Removes socket and folder. The lock stays held until the object goes.
  Result<void> remove();

 private:
  SandboxFolder(sys::Dirs dirs, std::string id, sys::FileLock lock)
      : dirs_(std::move(dirs)), id_(std::move(id)), lock_(std::move(lock)) {}
  sys::Dirs dirs_;
  std::string id_;
  sys::FileLock lock_;
};

// Removes what a creation or a removal left behind that was killed half way, of VMs and workspaces;
// of a creation once it is so old that nobody can still be at it.
void sweep_leftovers(const sys::Dirs& dirs, double now);
// Removes every sandbox whose supervisor is gone, and what a creation or a removal left behind that
// was killed half way. One that cannot be removed does not keep the others. Returns their ids.
Result<std::vector<std::string>> remove_abandoned(const sys::Dirs& dirs);
// Removes one. False when its supervisor lives, or when there is none of that id.
Result<bool> remove_if_abandoned(const sys::Dirs& dirs, const std::string& id);

}  // namespace pyro::core
