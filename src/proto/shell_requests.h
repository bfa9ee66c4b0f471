// What pyro's surfaces ask of a workspace's supervisor about its shells. A shell's record (state,
// size, times) stands in the workspace's record; its output is with the supervisor alone.
#pragma once

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

// Follows a shell: everything from `cursor` on (-1: a recent place) as data on stdout, preceded by
// an event ShellAt whenever it does not go on where the last one ended. Towards the shell, when
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
struct ShellAt {
  static constexpr const char* kName = "at";
  std::int64_t cursor = 0;
  std::int64_t missed = 0;   // bytes before it that are gone
  bool full_screen = false;  // a program has the terminal's alternate screen

  template <class M>
  void map(M& m) {
    m.required("cursor", cursor);
    m.optional("missed", missed);
    m.optional("full_screen", full_screen);
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
// Result: Empty.
struct ResizeShell {
  static constexpr const char* kName = "shell.resize";
  std::int64_t shell = 0;
  Terminal size;

  template <class M>
  void map(M& m) {
    m.required("shell", shell);
    m.required("size", size);
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
