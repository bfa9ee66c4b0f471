#include "capi/calls.h"

#include <map>

#include "api/backend.h"
#include "base/text.h"
#include "base/version.h"
#include "proto/json.h"

namespace pyro::capi {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostArguments = std::size_t{64} << 20;  // bytes of JSON text

using OnBytes = int (*)(void* user, const char* bytes, size_t length);

std::function<Result<void>(std::string_view)> output_to(OnBytes on_bytes, void* user) {
  if (on_bytes == nullptr) return {};
  return [on_bytes, user](std::string_view bytes) -> Result<void> {
    if (on_bytes(user, bytes.data(), bytes.size()) == 0) return {};
    return fail(Errc::kUnavailable, "the program that reads the output ended the call");
  };
}

// What `callbacks` asks for; it and `cancel`, which is found here, outlive the observer.
Result<api::Observer> observer_of(const pyro_callbacks* callbacks,
                                  std::shared_ptr<pyro_cancel>& cancel) {
  api::Observer observer;
  if (callbacks == nullptr) return observer;
  const pyro_callbacks& c = *callbacks;
  observer.on_stdout = output_to(c.on_stdout, c.user);
  observer.on_stderr = output_to(c.on_stderr, c.user);
  if (c.on_progress != nullptr) {
    observer.on_progress = [&c](const api::Progress& progress) {
      c.on_progress(c.user, std::string(progress.phase).c_str(),
                    std::string(progress.detail).c_str(), progress.of.value_or(-1));
    };
  }
  if (c.on_warning != nullptr) {
    observer.on_warning = [&c](std::string_view warning) {
      c.on_warning(c.user, std::string(warning).c_str());
    };
  }
  if (c.cancel != nullptr) {
    PYRO_TRY(cancel, object_of(c.cancel, "cancel"));
    observer.interrupt_fd = cancel->pipe.read.get();
  }
  if (c.stdin_fd != nullptr) observer.stdin_fd = *c.stdin_fd;
  return observer;
}

Result<const proto::Operation*> operation_of(std::string_view name) {
  for (const proto::Operation& operation : proto::operations()) {
    if (name.empty() || (operation.name != name && operation.method != name)) continue;
    if (api::is_callable(operation)) return &operation;
    return fail(Errc::kInvalid, std::string(name) + " is for the command line only");
  }
  return fail_hint(Errc::kInvalid, "there is no operation " + quoted_name(name),
                   "docs/reference/cli.md lists them");
}

}  // namespace

Result<void> call_operation(pyro_client* handle, std::string_view name,
                            const json::object& arguments, const pyro_callbacks* callbacks,
                            pyro_result** result) {
  PYRO_TRY(const auto client, client_of(handle));
  PYRO_TRY(const proto::Operation* operation, operation_of(name));
  std::shared_ptr<pyro_cancel> cancel;
  PYRO_TRY(const api::Observer observer, observer_of(callbacks, cancel));
  PYRO_TRY(json::object answer, client->api->call(*operation, arguments, observer));
  give(std::move(answer), result);
  return {};
}

pyro_client* make_client(std::unique_ptr<api::Api> api,
                         std::shared_ptr<client::Workspaces> workspaces) {
  auto client = std::make_shared<pyro_client>();
  client->api = std::move(api);
  client->workspaces = std::move(workspaces);
  return Registry<pyro_client>::get().add(std::move(client));
}

}  // namespace pyro::capi

using namespace pyro::capi;  // NOLINT(google-build-using-namespace)

const char* pyro_version(void) {
  return pyro::kVersion;
}

pyro_status pyro_open(const char* const* variables, pyro_client** client, pyro_error** error) {
  return guarded(error, [&]() -> pyro::Result<void> {
    if (client == nullptr) return pyro::fail(pyro::Errc::kInvalid, "client is NULL");
    *client = nullptr;
    std::map<std::string, std::string, std::less<>> given;
    for (; variables != nullptr && *variables != nullptr; ++variables) {
      const std::string_view pair = *variables;
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals == 0)
        return pyro::fail(pyro::Errc::kInvalid, "an entry of variables is not NAME=VALUE");
      given.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    }
    const pyro::Variables env = [given = std::move(given),
                                 rest = pyro::sys::process_environment()](const std::string& name) {
      const auto at = given.find(name);
      if (at == given.end()) return rest(name);
      return at->second.empty() ? std::nullopt : std::optional(at->second);
    };
    PYRO_TRY(auto library, pyro::client::Pyro::open(env));
    const auto backend =
        std::make_shared<pyro::api::ClientBackend<pyro::api::Backend>>(std::move(library));
    *client = make_client(pyro::api::over(backend), {backend, &backend->workspaces()});
    return {};
  });
}

pyro_status pyro_call(pyro_client* client, const char* operation, const char* arguments_json,
                      const pyro_callbacks* callbacks, pyro_result** result, pyro_error** error) {
  if (result != nullptr) *result = nullptr;
  return guarded(error, [&]() -> pyro::Result<void> {
    PYRO_TRY(const std::string name, required(operation, "operation"));
    boost::json::object arguments;
    if (arguments_json != nullptr) {
      const std::string_view text = arguments_json;
      if (text.size() > kMostArguments)
        return pyro::fail(pyro::Errc::kLimit, "the arguments have more than 64 MiB");
      PYRO_TRY(arguments, pyro::proto::parse_object(text));
    }
    return call_operation(client, name, arguments, callbacks, result);
  });
}
