// What pyro's surfaces ask of a workspace's supervisor, over its Unix socket. What a workspace is
// and did stands in its record, which everybody of the same user may read: the answers carry only
// what does not.
#pragma once

#include "proto/supervisor_messages.h"

namespace pyro::proto {

struct NewSecret {
  static constexpr const char* kName = "secret";
  std::string name, source_kind;
  Bytes value;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.required("source_kind", source_kind);
    m.required("value", value);
  }
};

// The first request on the connection that a new supervisor inherits. Answered when the workspace
// can be used; events Phase. Until then it goes when the connection does. Result: StartedWorkspace.
struct CreateWorkspace {
  static constexpr const char* kName = "workspace.create";
  std::string id, name;
  std::string environment;
  int vcpu_count = 1, mem_mib = 1024;
  std::optional<std::int64_t> ttl_seconds;
  std::string ttl_action = "stop";
  std::string network = "preset off\n";  // the text of a policy (policy/policy.h)
  bool allow_host_compat = false;        // shown, and of no effect
  std::map<std::string, std::string> labels, env;
  std::vector<NewSecret> secrets;
  std::string baseline;  // path of the image, which is moved into the workspace's folder
  std::string seed_mode, seed_source;
  std::int64_t seed_entries = 0, seed_bytes = 0;
  HostSettings host;

  template <class M>
  void map(M& m) {
    m.required("id", id);
    m.optional("name", name);
    m.required("environment", environment);
    m.required("vcpu_count", vcpu_count);
    m.required("mem_mib", mem_mib);
    m.optional("ttl_seconds", ttl_seconds);
    m.required("ttl_action", ttl_action);
    m.optional("network", network);
    m.optional("allow_host_compat", allow_host_compat);
    m.optional("labels", labels);
    m.optional("env", env);
    m.optional("secrets", secrets);
    m.required("baseline", baseline);
    m.required("seed_mode", seed_mode);
    m.optional("seed_source", seed_source);
    m.optional("seed_entries", seed_entries);
    m.optional("seed_bytes", seed_bytes);
    m.required("host", host);
  }
};
struct StartedWorkspace {
  static constexpr const char* kName = "workspace started";
  std::vector<Stage> timing;

  template <class M>
  void map(M& m) {
    m.optional("timing", timing);
  }
};

// The same for a workspace that exists and has no supervisor. It is not started by this. Result:
// Empty. kConflict: somebody else has it open.
struct OpenWorkspace {
  static constexpr const char* kName = "workspace.open";
  std::string id;
  HostSettings host;

  template <class M>
  void map(M& m) {
    m.required("id", id);
    m.required("host", host);
  }
};

// Nothing happens to one that is started. Events Phase. Result: StartedWorkspace.
struct StartWorkspace : Empty {
  static constexpr const char* kName = "workspace.start";
};
// What the guest had written is on its disk when this is answered. Result: Empty.
struct StopWorkspace : Empty {
  static constexpr const char* kName = "workspace.stop";
};
// Result: Empty; the supervisor ends.
struct DeleteWorkspace : Empty {
  static constexpr const char* kName = "workspace.delete";
};

// What is there replaces what was, but for labels: those are all of them. Result: Empty.
struct UpdateWorkspace {
  static constexpr const char* kName = "workspace.update";
  std::optional<std::string> name;
  std::optional<std::map<std::string, std::string>> labels;
  std::optional<std::int64_t> ttl_seconds;  // from now on; 0: none any more
  std::optional<std::string> ttl_action;

  template <class M>
  void map(M& m) {
    m.optional("name", name);
    m.optional("labels", labels);
    m.optional("ttl_seconds", ttl_seconds);
    m.optional("ttl_action", ttl_action);
  }
};

// Runs a command. Data travels on its stream as it does for the agent's exec; a cancel ends the
// command. Event JournaledCommand before the first data. Result: ExecWorkspaceResult.
struct ExecWorkspace {
  static constexpr const char* kName = "workspace.exec";
  std::vector<Bytes> argv;
  std::string command;  // as the journal shows it
  std::string cwd = "/workspace";
  std::map<std::string, Bytes> env;
  std::map<std::string, std::string> secret_env;  // secret -> variable
  bool stdin_open = false;
  std::int64_t timeout_ms = 0;

  template <class M>
  void map(M& m) {
    m.required("argv", argv);
    m.required("command", command);
    m.optional("cwd", cwd);
    m.optional("env", env);
    m.optional("secret_env", secret_env);
    m.optional("stdin", stdin_open);
    m.required("timeout_ms", timeout_ms);
  }
};
struct JournaledCommand {
  static constexpr const char* kName = "journaled";
  std::int64_t sequence = 0;

  template <class M>
  void map(M& m) {
    m.required("sequence", sequence);
  }
};
struct ExecWorkspaceResult {
  static constexpr const char* kName = "workspace.exec result";
  std::int64_t sequence = 0;
  std::string command, cwd;  // without the values of secrets
  ExecVmResult result;

  template <class M>
  void map(M& m) {
    m.required("sequence", sequence);
    m.required("command", command);
    m.required("cwd", cwd);
    m.required("result", result);
  }
};
// To the process group of a running command. Result: Empty.
struct SignalWorkspace {
  static constexpr const char* kName = "workspace.signal";
  std::int64_t sequence = 0;
  int signo = 0;

  template <class M>
  void map(M& m) {
    m.required("sequence", sequence);
    m.required("signo", signo);
  }
};

// A request to the agent of which the data goes through as it is: WorkspaceSync, WorkspaceExport,
// WorkspaceDiff. Result: the agent's.
struct ForwardWorkspace {
  static constexpr const char* kName = "workspace.forward";
  std::string method;
  json::object params;
  // Recorded when it went well, for the summary; empty: nothing is.
  std::string event;
  json::object detail;
  // Of a stopped workspace, with a machine of its own that writes nothing. kConflict when it is
  // started. Events Phase.
  bool offline = false;

  template <class M>
  void map(M& m) {
    m.required("method", method);
    m.required("params", params);
    m.optional("event", event);
    m.optional("detail", detail);
    m.optional("offline", offline);
  }
};
// Adds to the summary what only the surface knows to have gone well: an export. Result: Empty.
struct NoteWorkspace {
  static constexpr const char* kName = "workspace.note";
  std::string event;
  json::object detail;

  template <class M>
  void map(M& m) {
    m.required("event", event);
    m.required("detail", detail);
  }
};

// Result: SnapshotTaken.
struct SnapshotWorkspace {
  static constexpr const char* kName = "workspace.snapshot";
  std::string name;

  template <class M>
  void map(M& m) {
    m.required("name", name);
  }
};
struct SnapshotTaken {
  static constexpr const char* kName = "workspace.snapshot result";
  double created_at = 0;
  std::int64_t entry_count = 0, bytes_written = 0;
  std::vector<Stage> timing;

  template <class M>
  void map(M& m) {
    m.required("created_at", created_at);
    m.required("entry_count", entry_count);
    m.required("bytes_written", bytes_written);
    m.optional("timing", timing);
  }
};
// Result: Empty. kNotFound.
struct DropSnapshot {
  static constexpr const char* kName = "workspace.snapshot.delete";
  std::string name;

  template <class M>
  void map(M& m) {
    m.required("name", name);
  }
};
// "baseline" or a snapshot. Events Phase. Result: StartedWorkspace.
struct ResetWorkspace {
  static constexpr const char* kName = "workspace.reset";
  std::string snapshot = "baseline";

  template <class M>
  void map(M& m) {
    m.optional("snapshot", snapshot);
  }
};

}  // namespace pyro::proto
