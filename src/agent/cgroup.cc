#include "agent/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

namespace pyro::agent {

Result<void> Cgroup::kill() {
  killed_ = true;
  PYRO_TRY(const int fd, sys::retrying("open cgroup.kill", [&] {
             return ::openat(dir_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC);
           }));
  const sys::UniqueFd file(fd);
  return sys::write_all(file.get(), "1");
}

bool Cgroup::populated() const {
  const sys::UniqueFd file(::openat(dir_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  char text[128];
  const auto n = file ? ::read(file.get(), text, sizeof text) : -1;
  if (n < 0) return true;
  return std::string_view(text, static_cast<std::size_t>(n)).find("populated 0") ==
         std::string_view::npos;
}

CgroupPool::CgroupPool(sys::UniqueFd parent, std::string prefix)
    : parent_(std::move(parent)), prefix_(std::move(prefix)) {}

Result<std::unique_ptr<Cgroup>> CgroupPool::make() {
  std::string name;
  for (;;) {
    name = prefix_ + std::to_string(made_++);
    if (::mkdirat(parent_.get(), name.c_str(), 0755) == 0) break;
    if (errno != EEXIST) return sys::fail_errno("making control group " + name, errno);
  }
  PYRO_TRY(const int fd, sys::retrying("opening control group " + name, [&] {
             return ::openat(parent_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
           }));
  return std::make_unique<Cgroup>(sys::UniqueFd(fd), name);
}

// Groups that have emptied since they were put aside: used again, or removed when they were killed.
void CgroupPool::sort_out() {
  for (auto& group : busy_) {
    if (group->populated()) continue;
    if (!group->killed()) {
      idle_.push_back(std::move(group));
    } else if (::unlinkat(parent_.get(), group->name().c_str(), AT_REMOVEDIR) == 0) {
      group.reset();
    }
  }
  std::erase(busy_, nullptr);
}

Result<std::unique_ptr<Cgroup>> CgroupPool::acquire() {
  if (idle_.empty()) sort_out();
  if (idle_.empty()) return make();
  auto group = std::move(idle_.back());
  idle_.pop_back();
  return group;
}

void CgroupPool::release(std::unique_ptr<Cgroup> group) {
  if (!group->killed() && !group->populated()) {
    idle_.push_back(std::move(group));
    return;
  }
  busy_.push_back(std::move(group));
  sort_out();
}

bool CgroupPool::is_idle() {
  sort_out();
  return busy_.empty();
}

void CgroupPool::prepare(int count) {
  while (static_cast<int>(idle_.size()) < count) {
    auto group = make();
    if (!group) return;
    idle_.push_back(*std::move(group));
  }
}

}  // namespace pyro::agent
