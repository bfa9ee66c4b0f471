// What pyro's surfaces ask of a sandbox's supervisor, over its Unix socket.
#pragma once

#include "proto/envelope.h"

namespace pyro::proto {

// What the creating process took from its environment; the supervisor has none.
struct HostSettings {
  static constexpr const char* kName = "host settings";
  std::string cache_dir, state_dir, runtime_dir, libexec_dir;
  std::string qemu, search_path, accelerator;
  std::string resolv_conf;  // names the host's name servers; empty: /etc/resolv.conf
  // The network namespace whose network guests get, as /proc/PID/ns/net; empty: this one.
  std::string net_namespace;
  int boot_limit_ms = 60'000;
  std::string fault;  // sys::fault_point() at which the supervisor stops: for tests

  template <class M>
  void map(M& m) {
    m.required("cache_dir", cache_dir);
    m.required("state_dir", state_dir);
    m.required("runtime_dir", runtime_dir);
    m.required("libexec_dir", libexec_dir);
    m.optional("qemu", qemu);
    m.required("search_path", search_path);
    m.optional("accelerator", accelerator);
    m.optional("resolv_conf", resolv_conf);
    m.optional("net_namespace", net_namespace);
    m.optional("boot_limit_ms", boot_limit_ms);
    m.optional("fault", fault);
  }
};

// The first request on the connection that a new supervisor inherits. Result: VmStatus.
struct CreateVm {
  static constexpr const char* kName = "create";
  std::string vm_id;
  std::string environment;
  int vcpu_count = 1;
  int mem_mib = 1024;
  int ttl_seconds = 600;
  bool cold = false;   // boot a kernel instead of cloning the template
  bool lease = false;  // the sandbox goes when this connection does, and has no record
  std::string network = "preset off\n";  // the text of a policy (policy/policy.h)
  bool allow_host_compat = false;        // shown, and of no effect
  HostSettings host;

  template <class M>
  void map(M& m) {
    m.required("vm_id", vm_id);
    m.required("environment", environment);
    m.required("vcpu_count", vcpu_count);
    m.required("mem_mib", mem_mib);
    m.required("ttl_seconds", ttl_seconds);
    m.optional("cold", cold);
    m.optional("lease", lease);
    m.optional("network", network);
    m.optional("allow_host_compat", allow_host_compat);
    m.required("host", host);
  }
};

struct VmStatus {
  static constexpr const char* kName = "vm status";
  std::string vm_id, environment, state, execution_mode;
  int vcpu_count = 0, mem_mib = 0, ttl_seconds = 0;
  bool network_enabled = false, allow_host_compat = false;
  double created_at = 0, expires_at = 0;  // seconds since 1970, UTC
  std::string last_error;

  template <class M>
  void map(M& m) {
    m.optional("network_enabled", network_enabled);
    m.optional("allow_host_compat", allow_host_compat);
    m.required("vm_id", vm_id);
    m.required("environment", environment);
    m.required("state", state);
    m.required("execution_mode", execution_mode);
    m.required("vcpu_count", vcpu_count);
    m.required("mem_mib", mem_mib);
    m.required("ttl_seconds", ttl_seconds);
    m.required("created_at", created_at);
    m.required("expires_at", expires_at);
    m.optional("last_error", last_error);
  }
};

struct Stage {
  static constexpr const char* kName = "stage";
  std::string name;
  double ms = 0;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.required("ms", ms);
  }
};

// Event on the streams of StartVm: what is being waited for.
struct Phase {
  static constexpr const char* kName = "phase";
  std::string phase, detail;

  template <class M>
  void map(M& m) {
    m.required("phase", phase);
    m.optional("detail", detail);
  }
};

struct StartVm : Empty {
  static constexpr const char* kName = "start";
};
struct StartVmResult {
  static constexpr const char* kName = "start result";
  VmStatus status;
  std::vector<Stage> timing;

  template <class M>
  void map(M& m) {
    m.required("status", status);
    m.required("timing", timing);
  }
};

// Runs one command and deletes the sandbox. Data travels on its stream as it does for the agent's
// exec; a cancel ends the command. Result: ExecVmResult.
struct ExecVm {
  static constexpr const char* kName = "exec";
  std::vector<Bytes> argv;
  bool stdin_open = false;
  std::int64_t timeout_ms = 0;

  template <class M>
  void map(M& m) {
    m.required("argv", argv);
    m.optional("stdin", stdin_open);
    m.required("timeout_ms", timeout_ms);
  }
};
// An endpoint that the network policy did not let the guest reach.
struct Refusal {
  static constexpr const char* kName = "refusal";
  std::string protocol, name, address;  // as NetEvent has them
  std::uint16_t port = 0;
  std::string rule, reason;
  std::int64_t count = 0;  // how often

  template <class M>
  void map(M& m) {
    m.required("protocol", protocol);
    m.optional("name", name);
    m.optional("address", address);
    m.optional("port", port);
    m.optional("rule", rule);
    m.required("reason", reason);
    m.required("count", count);
  }
};
struct ExecVmResult {
  static constexpr const char* kName = "exec result";
  int exit_code = 0;  // 124 timeout, 126 and 127 not run, 128+n signal
  std::optional<int> signal;
  bool timed_out = false;
  std::int64_t duration_us = 0;
  std::vector<Stage> timing;
  std::vector<Refusal> refused;  // the first ones
  bool deleted = false;
  std::string cleanup_reason;

  template <class M>
  void map(M& m) {
    m.optional("refused", refused);
    m.required("exit_code", exit_code);
    m.optional("signal", signal);
    m.optional("timed_out", timed_out);
    m.required("duration_us", duration_us);
    m.optional("timing", timing);
    m.optional("deleted", deleted);
    m.optional("cleanup_reason", cleanup_reason);
  }
};

// Sends a signal to the running command's process group. A request of its own, so that it does not
// wait behind stdin. Result: Empty.
struct SignalVm {
  static constexpr const char* kName = "signal";
  int signo = 0;

  template <class M>
  void map(M& m) {
    m.required("signo", signo);
  }
};

struct StopVm : Empty {  // result: VmStatus
  static constexpr const char* kName = "stop";
};
struct DeleteVm : Empty {  // result: VmStatus, state "deleted"
  static constexpr const char* kName = "delete";
};
struct StatusVm : Empty {  // result: VmStatus
  static constexpr const char* kName = "status";
};

}  // namespace pyro::proto
