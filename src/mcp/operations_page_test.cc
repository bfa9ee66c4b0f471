// docs/reference/operations.md: every operation by the names that a library and a model know it by,
// made from what pyro itself says of them: their schemas and tools.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <vector>

#include "api/testing.h"
#include "mcp/pyro_provider.h"

namespace pyro::mcp {
namespace {

using proto::Operation;

class NoApi final : public api::Api {
 public:
  Result<json::object> call(const Operation&, const json::object&, const api::Observer&) override {
    return fail(Errc::kInternal, "nothing is called");
  }
};

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
}
std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}
// Inside a table cell a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}
std::string joined(const std::vector<std::string>& parts, std::string_view by) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : std::string(by)) + part;
  return out;
}

std::string type_of(const json::object& schema) {
  std::vector<std::string> parts;
  if (const auto* any = schema.if_contains("anyOf")) {
    for (const json::value& one : any->as_array()) {
      if (const std::string part = type_of(one.as_object()); part != "null") parts.push_back(part);
    }
    return joined(parts, " or ");
  }
  if (const auto* choices = schema.if_contains("enum")) {
    for (const json::value& choice : choices->as_array()) {
      if (!choice.is_null()) parts.push_back(code(text_of(choice)));
    }
    return joined(parts, ", ");
  }
  const json::value& type = schema.at("type");
  const std::string name = text_of(type.is_array() ? type.as_array().at(0) : type);
  if (name == "array") return "list of " + type_of(schema.at("items").as_object());
  if (name == "object") {
    const json::value* values = schema.if_contains("additionalProperties");
    const bool is_map = values != nullptr && values->is_object();
    return is_map ? "object of " + type_of(values->as_object()) : "object";
  }
  if (const auto* least = schema.if_contains("minimum"))
    return name + ", " + text_of(*least) + " to " + text_of(schema.at("maximum"));
  return name;
}

bool may_be_null(const json::object& schema) {
  if (const auto* any = schema.if_contains("anyOf")) {
    return std::ranges::any_of(any->as_array(),
                               [](const json::value& one) { return may_be_null(one.as_object()); });
  }
  const json::value& type = schema.at("type");
  return type.is_array() || text_of(type) == "null";
}

// One row for each property, and for each of its own below it.
void rows(const json::object& schema, const std::string& prefix, bool is_result, std::string& out) {
  for (const auto& [key, value] : schema.at("properties").as_object()) {
    const json::object& one = value.as_object();
    const std::string name = prefix + std::string(key);
    std::string type = type_of(one);
    const json::value* required = schema.if_contains("required");
    const bool is_required =
        required != nullptr && std::ranges::count(required->as_array(), json::value(key)) != 0;
    if (is_result) {
      if (may_be_null(one)) type += " or null";
      if (!is_required) type += "; may be missing";
    } else if (const auto* value_else = one.if_contains("default")) {
      type += "; otherwise " + code(text_of(*value_else));
    } else if (is_required) {
      type += "; required";
    }
    const json::value* help = one.if_contains("description");
    out += "| " + code(name) + " | " + cell(type) + " | " +
           (help == nullptr ? "" : cell(text_of(*help))) + " |\n";
    const json::value* items = one.if_contains("items");
    const json::object& below = items == nullptr ? one : items->as_object();
    if (below.contains("properties"))
      rows(below, name + (items == nullptr ? "." : "[]."), is_result, out);
  }
}

std::string command_of(const Operation& op) {
  std::string out = "pyro";
  for (const std::string_view word : op.cli_path) out += " " + std::string(word);
  return out;
}

std::string effects_of(const Operation& op) {
  std::vector<std::string> parts;
  if (op.effects.read_only) parts.emplace_back("read-only");
  if (op.effects.destructive) parts.emplace_back("destructive");
  if (op.effects.idempotent) parts.emplace_back("idempotent");
  if (op.effects.open_world) parts.emplace_back("open world");
  return parts.empty() ? "" : " Effects: " + joined(parts, ", ") + ".";
}

std::string section(const Operation& op, bool core) {
  std::string out = "\n## " + std::string(op.name) + "\n\n" + std::string(op.summary) + ".\n\n";
  out += "Method " + code(op.method);
  if (!op.tool.empty()) out += ", tool " + code(op.tool) + (core ? " (workspace-core)" : "");
  if (!op.cli_path.empty()) out += ", command " + code(command_of(op));
  out += "." + effects_of(op) + "\n";
  std::string arguments;
  rows(api::input_schema(op), "", /*is_result=*/false, arguments);
  if (!arguments.empty())
    out += "\n| Argument | Type | Meaning |\n| --- | --- | --- |\n" + arguments;
  std::string result;
  rows(api::output_schema(op), "", /*is_result=*/true, result);
  if (!op.cli_path.empty() && !op.result.empty()) {
    std::string anchor = command_of(op);
    std::ranges::replace(anchor, ' ', '-');
    out += "\nThe result is [that of the command](cli.md#" + anchor + ").\n";
  } else if (!result.empty()) {
    out += "\n| Result | Type | Meaning |\n| --- | --- | --- |\n" + result;
  }
  std::vector<std::string> errors;
  for (const Errc error : op.errors) errors.push_back(code(errc_name(error)));
  return out + "\nErrors: " + joined(errors, ", ") + ".\n";
}

TEST(OperationsPage, IsTheOneInDocs) {
  NoApi api;
  const PyroProvider core(api, {.profile = Profile::kWorkspaceCore});
  std::string page =
      "<!-- Made from the table of operations by src/mcp/operations_page_test.cc, which compares. "
      "-->\n"
      "# Operations of the libraries and of MCP\n\n"
      "Every operation has one name, a method (Python; the same in C++ in the part that it belongs "
      "to), and a tool for models. "
      "Arguments and results are the same everywhere; C and C++ have them as fields of structs, "
      "`pyro_call` and MCP as JSON. An argument that is not required may be null, which is the "
      "same as leaving it out. `pyro_call` of the C ABI takes the name or the method. Of the "
      "tools, "
      "`workspace-core` marks those of that profile; `vm-run` has `vm_run` alone, `workspace-full` "
      "has all. Effects are those that a client is told as annotations: read-only changes nothing; "
      "destructive may take away or replace what is there; idempotent means that a second call "
      "changes nothing more; open world reaches beyond this host. Errors are described by their "
      "[codes](errors.md).\n";
  for (const Operation& op : proto::operations()) {
    if (api::is_callable(op)) page += section(op, std::ranges::count(core.operations(), &op) != 0);
  }
  api::testing::expect_file(std::string(PYRO_SOURCE_DIR) + "/docs/reference/operations.md", page);
}

}  // namespace
}  // namespace pyro::mcp
