// For tests of this folder: as much of JSON Schema 2020-12 as our schemas use. An unknown keyword
// is a problem, so that none is passed over.
#pragma once

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <string>
#include <string_view>

#include "api/arguments.h"

namespace pyro::api::testing {

class SchemaChecker {
 public:
  // Where `value` is not as `schema` says, and how; "" when it is.
  static std::string check(const boost::json::object& schema, const boost::json::value& value) {
    return at("$", schema, value);
  }

 private:
  using Value = boost::json::value;
  using Object = boost::json::object;

  static std::string at(const std::string& path, const Object& schema, const Value& value) {
    for (const auto& [keyword, rule] : schema) {
      const std::string problem = one(path, schema, keyword, rule, value);
      if (!problem.empty()) return problem;
    }
    return "";
  }

  static bool is_type(std::string_view type, const Value& value) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_bool();
    if (type == "string") return value.is_string();
    if (type == "array") return value.is_array();
    if (type == "object") return value.is_object();
    if (type == "number") return value.is_number();
    return value.is_int64() || value.is_uint64() ||
           (value.is_double() && std::trunc(value.get_double()) == value.get_double());
  }

  static std::string one(const std::string& path, const Object& schema, std::string_view keyword,
                         const Value& rule, const Value& value) {
    if (keyword == "description" || keyword == "default") return "";
    if (keyword == "type") {
      if (rule.is_string()) return is_type(rule.get_string(), value) ? "" : path + ": type";
      const bool any = std::ranges::any_of(
          rule.as_array(), [&](const Value& type) { return is_type(type.as_string(), value); });
      return any ? "" : path + ": type";
    }
    if (keyword == "enum") {
      const auto& list = rule.as_array();
      return std::ranges::find(list, value) != list.end() ? "" : path + ": enum";
    }
    if (keyword == "anyOf") {
      const bool any = std::ranges::any_of(rule.as_array(), [&](const Value& option) {
        return at(path, option.as_object(), value).empty();
      });
      return any ? "" : path + ": anyOf";
    }
    if (const Object* object = value.if_object()) {
      return of_object(path, schema, keyword, rule, *object);
    }
    if (const auto* list = value.if_array()) return of_array(path, keyword, rule, *list);
    return of_scalar(path, keyword, rule, value);
  }

  static std::string of_object(const std::string& path, const Object& schema,
                               std::string_view keyword, const Value& rule, const Object& object) {
    if (keyword == "required") {
      for (const Value& name : rule.as_array()) {
        if (!object.contains(name.as_string()))
          return path + ": required " + std::string(name.as_string());
      }
    } else if (keyword == "properties") {
      for (const auto& [name, property] : rule.as_object()) {
        const Value* field = object.if_contains(name);
        if (field == nullptr) continue;
        const std::string problem =
            at(path + "." + std::string(name), property.as_object(), *field);
        if (!problem.empty()) return problem;
      }
    } else if (keyword == "additionalProperties") {
      const Value* known = schema.if_contains("properties");
      for (const auto& [name, field] : object) {
        if (known != nullptr && known->as_object().contains(name)) continue;
        if (rule.is_bool()) return path + ": additional " + std::string(name);
        const std::string problem = at(path + "." + std::string(name), rule.as_object(), field);
        if (!problem.empty()) return problem;
      }
    } else if (keyword == "propertyNames") {
      for (const auto& [name, field] : object) {
        if (!is_identifier(name)) return path + ": name " + std::string(name);
      }
    }
    return "";
  }

  static std::string of_array(const std::string& path, std::string_view keyword, const Value& rule,
                              const boost::json::array& list) {
    if (keyword == "minItems") {
      return list.size() >= rule.to_number<std::size_t>() ? "" : path + ": minItems";
    }
    if (keyword != "items") return "";
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string problem =
          at(path + "[" + std::to_string(i) + "]", rule.as_object(), list[i]);
      if (!problem.empty()) return problem;
    }
    return "";
  }

  static std::string of_scalar(const std::string& path, std::string_view keyword, const Value& rule,
                               const Value& value) {
    if (const auto* text = value.if_string()) {
      if (keyword == "minLength")
        return text->size() >= rule.to_number<std::size_t>() ? "" : path + ": minLength";
      if (keyword == "pattern") return is_identifier(*text) ? "" : path + ": pattern";
    } else if (value.is_number()) {
      if (keyword == "minimum")
        return value.to_number<double>() >= rule.to_number<double>() ? "" : path + ": minimum";
      if (keyword == "maximum")
        return value.to_number<double>() <= rule.to_number<double>() ? "" : path + ": maximum";
    }
    static constexpr std::string_view kKnown[] = {
        "properties",    "required", "additionalProperties",
        "propertyNames", "items",    "minItems",
        "minLength",     "pattern",  "minimum",
        "maximum"};
    return std::ranges::find(kKnown, keyword) != std::end(kKnown)
               ? ""
               : path + ": keyword " + std::string(keyword);
  }
};

}  // namespace pyro::api::testing
