#include "mcp/pyro_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/terminal_text.h"
#include "base/text.h"
#include "base/version.h"

namespace pyro::mcp {
namespace {

// What an agent needs to change code in a workspace and hand it back.
constexpr std::array<std::string_view, 16> kCoreTools{"vm_run",
                                                      "vm_list_environments",
                                                      "workspace_create",
                                                      "workspace_list",
                                                      "workspace_status",
                                                      "workspace_exec",
                                                      "workspace_sync_push",
                                                      "workspace_file_list",
                                                      "workspace_file_read",
                                                      "workspace_file_write",
                                                      "workspace_patch_apply",
                                                      "workspace_diff",
                                                      "workspace_export",
                                                      "workspace_logs",
                                                      "workspace_reset",
                                                      "workspace_delete"};

bool in_profile(std::string_view tool, Profile profile) {
  if (profile == Profile::kWorkspaceFull) return true;
  if (profile == Profile::kVmRun) return tool == "vm_run";
  return std::ranges::find(kCoreTools, tool) != kCoreTools.end();
}

// What a model should know that the summary of the table, which people read, need not say.
struct Advice {
  std::string_view tool, text;
};
constexpr std::array<Advice, 11> kAdvice{{
    {"vm_run",
     "Nothing of the guest is left afterwards; for work in several steps use a workspace."},
    {"vm_create", "Then vm_start and vm_exec; vm_exec deletes it."},
    {"vm_exec", "The VM is deleted afterwards."},
    {"workspace_create",
     "Returns workspace_id, which the other workspace tools take. Files lie in /workspace. Delete "
     "it "
     "with workspace_delete when the work is done."},
    {"workspace_exec",
     "The exit code is in the result: one that is not 0 is no error of this tool. A string is run "
     "by /bin/sh -c. For what goes on by itself use service_start."},
    {"workspace_diff", "Shows what has changed in /workspace since it was created."},
    {"workspace_export", "Writes to the host, at an explicit path."},
    {"workspace_reset", "Discards every change since the snapshot."},
    {"service_start",
     "Waits until it is ready. Ports are published on 127.0.0.1 of the host where the network "
     "policy is "
     "egress+published-ports."},
    {"shell_open",
     "Then shell_write and shell_read; each read says from which cursor the next goes on."},
    {"shell_read", "Go on from next_cursor; wait_for_idle_ms waits until the output is quiet."},
}};

constexpr std::string_view kInstructions =
    "pyro runs commands in microVMs on this machine, without access to the host's files. vm_run is "
    "for one command. For work in several steps: workspace_create, then workspace_exec and the "
    "file "
    "tools, then workspace_diff or workspace_export to hand over what changed, and "
    "workspace_delete. "
    "Guests have no network unless network_policy or net_allow gives them one. Errors say what "
    "happened and what to call next.";

std::string description(const proto::Operation& op) {
  std::string out = std::string(op.summary) + ".";
  for (const Advice& advice : kAdvice) {
    if (advice.tool == op.tool) out += " " + std::string(advice.text);
  }
  return out;
}

json::object tool_object(const proto::Operation& op) {
  return {{"name", op.tool},
          {"title", op.summary},
          {"description", description(op)},
          {"inputSchema", api::input_schema(op)},
          {"outputSchema", api::output_schema(op)},
          {"annotations",
           {{"title", op.summary},
            {"readOnlyHint", op.effects.read_only},
            {"destructiveHint", op.effects.destructive},
            {"idempotentHint", op.effects.idempotent},
            {"openWorldHint", op.effects.open_world}}}};
}

// ---- resources

struct Kind {
  std::string_view name, operation, title;
};
constexpr std::array<Kind, 4> kKinds{{
    {"status", "workspace.status", "State of the workspace"},
    {"logs", "workspace.logs", "Commands that ran in the workspace, with their output"},
    {"diff", "workspace.diff", "What has changed since the workspace was created"},
    {"network-events", "workspace.network.events", "What its network policy decided"},
}};
constexpr std::string_view kScheme = "pyro://workspaces/";
constexpr std::string_view kServices = "services/";

std::string uri_of(std::string_view workspace, std::string_view kind) {
  return fmt::format("{}{}/{}", kScheme, workspace, kind);
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostName &&
         std::ranges::all_of(text, [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.';
         });
}

// A URI -> the operation that gives its contents.
struct Wanted {
  const proto::Operation* operation = nullptr;
  json::object arguments;
};
std::optional<Wanted> wanted_by(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  const auto slash = uri.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view workspace = uri.substr(0, slash);
  std::string_view rest = uri.substr(slash + 1);
  if (!is_plain_name(workspace)) return std::nullopt;
  for (const Kind& kind : kKinds) {
    if (rest == kind.name) {
      return Wanted{proto::find_operation(kind.operation), {{"workspace_id", workspace}}};
    }
  }
  constexpr std::string_view kLogs = "/logs";
  if (!rest.starts_with(kServices) || !rest.ends_with(kLogs)) return std::nullopt;
  rest.remove_prefix(kServices.size());
  if (rest.size() <= kLogs.size()) return std::nullopt;
  rest.remove_suffix(kLogs.size());
  if (!is_plain_name(rest)) return std::nullopt;
  return Wanted{proto::find_operation("workspace.service.logs"),
                {{"workspace_id", workspace}, {"service_name", rest}}};
}

// ---- progress

// Phases come one after the other, each with a part that is done where that is known; not more than
// a hundred reports of each.
class Steps {
 public:
  explicit Steps(Call& call) : call_(call) {}
  void take(const api::Progress& p) {
    if (p.phase != phase_) {
      phase_ = p.phase;
      begin_ += 1;
    }
    const double value = begin_ + std::floor(std::clamp(p.of.value_or(0), 0.0, 0.99) * 100) / 100;
    if (value <= last_) return;
    last_ = value;
    call_.progress(value, std::nullopt,
                   to_utf8(p.detail.empty() ? p.phase : fmt::format("{}: {}", p.phase, p.detail)));
  }

