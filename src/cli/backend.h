// What the command line asks of the library: what every surface does (api/backend.h), and what
// tries pyro itself. client_backend.cc is the real one; tests bring a fake.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/backend.h"
#include "base/result.h"
#include "chat/endpoint.h"
#include "escape/suite.h"

namespace pyro::cli {

class Backend : public api::Backend {
 public:
  virtual Result<escape::Report> run_escape(const escape::SuiteOptions& options) = 0;
  virtual Result<escape::Report> run_smoke(const escape::SuiteOptions& options) = 0;
  // Where the model of `demo ollama` answers.
  virtual std::unique_ptr<chat::Endpoint> open_endpoint(const chat::BaseUrl& url) = 0;
};

// `open` is called at most once, and only by a command that needs it.
struct Library {
  std::function<Result<std::shared_ptr<Backend>>(const sys::Environment&)> open;
  std::function<std::vector<std::string>()> environment_names;  // of the catalogue; touches no file
  // Names and ids of the workspaces there are, for completion: what cannot be read is left out.
  std::function<std::vector<std::string>(const sys::Environment&)> workspace_names;
  // The same for the shells and the services of a workspace.
  using NamesOf = std::function<std::vector<std::string>(const sys::Environment&,
                                                         const std::string& workspace)>;
  NamesOf shell_ids, service_names;
};

// The real library.
Library client_library();

}  // namespace pyro::cli
