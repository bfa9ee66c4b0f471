#include "fixture_provider.h"

#include <poll.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <map>

namespace pyro::mcp_fixtures {
namespace {

namespace json = boost::json;
using mcp::Call;
using mcp::InputRequest;
using mcp::InputRequired;
using mcp::Outcome;

// A red pixel, and silence.
constexpr const char* kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJg"
    "gg==";
constexpr const char* kWav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

json::object text(std::string_view what) {
  return {{"type", "text"}, {"text", what}};
}
json::object image() {
  return {{"type", "image"}, {"data", kPng}, {"mimeType", "image/png"}};
}
json::object resource(std::string_view uri, std::string_view type, std::string_view what) {
  return {{"type", "resource"}, {"resource", {{"uri", uri}, {"mimeType", type}, {"text", what}}}};
}
json::object result(json::array content) {
  return {{"content", std::move(content)}};
}
json::object says(std::string_view what) {
  return result(json::array{text(what)});
}

// False when the call was given up meanwhile.
bool pause(const Call& call, int milliseconds) {
  pollfd wanted{.fd = call.interrupt_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, milliseconds) == 0;
}

InputRequest elicit(std::string key, std::string_view message, json::object properties,
                    json::array required) {
  return {.key = std::move(key),
          .method = "elicitation/create",
          .params = {{"message", message},
                     {"requestedSchema",
                      {{"type", "object"},
                       {"properties", std::move(properties)},
                       {"required", std::move(required)}}}}};
}
InputRequest elicit_one(std::string key, std::string_view message, std::string_view field,
                        std::string_view type) {
  return elicit(std::move(key), message, {{field, {{"type", type}}}}, json::array{field});
}
InputRequest sample(std::string key, std::string_view prompt, int tokens) {
  return {.key = std::move(key),
          .method = "sampling/createMessage",
          .params = {
              {"messages", json::array{json::object{{"role", "user"}, {"content", text(prompt)}}}},
              {"maxTokens", tokens}}};
}
InputRequest roots(std::string key) {
  return {.key = std::move(key), .method = "roots/list", .params = {}};
}
InputRequired need(std::vector<InputRequest> requests, std::optional<std::string> state = {}) {
  return {.requests = std::move(requests), .state = std::move(state)};
}

std::string member(const json::object& in, std::string_view outer, std::string_view inner) {
  const json::value* found = in.if_contains(outer);
  const json::object* object = found == nullptr ? nullptr : found->if_object();
  const json::value* value = object == nullptr ? nullptr : object->if_contains(inner);
  if (value == nullptr) return "";
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}
std::string argument(const json::object& arguments, std::string_view name) {
  const json::value* value = arguments.if_contains(name);
  return value == nullptr || !value->is_string() ? "" : std::string(value->get_string());
}

// ---- tools

using Tool = std::function<Outcome(const json::object&, Call&)>;

Outcome with_progress(const json::object&, Call& call) {
  for (const double done : {0.0, 50.0, 100.0}) {
    call.progress(done, 100.0, "working");
    if (done < 100.0 && !pause(call, 50)) break;
  }
  return says("Tool with progress executed.");
}

Outcome with_logging(const json::object&, Call& call) {
  for (const char* line :
       {"Tool execution started", "Tool processing data", "Tool execution completed"}) {
    call.log(mcp::LogLevel::kInfo, line);
    if (!pause(call, 50)) break;
  }
  return says("Tool with logging executed.");
}

Outcome sampling(const json::object& arguments, Call& call) {
  const json::object* answer = call.asked().input("sample");
  if (answer == nullptr) return need({sample("sample", argument(arguments, "prompt"), 100)});
  return says("LLM response: " + member(*answer, "content", "text"));
}

Outcome elicitation(const json::object& arguments, Call& call) {
  const json::object* answer = call.asked().input("user");
  if (answer != nullptr) return says("User response: " + json::serialize(*answer));
  return need({elicit("user", argument(arguments, "message"),
                      {{"username", {{"type", "string"}, {"description", "User's response"}}},
                       {"email", {{"type", "string"}, {"description", "User's email address"}}}},
                      json::array{"username", "email"})});
}

// Asks for a form and says what came of it.
Tool form(json::object properties) {
  return [properties = std::move(properties)](const json::object&, Call& call) -> Outcome {
    const json::object* answer = call.asked().input("form");
    if (answer == nullptr) {
      return need({elicit("form", "Please fill in the form", properties, json::array())});
    }
    const json::value* content = answer->if_contains("content");
    return says("Elicitation completed: action=" + argument(*answer, "action") +
                ", content=" + (content == nullptr ? "{}" : json::serialize(*content)));
  };
}

json::object defaults_form() {
  return {{"name", {{"type", "string"}, {"default", "John Doe"}}},
          {"age", {{"type", "integer"}, {"default", 30}}},
          {"score", {{"type", "number"}, {"default", 95.5}}},
          {"status",
           {{"type", "string"},
            {"enum", json::array{"active", "inactive", "pending"}},
            {"default", "active"}}},
          {"verified", {{"type", "boolean"}, {"default", true}}}};
}

json::array titled(std::string_view prefix, std::string_view kind) {
  json::array out;
  for (const auto& [n, ordinal] : {std::pair("1", "First"), {"2", "Second"}, {"3", "Third"}}) {
    out.push_back(json::object{{"const", std::string(prefix) + n},
                               {"title", std::string(ordinal) + " " + std::string(kind)}});
  }
  return out;
}

json::object enums_form() {
  const json::array options{"option1", "option2", "option3"};
  return {
      {"untitledSingle", {{"type", "string"}, {"enum", options}}},
      {"titledSingle", {{"type", "string"}, {"oneOf", titled("value", "Option")}}},
      {"legacyEnum",
       {{"type", "string"},
        {"enum", json::array{"opt1", "opt2", "opt3"}},
        {"enumNames", json::array{"Option One", "Option Two", "Option Three"}}}},
      {"untitledMulti", {{"type", "array"}, {"items", {{"type", "string"}, {"enum", options}}}}},
      {"titledMulti", {{"type", "array"}, {"items", {{"anyOf", titled("value", "Choice")}}}}}};
}

Outcome missing_capability(const json::object&, Call& call) {
  if (call.asked().input("sample") == nullptr) return need({sample("sample", "Hello", 10)});
  return says("sampled");
}

Outcome streaming_elicitation(const json::object&, Call& call) {
  call.progress(0, 1, "asking");
  if (call.asked().input("confirm") == nullptr) {
    return need({elicit_one("confirm", "Go on?", "ok", "boolean")});
  }
  return says("gone on");
}

Outcome ask_name(const json::object&, Call& call) {
  const json::object* answer = call.asked().input("user_name");
  if (answer == nullptr) {
    return need({elicit_one("user_name", "What is your name?", "name", "string")});
  }
  return says("Hello, " + member(*answer, "content", "name") + "!");
}

Outcome ask_model(const json::object&, Call& call) {
  const json::object* answer = call.asked().input("capital_question");
  if (answer == nullptr) {
    return need({sample("capital_question", "What is the capital of France?", 100)});
  }
  return says(member(*answer, "content", "text"));
}

Outcome ask_roots(const json::object&, Call& call) {
  const json::object* answer = call.asked().input("client_roots");
  if (answer == nullptr) return need({roots("client_roots")});
  return says("Roots: " + json::serialize(*answer));
}

Outcome confirm_with_state(const json::object&, Call& call) {
  if (call.asked().input("confirm") == nullptr || call.asked().state != "waits-for-confirm") {
    return need({elicit_one("confirm", "Please confirm", "ok", "boolean")}, "waits-for-confirm");
  }
  return says("state-ok");
}

Outcome ask_everything(const json::object&, Call& call) {
  const mcp::Asked& asked = call.asked();
  if (asked.input("user_name") == nullptr || asked.input("greeting") == nullptr ||
      asked.input("client_roots") == nullptr) {
    return need({elicit_one("user_name", "What is your name?", "name", "string"),
                 sample("greeting", "Generate a greeting", 50), roots("client_roots")},
                "waits-for-three");
  }
  return says("all three are there");
}

Outcome two_rounds(const json::object&, Call& call) {
  const mcp::Asked& asked = call.asked();
  if (const json::object* one = asked.input("step1")) {
    return need({elicit_one("step2", "Step 2: What is your favorite color?", "color", "string")},
                "name=" + member(*one, "content", "name"));
  }
  if (const json::object* two = asked.input("step2"); two != nullptr && asked.state) {
    return says(*asked.state + " color=" + member(*two, "content", "color"));
  }
  return need({elicit_one("step1", "Step 1: What is your name?", "name", "string")}, "round 1");
}

Outcome what_the_client_can(const json::object&, Call& call) {
  const json::object& can = call.asked().capabilities;
  std::vector<InputRequest> requests;
  if (can.contains("elicitation")) requests.push_back(elicit_one("e", "Name?", "name", "string"));
  if (can.contains("sampling")) requests.push_back(sample("s", "Hello", 10));
  if (can.contains("roots")) requests.push_back(roots("r"));
  if (requests.empty() || !call.asked().inputs.empty()) return says("done");
  return need(std::move(requests));
}

json::object params_of(std::string_view schema) {
  return json::parse({schema.data(), schema.size()}).get_object();
}

struct Row {
  const char* name;
  const char* about;
  const char* schema;
  Tool run;
};

constexpr const char* kNone = R"({"type":"object","properties":{}})";
constexpr const char* kSchema2020 = R"({
  "$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
  "$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{
    "street":{"type":"string"},"city":{"type":"string"}}}},
  "properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},
    "contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},
    "email":{"type":"string"}},
  "allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
  "if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},
  "then":{"required":["phone"]},"else":{"required":["email"]},
  "additionalProperties":false})";

