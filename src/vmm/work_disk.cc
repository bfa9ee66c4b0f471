#include "vmm/work_disk.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "sys/file.h"
#include "sys/sparse.h"
#include "vmm/qcow2.h"
#include "vmm/qemu_command.h"

namespace pyro::vmm {

namespace json = boost::json;

namespace {

Result<void> check_mode(const char* name, const sys::UniqueFd& fd, int mode) {
  PYRO_TRY(const int flags, sys::retrying(name, [&] { return ::fcntl(fd.get(), F_GETFL); }));
  if ((flags & O_ACCMODE) == mode) return {};
  return fail(Errc::kInternal, fmt::format("{} disk: its descriptor has access mode {}, not {}",
                                           name, flags & O_ACCMODE, mode));
}

Result<void> check_raw(const char* name, const sys::UniqueFd& fd, int mode, std::uint64_t bytes) {
  PYRO_CHECK(check_mode(name, fd, mode));
  PYRO_TRY(const sys::FileStamp stamp, sys::stamp(fd.get()));
  if (stamp.size == bytes) return {};
  return fail(Errc::kDamaged,
              fmt::format("{} disk: its file has {} bytes, not {}", name, stamp.size, bytes));
}

Result<void> check_one_layer(const sys::UniqueFd& fd, int mode) {
  PYRO_CHECK(check_mode("work", fd, mode));
  auto checked = check_layer(fd.get());
  if (checked) return {};
  return std::unexpected(std::move(checked.error()).context("work disk"));
}

std::unexpected<Error> too_many() {
  return fail_hint(Errc::kLimit,
                   fmt::format("the work disk has {} layers already", kMostWorkLayers),
                   "go back to an earlier snapshot, or to the baseline: pyro workspace reset; or "
                   "export what is to stay and create another workspace with it");
}

}  // namespace

Result<void> check_disks(const WorkspaceDisks& disks) {
  PYRO_CHECK(check_raw("scratch", disks.scratch, O_RDWR, kScratchBytes));
  PYRO_CHECK(check_raw("baseline", disks.baseline, O_RDONLY, kBaselineBytes));
  PYRO_CHECK(check_raw("work", disks.work_base, O_RDONLY, kWorkBytes));
  if (disks.work_layers.empty()) return fail(Errc::kInternal, "the work disk has no layer");
  if (disks.work_layers.size() > kMostOpenLayers) return too_many();
  for (const sys::UniqueFd& layer : disks.work_layers) {
    PYRO_CHECK(check_one_layer(layer, &layer == &disks.work_layers.back() ? O_RDWR : O_RDONLY));
  }
  return {};
}

Result<void> check_room(std::size_t layers) {
  if (layers >= kMostWorkLayers) return too_many();
  return {};
}

std::vector<std::pair<int, int>> disk_fds(const WorkspaceDisks& disks,
                                          const sys::UniqueFd& top_read_only) {
  std::vector<std::pair<int, int>> fds{{disks.scratch.get(), kScratchFd},
                                       {disks.baseline.get(), kBaselineFd},
                                       {disks.work_base.get(), kWorkBaseFd},
                                       {top_read_only.get(), kTopLayerReadOnlyFd}};
  int number = kFirstLayerFd;
  for (const sys::UniqueFd& layer : disks.work_layers) fds.emplace_back(layer.get(), number++);
  return fds;
}

// Gives QEMU the layer, on top of nothing yet.
io::Task<void> WorkDisk::open_layer(Qmp& qmp, int index, const sys::UniqueFd& layer) {
  const int set = kFirstLayerSet + index;
  PYRO_CO_TRY(const sys::UniqueFd read_only, sys::reopen(layer.get(), O_RDONLY));
  PYRO_CO_CHECK(co_await qmp.add_to_set(set, layer.get()));
  PYRO_CO_CHECK(co_await qmp.add_to_set(set, read_only.get()));
  json::object file{
      {"driver", "file"}, {"filename", fmt::format("/dev/fdset/{}", set)}, {"locking", "off"}};
  json::object node{{"driver", "qcow2"},
                    {"node-name", layer_node(index)},
                    {"read-only", false},
                    {"backing", nullptr},
                    {"file", std::move(file)}};
  PYRO_CO_TRY(const auto ignored, co_await qmp.execute("blockdev-add", std::move(node)));
  static_cast<void>(ignored);
  co_return Result<void>{};
}

io::Task<void> WorkDisk::add_layer(Qmp& qmp, sys::UniqueFd layer) {
  if (layers_ == 0) co_return fail(Errc::kConflict, "this machine has no work disk");
  PYRO_CO_CHECK(check_room(static_cast<std::size_t>(layers_)));
  if (must_end_) co_return fail(Errc::kUnavailable, "it is not known which layer is on top");
  PYRO_CO_CHECK(check_one_layer(layer, O_RDWR));
  const int index = layers_;
  must_end_ = true;  // until QEMU has said what became of it
  auto done = co_await open_layer(qmp, index, layer);
  const bool opened = done.has_value();
  if (opened) {
    json::object pair{{"node", layer_node(index - 1)}, {"overlay", layer_node(index)}};
    auto stacked = co_await qmp.execute("blockdev-snapshot", std::move(pair));
    if (!stacked) done = std::unexpected(std::move(stacked.error()));
  }
  if (!done) {
    done = std::unexpected(std::move(done.error()).context("a new layer"));
    if (!qmp.answered()) co_return done;
    if (opened) {
      json::object node{{"node-name", layer_node(index)}};
      static_cast<void>(co_await qmp.execute("blockdev-del", std::move(node)));
    }
  }
  // QEMU has the layer below open for reading by now and the other one was never used: either way
  // this takes away its descriptor for writing.
  const int closed = kFirstLayerSet + (done ? index - 1 : index);
  json::object set{{"fdset-id", closed}};
  const auto removed = co_await qmp.execute("remove-fd", std::move(set));
  must_end_ = done ? !removed : !qmp.answered();
  if (!done) co_return done;
  layers_ = index + 1;
  if (!removed) co_return std::unexpected(Error(removed.error()).context("the layer below"));
  co_return Result<void>{};
}

}  // namespace pyro::vmm
