// The shells of this host's workspaces. Their records are read here, their output is with the
// workspace's supervisor.
#pragma once

#include "client/local_workspaces.h"
#include "client/shells.h"
#include "proto/shell_requests.h"

namespace pyro::client {

class LocalShells final : public Shells {
 public:
  explicit LocalShells(LocalWorkspaces& workspaces) : workspaces_(workspaces) {}

  Result<ShellInfo> open(const std::string& workspace, const ShellOptions& options) override;
  Result<ShellReadResult> read(const std::string& workspace, const std::string& shell_id,
                               const ShellReadOptions& options) override;
  Result<ShellInfo> follow(const std::string& workspace, const std::string& shell_id,
                           std::int64_t cursor, const ShellSink& sink, int interrupt_fd) override;
  Result<ShellWriteResult> write(const std::string& workspace, const std::string& shell_id,
                                 const std::string& input, bool append_newline,
                                 int interrupt_fd) override;
  Result<ShellInfo> signal(const std::string& workspace, const std::string& shell_id,
                           const std::string& signal_name) override;
  Result<ShellInfo> resize(const std::string& workspace, const std::string& shell_id,
                           std::optional<int> cols, std::optional<int> rows) override;
  Result<ShellList> list(const std::string& workspace) override;
  Result<ShellInfo> close(const std::string& workspace, const std::string& shell_id,
                          int interrupt_fd) override;
  Result<ShellAttachResult> attach(const std::string& workspace, const std::string& shell_id,
                                   const ShellSink& sink, const ShellKeys& keys) override;

 private:
  // A shell of a workspace, both by their own names.
  struct Place {
    std::string workspace;
    std::int64_t shell = 0;
  };
  [[nodiscard]] Result<Place> find(const std::string& workspace, const std::string& shell_id) const;
  [[nodiscard]] Result<ShellInfo> info(const Place& place) const;
  // A request about a shell whose answer says nothing.
  Result<void> ask(const Place& place, const char* method, boost::json::object params,
                   int interrupt_fd = -1);
  // A connection for a shell that runs or has output left; else the error says what became of it.
  Result<Connection> connect(const Place& place);
  [[nodiscard]] Error explained(const Place& place, Error error) const;

  LocalWorkspaces& workspaces_;
};

}  // namespace pyro::client