const std::vector<Row>& content_tools() {
  static const std::vector<Row> kRows{
      {"test_simple_text", "Returns a text", kNone,
       [](const json::object&, Call&) -> Outcome {
         return says("This is a simple text response for testing.");
       }},
      {"test_image_content", "Returns an image", kNone,
       [](const json::object&, Call&) -> Outcome { return result(json::array{image()}); }},
      {"test_audio_content", "Returns a sound", kNone,
       [](const json::object&, Call&) -> Outcome {
         return result(json::array{
             json::object{{"type", "audio"}, {"data", kWav}, {"mimeType", "audio/wav"}}});
       }},
      {"test_embedded_resource", "Returns a resource", kNone,
       [](const json::object&, Call&) -> Outcome {
         return result(json::array{resource("test://embedded-resource", "text/plain",
                                            "This is an embedded resource content.")});
       }},
      {"test_multiple_content_types", "Returns three kinds of content", kNone,
       [](const json::object&, Call&) -> Outcome {
         return result(json::array{text("Multiple content types test:"), image(),
                                   resource("test://mixed-content-resource", "application/json",
                                            R"({"test":"data","value":123})")});
       }},
      {"test_error_handling", "Always fails", kNone,
       [](const json::object&, Call&) -> Outcome {
         return mcp::tool_error("This tool intentionally returns an error for testing");
       }},
      {"test_tool_with_progress", "Says how far it is", kNone, with_progress},
      {"test_tool_with_logging", "Logs three lines", kNone, with_logging},
      {"test_logging_tool", "Logs three lines", kNone, with_logging},
      {"json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", kSchema2020,
       [](const json::object&, Call&) -> Outcome { return says("fine"); }},
      {"test_echo", "Returns its arguments, after a while if wanted", kNone,
       [](const json::object& arguments, Call& call) -> Outcome {
         const json::value* wait = arguments.if_contains("wait_ms");
         const int ms =
             wait != nullptr && wait->is_int64() ? static_cast<int>(wait->get_int64()) : 0;
         if (!pause(call, ms)) return mcp::tool_error("interrupted");
         return says(json::serialize(arguments));
       }},
      {"test_large_result", "Returns a text of 1 MiB", kNone,
       [](const json::object&, Call&) -> Outcome { return says(std::string(1U << 20, 'x')); }},
  };
  return kRows;
}

