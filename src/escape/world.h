// The network that the probes' engine has instead of the host's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/process.h"
#include "world/messages.h"

namespace pyro::escape {

class World {
 public:
  virtual ~World() = default;
  // What has arrived since the last call.
  virtual Result<world::Arrivals> arrivals() = 0;
  // The same, and names that change their minds begin anew.
  virtual Result<world::Arrivals> begin_anew() = 0;
  // The engines that run in it.
  [[nodiscard]] virtual Result<std::vector<pid_t>> engines() const = 0;
};

// pyro-world, in namespaces of its own. Ends with this object, and with the process.
class NamespaceWorld final : public World {
 public:
  // kUnavailable: this host gives an ordinary user no namespaces.
  static Result<std::unique_ptr<NamespaceWorld>> open(const std::string& program);
  // Of the host in it: what PYRO_NET_NAMESPACE is to be.
  [[nodiscard]] const std::string& net_namespace() const { return net_namespace_; }
  Result<world::Arrivals> arrivals() override { return ask(world::kTake); }
  Result<world::Arrivals> begin_anew() override { return ask(world::kBeginAnew); }
  [[nodiscard]] Result<std::vector<pid_t>> engines() const override;

 private:
  NamespaceWorld(sys::ChildProcess process, sys::UniqueFd control)
      : process_(std::move(process)), control_(std::move(control)) {}
  Result<world::Arrivals> ask(char what);
  Result<std::string> read_line();

  sys::ChildProcess process_;
  sys::UniqueFd control_;
  std::string held_, net_namespace_;
};

// "tcp 93.184.216.34 443", "icmp 1.1.1.1"; "host " before it when it came to the host's loopback.
std::string text(const world::Arrival& arrival);
// Resident memory of a process, in bytes.
Result<std::int64_t> memory_of(pid_t process);

}  // namespace pyro::escape
