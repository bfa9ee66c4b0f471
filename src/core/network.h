// The network of one machine: its engine (pyro-net), started, told what is allowed, watched, and
// started again when it dies. docs/design/net-theory-of-operation.md, "The process".
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "io/scope.h"
#include "io/task.h"
#include "io/turn.h"
#include "policy/policy.h"
#include "proto/network_requests.h"
#include "rpc/session.h"
#include "sys/process.h"

namespace pyro::core {

// Borrowed; outlive the Network.
struct NetworkDeps {
  std::string engine;       // pyro-net on the host
  std::string resolv_conf;  // names the host's name servers
  // The network namespace that the engine's sockets are in, as /proc/PID/ns/net; empty: ours. One
  // that cannot be joined is an error of the start.
  std::string net_namespace;
  std::chrono::milliseconds answer{5000};  // how long an engine may take for one
  // Three deaths within this time are not chance (docs/design/net-theory-of-operation.md).
  std::chrono::seconds span{10};
};

// Owner: whoever has the machine. One loop. close() must have been awaited before it is destroyed.
class Network {
 public:
  using OnEvents = std::function<void(const proto::NetEvents&)>;

  // `on_events` is called as they come.
  static Result<std::unique_ptr<Network>> make(NetworkDeps deps, OnEvents on_events,
                                               io::asio::any_io_executor ex);
  ~Network();

  // Returns once an engine runs that decides by `policy`, which has a network.
  io::Task<void> start(policy::Policy policy);
  // What a machine is to be launched with: the other end of the engine's link.
  [[nodiscard]] Result<sys::UniqueFd> guest_end() const;

  // The engine decides by it when this returns, and what it does not allow is closed. An engine
  // that did not say that it does is not trusted with either: another one starts with the old
  // policy.
  io::Task<void> set_policy(policy::Policy policy);
  [[nodiscard]] const policy::Policy& policy() const { return policy_; }

  // A port of 127.0.0.1 for a port of the guest; 0: any that is free. It comes back with a new
  // engine; where somebody else has taken it meanwhile, once it is free again. kConflict: it is
  // taken; kDenied: it may not be had.
  io::Task<std::uint16_t> publish(std::uint16_t host_port, std::uint16_t guest_port);
  io::Task<void> unpublish(std::uint16_t host_port);

  // kUnavailable: there is no engine, and why.
  io::Task<proto::NetInfo> info();
  io::Task<proto::NetworkState> state();
  // Returns once what was decided so far is told, or after a moment.
  io::asio::awaitable<void> hear_out();

  // No more network: engine and link go.
  io::asio::awaitable<void> close();

 private:
  // A process, and the session with it.
  struct Engine;
  using EnginePtr = std::shared_ptr<Engine>;
  Network(NetworkDeps deps, OnEvents on_events, sys::UniqueFd engine_end, sys::UniqueFd guest_end,
          io::asio::any_io_executor ex);
  io::Task<void> run_engine();
  // Of another policy than it may have: an engine for which this fails is ended.
  io::Task<void> configure(EnginePtr engine, policy::Policy policy);
  // The host's port, and the guest's.
  using Ports = std::map<std::uint16_t, std::uint16_t>;
  // Of `wanted`, those that could not be had.
  io::asio::awaitable<Ports> publish_all(EnginePtr engine, Ports wanted);
  io::asio::awaitable<void> publish_missing(EnginePtr engine, Ports missing);
  io::Task<boost::json::object> call(EnginePtr engine, const char* method,
                                     boost::json::object params);
  io::asio::awaitable<void> keep_running();
  // Counts one, also of an engine that did not come up.
  bool died_too_often();
  io::asio::awaitable<void> take_events(EnginePtr engine);
  io::Task<void> reload_resolvers(EnginePtr engine);
  // The engine, or the one that is being started in its place. kUnavailable: there is none.
  io::Task<EnginePtr> running();

  NetworkDeps deps_;
  OnEvents on_events_;
  // Ours is a duplicate of what each engine gets: frames wait in it while there is none.
  sys::UniqueFd engine_end_, guest_end_;
  io::asio::any_io_executor ex_;
  policy::Policy policy_;
  std::vector<proto::NetResolver> resolvers_;
  Ports published_;
  EnginePtr engine_;
  io::Changes changed_;                                       // of engine_ and why_not_
  io::Turns configuring_;                                     // of set_policy() and name servers
  std::deque<std::chrono::steady_clock::time_point> deaths_;  // recent ones
  int restarts_ = 0;                                          // engines that took a place
  std::string why_not_;                                       // there is no engine
  bool closing_ = false;
  io::TaskScope scope_;
};

}  // namespace pyro::core