const std::vector<Row>& asking_tools() {
  static const std::vector<Row> kRows{
      {"test_sampling", "Asks the client's model",
       R"({"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]})",
       sampling},
      {"test_elicitation", "Asks the client's user",
       R"({"type":"object","properties":{"message":{"type":"string"}},"required":["message"]})",
       elicitation},
      {"test_elicitation_sep1034_defaults", "Asks with defaults", kNone, form(defaults_form())},
      {"test_elicitation_sep1330_enums", "Asks with choices", kNone, form(enums_form())},
      {"test_missing_capability", "Needs sampling", kNone, missing_capability},
      {"test_streaming_elicitation", "Progress, then a question", kNone, streaming_elicitation},
      {"test_input_required_result_elicitation", "Asks for a name", kNone, ask_name},
      {"test_input_required_result_sampling", "Asks a model", kNone, ask_model},
      {"test_input_required_result_list_roots", "Asks for the roots", kNone, ask_roots},
      {"test_input_required_result_request_state", "Asks and keeps state", kNone,
       confirm_with_state},
      {"test_input_required_result_tampered_state", "Asks and keeps state", kNone,
       confirm_with_state},
      {"test_input_required_result_multiple_inputs", "Asks three things", kNone, ask_everything},
      {"test_input_required_result_multi_round", "Asks twice", kNone, two_rounds},
      {"test_input_required_result_capabilities", "Asks what the client can be asked", kNone,
       what_the_client_can},
  };
  return kRows;
}

