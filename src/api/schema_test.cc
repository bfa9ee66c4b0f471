#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <set>
#include <string>

#include "api/api.h"
#include "api/json.h"
#include "api/schema_testing.h"
#include "api/testing.h"

namespace pyro::api {
namespace {

namespace json = boost::json;
using proto::Operation;
using testing::SchemaChecker;

TEST(Schema, OfEveryOperationIsTheOneInTheGolden) {
  json::object all;
  for (const Operation& op : proto::operations()) {
    if (!is_callable(op)) continue;
    all[op.name] = {{"input", input_schema(op)}, {"output", output_schema(op)}};
  }
  testing::expect_file(std::string(PYRO_SOURCE_DIR) + "/tests/golden/contract/schemas.json",
                       pretty(all));
}

void check_closed(const json::value& schema, const std::string& where) {
  const json::object* object = schema.if_object();
  if (object == nullptr) return;
  if (const json::value* properties = object->if_contains("properties")) {
    EXPECT_EQ(object->at("additionalProperties"), json::value(false)) << where;
    for (const auto& [name, property] : properties->as_object()) {
      EXPECT_TRUE(property.as_object().contains("description")) << where << "." << name;
      check_closed(property, where + "." + std::string(name));
    }
  }
  if (const json::value* items = object->if_contains("items")) check_closed(*items, where + "[]");
}

TEST(Schema, EveryObjectIsClosedAndEveryPropertySaysWhatItIs) {
  for (const Operation& op : proto::operations()) {
    if (!is_callable(op)) continue;
    // Hosts of models take no combinations at the top.
    const json::object input = input_schema(op);
    EXPECT_EQ(input.at("type"), json::value("object")) << op.name;
    EXPECT_FALSE(input.contains("anyOf")) << op.name;
    check_closed(input, std::string(op.name));
    check_closed(output_schema(op), std::string(op.name));
  }
}

TEST(Schema, ADefaultIsOneOfTheValues) {
  for (const Operation& op : proto::operations()) {
    for (const auto& [name, property] : input_schema(op).at("properties").as_object()) {
      const json::object& schema = property.as_object();
      if (!schema.contains("default")) continue;
      EXPECT_EQ(SchemaChecker::check(schema, schema.at("default")), "") << op.name << " " << name;
    }
  }
}

TEST(Schema, NoWordsOfTheCommandLineAreInADescription) {
  for (const Operation& op : proto::operations()) {
    if (!is_callable(op)) continue;
    const std::string text = json_line(input_schema(op));
    EXPECT_EQ(text.find(" --"), std::string::npos) << op.name << text;
    EXPECT_EQ(text.find("\"--"), std::string::npos) << op.name << text;
  }
  const Operation& run = *proto::find_operation("run");
  const json::object input = input_schema(run);
  EXPECT_EQ(input.at("properties").at("network").at("description"),
            json::value("The short form of network_policy egress"));
  EXPECT_EQ(input.at("required"), json::value({"environment", "command"}));
}

TEST(Schema, SaysRangesChoicesAndWhatMayBeNull) {
  const json::object start = input_schema(*proto::find_operation("workspace.service.start"));
  const json::object& properties = start.at("properties").as_object();
  const auto check = [&](const char* name, const char* value) {
    return SchemaChecker::check(properties.at(name).as_object(), json::parse(value));
  };
  EXPECT_EQ(check("ready_interval_ms", "10"), "");
  EXPECT_EQ(check("ready_interval_ms", "9"), "$: minimum");
  EXPECT_EQ(check("ready_interval_ms", "null"), "$: type");
  EXPECT_EQ(check("restart", "\"always\""), "");
  EXPECT_EQ(check("restart", "\"sometimes\""), "$: enum");
  EXPECT_EQ(check("readiness", "null"), "");
  EXPECT_EQ(check("readiness", R"({"type":"tcp","address":"5432"})"), "");
  EXPECT_EQ(check("readiness", R"({"address":"5432"})"), "$: required type");
  EXPECT_EQ(check("published_ports", R"([{"guest_port":80,"host_port":null}])"), "");
  EXPECT_EQ(check("published_ports", R"([{"guest_port":0}])"), "$[0].guest_port: minimum");
  EXPECT_EQ(check("secret_env", R"(["TOKEN"])"), "");
  EXPECT_EQ(check("secret_env", R"({"TOKEN":"T"})"), "");
  EXPECT_EQ(check("secret_env", R"({"1":"T"})"), "$: anyOf");
  EXPECT_EQ(check("secret_env", R"({"TOKEN":"1"})"), "$: anyOf");
  EXPECT_EQ(check("secret_env", R"({"TOKEN":""})"), "$: anyOf");
  EXPECT_EQ(check("env", R"({"TOKEN":"1"})"), "");
  EXPECT_EQ(check("command", "[]"), "$: anyOf");
  EXPECT_EQ(check("command", "\"make\""), "");
}

TEST(Schema, TheCheckerOfTheseTestsNoticesWhatIsWrong) {
  const json::object schema = json::parse(R"({"type":"object","required":["a"],
      "properties":{"a":{"type":["integer","null"]}},"additionalProperties":false})")
                                  .as_object();
  const auto check = [&](const char* value) {
    return SchemaChecker::check(schema, json::parse(value));
  };
  EXPECT_EQ(check(R"({"a":1})"), "");
  EXPECT_EQ(check(R"({"a":null})"), "");
  EXPECT_EQ(check(R"({"a":1.5})"), "$.a: type");
  EXPECT_EQ(check(R"({})"), "$: required a");
  EXPECT_EQ(check(R"({"a":1,"b":2})"), "$: additional b");
  EXPECT_EQ(check("[]"), "$: type");
  EXPECT_EQ(SchemaChecker::check(json::object{{"oneOf", json::array()}}, 1), "$: keyword oneOf");
}

}  // namespace
}  // namespace pyro::api
