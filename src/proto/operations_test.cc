#include "proto/operations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <vector>

namespace pyro::proto {
namespace {

bool snake_case(std::string_view name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

void check_fields(std::span<const Field> fields, const std::string& where) {
  EXPECT_TRUE(std::ranges::is_sorted(fields, {}, &Field::name)) << where;
  std::set<std::string_view> names;
  for (const Field& field : fields) {
    const std::string path = where + "." + std::string(field.name);
    EXPECT_TRUE(snake_case(field.name)) << path;
    EXPECT_TRUE(names.insert(field.name).second) << path << " twice";
    EXPECT_FALSE(field.doc.empty()) << path;
    EXPECT_EQ(field.type == FieldType::kObject || field.type == FieldType::kObjectList,
              !field.fields.empty())
        << path;
    check_fields(field.fields, path);
  }
}

void check_param(const Param& param, const std::string& where) {
  EXPECT_TRUE(snake_case(param.name)) << where;
  EXPECT_FALSE(param.help.empty()) << where;
  EXPECT_FALSE(param.help.ends_with('.')) << where;
  EXPECT_EQ(param.type == ParamType::kFlag, param.value_name.empty()) << where;
  EXPECT_EQ(param.type == ParamType::kChoice, !param.choices.empty()) << where;
  if (param.type == ParamType::kInteger) {
    EXPECT_LT(param.min, param.max) << where;
  }
  if (param.type == ParamType::kInteger && !param.default_text.empty()) {
    std::int64_t value = 0;
    const std::string_view text = param.default_text;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    EXPECT_EQ(read.ptr, text.data() + text.size()) << where;
    EXPECT_GE(value, param.min) << where;
    EXPECT_LE(value, param.max) << where;
  }
  if (param.type == ParamType::kChoice && !param.default_text.empty()) {
    EXPECT_NE(std::ranges::find(param.choices, param.default_text), param.choices.end()) << where;
  }
  EXPECT_TRUE(param.type == ParamType::kPair || !param.value_optional) << where;
  EXPECT_TRUE(param.type == ParamType::kString || !param.content) << where;
  EXPECT_TRUE(param.library_name.empty() || (snake_case(param.library_name) && !param.cli_only))
      << where;
  const bool of_fields = param.type == ParamType::kObject || param.type == ParamType::kObjectList;
  EXPECT_EQ(of_fields, !param.fields.empty()) << where;
  for (const Param& field : param.fields) check_param(field, where + "." + std::string(field.name));
}

// Whatever stands after a word that may be missing or come several times could not be told from it.
void check_positionals(const Operation& op) {
  for (const Param& param : op.positionals) {
    EXPECT_NE(param.type, ParamType::kFlag) << op.name;
    EXPECT_FALSE(param.required) << op.name << ": a positional is required unless it is optional";
    if (&param == &op.positionals.back()) continue;
    EXPECT_FALSE(param.optional || param.repeatable) << op.name << " " << param.name;
    EXPECT_NE(param.type, ParamType::kCommand) << op.name << " " << param.name;
  }
  for (const Param& param : op.options) {
    EXPECT_FALSE(param.optional) << op.name << " " << param.name << ": every option is";
    EXPECT_FALSE(param.required && !param.default_text.empty()) << op.name << " " << param.name;
  }
}

TEST(Operations, NamesAreUniqueOnEverySurface) {
  std::set<std::string_view> names, methods, tools;
  std::set<std::vector<std::string_view>> paths;
  for (const Operation& op : operations()) {
    EXPECT_TRUE(names.insert(op.name).second) << op.name;
    EXPECT_EQ(find_operation(op.name), &op);
    if (!op.method.empty()) EXPECT_TRUE(methods.insert(op.method).second) << op.method;
    if (!op.tool.empty()) EXPECT_TRUE(tools.insert(op.tool).second) << op.tool;
    if (!op.cli_path.empty()) {
      EXPECT_TRUE(paths.insert({op.cli_path.begin(), op.cli_path.end()}).second) << op.name;
    }
  }
  EXPECT_EQ(find_operation("env.nothing"), nullptr);
}

TEST(Operations, EveryEntryIsCompleteAndConsistent) {
  for (const Operation& op : operations()) {
    const std::string name(op.name);
    EXPECT_FALSE(op.summary.empty()) << name;
    EXPECT_FALSE(op.summary.ends_with('.')) << name;
    EXPECT_FALSE(op.errors.empty()) << name;
    std::set<std::string_view> params;
    for (const auto& list : {op.positionals, op.options}) {
      for (const Param& param : list) {
        check_param(param, name + " " + std::string(param.name));
        EXPECT_TRUE(params.insert(param.name).second) << name << " " << param.name;
        EXPECT_EQ(find_param(op, param.name), &param);
      }
    }
    check_positionals(op);
    check_fields(op.result, name);
    if (op.cli_path.empty()) continue;
    EXPECT_FALSE(op.description.empty()) << name;
    EXPECT_FALSE(op.examples.empty()) << name;
    EXPECT_EQ(!op.result.empty(), find_param(op, "json") != nullptr) << name;
  }
}

// What a library is asked for, whatever the command line calls it.
TEST(Operations, TheArgumentsOfALibraryAreConsistent) {
  for (const Operation& op : operations()) {
    const std::string name(op.name);
    EXPECT_TRUE(op.result.empty() || op.library_result.empty()) << name;
    check_fields(op.library_result, name);
    EXPECT_FALSE(op.effects.read_only && op.effects.destructive) << name;
    for (const Param& param : op.library_options) {
      check_param(param, name + " " + std::string(param.name));
      EXPECT_FALSE(param.cli_only || param.optional) << name << " " << param.name;
    }
    if (op.method.empty()) continue;
    EXPECT_TRUE(!op.result.empty() || !op.library_result.empty() ||
                op.name == "workspace.shell.attach")
        << name;
    std::set<std::string_view> names;
    bool by_name = false;
    for (const Argument& argument : library_arguments(op)) {
      EXPECT_TRUE(names.insert(argument.name).second) << name << " " << argument.name;
      EXPECT_FALSE(argument.param->cli_only) << name << " " << argument.name;
      EXPECT_TRUE(argument.param->default_text.empty() || !argument.required)
          << name << " " << argument.name;
      EXPECT_FALSE(argument.positional && by_name) << name << " " << argument.name;
      by_name = by_name || !argument.positional;
    }
    EXPECT_FALSE(names.contains("json")) << name;
    // Whoever gives something may give it wrongly.
    EXPECT_TRUE(names.empty() || std::ranges::count(op.errors, Errc::kInvalid) == 1) << name;
  }
}

TEST(Operations, ALibraryHasItsOwnNames) {
  const auto argument = [](const char* operation, std::string_view name) -> const Argument* {
    static std::vector<Argument> all;
    all = library_arguments(*find_operation(operation));
    const auto at = std::ranges::find(all, name, &Argument::name);
    return at == all.end() ? nullptr : &*at;
  };
  ASSERT_NE(argument("workspace.export", "output_path"), nullptr);
  EXPECT_TRUE(argument("workspace.export", "output_path")->required);
  EXPECT_EQ(argument("workspace.export", "output"), nullptr);
  EXPECT_TRUE(argument("workspace.delete", "workspace_id")->required);
  EXPECT_FALSE(argument("workspace.delete", "workspace_id")->list);
  EXPECT_TRUE(argument("run", "environment")->required);
  EXPECT_TRUE(argument("run", "command")->required);
  EXPECT_FALSE(argument("run", "command")->positional);
  EXPECT_TRUE(argument("run", "net_allow")->list);
  EXPECT_FALSE(argument("workspace.create", "labels")->list);  // a map
  EXPECT_FALSE(argument("workspace.file.list", "path")->required);
  EXPECT_EQ(argument("run", "smolfile"), nullptr);
}

TEST(Operations, EveryGroupHoldsACommandAndEveryPathItsGroup) {
  std::set<std::vector<std::string_view>> paths;
  for (const Group& group : groups()) {
    EXPECT_TRUE(paths.insert({group.path.begin(), group.path.end()}).second);
    EXPECT_TRUE(std::ranges::any_of(operations(), [&](const Operation& op) {
      return op.cli_path.size() == group.path.size() + 1 &&
             std::ranges::equal(op.cli_path.first(group.path.size()), group.path);
    })) << group.path.back();
  }
  for (const Operation& op : operations()) {
    // A word after a command that holds others names one of them.
    if (paths.contains({op.cli_path.begin(), op.cli_path.end()})) {
      EXPECT_TRUE(op.positionals.empty()) << op.name;
    }
    for (std::size_t n = 1; n < op.cli_path.size(); ++n) {
      const auto above = op.cli_path.first(n);
      EXPECT_TRUE(paths.contains({above.begin(), above.end()})) << op.name;
    }
  }
}

// The names that the public contract fixes; renaming one is a breaking change.
TEST(Operations, TheStableInterfaceOfRunIsThere) {
  const Operation* run = find_operation("run");
  ASSERT_NE(run, nullptr);
  for (const char* name : {"vcpu_count", "mem_mib", "timeout_seconds", "ttl_seconds", "network",
                           "allow_host_compat", "json"}) {
    EXPECT_NE(find_param(*run, name), nullptr) << name;
  }
  EXPECT_EQ(find_param(*run, "vcpu_count")->default_text, "1");
  EXPECT_EQ(find_param(*run, "mem_mib")->default_text, "1024");
  EXPECT_EQ(find_param(*run, "timeout_seconds")->default_text, "30");
  EXPECT_EQ(find_param(*run, "ttl_seconds")->default_text, "600");
}

TEST(Operations, TheStableInterfaceOfWorkspacesIsThere) {
  struct Row {
    const char *name, *method, *tool;
    std::vector<const char*> params;
  };
  const std::vector<Row> rows{
      {"workspace.create",
       "create_workspace",
       "workspace_create",
       {"environment", "vcpu_count", "mem_mib", "ttl_seconds", "network_policy",
        "allow_host_compat", "seed_path", "secret", "secret_file"}},
      {"workspace.sync.push",
       "push_workspace_sync",
       "workspace_sync_push",
       {"workspace_id", "source_path", "dest"}},
      {"workspace.exec",
       "exec_workspace",
       "workspace_exec",
       {"workspace_id", "command", "timeout_seconds", "secret_env"}},
      {"workspace.export",
       "export_workspace",
       "workspace_export",
       {"workspace_id", "path", "output"}},
      {"workspace.diff", "diff_workspace", "workspace_diff", {"workspace_id"}},
      {"workspace.snapshot.create",
       "create_snapshot",
       "snapshot_create",
       {"workspace_id", "snapshot_name"}},
      {"workspace.snapshot.list", "list_snapshots", "snapshot_list", {"workspace_id"}},
      {"workspace.snapshot.delete",
       "delete_snapshot",
       "snapshot_delete",
       {"workspace_id", "snapshot_name"}},
      {"workspace.reset", "reset_workspace", "workspace_reset", {"workspace_id", "snapshot"}},
      {"workspace.status", "status_workspace", "workspace_status", {"workspace_id"}},
      {"workspace.logs", "logs_workspace", "workspace_logs", {"workspace_id"}},
      {"workspace.delete", "delete_workspace", "workspace_delete", {"workspace_id"}},
  };
  for (const Row& row : rows) {
    const Operation* op = find_operation(row.name);
    ASSERT_NE(op, nullptr) << row.name;
    EXPECT_EQ(op->method, row.method);
    EXPECT_EQ(op->tool, row.tool);
    for (const char* param : row.params) {
      EXPECT_NE(find_param(*op, param), nullptr) << row.name << " " << param;
    }
  }
  const Operation& create = *find_operation("workspace.create");
  EXPECT_EQ(find_param(create, "vcpu_count")->default_text, "1");
  EXPECT_EQ(find_param(create, "mem_mib")->default_text, "1024");
  EXPECT_EQ(find_param(create, "network_policy")->default_text, "off");
  // There "off" is a change, and a policy to ask about; not saying it is neither.
  for (const char* name : {"workspace.network.set", "policy.explain"})
    EXPECT_EQ(find_param(*find_operation(name), "network_policy")->default_text, "") << name;
  EXPECT_EQ(find_param(create, "ttl_seconds")->default_text, "");
  EXPECT_TRUE(find_param(create, "secret")->secret);
  EXPECT_EQ(find_param(*find_operation("workspace.reset"), "snapshot")->default_text, "baseline");
}

TEST(Operations, TheStableInterfaceOfShellsAndServicesIsThere) {
  struct Row {
    const char *name, *method, *tool;
    std::vector<const char*> params;
  };
  const std::vector<Row> rows{
      {"workspace.shell.open",
       "open_shell",
       "shell_open",
       {"workspace_id", "cwd", "cols", "rows", "secret_env"}},
      {"workspace.shell.read",
       "read_shell",
       "shell_read",
       {"workspace_id", "shell_id", "cursor", "max_chars"}},
      {"workspace.shell.write",
       "write_shell",
       "shell_write",
       {"workspace_id", "shell_id", "input"}},
      {"workspace.shell.signal", "signal_shell", "shell_signal", {"shell_id", "signal"}},
      {"workspace.shell.close", "close_shell", "shell_close", {"shell_id"}},
      {"workspace.service.start",
       "start_service",
       "service_start",
       {"workspace_id", "service_name", "command", "cwd", "ready_timeout_seconds",
        "ready_interval_ms", "secret_env", "publish"}},
      {"workspace.service.list", "list_services", "service_list", {"workspace_id"}},
      {"workspace.service.status", "status_service", "service_status", {"service_name"}},
      {"workspace.service.logs", "logs_service", "service_logs", {"tail_lines", "all"}},
      {"workspace.service.stop", "stop_service", "service_stop", {"service_name"}},
  };
  for (const Row& row : rows) {
    const Operation* op = find_operation(row.name);
    ASSERT_NE(op, nullptr) << row.name;
    EXPECT_EQ(op->method, row.method);
    EXPECT_EQ(op->tool, row.tool);
    for (const char* param : row.params) {
      EXPECT_NE(find_param(*op, param), nullptr) << row.name << " " << param;
    }
  }
  const Operation& open = *find_operation("workspace.shell.open");
  EXPECT_EQ(find_param(open, "cols")->default_text, "120");
  EXPECT_EQ(find_param(open, "rows")->default_text, "30");
  const Operation& start = *find_operation("workspace.service.start");
  EXPECT_EQ(find_param(start, "ready_timeout_seconds")->default_text, "30");
  EXPECT_EQ(find_param(start, "ready_interval_ms")->default_text, "500");
  // A service's exit code is not that of the call which starts it.
  EXPECT_EQ(start.exit_codes, ExitCodes::kPyro);
  EXPECT_EQ(find_operation("run")->exit_codes, ExitCodes::kCommand);
  EXPECT_EQ(find_operation("workspace.exec")->exit_codes, ExitCodes::kCommand);
  EXPECT_EQ(find_operation("workspace.shell.attach")->exit_codes, ExitCodes::kShell);
}

}  // namespace
}  // namespace pyro::proto
