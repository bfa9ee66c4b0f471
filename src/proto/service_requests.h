// What pyro's surfaces ask of a workspace's supervisor about its services. Their state stands in
// the workspace's record and their output in files beside it, which everybody of the same user may
// read.
#pragma once

#include "proto/agent_messages.h"

namespace pyro::proto {

// How one finds out that a service can be used. At most one.
struct Readiness {
  static constexpr const char* kName = "readiness";
  std::string type;  // file, tcp, http, command
  std::string path;  // file: absolute in the guest; http: "/health?x=1"
  std::string host;  // tcp, http: as in Probe
  std::uint16_t port = 0;
  std::string command;  // run by /bin/sh -c where the service runs; ready: it exits with 0

  template <class M>
  void map(M& m) {
    m.required("type", type);
    m.optional("path", path);
    m.optional("host", host);
    m.optional("port", port);
    m.optional("command", command);
  }
};
struct PublishedPort {
  static constexpr const char* kName = "published port";
  int guest_port = 0;
  int host_port = 0;  // 0: any free one
  int bound = 0;      // the one that it has while the service runs

  template <class M>
  void map(M& m) {
    m.required("guest_port", guest_port);
    m.optional("host_port", host_port);
    m.optional("bound", bound);
  }
};

// All that is needed to run it again; stands in its record.
struct ServiceDefinition {
  static constexpr const char* kName = "service";
  std::vector<Bytes> argv;
  std::string command;  // as it is shown
  std::string cwd = "/workspace";
  std::map<std::string, Bytes> env;
  std::map<std::string, std::string> secret_env;  // secret -> variable
  std::optional<Readiness> readiness;
  std::int64_t ready_timeout_ms = 30'000;
  std::int64_t ready_interval_ms = 500;
  std::string restart = "no";  // no, on-failure, always
  std::vector<PublishedPort> published;

  template <class M>
  void map(M& m) {
    m.required("argv", argv);
    m.required("command", command);
    m.optional("cwd", cwd);
    m.optional("env", env);
    m.optional("secret_env", secret_env);
    m.optional("readiness", readiness);
    m.optional("ready_timeout_ms", ready_timeout_ms);
    m.optional("ready_interval_ms", ready_interval_ms);
    m.optional("restart", restart);
    m.optional("published", published);
  }
};

// Answered when it is ready. An error: nothing of it runs any more. Result: Empty.
struct StartService {
  static constexpr const char* kName = "service.start";
  std::string name;
  ServiceDefinition definition;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.required("definition", definition);
  }
};
// SIGTERM to all of it, SIGKILL after the timeout. Nothing happens to one that does not run.
// Result: Empty.
struct StopService {
  static constexpr const char* kName = "service.stop";
  std::string name;
  std::int64_t timeout_ms = 10'000;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.optional("timeout_ms", timeout_ms);
  }
};
// Stops it if it runs, and starts it as it is defined. Answered as StartService is. Result: Empty.
struct RestartService {
  static constexpr const char* kName = "service.restart";
  std::string name;
  std::int64_t timeout_ms = 10'000;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.optional("timeout_ms", timeout_ms);
  }
};
// Its log from `cursor` on (store/service_log.h), as data on stdout: whole records. Ends when the
// service has (Empty), or by cancel.
struct FollowService {
  static constexpr const char* kName = "service.follow";
  std::string name;
  std::int64_t cursor = 0;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.required("cursor", cursor);
  }
};

}  // namespace pyro::proto
