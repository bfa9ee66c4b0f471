// A connection to one sandbox's supervisor, driven by blocking calls.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/client.h"
#include "core/budget.h"
#include "io/task.h"
#include "proto/workspace_requests.h"
#include "sys/dirs.h"
#include "sys/fd.h"

namespace pyro::rpc {
class Session;
}

namespace pyro::client {

// For an answer to all that neither starts a machine nor runs a command.
inline constexpr std::chrono::seconds kQuickAnswer{60};

class Connection {
 public:
  // Starts a supervisor that is nobody's child; `reservation` moves to it (empty: none).
  static Result<Connection> spawn(const sys::Dirs& dirs, core::Reservation reservation);
  // Connects to a running one. kNotFound when there is none.
  static Result<Connection> connect(const sys::Dirs& dirs, const std::string& id);
  // SIGKILL to the one that listens, and waits until it is gone: for one that does not answer any
  // more. Its machine goes with it.
  static Result<void> kill_supervisor(const sys::Dirs& dirs, const std::string& id);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // `interrupt_fd` readable: the call is given up (kUnavailable). `on_phase` gets Phase events.
  struct CallOptions {
    std::function<void(const proto::Phase&)> on_phase;
    int interrupt_fd = -1;
    std::chrono::milliseconds limit{0};  // Errc::kDeadline without an answer by then; 0: none
  };
  Result<boost::json::object> call(const std::string& method, boost::json::object params,
                                   const CallOptions& options);
  // Streams the command's stdio. The first byte from `observer.interrupt_fd` becomes SIGINT for the
  // command, the second cancels it.
  Result<proto::ExecVmResult> exec(const proto::ExecVm& request, std::optional<int> stdin_fd,
                                   const RunObserver& observer);
  Result<proto::ExecWorkspaceResult> exec(const proto::ExecWorkspace& request,
                                          std::optional<int> stdin_fd, const RunObserver& observer);
  // A call whose data comes this way. An error of `on_data` ends it and is the result.
  using OnData = std::function<Result<void>(std::string_view bytes)>;
  Result<boost::json::object> download(const std::string& method, boost::json::object params,
                                       const OnData& on_data, const CallOptions& options);
  // A call whose data goes that way: what `produce` writes, to the end. The peer's error, which may
  // come before that, is the result rather than that of `produce`.
  using Produce = std::function<Result<void>(const OnData& sink)>;
  Result<boost::json::object> upload(const std::string& method, boost::json::object params,
                                     const Produce& produce, const CallOptions& options);

  // False: whoever was at the other end is gone, or has closed it.
  [[nodiscard]] bool is_open() const;

  // Anything else: runs a task of the caller's on this connection, to its end.
  Result<boost::json::object> run(
      const std::function<io::Task<boost::json::object>(rpc::Session& session)>& task);

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  static Result<Connection> greet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pyro::client
