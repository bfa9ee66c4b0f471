#include "cli/service_commands.h"

#include <map>

#include "base/text.h"
#include "cli/follow.h"
#include "cli/guest_variables.h"
#include "cli/session_render.h"
#include "cli/workspace_commands.h"
#include "client/service_options.h"

namespace pyro::cli {
namespace {

using client::LogEntry;
using client::ServiceInfo;
using client::WorkspaceObserver;

std::string service(const Invocation& call) {
  return call.text("service_name");
}

Result<std::optional<client::ServiceReadiness>> readiness(const Invocation& call) {
  using Readiness = client::ServiceReadiness;
  struct Kind {
    const char *option, *type;
    std::string Readiness::* value;
  };
  static constexpr Kind kKinds[] = {{"ready_file", "file", &Readiness::path},
                                    {"ready_tcp", "tcp", &Readiness::address},
                                    {"ready_http", "http", &Readiness::url},
                                    {"ready_command", "command", &Readiness::command}};
  std::optional<Readiness> out;
  std::string first;
  for (const Kind& kind : kKinds) {
    if (!call.flag(kind.option)) continue;
    const std::string name = option_name(kind.option);
    if (out) {
      return refuse(call, first + " and " + name +
                              " cannot both be given: a service has one way to show that it is "
                              "ready");
    }
    if (call.text(kind.option).empty()) return refuse(call, "the value of " + name + " is empty");
    first = name;
    out = Readiness{.type = kind.type};
    (*out).*kind.value = call.text(kind.option);
  }
  return out;
}

Result<client::ServiceOptions> start_options(const Invocation& call) {
  PYRO_TRY(GuestVariables variables, guest_variables(call));
  client::ServiceOptions options{.argv = call.command,
                                 .command = {},
                                 .cwd = call.text("cwd"),
                                 .env = std::move(variables.env),
                                 .secret_env = std::move(variables.secret_env),
                                 .readiness = {},
                                 .ready_timeout_seconds = call.integer("ready_timeout_seconds"),
                                 .ready_interval_ms = call.integer("ready_interval_ms"),
                                 .restart = call.text("restart"),
                                 .published_ports = {}};
  PYRO_TRY(options.readiness, readiness(call));
  for (const std::string& text : call.all("publish")) {
    PYRO_TRY(const client::ServicePort port, client::parse_publish(text));
    options.published_ports.push_back(port);
  }
  return options;
}

// A call that returns when the service is ready; Ctrl-C gives it up.
template <class Work>
Result<int> started(const Invocation& call, Io& io, const std::string& tag, const Work& work) {
  return watched(
      call, io, tag, Phases::kWaiting,
      [&](const WorkspaceObserver& observer) { return work(observer.run.interrupt_fd); },
      [&](const ServiceInfo& info) {
        return print_object(call, io, to_json(info), render_started(tag, info));
      });
}

// Entries as text: each stream to its own, what pyro remarks to standard error.
class LogText {
 public:
  LogText(Io& io, bool timestamps) : io_(io), timestamps_(timestamps) {}

  Result<void> take(const LogEntry& entry) {
    if (entry.stream == "pyro") {
      PYRO_CHECK(end_line(io_.err, err_in_line_));
      return io_.err.write(stamp(entry) + "[pyro] " + one_line(without_newline(entry.text)) + "\n");
    }
    const bool is_err = entry.stream == "stderr";
    return is_err ? give(entry, io_.err, err_in_line_) : give(entry, io_.out, out_in_line_);
  }
  // Ends a line that was left open, so that what follows on a terminal stands apart.
  Result<void> end() {
    PYRO_CHECK(end_line(io_.out, out_in_line_));
    return end_line(io_.err, err_in_line_);
  }

 private:
  [[nodiscard]] std::string stamp(const LogEntry& entry) const {
    return timestamps_ ? iso_time(entry.at) + " " : "";
  }
  static std::string without_newline(const std::string& text) {
    return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
  }
  static Result<void> end_line(Sink& sink, bool& in_line) {
    if (!in_line) return {};
    in_line = false;
    return sink.write("\n");
  }

