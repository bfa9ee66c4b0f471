// The disks of a workspace machine, as QEMU is given them, and the work disk of a running one.
#pragma once

#include <utility>
#include <vector>

#include "vmm/qmp.h"
#include "vmm/vmm.h"

namespace pyro::vmm {

// Of a machine that only reads: it has one more on top, which nobody keeps.
inline constexpr std::size_t kMostOpenLayers = kMostWorkLayers + 1;

// kDamaged (a file's size, a layer's header) or kInternal (an access mode, too few layers, kLimit
// for too many) when a descriptor is not what WorkspaceDisks asks for.
Result<void> check_disks(const WorkspaceDisks& disks);

// kLimit for a machine whose work disk has that many.
Result<void> check_room(std::size_t layers);

// What QEMU gets: (ours, its number). `top_read_only` is sys::reopen() of the top layer, O_RDONLY.
std::vector<std::pair<int, int>> disk_fds(const WorkspaceDisks& disks,
                                          const sys::UniqueFd& top_read_only);

// Owner: QemuVm. Knows which layer is on top.
class WorkDisk {
 public:
  explicit WorkDisk(int layers) : layers_(layers) {}
  // Vm::add_work_layer.
  io::Task<void> add_layer(Qmp& qmp, sys::UniqueFd layer);
  // Vm::must_end.
  [[nodiscard]] bool must_end() const { return must_end_; }

 private:
  io::Task<void> open_layer(Qmp& qmp, int index, const sys::UniqueFd& layer);

  int layers_;
  bool must_end_ = false;
};

}  // namespace pyro::vmm