constexpr std::array<std::pair<const char*, mcp::Change::What>, 2> kTriggers{
    {{"test_trigger_tool_change", mcp::Change::What::kTools},
     {"test_trigger_prompt_change", mcp::Change::What::kPrompts}}};

json::object tool(const char* name, const char* about, const char* schema) {
  return {{"name", name}, {"description", about}, {"inputSchema", params_of(schema)}};
}

// ---- prompts

json::object message(json::object content) {
  return {{"role", "user"}, {"content", std::move(content)}};
}
json::object prompt_argument(std::string_view name) {
  return {{"name", name}, {"description", name}, {"required", true}};
}
json::object prompt(std::string_view name, json::array arguments) {
  return {{"name", name}, {"description", name}, {"arguments", std::move(arguments)}};
}

}  // namespace

FixtureProvider::FixtureProvider()
    : info_{.name = "pyro-fixtures",
            .title = "Fixtures of the conformance suite",
            .version = "1.0.0",
            .instructions = ""} {
  json::array list;
  for (const auto* rows : {&content_tools(), &asking_tools()}) {
    for (const Row& row : *rows) list.push_back(tool(row.name, row.about, row.schema));
  }
  for (const auto& [name, what] : kTriggers) list.push_back(tool(name, "Tells of a change", kNone));
  tools_ = json::serialize(list);
  prompts_ = json::serialize(json::array{
      prompt("test_simple_prompt", {}),
      prompt("test_prompt_with_arguments",
             json::array{prompt_argument("arg1"), prompt_argument("arg2")}),
      prompt("test_prompt_with_embedded_resource", json::array{prompt_argument("resourceUri")}),
      prompt("test_prompt_with_image", {}), prompt("test_input_required_result_prompt", {})});
}