  Result<void> give(const LogEntry& entry, Sink& sink, bool& in_line) {
    if (entry.text.empty()) return {};
    std::string out;
    for (std::size_t at = 0; at < entry.text.size();) {
      const std::size_t end = std::min(entry.text.find('\n', at), entry.text.size() - 1) + 1;
      if (!in_line) out += stamp(entry);
      out += entry.text.substr(at, end - at);
      in_line = !out.ends_with('\n');
      at = end;
    }
    return sink.write(out);
  }

  Io& io_;
  bool timestamps_;
  bool out_in_line_ = false, err_in_line_ = false;
};

Result<int> follow_logs(const Invocation& call, Io& io, Backend& backend,
                        const client::ServiceLogOptions& options) {
  const bool as_json = call.flag("json");
  LogText text(io, call.flag("timestamps"));
  return followed(
      io,
      [&](int interrupt_fd) {
        return backend.workspaces().services().follow(
            workspace(call), service(call), options,
            [&](const LogEntry& entry) {
              return as_json ? io.out.write(json_line(to_json(entry))) : text.take(entry);
            },
            interrupt_fd);
      },
      [&](const ServiceInfo& info) -> Result<int> {
        if (as_json) {
          PYRO_CHECK(io.out.write(json_line(to_json(info))));
          return kExitOk;
        }
        PYRO_CHECK(text.end());
        PYRO_CHECK(io.err.write(render_stopped("workspace-service-logs", info)));
        return kExitOk;
      });
}

}  // namespace

Result<int> service_start(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::ServiceOptions options, start_options(call));
  return started(call, io, "workspace-service-start", [&](int interrupt_fd) {
    return backend.workspaces().services().start(workspace(call), service(call), options,
                                                 interrupt_fd);
  });
}

Result<int> service_list(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::ServiceList list, backend.workspaces().services().list(workspace(call)));
  return print_object(call, io, to_json(list), render_services(list));
}

Result<int> service_status(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const ServiceInfo info,
           backend.workspaces().services().status(workspace(call), service(call)));
  return print_object(call, io, to_json(info), render_service(info));
}

Result<int> service_logs(const Invocation& call, Io& io, Backend& backend) {
  if (call.flag("all") && call.flag("tail_lines")) {
    return refuse(call, "--all and --tail-lines cannot both be given");
  }
  if (call.flag("json") && call.flag("timestamps")) {
    return refuse(call, "--timestamps is for text: with --json every entry has its time");
  }
  const client::ServiceLogOptions options{.tail_lines = call.integer("tail_lines"),
                                          .all = call.flag("all")};
  if (call.flag("follow")) return follow_logs(call, io, backend, options);
  PYRO_TRY(const client::ServiceLogs logs,
           backend.workspaces().services().logs(workspace(call), service(call), options));
  if (call.flag("json")) return print_object(call, io, to_json(logs), "");
  PYRO_CHECK(io.err.write(render_log_head(logs.service)));
  if (logs.truncated) {
    PYRO_CHECK(io.err.write(options.all
                                ? "[pyro] older output is not kept any more\n"
                                : "[pyro] there is older output: --all shows what is kept\n"));
  }
  LogText text(io, call.flag("timestamps"));
  for (const LogEntry& entry : logs.entries) PYRO_CHECK(text.take(entry));
  PYRO_CHECK(text.end());
  return kExitOk;
}

Result<int> service_stop(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const ServiceInfo info, backend.workspaces().services().stop(
                                       workspace(call), service(call),
                                       call.integer("timeout_seconds"), /*interrupt_fd=*/-1));
  return print_object(call, io, to_json(info), render_stopped("workspace-service-stop", info));
}

Result<int> service_restart(const Invocation& call, Io& io, Backend& backend) {
  return started(call, io, "workspace-service-restart", [&](int interrupt_fd) {
    return backend.workspaces().services().restart(workspace(call), service(call),
                                                   call.integer("timeout_seconds"), interrupt_fd);
  });
}

}  // namespace pyro::cli
