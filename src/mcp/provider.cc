#include "mcp/provider.h"

#include <boost/json/array.hpp>

namespace pyro::mcp {

Outcome Provider::list_resources(Call&) {
  return json::object{{"resources", json::array()}};
}

Outcome Provider::read_resource(const std::string& uri, Call&) {
  return resource_not_found(uri);
}

Outcome Provider::get_prompt(const std::string&, const json::object&, Call&) {
  return RpcError{kInvalidParams, "there is no such prompt", {}};
}

Outcome Provider::complete(const json::object&, Call&) {
  return json::object{{"completion", {{"hasMore", false}, {"values", json::array()}}}};
}

RpcError resource_not_found(const std::string& uri) {
  return {kLegacyResourceNotFound, "Resource not found; resources/list says which there are",
          json::object{{"uri", uri}}};
}

json::object tool_error(std::string_view text) {
  return {{"content", json::array{json::object{{"type", "text"}, {"text", text}}}},
          {"isError", true}};
}

}  // namespace pyro::mcp
