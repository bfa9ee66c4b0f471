// One function for each operation: takes checked arguments, asks the backend, gives the result as
// JSON. For this folder alone.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "api/api.h"
#include "api/arguments.h"
#include "api/backend.h"
#include "api/network_json.h"
#include "api/session_json.h"
#include "api/workspace_json.h"

namespace pyro::api {

// How long a command has, after the caller wanted its end, to end by SIGINT.
inline constexpr std::chrono::milliseconds kInterruptGrace{2000};

// One call under way: what the library tells goes on to the caller, output is kept as well.
class Context {
 public:
  Context(Backend& backend, const Arguments& arguments, const Observer& observer)
      : args(arguments), backend(backend), observer(observer) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Arguments& args;
  Backend& backend;
  const Observer& observer;
  Collected out, err;

  [[nodiscard]] client::Workspaces& workspaces() const { return backend.workspaces(); }
  // Both hold for as long as this object.
  client::RunObserver run_observer();
  client::WorkspaceObserver workspace_observer();

 private:
  void progress(std::string_view phase, std::string_view detail, std::optional<double> of) const;
  std::string phase_;  // the last one
};

// The one that an operation of workspaces names.
inline std::string workspace(const Context& context) {
  return context.args.text("workspace_id");
}

using Call = Result<boost::json::object> (*)(Context& context);
struct CallRow {
  std::string_view operation;
  Call call;
};
std::span<const CallRow> vm_calls();
std::span<const CallRow> workspace_calls();
std::span<const CallRow> file_calls();
std::span<const CallRow> session_calls();
std::span<const CallRow> network_calls();

// Of a call whose result is shown as it is.
template <class T>
Result<boost::json::object> shown(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return to_json(*result);
}

// What network_policy, net_allow and so on say. kInvalid: they do not fit together.
Result<client::NetworkOptions> network_options(const Arguments& args);
// For arguments that do not fit together.
inline std::unexpected<Error> refuse(std::string message) {
  return fail(Errc::kInvalid, std::move(message));
}

}  // namespace pyro::api
