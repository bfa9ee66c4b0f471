// What a server offers, apart from how MCP carries it: tools, resources, prompts, completions.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mcp/message.h"

namespace pyro::mcp {

// In the order of their weight (RFC 5424).
enum class LogLevel : std::uint8_t {
  kDebug,
  kInfo,
  kNotice,
  kWarning,
  kError,
  kCritical,
  kAlert,
  kEmergency
};

struct ServerInfo {
  std::string name, title, version;
  std::string instructions;  // for a model; may be empty
};

struct Features {
  bool resources = false, prompts = false, completions = false;
  bool lists_change = false;         // the provider tells when its lists do (Change)
  bool resources_subscribe = false;  // the same of single resources
};

// Something of the client that a handler needs before it can go on.
struct InputRequest {
  std::string key;     // the handler's own name for it
  std::string method;  // elicitation/create, sampling/createMessage or roots/list
  json::object params;
};
// The handler is called again with the answers (Asked); nothing of this call is kept but `state`.
struct InputRequired {
  std::vector<InputRequest> requests;
  // Comes back as it was, whoever carried it meanwhile.
  std::optional<std::string> state;
};
using Outcome = std::variant<json::object, InputRequired, RpcError>;

// What came with a request besides its own parameters.
struct Asked {
  json::object inputs;  // an object for each answered key; others are not to be trusted
  std::optional<std::string> state;  // of the InputRequired before
  json::object capabilities;         // of the client

  [[nodiscard]] const json::object* input(std::string_view key) const {
    const json::value* found = inputs.if_contains(key);
    return found == nullptr ? nullptr : found->if_object();
  }
};

// A request under way, as its handler sees it. Of the handler's thread, and of those of its beat.
class Call {
 public:
  virtual ~Call() = default;
  [[nodiscard]] virtual const Asked& asked() const = 0;
  // `value` must grow from call to call: what does not is left out, and so is what nobody asked
  // for.
  virtual void progress(double value, std::optional<double> total, std::string_view text) = 0;
  virtual void log(LogLevel level, const json::value& data) = 0;
  // Calls `beat` every few seconds, on another thread, while the client wants to hear of progress;
  // an empty one ends that: once this returns, none runs any more.
  virtual void on_beat(std::function<void()> beat) = 0;
  // Readable once the request was given up: the handler ends as soon as it can, in order.
  [[nodiscard]] virtual int interrupt_fd() const = 0;
};

// Something that others may have read meanwhile is not so any more.
struct Change {
  enum class What : std::uint8_t { kTools, kPrompts, kResources, kResource };
  What what = What::kTools;
  std::string uri;  // kResource
};

// The texts are answered where messages are read, so they must be at hand; everything else is
// called on threads of its own, any number at once. An RpcError is for what is wrong with the
// request; what went wrong in a tool is a result with isError.
class Provider {
 public:
  virtual ~Provider() = default;
  [[nodiscard]] virtual const ServerInfo& info() const = 0;
  [[nodiscard]] virtual Features features() const = 0;
  // JSON arrays, as tools/list, resources/templates/list and prompts/list have them.
  virtual std::string tools() = 0;
  virtual std::string resource_templates() { return "[]"; }
  virtual std::string prompts() { return "[]"; }

  virtual Outcome call_tool(const std::string& name, const json::object& arguments, Call& call) = 0;
  // {"resources": [...]}
  virtual Outcome list_resources(Call& call);
  // {"contents": [...]}
  virtual Outcome read_resource(const std::string& uri, Call& call);
  virtual Outcome get_prompt(const std::string& name, const json::object& arguments, Call& call);
  // {"completion": {...}}, of the parameters of completion/complete.
  virtual Outcome complete(const json::object& params, Call& call);

  // Whom to tell of changes, from whatever thread. Set before the first message.
  void on_change(std::function<void(const Change&)> tell) { tell_ = std::move(tell); }

 protected:
  void changed(const Change& change) const {
    if (tell_) tell_(change);
  }

 private:
  std::function<void(const Change&)> tell_;
};

// For read_resource(): the session gives it the code of its era.
RpcError resource_not_found(const std::string& uri);
// {"content": [{"type": "text", ...}], "isError": true}
json::object tool_error(std::string_view text);

}  // namespace pyro::mcp
