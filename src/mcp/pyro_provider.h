// pyro's operations as tools, and what is kept of workspaces as resources.
#pragma once

#include <array>
#include <boost/json/array.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "api/host_folders.h"
#include "mcp/provider.h"

namespace pyro::mcp {

// How much of pyro a model is shown: with many tools it chooses worse.
enum class Profile : std::uint8_t { kVmRun, kWorkspaceCore, kWorkspaceFull };
inline constexpr std::array<std::string_view, 3> kProfileNames{"vm-run", "workspace-core",
                                                               "workspace-full"};
std::optional<Profile> profile_from(std::string_view name);

// Of one text in a result, and of the bytes that a base64 stands for; what is over it is cut, and
// the field that is for that says so: stdout_truncated of stdout, else truncated. What has no such
// field is not cut. Of a whole result over kMostResult the oldest outputs are left out where each
// has such a field (workspace_logs); else it is refused with advice.
inline constexpr std::size_t kMostText = std::size_t{1} << 20;
inline constexpr std::size_t kMostResult = std::size_t{8} << 20;

struct PyroOptions {
  Profile profile = Profile::kWorkspaceFull;
  // What workspace_create takes when it is given no seed_path.
  std::optional<std::string> seed_path;
  bool git_tracked = false;  // of that
  // Where the host's paths in arguments may lie. `seed_path` is no argument.
  api::HostFolders host_folders;
};

class PyroProvider final : public Provider {
 public:
  PyroProvider(api::Api& api, PyroOptions options);  // `api` is borrowed
  [[nodiscard]] const ServerInfo& info() const override { return info_; }
  [[nodiscard]] Features features() const override;
  std::string tools() override { return tools_text_; }
  std::string resource_templates() override;
  Outcome call_tool(const std::string& name, const json::object& arguments, Call& call) override;
  Outcome list_resources(Call& call) override;
  Outcome read_resource(const std::string& uri, Call& call) override;
  Outcome complete(const json::object& params, Call& call) override;

  // In the order in which tools/list has them.
  [[nodiscard]] const std::vector<const proto::Operation*>& operations() const {
    return operations_;
  }

 private:
  [[nodiscard]] bool offers(std::string_view tool) const;
  [[nodiscard]] std::string next_step(const proto::Operation& operation, const Error& error) const;
  [[nodiscard]] json::object failed(const proto::Operation& operation, const Error& error) const;
  Result<json::object> ask(const proto::Operation& operation, const json::object& arguments,
                           Call& call);
  std::expected<json::array, RpcError> workspaces(Call& call);

  api::Api& api_;
  PyroOptions options_;
  ServerInfo info_;
  std::vector<const proto::Operation*> operations_;
  std::string tools_text_;
};

// Of a result with these fields.
void cut_long_texts(json::object& object, std::span<const proto::Field> fields, std::size_t most);

}  // namespace pyro::mcp