mcp::Features FixtureProvider::features() const {
  return {.resources = true,
          .prompts = true,
          .completions = true,
          .lists_change = true,
          .resources_subscribe = true};
}

std::string FixtureProvider::resource_templates() {
  return R"([{"uriTemplate":"test://template/{id}/data","name":"template","description":"By id",)"
         R"("mimeType":"application/json"}])";
}

Outcome FixtureProvider::call_tool(const std::string& name, const json::object& arguments,
                                   Call& call) {
  for (const auto* rows : {&content_tools(), &asking_tools()}) {
    for (const Row& row : *rows) {
      if (name == row.name) return row.run(arguments, call);
    }
  }
  for (const auto& [trigger, what] : kTriggers) {
    if (name != trigger) continue;
    changed({.what = what, .uri = {}});
    return says("told");
  }
  return mcp::RpcError{mcp::kInvalidParams, "there is no tool of this name", {}};
}

Outcome FixtureProvider::list_resources(Call&) {
  json::array list;
  for (const auto& [uri, type] : {std::pair("test://static-text", "text/plain"),
                                  {"test://static-binary", "image/png"},
                                  {"test://watched-resource", "text/plain"}}) {
    list.push_back({{"uri", uri}, {"name", uri}, {"description", uri}, {"mimeType", type}});
  }
  return json::object{{"resources", std::move(list)}};
}

Outcome FixtureProvider::read_resource(const std::string& uri, Call&) {
  const auto contents = [&](json::object one) {
    one["uri"] = uri;
    return json::object{{"contents", json::array{std::move(one)}}};
  };
  if (uri == "test://static-text" || uri == "test://watched-resource") {
    return contents(
        {{"mimeType", "text/plain"}, {"text", "This is the content of the static text resource."}});
  }
  if (uri == "test://static-binary") return contents({{"mimeType", "image/png"}, {"blob", kPng}});
  constexpr std::string_view kBefore = "test://template/", kAfter = "/data";
  if (uri.starts_with(kBefore) && uri.ends_with(kAfter) &&
      uri.size() > kBefore.size() + kAfter.size()) {
    const std::string id = uri.substr(kBefore.size(), uri.size() - kBefore.size() - kAfter.size());
    return contents(
        {{"mimeType", "application/json"},
         {"text", json::serialize(json::object{
                      {"id", id}, {"templateTest", true}, {"data", "Data for ID: " + id}})}});
  }
  return mcp::resource_not_found(uri);
}

Outcome FixtureProvider::get_prompt(const std::string& name, const json::object& arguments,
                                    Call& call) {
  const auto messages = [](json::array list) {
    return json::object{{"messages", std::move(list)}};
  };
  if (name == "test_simple_prompt") {
    return messages(json::array{message(text("This is a simple prompt for testing."))});
  }
  if (name == "test_prompt_with_arguments") {
    return messages(
        json::array{message(text("Prompt with arguments: arg1='" + argument(arguments, "arg1") +
                                 "', arg2='" + argument(arguments, "arg2") + "'"))});
  }
  if (name == "test_prompt_with_embedded_resource") {
    return messages(json::array{message(resource(argument(arguments, "resourceUri"), "text/plain",
                                                 "Embedded resource content for testing.")),
                                message(text("Please process the embedded resource above."))});
  }
  if (name == "test_prompt_with_image") {
    return messages(
        json::array{message(image()), message(text("Please analyze the image above."))});
  }
  if (name == "test_input_required_result_prompt") {
    const json::object* answer = call.asked().input("user_context");
    if (answer == nullptr) {
      return need(
          {elicit_one("user_context", "What context should the prompt use?", "context", "string")});
    }
    return messages(json::array{message(text(member(*answer, "content", "context")))});
  }
  return mcp::RpcError{mcp::kInvalidParams, "there is no prompt of this name", {}};
}

}  // namespace pyro::mcp_fixtures
