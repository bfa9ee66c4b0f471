// Shells and services.
#include <array>

#include "api/calls.h"

namespace pyro::api {
namespace {

namespace json = boost::json;

std::string shell(const Context& context) {
  return context.args.text("shell_id");
}
std::string service(const Context& context) {
  return context.args.text("service_name");
}
client::Shells& shells(const Context& context) {
  return context.workspaces().shells();
}
client::Services& services(const Context& context) {
  return context.workspaces().services();
}

Result<json::object> open_shell(Context& context) {
  const Arguments& args = context.args;
  return shown(
      shells(context).open(workspace(context), {.cwd = args.text("cwd"),
                                                .cols = args.integer("cols"),
                                                .rows = args.integer("rows"),
                                                .secret_env = args.map("secret_env"),
                                                .interrupt_fd = context.observer.interrupt_fd}));
}

Result<json::object> read_shell(Context& context) {
  const Arguments& args = context.args;
  return shown(shells(context).read(workspace(context), shell(context),
                                    {.cursor = args.integer64("cursor"),
                                     .max_chars = args.integer64("max_chars"),
                                     .plain = args.flag("plain"),
                                     .wait_for_idle_ms = args.integer("wait_for_idle_ms"),
                                     .wait_timeout_ms = args.integer("wait_timeout_ms"),
                                     .interrupt_fd = context.observer.interrupt_fd}));
}

Result<json::object> write_shell(Context& context) {
  const bool newline = context.args.flag("append_newline");
  PYRO_TRY(const client::ShellWriteResult result,
           shells(context).write(workspace(context), shell(context), context.args.text("input"),
                                 newline, context.observer.interrupt_fd));
  return to_json(result, newline);
}

Result<json::object> signal_shell(Context& context) {
  const std::string signal = context.args.text("signal_name");
  PYRO_TRY(const client::ShellInfo info,
           shells(context).signal(workspace(context), shell(context), signal));
  return signalled_json(info, signal);
}

Result<json::object> close_shell(Context& context) {
  PYRO_TRY(const client::ShellInfo info, shells(context).close(workspace(context), shell(context),
                                                               context.observer.interrupt_fd));
  return closed_json(info);
}

// What goes with its type, and nothing else.
Result<client::ServiceReadiness> readiness_of(const Arguments& given) {
  using Readiness = client::ServiceReadiness;
  struct Kind {
    const char *type, *field;
    std::string Readiness::* value;
  };
  static constexpr Kind kKinds[] = {{"file", "path", &Readiness::path},
                                    {"tcp", "address", &Readiness::address},
                                    {"http", "url", &Readiness::url},
                                    {"command", "command", &Readiness::command}};
  Readiness out{.type = given.text("type")};
  for (const Kind& kind : kKinds) {
    const std::string field = kind.field;
    const bool its_own = out.type == kind.type;
    if (its_own && given.text(field).empty())
      return refuse("readiness." + field + " is missing: type " + out.type + " needs it");
    if (!its_own && given.given(field))
      return refuse("readiness." + field + " does not go with type " + out.type);
    out.*kind.value = given.text(field);
  }
  return out;
}

Result<json::object> start_service(Context& context) {
  const Arguments& args = context.args;
  Arguments::Command command = args.command();
  client::ServiceOptions options{.argv = std::move(command.words),
                                 .command = std::move(command.line),
                                 .cwd = args.text("cwd"),
                                 .env = args.map("env"),
                                 .secret_env = args.map("secret_env"),
                                 .readiness = {},
                                 .ready_timeout_seconds = args.integer("ready_timeout_seconds"),
                                 .ready_interval_ms = args.integer("ready_interval_ms"),
                                 .restart = args.text("restart"),
                                 .published_ports = {}};
  if (const auto readiness = args.object("readiness")) {
    PYRO_TRY(options.readiness, readiness_of(*readiness));
  }
  for (const Arguments& port : args.objects("published_ports")) {
    options.published_ports.push_back(
        {.guest_port = port.integer("guest_port"), .host_port = port.given_integer("host_port")});
  }
  return shown(services(context).start(workspace(context), service(context), options,
                                       context.observer.interrupt_fd));
}

constexpr std::array<CallRow, 13> kCalls{{
    {"workspace.shell.open", open_shell},
    {"workspace.shell.read", read_shell},
    {"workspace.shell.write", write_shell},
    {"workspace.shell.signal", signal_shell},
    {"workspace.shell.resize",
     [](Context& c) {
       return shown(shells(c).resize(workspace(c), shell(c), c.args.given_integer("cols"),
                                     c.args.given_integer("rows")));
     }},
    {"workspace.shell.list", [](Context& c) { return shown(shells(c).list(workspace(c))); }},
    {"workspace.shell.close", close_shell},
    {"workspace.service.start", start_service},
    {"workspace.service.list", [](Context& c) { return shown(services(c).list(workspace(c))); }},
    {"workspace.service.status",
     [](Context& c) { return shown(services(c).status(workspace(c), service(c))); }},
    {"workspace.service.logs",
     [](Context& c) {
       return shown(services(c).logs(
           workspace(c), service(c),
           {.tail_lines = c.args.integer("tail_lines"), .all = c.args.flag("all")}));
     }},
    {"workspace.service.stop",
     [](Context& c) {
       return shown(services(c).stop(workspace(c), service(c), c.args.integer("timeout_seconds"),
                                     c.observer.interrupt_fd));
     }},
    {"workspace.service.restart",
     [](Context& c) {
       return shown(services(c).restart(workspace(c), service(c), c.args.integer("timeout_seconds"),
                                        c.observer.interrupt_fd));
     }},
}};

}  // namespace

std::span<const CallRow> session_calls() {
  return kCalls;
}

}  // namespace pyro::api
