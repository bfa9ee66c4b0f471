#include "agent/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <set>

#include "sys/file.h"

namespace pyro::agent {
namespace {

// How often a group is looked through for processes that were forked during the last look.
constexpr int kPasses = 16;
constexpr int kDepth = 16;  // of groups in groups

// The processes of a group itself, as this process numbers them (those it cannot see are 0).
void add_processes(int dir, std::set<pid_t>& out) {
  const sys::UniqueFd file(::openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC));
  if (!file) return;
  std::string text;
  char chunk[4096];
  for (ssize_t n = 0; (n = ::read(file.get(), chunk, sizeof chunk)) > 0;) {
    text.append(chunk, static_cast<std::size_t>(n));
  }
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    pid_t pid = 0;
    const auto [after, ec] = std::from_chars(at, end, pid);
    if (ec != std::errc{}) return;
    if (pid > 0) out.insert(pid);
    at = after + 1;
  }
}

// Also of the groups below it: a program may sort what it starts into groups of its own.
void add_all_processes(int dir, int depth, std::set<pid_t>& out) {
  add_processes(dir, out);
  if (depth == 0) return;
  sys::UniqueFd fd(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct Closer {
    void operator()(DIR* d) const { ::closedir(d); }
  };
  const std::unique_ptr<DIR, Closer> list(fd ? ::fdopendir(fd.get()) : nullptr);
  if (!list) return;
  (void)fd.release();  // owned by the list
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    const sys::UniqueFd below(::openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (below) add_all_processes(below.get(), depth - 1, out);
  }
}

}  // namespace

Result<void> Cgroup::kill() {
  killed_ = true;
  PYRO_TRY(const int fd, sys::retrying("open cgroup.kill", [&] {
             return ::openat(dir_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC);
           }));
  const sys::UniqueFd file(fd);
  return sys::write_all(file.get(), "1");
}

void Cgroup::signal(int signo) {
  if (signo == SIGKILL && kill()) return;
  std::set<pid_t> told;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::set<pid_t> seen;
    add_all_processes(dir_.get(), kDepth, seen);
    bool more = false;
    for (const pid_t pid : seen) {
      if (!told.insert(pid).second) continue;
      (void)::kill(pid, signo);
      more = true;
    }
    if (!more) return;
  }
}

Result<sys::UniqueFd> Cgroup::open_events() const {
  PYRO_TRY(const int fd, sys::retrying("open cgroup.events", [&] {
             return ::openat(dir_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC);
           }));
  return sys::UniqueFd(fd);
}

bool Cgroup::populated() const {
  const auto events = open_events();
  return !events || populated_now(events->get());
}

bool Cgroup::populated_now(int events_fd) {
  char text[128];
  const auto n = ::pread(events_fd, text, sizeof text, 0);
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
