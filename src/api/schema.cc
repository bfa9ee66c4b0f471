// Arguments and results as JSON Schema, from the table of operations alone.
#include <boost/json/array.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/api.h"
#include "api/arguments.h"

namespace pyro::api {
namespace {

namespace json = boost::json;
using proto::Argument;
using proto::Field;
using proto::FieldType;
using proto::Param;
using proto::ParamType;

constexpr const char* kIdentifier = "^[A-Za-z_][A-Za-z0-9_]*$";

// Help is written for the command line: "--net-allow" is net_allow here.
std::string description_of(std::string_view help) {
  std::string out;
  bool in_option = false;
  for (std::size_t i = 0; i < help.size(); ++i) {
    const bool begins = help.substr(i).starts_with("--") && (i == 0 || help[i - 1] == ' ');
    if (begins) {
      in_option = true;
      ++i;
      continue;
    }
    const bool word = help[i] == '-' || (help[i] >= 'a' && help[i] <= 'z');
    in_option = in_option && word;
    out += in_option && help[i] == '-' ? '_' : help[i];
  }
  return out;
}

json::object object_schema(const std::vector<Argument>& arguments);

json::object string_schema(const Param& param, bool may_be_empty) {
  json::object out{{"type", "string"}};
  if (!may_be_empty) out["minLength"] = 1;
  if (param.identifier) out["pattern"] = kIdentifier;
  return out;
}

json::object map_schema(const Param& param) {
  json::object value{{"type", "string"}};
  // A value that may be left out is the name then, and so a name when it is not.
  if (param.identifier && param.value_optional) value["pattern"] = kIdentifier;
  json::object map{{"type", "object"}, {"additionalProperties", std::move(value)}};
  if (param.identifier) map["propertyNames"] = {{"pattern", kIdentifier}};
  if (!param.value_optional) return map;
  json::object names{{"type", "array"}, {"items", {{"type", "string"}, {"pattern", kIdentifier}}}};
  return {{"anyOf", json::array{std::move(map), std::move(names)}}};
}

json::object one_schema(const Param& param) {
  switch (param.type) {
    case ParamType::kFlag:
      return {{"type", "boolean"}, {"default", param.default_text == "true"}};
    case ParamType::kInteger:
      return {{"type", "integer"}, {"minimum", param.min}, {"maximum", param.max}};
    case ParamType::kChoice: {
      json::array choices;
      for (const std::string_view choice : param.choices) choices.emplace_back(choice);
      return {{"type", "string"}, {"enum", std::move(choices)}};
    }
    case ParamType::kString:
      return string_schema(param, /*may_be_empty=*/true);
    case ParamType::kEnvironment:
    case ParamType::kWorkspace:
    case ParamType::kShell:
    case ParamType::kService:
    case ParamType::kHostPath:
      return string_schema(param, /*may_be_empty=*/false);
    case ParamType::kPair:
      return map_schema(param);
    case ParamType::kCommand: {
      json::object words{{"type", "array"}, {"items", {{"type", "string"}}}, {"minItems", 1}};
      json::object line{{"type", "string"}, {"minLength", 1}};
      return {{"anyOf", json::array{std::move(words), std::move(line)}}};
    }
    case ParamType::kObject:
      return object_schema(nested_arguments(param));
    case ParamType::kObjectList:
      return {{"type", "array"}, {"items", object_schema(nested_arguments(param))}};
  }
  return {};
}

json::object argument_schema(const Argument& argument) {
  const Param& param = *argument.param;
  json::object out = one_schema(param);
  if (argument.list) {
    out = {{"type", "array"}, {"items", std::move(out)}};
    if (argument.required) out["minItems"] = 1;
  }
  if (param.type == ParamType::kInteger && !param.default_text.empty()) {
    std::int64_t number = 0;
    const std::string_view text = param.default_text;
    std::from_chars(text.data(), text.data() + text.size(), number);
    out["default"] = number;
  } else if (!param.default_text.empty() && param.type != ParamType::kFlag) {
    out["default"] = param.default_text;
  }
  if (!argument.required && !out.contains("default")) allow_null(out);
  out["description"] = param.type == ParamType::kCommand
                           ? "Program and arguments, word for word; or one string for /bin/sh -c"
                           : description_of(param.help);
  return out;
}

json::object object_schema(const std::vector<Argument>& arguments) {
  json::object properties;
  json::array required;
  for (const Argument& argument : arguments) {
    properties[argument.name] = argument_schema(argument);
    if (argument.required) required.emplace_back(argument.name);
  }
  json::object out{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  out["additionalProperties"] = false;
  return out;
}

json::object fields_schema(std::span<const Field> fields);

json::object field_schema(const Field& field) {
  switch (field.type) {
    case FieldType::kString:
      return {{"type", "string"}};
    case FieldType::kInteger:
      return {{"type", "integer"}};
    case FieldType::kNumber:
      return {{"type", "number"}};
    case FieldType::kBoolean:
      return {{"type", "boolean"}};
    case FieldType::kObject:
      return fields_schema(field.fields);
    case FieldType::kStringList:
      return {{"type", "array"}, {"items", {{"type", "string"}}}};
    case FieldType::kObjectList:
      return {{"type", "array"}, {"items", fields_schema(field.fields)}};
    case FieldType::kNumberMap:
      return {{"type", "object"}, {"additionalProperties", {{"type", "number"}}}};
    case FieldType::kStringMap:
      return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    case FieldType::kFreeObject:
      return {{"type", "object"}};
  }
  return {};
}

json::object fields_schema(std::span<const Field> fields) {
  json::object properties;
  json::array required;
  for (const Field& field : fields) {
    json::object one = field_schema(field);
    if (field.nullable) allow_null(one);
    one["description"] = field.doc;
    properties[field.name] = std::move(one);
    if (!field.optional) required.emplace_back(field.name);
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

}  // namespace

void allow_null(json::object& schema) {
  if (json::value* any = schema.if_contains("anyOf")) {
    any->get_array().push_back({{"type", "null"}});
    return;
  }
  schema["type"] = json::array{schema.at("type"), "null"};
  if (json::value* choices = schema.if_contains("enum")) choices->get_array().push_back(nullptr);
}

json::object input_schema(const proto::Operation& operation) {
  return object_schema(proto::library_arguments(operation));
}

json::object output_schema(const proto::Operation& operation) {
  return fields_schema(proto::result_fields(operation));
}

}  // namespace pyro::api
