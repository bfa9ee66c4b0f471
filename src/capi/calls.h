// Operations, called by a C program.
#pragma once

#include <string_view>

#include "capi/arguments.h"

namespace pyro::capi {

// Calls the operation of that name or method. `result`: where its object goes, or NULL.
Result<void> call_operation(pyro_client* client, std::string_view operation,
                            const boost::json::object& arguments, const pyro_callbacks* callbacks,
                            pyro_result** result);

// Calls it with the arguments that say(arguments) puts together, which may throw as well.
template <class Say>
pyro_status call(pyro_client* client, std::string_view operation, Say say,
                 const pyro_callbacks* callbacks, pyro_result** result,
                 pyro_error** error) noexcept {
  if (result != nullptr) *result = nullptr;
  return guarded(error, [&]() -> Result<void> {
    Arguments arguments;
    say(arguments);
    PYRO_TRY(const boost::json::object object, std::move(arguments).take());
    return call_operation(client, operation, object, callbacks, result);
  });
}

// A handle for these; freed with pyro_close().
pyro_client* make_client(std::unique_ptr<api::Api> api,
                         std::shared_ptr<client::Workspaces> workspaces);

}  // namespace pyro::capi
