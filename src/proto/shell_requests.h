// What pyro's surfaces ask of a workspace's supervisor about its shells. A shell's record (state,
// size, times) stands in the workspace's record; its output is with the supervisor alone.
#pragma once

#include <algorithm>

#include "base/terminal_modes.h"
#include "proto/agent_messages.h"

namespace pyro::proto {

// Result: ShellOpened.
struct OpenShell {
  static constexpr const char* kName = "shell.open";
  std::string cwd = "/workspace";
  Terminal size{.rows = 30, .cols = 120};
  std::map<std::string, std::string> secret_env;  // secret -> variable

  template <class M>
  void map(M& m) {
    m.optional("cwd", cwd);
    m.required("size", size);
    m.optional("secret_env", secret_env);
  }
};
struct ShellOpened {
  static constexpr const char* kName = "shell opened";
  std::int64_t shell = 0;  // its number

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
  }
};

// What it printed from `cursor` on: data on stdout, then ShellRead. With `idle_ms` the answer waits
// until nothing was printed for so long, at most `wait_ms`.
struct ReadShell {
  static constexpr const char* kName = "shell.read";
  std::int64_t shell = 0;
  std::int64_t cursor = 0;
  std::int64_t max_bytes = 0;  // 1..kMostShellOutput
  std::int64_t idle_ms = 0;
  std::int64_t wait_ms = 0;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
    m.optional("cursor", cursor);
    m.required("max_bytes", max_bytes);
    m.optional("idle_ms", idle_ms);
    m.optional("wait_ms", wait_ms);
  }
};
struct ShellRead {
  static constexpr const char* kName = "shell read";
  std::int64_t cursor = 0;  // of the first byte: beyond the one asked for when older ones are gone
  std::int64_t end = 0;     // of everything that was printed so far
  bool running = true;
  bool idle = false;  // nothing was printed for `idle_ms`

  template <class M>
  void map(M& m) {
    m.required("cursor", cursor);
    m.required("end", end);
    m.required("running", running);
    m.optional("idle", idle);
  }
};

// Follows a shell: everything from `cursor` on as data on stdout, preceded by an event ShellAt
// whenever it does not go on where the last one ended. With -1 it begins at a recent place, of
// which comes what a terminal can be shown once more (pyro::replayable()). Towards the shell, when
// `input`: data on stdin and events Terminal. Ends with the shell (ShellRead). Before that, and the
// shell goes on: after the end of stdin, once the guest has taken all of it, or at once by cancel.
struct AttachShell {
  static constexpr const char* kName = "shell.attach";
  std::int64_t shell = 0;
  std::int64_t cursor = 0;
  bool input = false;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
    m.optional("cursor", cursor);
    m.optional("input", input);
  }
};
// TerminalModes of the guest's programs, who may have set anything: what is unknown is ignored.
struct TerminalState {
  std::vector<std::uint16_t> dec;
  bool insert = false;
  std::uint8_t other_keys = 0;
  std::uint8_t keyboard = 0;

  static TerminalState of(const TerminalModes& modes) {
    TerminalState state{.insert = modes.insert};
    for (const int mode : modes.dec()) state.dec.push_back(static_cast<std::uint16_t>(mode));
    state.other_keys = static_cast<std::uint8_t>(modes.other_keys);
    state.keyboard = static_cast<std::uint8_t>(modes.keyboard);
    return state;
  }
  [[nodiscard]] TerminalModes modes() const {
    TerminalModes modes;
    modes.set_dec(dec);
    modes.insert = insert;
    modes.other_keys = std::min<int>(other_keys, TerminalModes::kMostOtherKeys);
    modes.keyboard = keyboard & TerminalModes::kAllKeyboard;
    return modes;
  }

  template <class M>
  void map(M& m) {
    m.required("dec", dec);
    m.optional("insert", insert);
    m.optional("other_keys", other_keys);
    m.optional("keyboard", keyboard);
  }
};
struct ShellAt {
  static constexpr const char* kName = "at";
  std::int64_t cursor = 0;
  std::int64_t missed = 0;  // bytes before it that are gone
  TerminalState terminal;   // as programs have set it by now

  template <class M>
  void map(M& m) {
    m.required("cursor", cursor);
    m.optional("missed", missed);
    m.optional("terminal", terminal);
  }
};

// Result: Empty, when the guest has room for the input.
struct WriteShell {
  static constexpr const char* kName = "shell.write";
  std::int64_t shell = 0;
  Bytes input;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
    m.required("input", input);
  }
};
// Result: Empty.
struct SignalShell {
  static constexpr const char* kName = "shell.signal";
  std::int64_t shell = 0;
  int signo = 0;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
    m.required("signo", signo);
  }
};
// A side that is left out stays as it is. Result: Empty.
struct ResizeShell {
  static constexpr const char* kName = "shell.resize";
  std::int64_t shell = 0;
  std::optional<std::uint16_t> rows, cols;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
    m.optional("rows", rows);
    m.optional("cols", cols);
  }
};
// Ends it and forgets its output; nothing happens to one that was closed before. Result: Empty.
struct CloseShell {
  static constexpr const char* kName = "shell.close";
  std::int64_t shell = 0;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
  }
};

}  // namespace pyro::proto
