// Where the probes run: a sandbox whose network engine has its sockets in the suite's world.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"
#include "proto/net_messages.h"

namespace pyro::escape {

// Blocking; events() and probe() may be called while another thread is in probe().
class Guest {
 public:
  virtual ~Guest() = default;
  // In force when this returns, also for connections that are there.
  virtual Result<void> set_policy(const policy::Policy& policy) = 0;
  // What pyro-probe prints for these words.
  virtual Result<std::string> probe(const std::vector<std::string>& words) = 0;
  // Those that have come since the last call.
  virtual Result<std::vector<proto::NetEvent>> events() = 0;
  // Frames of the guest that its engine has dropped so far, by reason.
  virtual Result<std::map<std::string, std::int64_t>> drops() = 0;
  // A port of the host that another sandbox has published; what serves there says hello.
  virtual Result<std::uint16_t> other_sandbox() = 0;
  // After these the same policy is in force.
  virtual Result<void> stop_and_start() = 0;
  virtual Result<void> reset() = 0;
  // A snapshot under `then`, which is given up for the policy that is in force now, and a reset to
  // it.
  virtual Result<void> snapshot_and_reset(const policy::Policy& then) = 0;
  // The same words, or others, in a sandbox of their own with this policy. Its events are not ours;
  // a run says why it was refused what.
  struct Ran {
    std::string line;
    std::vector<std::string> reasons;
  };
  virtual Result<Ran> probe_in_run(const policy::Policy& policy,
                                   const std::vector<std::string>& words) = 0;
  virtual Result<Ran> probe_in_new_workspace(const policy::Policy& policy,
                                             const std::vector<std::string>& words) = 0;
};

}  // namespace pyro::escape
