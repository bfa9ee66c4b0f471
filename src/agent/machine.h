// What only PID 1 of a guest can do, behind an interface so that the service runs in tests.
#pragma once

#include <functional>
#include <memory>

#include "agent/cgroup.h"
#include "proto/agent_messages.h"
#include "sys/fd.h"

namespace pyro::agent {

class Machine {
 public:
  virtual ~Machine() = default;
  // Mounts the root and moves into it. Returns the groups for the workload, or null.
  virtual Result<std::unique_ptr<CgroupPool>> prepare(const proto::Prepare& request) = 0;
  virtual Result<void> rejuvenate(const proto::Rejuvenate& request) = 0;
  virtual Result<void> set_clock(std::int64_t wall_clock_ns) = 0;
  virtual void sync_disks() = 0;
  virtual void power_off() = 0;
};

class GuestMachine final : public Machine {
 public:
  Result<std::unique_ptr<CgroupPool>> prepare(const proto::Prepare& request) override;
  Result<void> rejuvenate(const proto::Rejuvenate& request) override;
  Result<void> set_clock(std::int64_t wall_clock_ns) override;
  void sync_disks() override;
  void power_off() override;

 private:
  // Opened before the template is saved: every clone saves itself the path walks.
  sys::UniqueFd random_, hostname_, machine_id_;
};

// Before the first message: /dev, /proc and /sys of the initramfs, kernel modules. What failed, one
// line each, goes to `log`.
void boot_machine(const std::function<void(const std::string&)>& log);

}  // namespace pyro::agent
