// The shells of one machine: programs on terminals in the guest, which outlive the calls that
// opened them, and what they printed.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "core/guest.h"
#include "core/input_queue.h"
#include "core/rest.h"
#include "core/shell_output.h"
#include "core/workspace_secrets.h"
#include "io/turn.h"
#include "proto/shell_requests.h"
#include "rpc/stream.h"
#include "store/workspace_record.h"

namespace pyro::core {

class Network;

// How patient shells and services are with a guest.
struct SessionLimits {
  // For a program to read what is written to its shell. Shorter than the library's patience, which
  // would take the supervisor for dead.
  std::chrono::milliseconds write{30'000};
  // For a shell to end, beyond the agent's own grace before it kills.
  std::chrono::milliseconds close{15'000};
  // For a service to disappear after SIGKILL, beyond what the agent waits itself.
  std::chrono::milliseconds gone{15'000};
  // Before a service is started again for the first time; then twice as long each time.
  std::chrono::milliseconds first_pause{500};
};

// Borrowed by shells and services; outlive them.
struct SessionDeps {
  store::WorkspaceStore& store;
  const Secrets& secrets;
  Guest& guest;
  Rest& rest;
  Network* network = nullptr;  // of a workspace that has one
  SessionLimits limits;
};

// Owner: Workspace, as long as its machine is started; a call under way holds it too. One loop.
// close() must have been awaited before it is destroyed.
class Shells {
 public:
  using StreamPtr = std::shared_ptr<rpc::Stream>;
  Shells(SessionDeps deps, io::asio::any_io_executor ex) : deps_(deps), ex_(ex), scope_(ex) {}

  // `exec` runs on a terminal of that size; an empty argv: bash, or sh where there is none. kLimit:
  // proto::kMostShells run already.
  io::Task<std::int64_t> open(proto::Exec exec, std::string cwd, proto::Terminal size);
  // Of these, kNotFound: no output is left of it, or there was never such a shell.
  io::Task<proto::ShellRead> read(proto::ReadShell request, StreamPtr client);
  io::Task<proto::ShellRead> attach(proto::AttachShell request, StreamPtr client);
  // kDeadline: the program has not read all of it in time; what it was given stays given.
  io::Task<void> write(proto::WriteShell request);
  Result<void> signal(const proto::SignalShell& request);
  Result<void> resize(const proto::ResizeShell& request);
  io::Task<void> close_one(std::int64_t id);

  // No more of them: the machine goes. The record says for what reason those that run have ended,
  // before anybody who looks at one is told; then calls under way end.
  io::asio::awaitable<void> close(std::string reason);

 private:
  struct Shell;
  using ShellPtr = std::shared_ptr<Shell>;
  struct Started;
  io::Task<Started> start(proto::Exec exec);
  Result<ShellPtr> find(std::int64_t id);
  Result<ShellPtr> find_running(std::int64_t id);
  io::asio::awaitable<void> pump(ShellPtr shell, rpc::Incoming first);
  io::asio::awaitable<void> take_keys(ShellPtr shell, StreamPtr client, InputQueue* keys,
                                      bool* gone);
  io::asio::awaitable<void> give_keys(ShellPtr shell, StreamPtr client, InputQueue* keys,
                                      bool* gone);
  Result<void> follow_size(const ShellPtr& shell, proto::Terminal size);
  io::asio::awaitable<void> record_size(ShellPtr shell);
  io::Task<std::int64_t> show_recent(ShellPtr shell, StreamPtr client);
  io::Task<void> show(ShellPtr shell, std::int64_t cursor, StreamPtr client, const bool* gone);
  void record_end(const Shell& shell, std::optional<std::int64_t> exit_code,
                  const std::string& reason);
  void forget_oldest();

  SessionDeps deps_;
  io::asio::any_io_executor ex_;
  std::map<std::int64_t, ShellPtr> shells_;
  std::deque<std::int64_t> ended_;  // of them, in that order
  int opening_ = 0;
  bool closing_ = false;
  std::string closing_reason_;
  io::TaskScope scope_;
};

}  // namespace pyro::core
