#include "cli/backend.h"
#include "client/client.h"
#include "client/workspaces.h"
#include "image/environments.h"

namespace pyro::cli {
namespace {

class RealBackend final : public api::ClientBackend<Backend> {
 public:
  RealBackend(sys::Environment env, client::Pyro pyro)
      : ClientBackend(std::move(pyro)), env_(std::move(env)) {}

  Result<escape::Report> run_escape(const escape::SuiteOptions& options) override {
    return escape::run_escape(env_, options);
  }
  Result<escape::Report> run_smoke(const escape::SuiteOptions& options) override {
    return escape::run_smoke(env_, options);
  }
  std::unique_ptr<chat::Endpoint> open_endpoint(const chat::BaseUrl& url) override {
    return chat::http_endpoint(url);
  }

 private:
  sys::Environment env_;
};

std::vector<std::string> workspace_names(const sys::Environment& env) {
  Result<client::Pyro> pyro = client::Pyro::open(env);
  if (!pyro) return {};
  const auto list = pyro->workspaces().list();
  if (!list) return {};
  std::vector<std::string> names;
  for (const client::WorkspaceInfo& info : *list) {
    if (!info.name.empty()) names.push_back(info.name);
    names.push_back(info.workspace_id);
  }
  return names;
}

std::vector<std::string> shell_ids(const sys::Environment& env, const std::string& workspace) {
  Result<client::Pyro> pyro = client::Pyro::open(env);
  if (!pyro) return {};
  const auto list = pyro->workspaces().shells().list(workspace);
  if (!list) return {};
  std::vector<std::string> ids;
  for (const client::ShellInfo& info : list->shells) ids.push_back(info.shell_id);
  return ids;
}

std::vector<std::string> service_names(const sys::Environment& env, const std::string& workspace) {
  Result<client::Pyro> pyro = client::Pyro::open(env);
  if (!pyro) return {};
  const auto list = pyro->workspaces().services().list(workspace);
  if (!list) return {};
  std::vector<std::string> names;
  for (const client::ServiceInfo& info : list->services) names.push_back(info.service_name);
  return names;
}

}  // namespace

Library client_library() {
  return {.open = [](const sys::Environment& env) -> Result<std::shared_ptr<Backend>> {
            PYRO_TRY(client::Pyro pyro, client::Pyro::open(env));
            return std::make_shared<RealBackend>(env, std::move(pyro));
          },
          .environment_names =
              [] {
                std::vector<std::string> names;
                for (const image::CatalogEntry& entry : image::catalog())
                  names.push_back(entry.name);
                return names;
              },
          .workspace_names = workspace_names,
          .shell_ids = shell_ids,
          .service_names = service_names};
}

}  // namespace pyro::cli
