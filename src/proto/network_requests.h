// What pyro's surfaces ask of a workspace's supervisor about its network. The policy stands in the
// workspace's record and what was decided in files beside it, which everybody of the same user may
// read.
#pragma once

#include "proto/net_messages.h"

namespace pyro::proto {

// Of a workspace that is started. Result: NetworkState.
struct AskNetwork : Empty {
  static constexpr const char* kName = "network.show";
};
struct NetworkState {
  static constexpr const char* kName = "network state";
  bool running = false;       // there is an engine
  std::string error;          // why there is none
  std::int64_t restarts = 0;  // of the engine, since the machine was started
  std::optional<NetInfo> info;

  template <class M>
  void map(M& m) {
    m.required("running", running);
    m.optional("error", error);
    m.optional("restarts", restarts);
    m.optional("info", info);
  }
};
// In the record and, where there is a machine, in force when it is answered. kConflict: it would
// take away or give the network device of a machine that runs. Result: Empty.
struct SetNetwork {
  static constexpr const char* kName = "network.set";
  std::string policy;  // policy::Policy::text()

  template <class M>
  void map(M& m) {
    m.required("policy", policy);
  }
};
// The log (core/network_log.h) from `cursor` on, as data on stdout: whole records. Ends with the
// machine (Empty), or by cancel.
struct FollowNetwork {
  static constexpr const char* kName = "network.follow";
  std::int64_t cursor = 0;

  template <class M>
  void map(M& m) {
    m.required("cursor", cursor);
  }
};

}  // namespace pyro::proto