 private:
  Call& call_;
  std::string phase_;
  double begin_ = 0, last_ = 0;
};

// null is not given, as the API has it.
bool is_given(const json::object& arguments, std::string_view name) {
  const json::value* value = arguments.if_contains(name);
  return value != nullptr && !value->is_null();
}

// A result as text; the size of one that is too large to be passed on.
std::expected<std::string, std::size_t> passed_on(json::object& result) {
  cut_long_texts(result, kMostText);
  std::string text = json::serialize(result);
  if (text.size() > kMostResult) return std::unexpected(text.size());
  return text;
}

bool has_param(const proto::Operation& op, std::string_view name) {
  return proto::find_param(op, name) != nullptr;
}

}  // namespace

std::optional<Profile> profile_from(std::string_view name) {
  const auto* const found = std::ranges::find(kProfileNames, name);
  if (found == kProfileNames.end()) return std::nullopt;
  return static_cast<Profile>(found - kProfileNames.begin());
}

void cut_long_texts(json::object& object, std::size_t most) {
  std::vector<std::string> drop, mark;
  for (auto& [key, value] : object) {
    if (json::object* inner = value.if_object()) cut_long_texts(*inner, most);
    if (json::array* list = value.if_array()) {
      for (json::value& item : *list) {
        if (json::object* inner = item.if_object()) cut_long_texts(*inner, most);
      }
    }
    json::string* text = value.if_string();
    if (text == nullptr || text->size() <= most) continue;
    if (std::string_view(key).ends_with("_base64")) {
      drop.emplace_back(key);  // part of it would be other bytes
      continue;
    }
    const std::size_t size = text->size();
    text->resize(whole_characters({text->data(), most}, most));
    text->append(fmt::format("\n[cut here: {} bytes in all]", size));
    mark.push_back(std::string(key) + "_truncated");
  }
  for (const std::string& key : drop) object.erase(key);
  for (const std::string& key : mark) {
    if (json::value* flag = object.if_contains(key)) *flag = true;
  }
}

PyroProvider::PyroProvider(api::Api& api, PyroOptions options)
    : api_(api),
      options_(std::move(options)),
      info_{.name = "pyro",
            .title = "pyro: microVM sandboxes",
            .version = std::string(kVersion),
            .instructions = std::string(kInstructions)} {
  json::array list;
  for (const proto::Operation& op : proto::operations()) {
    if (op.tool.empty() || !api::is_callable(op) || !in_profile(op.tool, options_.profile))
      continue;
    operations_.push_back(&op);
    list.push_back(tool_object(op));
  }
  if (options_.profile == Profile::kVmRun) info_.instructions.clear();
  tools_text_ = json::serialize(list);
}

Features PyroProvider::features() const {
  const bool workspaces = options_.profile != Profile::kVmRun;
  return {.resources = workspaces, .completions = workspaces};
}

bool PyroProvider::offers(std::string_view tool) const {
  return std::ranges::any_of(operations_, [&](const auto* op) { return op->tool == tool; });
}

std::string PyroProvider::next_step(const proto::Operation& op, const Error& error) const {
  const bool workspace = has_param(op, "workspace_id");
  const auto call = [&](std::string_view tool, std::string_view what) {
    return offers(tool) ? fmt::format("call {}{}", tool, what) : std::string();
  };
  switch (error.code) {
    case Errc::kInvalid:
      return "correct the arguments: the inputSchema of the tool says what they may be";
    case Errc::kNotFound:
      if (has_param(op, "shell_id") && offers("shell_list"))
        return "call shell_list or workspace_list to see what there is";
      if (has_param(op, "service_name") && offers("service_list"))
        return "call service_list or workspace_list to see what there is";
      if (workspace) return call("workspace_list", " to see which there are");
      return has_param(op, "vm_id") ? call("vm_create", " for a new one")
                                    : call("vm_list_environments", " to see which there are");
    case Errc::kConflict:
      if (workspace) return call("workspace_status", " to see its state");
      return has_param(op, "vm_id") ? call("vm_status", " to see its state") : "";
    case Errc::kDeadline:
      return has_param(op, "timeout_seconds") ? "call it again with more timeout_seconds"
                                              : "call it again";
    case Errc::kUnavailable:
      return call("vm_doctor", " to see what the host lacks");
    case Errc::kLimit:
      return "end or delete what is not needed any more, or ask for less";
    case Errc::kDenied:
      return "ask the user: this is not permitted";
    case Errc::kDamaged:
    case Errc::kInternal:
      break;
  }
  return "tell the user: this cannot be mended by another call";
}

Result<json::object> PyroProvider::ask(const proto::Operation& operation,
                                       const json::object& arguments, Call& call) {
  Steps steps(call);
  api::Observer observer;
  observer.on_progress = [&](const api::Progress& p) { steps.take(p); };
  observer.on_warning = [&](std::string_view text) {
    call.log(LogLevel::kWarning, json::value(to_utf8(text)));
  };
  observer.interrupt_fd = call.interrupt_fd();
  return api_.call(operation, arguments, observer);
}

Outcome PyroProvider::call_tool(const std::string& name, const json::object& arguments,
                                Call& call) {
  const auto found = std::ranges::find(operations_, name, &proto::Operation::tool);
  if (found == operations_.end()) {
    return RpcError{kInvalidParams,
                    "there is no tool of this name in this profile; tools/list has those there are",
                    {}};
  }
  const proto::Operation& op = **found;
  json::object given = arguments;
  if (op.tool == "workspace_create" && options_.seed_path && !is_given(given, "seed_path")) {
    given["seed_path"] = *options_.seed_path;
    if (!is_given(given, "git_tracked")) given["git_tracked"] = options_.git_tracked;
  }
  Result<json::object> result = ask(op, given, call);
  if (!result) {
    const Error& error = result.error();
    std::string text =
        fmt::format("{} failed: {}\ncode: {}", op.tool, error.message, errc_name(error.code));
    if (!error.hint.empty()) text += "\nhint: " + error.hint;
    if (const std::string next = next_step(op, error); !next.empty()) text += "\nnext: " + next;
    return tool_error(to_utf8(text));
  }
  auto text = passed_on(*result);
  if (!text) {
    return tool_error(fmt::format(
        "{} gave a result of {} bytes, more than the {} that are passed on\ncode: limit\nnext: ask "
        "for less at once, or write it to a file and use workspace_export",
        op.tool, text.error(), kMostResult));
  }
  return json::object{
      {"content", json::array{json::object{{"type", "text"}, {"text", *std::move(text)}}}},
      {"structuredContent", *std::move(result)},
      {"isError", false}};
}

std::string PyroProvider::resource_templates() {
  json::array list;
  for (const Kind& kind : kKinds) {
    list.push_back({{"uriTemplate", uri_of("{workspace_id}", kind.name)},
                    {"name", "workspace-" + std::string(kind.name)},
                    {"description", kind.title},
                    {"mimeType", "application/json"}});
  }
  list.push_back({{"uriTemplate", uri_of("{workspace_id}", "services/{service_name}/logs")},
                  {"name", "service-logs"},
                  {"description", "What a service printed"},
                  {"mimeType", "application/json"}});
  return json::serialize(list);
}

std::expected<json::array, RpcError> PyroProvider::workspaces(Call& call) {
  Result<json::object> all = ask(*proto::find_operation("workspace.list"), {}, call);
  if (!all) {
    return std::unexpected(RpcError{kInternalError, to_utf8(all.error().message), {}});
  }
  return std::move(all->at("workspaces").as_array());
}

Outcome PyroProvider::list_resources(Call& call) {
  const auto all = workspaces(call);
  if (!all) return all.error();
  json::array list;
  for (const json::value& one : *all) {
    const json::object& workspace = one.as_object();
    const std::string id(workspace.at("workspace_id").as_string());
    const json::value* name = workspace.if_contains("name");
    const std::string shown =
        name != nullptr && name->is_string() ? std::string(name->get_string()) : id;
    for (const Kind& kind : kKinds) {
      list.push_back({{"uri", uri_of(id, kind.name)},
                      {"name", fmt::format("{} of {}", kind.name, shown)},
                      {"description", kind.title},
                      {"mimeType", "application/json"}});
    }
  }
  return json::object{{"resources", std::move(list)}};
}

Outcome PyroProvider::read_resource(const std::string& uri, Call& call) {
  const std::optional<Wanted> wanted = wanted_by(uri);
  if (!wanted) return resource_not_found(uri);
  Result<json::object> result = ask(*wanted->operation, wanted->arguments, call);
  if (!result) {
    const Error& error = result.error();
    if (error.code == Errc::kNotFound) return resource_not_found(uri);
    return RpcError{kInternalError,
                    to_utf8(error.hint.empty() ? error.message : error.message + "; " + error.hint),
                    json::object{{"code", errc_name(error.code)}, {"uri", uri}}};
  }
  auto text = passed_on(*result);
  if (!text) {
    return RpcError{kInternalError,
                    fmt::format("this has {} bytes, more than the {} that are passed on",
                                text.error(), kMostResult),
                    json::object{{"uri", uri}}};
  }
  return json::object{{"contents", json::array{json::object{{"uri", uri},
                                                            {"mimeType", "application/json"},
                                                            {"text", *std::move(text)}}}}};
}

Outcome PyroProvider::complete(const json::object& params, Call& call) {
  json::array values;
  bool more = false;
  const json::object& argument = params.at("argument").as_object();
  const json::value* name = argument.if_contains("name");
  const json::value* begun = argument.if_contains("value");
  if (name != nullptr && *name == "workspace_id" && begun != nullptr && begun->is_string()) {
    const auto all = workspaces(call);
    if (!all) return all.error();
    constexpr std::size_t kMostValuesAtOnce = 100;  // of the specification
    for (const json::value& one : *all) {
      const json::value& id = one.at("workspace_id");
      const bool fits = std::string_view(id.as_string()).starts_with(begun->get_string());
      if (!fits) continue;
      more = values.size() == kMostValuesAtOnce;
      if (more) break;
      values.push_back(id);
    }
  }
  return json::object{{"completion", {{"hasMore", more}, {"values", std::move(values)}}}};
}

}  // namespace pyro::mcp
