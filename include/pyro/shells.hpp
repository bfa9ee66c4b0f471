// Shells: programs on a terminal in a workspace, which outlive the call that opened them. Blocking
// calls; an interface, so that surfaces can be tested without a guest. `workspace` is an id or a
// name. A shell's id is "shell-N".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pyro/export.h"
#include "pyro/result.hpp"

namespace pyro {

struct ShellInfo {
  std::string workspace_id, shell_id;
  std::string cwd, execution_mode;
  int cols = 0, rows = 0;
  std::string state;  // running, stopped
  double started_at = 0;
  std::optional<double> ended_at;
  std::optional<int> exit_code;  // of its program; 128+n for a signal
  std::string end_reason;        // exited, closed, workspace_stopped, machine_lost, supervisor_lost
};
struct ShellList {
  std::string workspace_id;
  std::vector<ShellInfo> shells;
};

struct ShellOptions {
  std::string cwd = "/workspace";  // relative: below /workspace
  int cols = 120, rows = 30;
  std::map<std::string, std::string> secret_env;  // secret -> variable
  int interrupt_fd = -1;
};

struct ShellReadOptions {
  std::int64_t cursor = 0;         // 0 or what an earlier read gave as next_cursor
  std::int64_t max_chars = 65536;  // code points
  bool plain = false;              // as a terminal would show it, without its control sequences
  int wait_for_idle_ms = 0;        // first wait until nothing was printed for so long
  int wait_timeout_ms = 30'000;    // but not longer
  int interrupt_fd = -1;
};
struct ShellReadResult {
  ShellInfo shell;
  std::int64_t cursor = 0;        // where `output` begins
  std::int64_t next_cursor = 0;   // where the next read goes on
  std::int64_t missed_bytes = 0;  // printed after the cursor asked for, and gone by now
  std::string output;      // whole UTF-8 characters, and bytes that are none; secrets redacted
  bool truncated = false;  // there is more to read at once
  bool idle = false;       // wait_for_idle_ms was reached
};

struct ShellWriteResult {
  ShellInfo shell;
  std::int64_t input_length = 0;  // bytes, with the newline
};

// Where output goes on that does not go on where the last one ended.
struct ShellPosition {
  std::int64_t cursor = 0;
  std::int64_t missed_bytes = 0;  // before it, and gone
  bool full_screen = false;       // a program has the terminal's alternate screen
  // The control sequences after which a new terminal has the modes that programs have set: screen,
  // keys, mouse, cursor, paste.
  std::string modes;
};
// What the caller of follow and attach sees; called on the calling thread.
struct ShellSink {
  std::function<Result<void>(std::string_view bytes)> on_output;
  // Before such output, and once at the beginning.
  std::function<void(const ShellPosition& position)> on_position;
};
// How attach() listens to its terminal.
struct ShellKeys {
  int input_fd = -1;  // borrowed; read and passed on until `detach_key` is in it, or it ends
  // A control character, by default Ctrl-], also as the sequences that terminals send for it; none:
  // every key is passed on.
  std::optional<char> detach_key = '\x1d';
  int resized_fd = -1;  // readable when the size has changed; the bytes in it are taken
  int stop_fd = -1;     // readable: detach
  std::function<std::pair<int, int>()> size;  // columns, rows
};
struct ShellAttachResult {
  ShellInfo shell;
  bool detached = false;  // by the key, stop_fd or the end of the input; else the shell has ended
};

// `interrupt_fd`, of a call or its options: as in Workspaces.
class PYRO_API Shells {
 public:
  virtual ~Shells() = default;
  virtual Result<ShellInfo> open(const std::string& workspace, const ShellOptions& options) = 0;
  virtual Result<ShellReadResult> read(const std::string& workspace, const std::string& shell_id,
                                       const ShellReadOptions& options) = 0;
  // Everything from `cursor` on until the shell ends, `on_output` fails or `interrupt_fd` is
  // readable.
  virtual Result<ShellInfo> follow(const std::string& workspace, const std::string& shell_id,
                                   std::int64_t cursor, const ShellSink& sink,
                                   int interrupt_fd) = 0;
  virtual Result<ShellWriteResult> write(const std::string& workspace, const std::string& shell_id,
                                         const std::string& input, bool append_newline,
                                         int interrupt_fd) = 0;
  // HUP, INT, TERM, KILL, QUIT, TSTP, CONT.
  virtual Result<ShellInfo> signal(const std::string& workspace, const std::string& shell_id,
                                   const std::string& signal_name) = 0;
  // A side that is not given stays as it is.
  virtual Result<ShellInfo> resize(const std::string& workspace, const std::string& shell_id,
                                   std::optional<int> cols, std::optional<int> rows) = 0;
  virtual Result<ShellList> list(const std::string& workspace) = 0;
  // Nothing happens to one that was closed before. Given up, it has the shell ended all the same.
  virtual Result<ShellInfo> close(const std::string& workspace, const std::string& shell_id,
                                  int interrupt_fd) = 0;
  virtual Result<ShellAttachResult> attach(const std::string& workspace,
                                           const std::string& shell_id, const ShellSink& sink,
                                           const ShellKeys& keys) = 0;
};

}  // namespace pyro
