// Starting a program without copying the agent's page tables.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace pyro::agent {

struct ProgramSpec {
  std::vector<std::string> paths;  // tried in this order, as execvp(3) does; at least one
  std::vector<std::string> argv;   // at least one
  std::vector<std::string> env;    // "NAME=value"
  std::string cwd;
  int fds[3] = {-1, -1, -1};  // become 0, 1, 2
  bool terminal = false;      // fds[0] becomes the controlling terminal
  int cgroup_dir = -1;        // the child is born in this group; -1: the caller's
};

// The child leads a session and a process group of its own, has default signal handlers, an empty
// signal mask, oom_score_adj 0 and no other descriptors. It is the caller's to reap. Returns once
// exec has succeeded. Errors: of exec kNotFound (ENOENT, ENOTDIR) or kDenied (not executable), with
// the errno; of cwd kInvalid; else what the system lacked.
Result<pid_t> spawn_program(const ProgramSpec& spec);

}  // namespace pyro::agent
