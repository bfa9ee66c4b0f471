// Operations, called by a C program.
#pragma once

#include <string_view>

#include "capi/arguments.h"

namespace pyro::capi {

// Calls the operation of that name or method. `result`: where its object goes, or NULL.
pyro_status call(pyro_client* client, std::string_view operation, Arguments&& arguments,
                 const pyro_callbacks* callbacks, pyro_result** result,
                 pyro_error** error) noexcept;

// A handle for these; freed with pyro_close().
pyro_client* make_client(std::unique_ptr<api::Api> api,
                         std::shared_ptr<client::Workspaces> workspaces);

}  // namespace pyro::capi
