// Workspaces themselves, their commands and snapshots.
#include <algorithm>
#include <array>
#include <set>

#include "api/calls.h"
#include "base/text.h"
#include "client/smolfile.h"

namespace pyro::api {
namespace {

namespace json = boost::json;
using client::WorkspaceInfo;

Result<std::vector<client::SecretSource>> secrets(const Arguments& args) {
  std::vector<client::SecretSource> out;
  std::set<std::string> names;
  for (const Arguments& secret : args.objects("secrets")) {
    client::SecretSource source{.name = secret.text("name"),
                                .value = secret.given_text("value"),
                                .file_path = secret.given_text("file_path")};
    if (source.value.has_value() == source.file_path.has_value())
      return refuse("the secret " + source.name + " needs either value or file_path");
    if (!names.insert(source.name).second)
      return refuse("the secret " + source.name + " is given twice");
    out.push_back(std::move(source));
  }
  return out;
}

Result<json::object> create(Context& context) {
  const Arguments& args = context.args;
  if (args.flag("git_tracked") && !args.given("seed_path"))
    return refuse("git_tracked says what to take of a seed: seed_path is missing");
  if (args.text("ttl_action") != "stop" && !args.given("ttl_seconds"))
    return refuse("ttl_action says what happens after a TTL: ttl_seconds is missing");
  PYRO_TRY(std::vector<client::SecretSource> with_secrets, secrets(args));
  PYRO_TRY(client::NetworkOptions network, network_options(args));
  const client::WorkspaceOptions options{.environment = args.text("environment"),
                                         .vcpu_count = args.integer("vcpu_count"),
                                         .mem_mib = args.integer("mem_mib"),
                                         .ttl_seconds = args.given_integer("ttl_seconds"),
                                         .ttl_action = args.text("ttl_action"),
                                         .network = std::move(network),
                                         .allow_host_compat = args.flag("allow_host_compat"),
                                         .seed_path = args.given_text("seed_path"),
                                         .git_tracked = args.flag("git_tracked"),
                                         .secrets = std::move(with_secrets),
                                         .name = args.text("name"),
                                         .labels = args.map("labels"),
                                         .env = args.map("env")};
  return shown(context.workspaces().create(options, context.workspace_observer()));
}

Result<json::object> list(Context& context) {
  PYRO_TRY(std::vector<WorkspaceInfo> all, context.workspaces().list());
  sort_by_activity(all);
  return to_json(all);
}

Result<json::object> update(Context& context) {
  const Arguments& args = context.args;
  const bool clear_name = args.flag("clear_name"), no_ttl = args.flag("no_ttl");
  if (args.given("name") && clear_name) return refuse("name and clear_name cannot both be given");
  if (args.given("ttl_seconds") && no_ttl)
    return refuse("ttl_seconds and no_ttl cannot both be given");
  client::WorkspaceUpdate change{.name = args.given_text("name"),
                                 .labels = {},
                                 .ttl_seconds = args.given_integer("ttl_seconds"),
                                 .ttl_action = args.given_text("ttl_action")};
  if (change.name && change.name->empty())
    return fail_hint(Errc::kInvalid, "the new name is empty", "clear_name takes a name away");
  if (clear_name) change.name = "";
  if (no_ttl) change.ttl_seconds = 0;
  for (auto& [name, value] : args.map("labels")) change.labels[name] = value;
  for (const std::string& name : args.list("remove_labels")) {
    if (!change.labels.emplace(name, std::nullopt).second)
      return refuse("the label " + quoted_name(name) + " is given twice");
  }
  if (!change.name && change.labels.empty() && !change.ttl_seconds && !change.ttl_action)
    return refuse("there is nothing to change");
  return shown(context.workspaces().update(workspace(context), change));
}

Result<json::object> remove(Context& context) {
  PYRO_TRY(const WorkspaceInfo gone, context.workspaces().remove(workspace(context)));
  return deleted_json(gone);
}

Result<json::object> exec(Context& context) {
  const Arguments& args = context.args;
  Arguments::Command command = args.command();
  const client::WorkspaceExecOptions options{.argv = std::move(command.words),
                                             .command = std::move(command.line),
                                             .timeout_seconds = args.integer("timeout_seconds"),
                                             .cwd = args.text("cwd"),
                                             .env = args.map("env"),
                                             .secret_env = args.map("secret_env"),
                                             .stdin_fd = context.observer.stdin_fd};
  PYRO_TRY(const client::WorkspaceExecResult result,
           context.workspaces().exec(workspace(context), options, context.workspace_observer()));
  return to_json(result, context.out, context.err);
}

Result<json::object> logs(Context& context) {
  client::JournalOptions options{.tail = context.args.given_integer("tail"), .sequence = {}};
  if (context.args.given("sequence")) options.sequence = context.args.integer64("sequence");
  return shown(context.workspaces().logs(workspace(context), options));
}

Result<json::object> delete_snapshot(Context& context) {
  PYRO_TRY(
      const client::SnapshotInfo gone,
      context.workspaces().delete_snapshot(workspace(context), context.args.text("snapshot_name")));
  return deleted_json(gone);
}

Result<json::object> render_smolfile(Context& context) {
  PYRO_TRY(const WorkspaceInfo info, context.workspaces().status(workspace(context)));
  PYRO_TRY(const std::string text, client::render_smolfile(info));
  return json::object{{"smolfile", json_text(text)},
                      {"workspace_id", json_text(info.workspace_id)}};
}

constexpr std::array<CallRow, 16> kCalls{{
    {"workspace.create", create},
    {"workspace.list", list},
    {"workspace.status", [](Context& c) { return shown(c.workspaces().status(workspace(c))); }},
    {"workspace.update", update},
    {"workspace.delete", remove},
    {"workspace.stop", [](Context& c) { return shown(c.workspaces().stop(workspace(c))); }},
    {"workspace.start",
     [](Context& c) { return shown(c.workspaces().start(workspace(c), c.workspace_observer())); }},
    {"workspace.logs", logs},
    {"workspace.exec", exec},
    {"workspace.summary",
     [](Context& c) {
       return shown(c.workspaces().summary(workspace(c), c.observer.interrupt_fd));
     }},
    {"workspace.diff",
     [](Context& c) { return shown(c.workspaces().diff(workspace(c), c.observer.interrupt_fd)); }},
    {"workspace.snapshot.create",
     [](Context& c) {
       return shown(c.workspaces().create_snapshot(workspace(c), c.args.text("snapshot_name")));
     }},
    {"workspace.snapshot.list",
     [](Context& c) { return shown(c.workspaces().list_snapshots(workspace(c))); }},
    {"workspace.snapshot.delete", delete_snapshot},
    {"workspace.reset",
     [](Context& c) {
       return shown(
           c.workspaces().reset(workspace(c), c.args.text("snapshot"), c.workspace_observer()));
     }},
    {"smolfile.render", render_smolfile},
}};

}  // namespace

std::span<const CallRow> workspace_calls() {
  return kCalls;
}

}  // namespace pyro::api
