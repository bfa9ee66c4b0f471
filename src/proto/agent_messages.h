// What the host asks of the guest agent. Requests go from host to guest only. `kName` is the method
// of a request and the name of an event.
#pragma once

#include "proto/envelope.h"

namespace pyro::proto {

// Names of the virtio-serial ports, as in /sys/class/virtio-ports/*/name.
inline constexpr const char* kControlPort = "pyro.control";
inline constexpr const char* kDataPort = "pyro.data";

// A family's part of the guest's network: its address, and the engine's as router and name server.
struct LinkAddress {
  static constexpr const char* kName = "link address";
  std::string guest;  // "10.255.255.2"
  int length = 0;     // leading bits that both have
  std::string engine;

  template <class M>
  void map(M& m) {
    m.required("guest", guest);
    m.required("length", length);
    m.required("engine", engine);
  }
};

// Mounts the root file system and moves into it; once, before anything else but ping. Result:
// PrepareResult.
struct Prepare {
  static constexpr const char* kName = "prepare";
  std::string root;        // erofs device: its virtio serial, or a kernel name such as "vda"
  int upper_percent = 50;  // 1..100: size of the tmpfs that takes all writes, of guest memory
  std::string hostname = "pyro";
  std::string scratch;  // ext4 device that takes all writes instead of a tmpfs; empty: none
  std::vector<LinkAddress> link;  // for the machine's network device; empty: it is not set up

  template <class M>
  void map(M& m) {
    m.required("root", root);
    m.optional("scratch", scratch);
    m.optional("link", link);
    m.optional("upper_percent", upper_percent);
    m.optional("hostname", hostname);
  }
};
struct PrepareResult {
  static constexpr const char* kName = "prepare result";
  std::int64_t duration_us = 0;

  template <class M>
  void map(M& m) {
    m.required("duration_us", duration_us);
  }
};

// Before a template is saved: the agent answers (Empty), then forgets the session and waits for the
// next hello, which may come in another life of the machine. Refused with Errc::kConflict while an
// exec runs.
struct Freeze : Empty {
  static constexpr const char* kName = "freeze";
};

// Makes a clone differ from its template; before anything of the user's runs. Result: Empty.
struct Rejuvenate {
  static constexpr const char* kName = "rejuvenate";
  Bytes entropy;                   // at least 32 bytes
  std::int64_t wall_clock_ns = 0;  // since 1970, UTC
  std::string hostname;            // empty: unchanged
  std::string machine_id;          // 32 lower-case hexadecimal digits; empty: unchanged

  template <class M>
  void map(M& m) {
    m.required("entropy", entropy);
    m.required("wall_clock_ns", wall_clock_ns);
    m.optional("hostname", hostname);
    m.optional("machine_id", machine_id);
  }
};

struct Terminal {
  static constexpr const char* kName = "resize";  // also the event that changes the size
  std::uint16_t rows = 24;
  std::uint16_t cols = 80;

  template <class M>
  void map(M& m) {
    m.required("rows", rows);
    m.required("cols", cols);
  }
};

// Runs a program. On the request's stream: data on stdout and stderr (with a terminal all of
// it on stdout), then the response ExecResult, which ends both.
// Towards the guest: data on stdin (when `stdin_open`), events Signal and Terminal, cancel (ends
// the program as a timeout does; with a terminal by SIGHUP, as when a terminal goes). Errors:
// kNotFound and kDenied with the errno of exec or of its cwd.
struct Exec {
  static constexpr const char* kName = "exec";
  std::vector<Bytes> argv;  // argv[0] is looked up in the PATH of `env` when it has no slash
  std::map<std::string, Bytes> env;  // on top of the agent's defaults
  Bytes cwd = "/";
  bool stdin_open = false;  // false: /dev/null (without a terminal)
  std::optional<Terminal> tty;
  std::int64_t timeout_ms = 0;        // 0: none; counted from the start of the program
  std::int64_t kill_grace_ms = 1000;  // between SIGTERM to its group and SIGKILL to all it started
  // For services: signals reach everything it started. When it ends with 0 and something of it
  // lives on, it counts as running until that has ended (a daemon); when it ends in any other way,
  // what is left of it is killed. Event Started before the first data.
  bool whole_group = false;

