#include "mcp/pyro_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/terminal_text.h"
#include "base/text.h"
#include "base/version.h"
#include "mcp/steps.h"

namespace pyro::mcp {
namespace {

using proto::Field;
using proto::FieldType;

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
constexpr std::array<Advice, 13> kAdvice{{
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
    {"workspace_diff",
     "Shows what has changed in /workspace since it was created. Of a patch over 1 MiB only the "
     "beginning comes (patch_truncated): write it to a file with workspace_exec."},
    {"workspace_file_read",
     "Of a file over 1 MiB only the beginning comes (content_truncated): read on with "
     "workspace_exec, for example tail -c."},
    {"workspace_logs",
     "Where it is too much at once the oldest outputs are left out (stdout_truncated); tail and "
     "sequence ask for less."},
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
    "pyro runs commands in microVMs on this machine. A guest sees no file of the host but what is "
    "put into it. vm_run is for one command. For work in several steps: workspace_create, then "
    "workspace_exec and the "
    "file "
    "tools, then workspace_diff or workspace_export to hand over what changed, and "
    "workspace_delete. "
    "Guests have no network unless network_policy or net_allow gives them one. Errors say what "
    "happened and what to call next. ";

std::string instructions(const api::HostFolders& host) {
  const std::string folders = host.names();
  if (folders.empty())
    return std::string(kInstructions) + "No path of the host may be given in arguments.";
  return fmt::format("{}Paths of the host in arguments must lie in {}.", kInstructions, folders);
}

std::string description(const proto::Operation& op) {
  std::string out = std::string(op.summary) + ".";
  for (const Advice& advice : kAdvice) {
    if (advice.tool == op.tool) out += " " + std::string(advice.text);
  }
  return out;
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

// null is not given, as the API has it.
bool is_given(const json::object& arguments, std::string_view name) {
  const json::value* value = arguments.if_contains(name);
  return value != nullptr && !value->is_null();
}

// ---- results that are too large

constexpr std::string_view kBase64 = "_base64", kTruncated = "truncated";

// The field that says whether `text` is all there is.
const Field* flag_of(std::span<const Field> fields, std::string_view text) {
  if (text.ends_with(kBase64)) text.remove_suffix(kBase64.size());
  const auto own = std::ranges::find(fields, fmt::format("{}_{}", text, kTruncated), &Field::name);
  const auto found =
      own != fields.end() ? own : std::ranges::find(fields, kTruncated, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

// Whether there was something to cut.
bool cut(json::string& text, bool base64, std::size_t most) {
  if (base64) {
    if (text.size() <= (most + 2) / 3 * 4) return false;
    text.resize(most / 3 * 4);  // what is left stands for the first bytes
    return true;
  }
  if (text.size() <= most) return false;
  const std::size_t size = text.size();
  text.resize(whole_characters({text.data(), most}, most));
  text.append(fmt::format("\n[cut here: {} bytes in all]", size));
  return true;
}

// Takes what has a flag of its own out of the first items of the lists, the oldest, until there are
// `over` bytes less.
void drop_oldest(json::object& result, std::span<const Field> fields, std::size_t over) {
  std::size_t less = 0;
  const auto drop = [&](json::object& item, const Field& field, std::span<const Field> its) {
    json::value* text = item.if_contains(field.name);
    const Field* flag = flag_of(its, field.name);
    if (text == nullptr || !text->is_string() || flag == nullptr || flag->name == kTruncated)
      return;
    const std::size_t size = json::serialize(*text).size();
    if (size <= 2) return;  // an empty one
    less += size - 2;
    if (field.optional) {
      item.erase(field.name);
    } else {
      text->as_string().clear();
    }
    item[flag->name] = true;  // last: `text` may have moved then
  };
  for (const Field& list : fields) {
    json::value* value = result.if_contains(list.name);
    if (value == nullptr || !value->is_array() || list.type != FieldType::kObjectList) continue;
    for (json::value& item : value->get_array()) {
      for (const Field& field : list.fields) {
        if (less >= over) return;
        drop(item.as_object(), field, list.fields);
      }
    }
  }
}

// A result as text; the size of one that is too large to be passed on.
std::expected<std::string, std::size_t> passed_on(const proto::Operation& op,
                                                  json::object& result) {
  const auto fields = proto::result_fields(op);
  cut_long_texts(result, fields, kMostText);
  std::string text = json::serialize(result);
  if (text.size() > kMostResult) {
    drop_oldest(result, fields, text.size() - kMostResult);
    text = json::serialize(result);
  }
  if (text.size() > kMostResult) return std::unexpected(text.size());
  return text;
}

// ---- arguments

// Of these, saying the default is not leaving it out: "off" beside a rule is refused, and the seed
// of the server's own project may be what git tracks. A client that fills in defaults must find
// none.
struct NotSaid {
  std::string_view name, meaning;
};
constexpr std::array<NotSaid, 2> kNotSaid{{
    {"network_policy", "; left out: off, or egress where there is a rule"},
    {"git_tracked",
     "; left out: false, but true where the server's own project, a git checkout, is the seed"},
}};

json::object tool_schema(const proto::Operation& op) {
  json::object schema = api::input_schema(op);
  json::object& properties = schema.at("properties").as_object();
  for (const NotSaid& one : kNotSaid) {
    json::value* property = properties.if_contains(one.name);
    if (property == nullptr || property->as_object().erase("default") == 0) continue;
    json::object& its = property->get_object();
    api::allow_null(its);
    its.at("description").as_string().append(one.meaning);
  }
  return schema;
}

json::object tool_object(const proto::Operation& op) {
  return {{"name", op.tool},
          {"title", op.summary},
          {"description", description(op)},
          {"inputSchema", tool_schema(op)},
          {"outputSchema", api::output_schema(op)},
          {"annotations",
           {{"title", op.summary},
            {"readOnlyHint", op.effects.read_only},
            {"destructiveHint", op.effects.destructive},
            {"idempotentHint", op.effects.idempotent},
            {"openWorldHint", op.effects.open_world}}}};
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

void cut_long_texts(json::object& object, std::span<const Field> fields, std::size_t most) {
  for (const Field& field : fields) {
    json::value* value = object.if_contains(field.name);
    if (value == nullptr) continue;
    if (json::object* inner = value->if_object()) cut_long_texts(*inner, field.fields, most);
    if (json::array* list = value->if_array()) {
      for (json::value& item : *list) {
        if (json::object* inner = item.if_object()) cut_long_texts(*inner, field.fields, most);
      }
    }
    json::string* text = value->if_string();
    const Field* flag = text == nullptr ? nullptr : flag_of(fields, field.name);
    if (flag != nullptr && cut(*text, field.name.ends_with(kBase64), most)) {
      object[flag->name] = true;
    }
  }
}

PyroProvider::PyroProvider(api::Api& api, PyroOptions options)
    : api_(api),
      options_(std::move(options)),
      info_{.name = "pyro",
            .title = "pyro: microVM sandboxes",
            .version = std::string(kVersion),
            .instructions = instructions(options_.host_folders)} {
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
  Steps steps(call, operation.tool.empty() ? operation.name : operation.tool);
  api::Observer observer;
  observer.on_progress = [&](const api::Progress& p) { steps.take(p); };
  observer.on_warning = [&](std::string_view text) {
    call.log(LogLevel::kWarning, json::value(to_utf8(text)));
  };
  observer.interrupt_fd = call.interrupt_fd();
  return api_.call(operation, arguments, observer);
}

json::object PyroProvider::failed(const proto::Operation& op, const Error& error) const {
  std::string text =
      fmt::format("{} failed: {}\ncode: {}", op.tool, error.message, errc_name(error.code));
  if (!error.hint.empty()) text += "\nhint: " + error.hint;
  if (const std::string next = next_step(op, error); !next.empty()) text += "\nnext: " + next;
  return tool_error(to_utf8(text));
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
  for (const NotSaid& one : kNotSaid) {
    if (!is_given(given, one.name)) given.erase(one.name);
  }
  const Result<void> confined = options_.host_folders.confine(op, given);
  if (!confined) return failed(op, confined.error());
  if (op.tool == "workspace_create" && options_.seed_path && !is_given(given, "seed_path")) {
    given["seed_path"] = *options_.seed_path;
    if (!is_given(given, "git_tracked")) given["git_tracked"] = options_.git_tracked;
  }
  Result<json::object> result = ask(op, given, call);
  if (!result) return failed(op, result.error());
  auto text = passed_on(op, *result);
  if (!text) {
    return tool_error(fmt::format(
        "{} gave a result of {} bytes, more than the {} that are passed on\ncode: limit\nnext: ask "
        "for less at once (some tools take tail or tail_lines), or write it to a file "
        "and use workspace_export",
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
  auto text = passed_on(*wanted->operation, *result);
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
