// Services: named programs that run on in a workspace, with a way to find out that they can be
// used. Blocking calls; an interface, so that surfaces can be tested without a guest. `workspace`
// is an id or a name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pyro/export.h"
#include "pyro/result.hpp"

namespace pyro {

// One of: a file that is written or changed after the start, a port that takes connections, a URL
// that answers with 200 to 399, a command that exits with 0. One look takes 5 s at most, a command
// 30 s.
struct ServiceReadiness {
  std::string type;     // file, tcp, http, command
  std::string path;     // file; relative: below the service's cwd
  std::string address;  // tcp: HOST:PORT or PORT; HOST is an address or localhost
  std::string url;      // http: http://HOST[:PORT][/PATH]
  std::string command;  // for /bin/sh -c
};
struct ServicePort {
  int guest_port = 0;
  std::optional<int> host_port;  // none: any free one
};
struct ServiceOptions {
  std::vector<std::string> argv;  // not empty
  std::string command;            // instead of argv: run by /bin/sh -c
  std::string cwd = "/workspace";
  std::map<std::string, std::string> env, secret_env;
  std::optional<ServiceReadiness> readiness;
  int ready_timeout_seconds = 30;
  int ready_interval_ms = 500;
  std::string restart = "no";  // no, on-failure, always
  std::vector<ServicePort> published_ports;
};

struct PublishedPortInfo {
  std::string host, protocol;  // 127.0.0.1, tcp
  std::optional<int> host_port;
  int guest_port = 0;
};
struct ServiceInfo {
  std::string workspace_id, service_name;
  std::string command, cwd, execution_mode;
  std::string state;  // starting, running, stopped, exited, failed
  double started_at = 0;
  std::optional<double> ready_at, ended_at;
  std::optional<int> exit_code;  // 128+n for a signal
  std::optional<int> pid;        // in the guest
  std::optional<ServiceReadiness> readiness;
  std::string stop_reason;  // why it does not run: sigterm, sigkill, exited, readiness_timeout, ...
  std::string restart;
  std::int64_t restart_count = 0;
  std::vector<PublishedPortInfo> published_ports;
  std::string last_error;
};
struct ServiceList {
  std::string workspace_id;
  int running_count = 0;              // with those that are starting
  std::vector<ServiceInfo> services;  // by name
};

struct LogEntry {
  double at = 0;       // seconds since the epoch, when the supervisor got it
  std::string stream;  // stdout, stderr; pyro: a remark of pyro's own
  std::string text;    // bytes as printed, secrets redacted; may begin or end within a line
};
struct ServiceLogOptions {
  int tail_lines = 200;  // of its output; remarks do not count
  bool all = false;      // whatever is kept
};
struct ServiceLogs {
  ServiceInfo service;
  std::vector<LogEntry> entries;
  bool truncated = false;  // there was more, which is not kept or was not asked for
};

class PYRO_API Services {
 public:
  virtual ~Services() = default;
  // Returns when it is ready. An error: nothing of it runs; the hint shows its last lines. When
  // `interrupt_fd` is readable the start is given up and the service ended.
  virtual Result<ServiceInfo> start(const std::string& workspace, const std::string& name,
                                    const ServiceOptions& options, int interrupt_fd) = 0;
  virtual Result<ServiceList> list(const std::string& workspace) = 0;
  virtual Result<ServiceInfo> status(const std::string& workspace, const std::string& name) = 0;
  virtual Result<ServiceLogs> logs(const std::string& workspace, const std::string& name,
                                   const ServiceLogOptions& options) = 0;
  // The same, and then what is added, until the service ends, `on_entry` fails or `interrupt_fd`
  // is readable.
  virtual Result<ServiceInfo> follow(const std::string& workspace, const std::string& name,
                                     const ServiceLogOptions& options,
                                     const std::function<Result<void>(const LogEntry&)>& on_entry,
                                     int interrupt_fd) = 0;
  virtual Result<ServiceInfo> stop(const std::string& workspace, const std::string& name,
                                   int timeout_seconds, int interrupt_fd) = 0;
  virtual Result<ServiceInfo> restart(const std::string& workspace, const std::string& name,
                                      int timeout_seconds, int interrupt_fd) = 0;
};

}  // namespace pyro
