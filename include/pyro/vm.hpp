// MicroVMs of one command, and what every long call shows while it is under way.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pyro/environments.hpp"
#include "pyro/network.hpp"
#include "pyro/result.hpp"

namespace pyro {

inline constexpr int kDefaultVcpuCount = 1;
inline constexpr int kDefaultMemMib = 1024;
inline constexpr int kDefaultTimeoutSeconds = 30;
inline constexpr int kDefaultTtlSeconds = 600;

// How a VM comes up. kCold boots a kernel of its own instead of cloning the template: for
// measurements and for finding out whether a template is at fault.
enum class Boot : std::uint8_t { kTemplate, kCold };

struct CreateOptions {
  std::string environment;
  int vcpu_count = kDefaultVcpuCount;    // 1..32
  int mem_mib = kDefaultMemMib;          // 128..65536
  int ttl_seconds = kDefaultTtlSeconds;  // 1..2592000
  NetworkOptions network;
  bool allow_host_compat = false;  // no weaker backend exists yet: it is a microVM all the same
  Boot boot = Boot::kTemplate;
};

// Milliseconds of each stage, in the order in which they happen.
using Timing = std::vector<std::pair<std::string, double>>;

struct VmInfo {
  std::string vm_id;
  std::string environment;
  std::string state;           // created, started, stopped, failed
  std::string execution_mode;  // guest_serial
  int vcpu_count = 0;
  int mem_mib = 0;
  int ttl_seconds = 0;
  bool network_enabled = false;
  bool allow_host_compat = false;
  double created_at = 0;  // seconds since the epoch
  double expires_at = 0;
  std::string last_error;  // empty when nothing failed
};

struct NetworkInfo {
  std::string vm_id;
  bool network_enabled = false;
  std::string engine = "userspace";
  LiveNetwork network;
};

struct ExecOptions {
  std::vector<std::string> argv;                 // not empty; no NUL
  std::string command;                           // instead of argv: run by /bin/sh -c
  int timeout_seconds = kDefaultTimeoutSeconds;  // 1..86400, from the start of the command
  std::optional<int> stdin_fd;                   // borrowed; read to its end and passed on
};

struct Cleanup {
  bool deleted = false;
  std::string reason;  // post_exec_cleanup, ...
};

struct ExecResult {
  std::string vm_id;
  std::string environment;
  std::string command;  // shell-quoted join
  std::string execution_mode;
  int exit_code = 0;          // 128+n for a signal, 124 for a timeout
  std::optional<int> signal;  // the signal that ended the command
  bool timed_out = false;
  std::int64_t duration_ms = 0;  // of the command alone
  Cleanup cleanup;
  Timing timing;
  std::vector<std::string> warnings;     // of run_in_vm(): what on_warning was given
  std::vector<RefusedEndpoint> refused;  // what the network policy kept it from, the first ones
};

// What a caller sees while a call is under way. Called on the calling thread; output callbacks may
// block, which stops the guest's writes in turn (credit flow control).
struct RunObserver {
  // phase: pull, queue, template, create, start, execute, cleanup; vm_id may be empty; detail is
  // for people.
  std::function<void(std::string_view phase, std::string_view vm_id, std::string_view detail)>
      on_phase;
  // What the user should know about the options, as a sentence; before anything is started.
  std::function<void(std::string_view warning)> on_warning;
  std::function<Result<void>(std::string_view bytes)> on_stdout;
  std::function<Result<void>(std::string_view bytes)> on_stderr;
  PullObserver on_pull;
  // Polled: true asks for the orderly end of the command (SIGINT to it first, then the VM goes).
  int interrupt_fd = -1;  // readable when the user pressed Ctrl-C (one byte for each press)
  // Above zero: nothing is read from interrupt_fd. When it is readable the command gets SIGINT, and
  // so much later its end.
  std::chrono::milliseconds interrupt_grace{0};
};

}  // namespace pyro
