// The services of this host's workspaces. Their records and logs are read here, what changes them
// goes through the workspace's supervisor.
#pragma once

#include "client/local_workspaces.h"
#include "client/services.h"
#include "proto/service_requests.h"

namespace pyro::client {

class LocalServices final : public Services {
 public:
  explicit LocalServices(LocalWorkspaces& workspaces) : workspaces_(workspaces) {}

  Result<ServiceInfo> start(const std::string& workspace, const std::string& name,
                            const ServiceOptions& options, int interrupt_fd) override;
  Result<ServiceList> list(const std::string& workspace) override;
  Result<ServiceInfo> status(const std::string& workspace, const std::string& name) override;
  Result<ServiceLogs> logs(const std::string& workspace, const std::string& name,
                           const ServiceLogOptions& options) override;
  Result<ServiceInfo> follow(const std::string& workspace, const std::string& name,
                             const ServiceLogOptions& options,
                             const std::function<Result<void>(const LogEntry&)>& on_entry,
                             int interrupt_fd) override;
  Result<ServiceInfo> stop(const std::string& workspace, const std::string& name,
                           int timeout_seconds, int interrupt_fd) override;
  Result<ServiceInfo> restart(const std::string& workspace, const std::string& name,
                              int timeout_seconds, int interrupt_fd) override;

 private:
  // A service by the workspace's id. kNotFound when there is none.
  [[nodiscard]] Result<ServiceInfo> info(const std::string& id, const std::string& name) const;
  [[nodiscard]] Result<void> check_ports(const std::string& id,
                                         const proto::ServiceDefinition& definition) const;
  // Asks about a service of a started workspace. When the supervisor goes meanwhile, the error says
  // why. `on_data`: empty where the answer has none.
  Result<void> ask(const std::string& id, const std::string& name, const char* method,
                   boost::json::object params, const Connection::CallOptions& options,
                   const Connection::OnData& on_data = {});
  [[nodiscard]] Error explained(const std::string& id, const std::string& name, Error error) const;
  // `logs`, and the cursor at which they end.
  Result<std::uint64_t> read_logs(const ServiceLogOptions& options, ServiceLogs& logs) const;

  LocalWorkspaces& workspaces_;
};

}  // namespace pyro::client
