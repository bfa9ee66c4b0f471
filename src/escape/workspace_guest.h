// The guest that users have: a workspace of this pyro, through the library as every surface uses
// it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/workspaces.h"
#include "escape/guest.h"

namespace pyro::escape {

inline constexpr const char* kEnvironment = "debian:12";

// What the suite does to the host is undone by the destructor: its workspaces are deleted.
class WorkspaceGuest final : public Guest {
 public:
  // `pyro` is borrowed; `interrupt_fd` as RunObserver has it. `policy` is that of the first moment.
  static Result<std::unique_ptr<WorkspaceGuest>> make(client::Pyro& pyro, sys::Dirs dirs,
                                                      const policy::Policy& policy,
                                                      client::RunObserver observer);
  ~WorkspaceGuest() override;
  WorkspaceGuest(const WorkspaceGuest&) = delete;
  WorkspaceGuest& operator=(const WorkspaceGuest&) = delete;

  Result<void> set_policy(const policy::Policy& policy) override;
  Result<std::string> probe(const std::vector<std::string>& words) override;
  Result<std::vector<proto::NetEvent>> events() override;
  Result<std::map<std::string, std::int64_t>> drops() override;
  Result<std::uint16_t> other_sandbox() override;
  // A new workspace with a service that says hello to everybody, and its port on the host.
  struct Served {
    std::string workspace, service;
    std::uint16_t port = 0;
  };
  Result<Served> serve();
  Result<void> stop_and_start() override;
  Result<void> reset() override { return reset_to("baseline"); }
  Result<void> snapshot_and_reset(const policy::Policy& then) override;
  Result<Ran> probe_in_run(const policy::Policy& policy,
                           const std::vector<std::string>& words) override;
  Result<Ran> probe_in_new_workspace(const policy::Policy& policy,
                                     const std::vector<std::string>& words) override;

 private:
  WorkspaceGuest(client::Pyro& pyro, sys::Dirs dirs, client::RunObserver observer)
      : pyro_(pyro), dirs_(std::move(dirs)), observer_(std::move(observer)) {}
  // A workspace with the probe in it.
  Result<std::string> create(const policy::Policy& policy);
  Result<void> bring_probe(const std::string& workspace);
  Result<std::string> probe_in(const std::string& workspace, const std::vector<std::string>& words);
  Result<void> reset_to(const std::string& snapshot);

  client::Pyro& pyro_;
  sys::Dirs dirs_;
  client::RunObserver observer_;
  std::vector<std::string> workspaces_;  // ours; the first is where probes run
  std::uint64_t log_cursor_ = 0;
};

// As the command line is given it.
client::NetworkOptions options_of(const policy::Policy& policy);
// The program for a guest, of this installation.
std::string probe_program(const sys::Dirs& dirs);
// The probe's words after its path, which it has in a workspace.
inline constexpr const char* kProbeInGuest = "/workspace/pyro-probe";

}  // namespace pyro::escape
