// Children as pidfds.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/namespaces.h"

namespace pyro::sys {

// The words as exec(3) takes them: ended by a null pointer, borrowed from `in`.
std::vector<char*> exec_words(const std::vector<std::string>& in);

struct SpawnSpec {
  std::string program;            // absolute; PATH is never searched
  std::vector<std::string> argv;  // argv[0] included
  std::vector<std::string> env;   // complete; nothing is inherited
  std::string cwd;                // empty: the caller's
  // Descriptors the child gets, as (ours, its number). Everything else is closed, also 0 to 2 when
  // they are not named: those become /dev/null.
  std::vector<std::pair<int, int>> fds;
  const NetNamespace* network = nullptr;  // borrowed; joined before the program begins. None: ours
  bool new_session = false;      // setsid: no terminal, no signals of the caller's process group
  bool die_with_parent = false;  // SIGKILL when the thread that spawned it ends
};

struct ExitStatus {
  bool signaled = false;
  int value = 0;  // exit code or signal number
  // The code a shell would show: 128+n for a signal.
  [[nodiscard]] int shell_code() const { return signaled ? 128 + value : value; }
};

// Owns one child. The pid is never used to signal: a pidfd cannot be recycled under us.
// Destroying a running ChildProcess kills and reaps it.
class ChildProcess {
 public:
  static Result<ChildProcess> spawn(const SpawnSpec& spec);
  // Takes over a child made by clone(2).
  explicit ChildProcess(UniqueFd pidfd, pid_t pid) : pidfd_(std::move(pidfd)), pid_(pid) {}
  ChildProcess(ChildProcess&&) noexcept = default;
  ChildProcess& operator=(ChildProcess&&) = delete;  // would have to kill; be explicit instead
  ~ChildProcess();

  [[nodiscard]] const UniqueFd& pidfd() const { return pidfd_; }  // readable when it has exited
  [[nodiscard]] pid_t pid() const { return pid_; }                // for messages only
  Result<void> signal(int signo) const;
  Result<ExitStatus> wait();                     // blocks; reaps
  Result<std::optional<ExitStatus>> try_wait();  // nullopt while it runs
  // Lets the child live on without us: it is neither killed nor reaped.
  void release() { pidfd_ = UniqueFd(); }

 private:
  UniqueFd pidfd_;
  pid_t pid_ = -1;
};

// Starts a program that is not our child: it outlives us and leaves no zombie. Returns once it
// runs.
Result<void> spawn_detached(const SpawnSpec& spec);

// For this process and everything it starts: no program gains rights by being executed (prctl(2),
// PR_SET_NO_NEW_PRIVS).
Result<void> no_new_privileges();

// Runs a program to its end and returns what it printed (at most `max_bytes` of each stream).
struct Captured {
  ExitStatus status;
  std::string out, err;
};
Result<Captured> run_captured(const SpawnSpec& spec, std::size_t max_bytes = 1U << 20);

// The absolute path of a program found in `path` (a PATH-like list), or kNotFound.
Result<std::string> find_program(const std::string& name, const std::string& path);

// SIGKILL to a process that need not be a child, and waits for its end. Of a pid that is known to
// be whom it is meant for: a connection to it is open.
Result<void> kill_and_wait(pid_t pid);

}  // namespace pyro::sys