  template <class M>
  void map(M& m) {
    m.required("argv", argv);
    m.optional("env", env);
    m.optional("cwd", cwd);
    m.optional("stdin", stdin_open);
    m.optional("tty", tty);
    m.optional("timeout_ms", timeout_ms);
    m.optional("kill_grace_ms", kill_grace_ms);
    m.optional("whole_group", whole_group);
  }
};
// Event on the stream of an exec with `whole_group` or a terminal: exec has succeeded.
struct Started {
  static constexpr const char* kName = "started";
  std::int64_t pid = 0;  // in the guest

  template <class M>
  void map(M& m) {
    m.required("pid", pid);
  }
};
struct ExecResult {
  static constexpr const char* kName = "exec result";
  std::optional<int> exit_code;  // exactly one of exit_code and signal
  std::optional<int> signal;
  bool timed_out = false;
  bool killed = false;        // the agent ended it: timeout or cancel
  std::int64_t spawn_us = 0;  // from the request to a successful exec
  std::int64_t duration_us = 0;

  // What a shell would show: 128+n for a signal.
  [[nodiscard]] int shell_code() const { return exit_code ? *exit_code : 128 + signal.value_or(0); }

  template <class M>
  void map(M& m) {
    m.optional("exit_code", exit_code);
    m.optional("signal", signal);
    m.optional("timed_out", timed_out);
    m.optional("killed", killed);
    m.optional("spawn_us", spawn_us);
    m.optional("duration_us", duration_us);
  }
};
// Event on an exec's stream: sends a signal to the program's process group. With a terminal: to the
// group in its foreground, as its keys would; SIGCONT and SIGHUP to everything that was started in
// it. With `whole_group`: to everything it started.
struct Signal {
  static constexpr const char* kName = "signal";
  int signo = 0;

  template <class M>
  void map(M& m) {
    m.required("signo", signo);
  }
};

// Asked when nobody has a use for the machine. When nothing of the user's runs in it, everything is
// written to its disks before the answer, so that it may be paused. Result: RestResult.
struct Rest : Empty {
  static constexpr const char* kName = "rest";
};
struct RestResult {
  static constexpr const char* kName = "rest result";
  bool idle = false;

  template <class M>
  void map(M& m) {
    m.required("idle", idle);
  }
};

// Looks once whether a service is ready. Result: ProbeResult.
struct Probe {
  static constexpr const char* kName = "probe";
  std::string kind;  // file, tcp, http
  Bytes path;        // file: absolute; http: the target of the request, "/health?x=1"
  std::string host;  // tcp, http: an IPv4 or IPv6 address, or "localhost" (both)
  std::uint16_t port = 0;
  std::int64_t timeout_ms = 1000;  // 1..60000
  // file: what was last changed before that does not count (a file of an earlier run). 0: any does.
  std::int64_t since_ns = 0;

  template <class M>
  void map(M& m) {
    m.required("kind", kind);
    m.optional("path", path);
    m.optional("host", host);
    m.optional("port", port);
    m.optional("timeout_ms", timeout_ms);
    m.optional("since_ns", since_ns);
  }
};
// Ready: the file exists; the connection was accepted; the status is 200 to 399 (redirects are not
// followed, no body is read).
struct ProbeResult {
  static constexpr const char* kName = "probe result";
  bool ready = false;
  std::string detail;         // "HTTP status 503", "connection refused"
  std::int64_t clock_ns = 0;  // of the guest, as file times have it

  template <class M>
  void map(M& m) {
    m.required("ready", ready);
    m.optional("detail", detail);
    m.optional("clock_ns", clock_ns);
  }
};

// After a pause. Result: Empty.
struct SetClock {
  static constexpr const char* kName = "set_clock";
  std::int64_t wall_clock_ns = 0;  // since 1970, UTC

  template <class M>
  void map(M& m) {
    m.required("wall_clock_ns", wall_clock_ns);
  }
};

// Result: Empty.
struct Ping : Empty {
  static constexpr const char* kName = "ping";
};

// Syncs and powers the machine off. The answer (Empty) comes after the sync, before the power goes.
struct Shutdown : Empty {
  static constexpr const char* kName = "shutdown";
};

}  // namespace pyro::proto
