// Control groups (version 2), one for each exec, so that everything it started can be killed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::agent {

// A leaf group, by descriptor: what the workload mounts over /sys/fs/cgroup does not matter.
class Cgroup {
 public:
  Cgroup(sys::UniqueFd dir, std::string name) : dir_(std::move(dir)), name_(std::move(name)) {}
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const sys::UniqueFd& dir() const { return dir_; }
  // SIGKILL to every process in it, also those that are being forked.
  Result<void> kill();
  // Some kernels (seen: 6.18) kill whatever is born with CLONE_INTO_CGROUP in a group that was
  // killed before, so such a group is not used again.
  [[nodiscard]] bool killed() const { return killed_; }
  // A signal to every process in it and in groups made below it. What is forked meanwhile gets it,
  // too, unless it forks faster than we look.
  void signal(int signo);
  // Whether anything in it or below it lives. What has ended and was not reaped does not.
  [[nodiscard]] bool populated() const;
  // For populated_now(). Its poll reports an exceptional condition once that has changed since the
  // last look (kernel, Documentation/admin-guide/cgroup-v2.rst, "[Un]populated Notification").
  [[nodiscard]] Result<sys::UniqueFd> open_events() const;
  static bool populated_now(int events_fd);

 private:
  sys::UniqueFd dir_;
  std::string name_;
  bool killed_ = false;
};

// The groups under one folder. Emptied groups are used again: making one costs more than a spawn.
class CgroupPool {
 public:
  // `parent`: an open cgroup2 folder in which groups may be made. Groups of an earlier pool with
  // the same prefix are used again.
  CgroupPool(sys::UniqueFd parent, std::string prefix);
  Result<std::unique_ptr<Cgroup>> acquire();
  // Groups that still have processes (daemons the program left behind) are kept aside.
  void release(std::unique_ptr<Cgroup> group);
  // Whether no group has a process in it.
  [[nodiscard]] bool is_idle();
  // Makes `count` spare groups ahead of their use.
  void prepare(int count);

 private:
  Result<std::unique_ptr<Cgroup>> make();
  void sort_out();

  sys::UniqueFd parent_;
  std::string prefix_;
  int made_ = 0;
  std::vector<std::unique_ptr<Cgroup>> idle_;
  std::vector<std::unique_ptr<Cgroup>> busy_;
};

}  // namespace pyro::agent
