// What @modelcontextprotocol/conformance looks for in a server, by the names that it uses.
#pragma once

#include "mcp/provider.h"

namespace pyro::mcp_fixtures {

class FixtureProvider final : public mcp::Provider {
 public:
  FixtureProvider();
  [[nodiscard]] const mcp::ServerInfo& info() const override { return info_; }
  [[nodiscard]] mcp::Features features() const override;
  std::string tools() override { return tools_; }
  std::string resource_templates() override;
  std::string prompts() override { return prompts_; }
  mcp::Outcome call_tool(const std::string& name, const mcp::json::object& arguments,
                         mcp::Call& call) override;
  mcp::Outcome list_resources(mcp::Call& call) override;
  mcp::Outcome read_resource(const std::string& uri, mcp::Call& call) override;
  mcp::Outcome get_prompt(const std::string& name, const mcp::json::object& arguments,
                          mcp::Call& call) override;

 private:
  mcp::ServerInfo info_;
  std::string tools_, prompts_;
};

}  // namespace pyro::mcp_fixtures
