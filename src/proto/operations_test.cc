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
    check_fields(op.result, name);
    if (op.cli_path.empty()) continue;
    EXPECT_FALSE(op.description.empty()) << name;
    EXPECT_FALSE(op.examples.empty()) << name;
    EXPECT_EQ(!op.result.empty(), find_param(op, "json") != nullptr) << name;
  }
}

TEST(Operations, EveryGroupHoldsACommandAndEveryPathItsGroup) {
  for (const Group& group : groups()) {
    EXPECT_TRUE(std::ranges::any_of(operations(), [&](const Operation& op) {
      return op.cli_path.size() == 2 && op.cli_path[0] == group.name;
    })) << group.name;
  }
  for (const Operation& op : operations()) {
    if (op.cli_path.size() < 2) continue;
    EXPECT_TRUE(std::ranges::any_of(groups(), [&](const Group& group) {
      return group.name == op.cli_path[0];
    })) << op.name;
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

}  // namespace
}  // namespace pyro::proto
