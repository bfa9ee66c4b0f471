// What the handles of pyro/pyro.h are, and the way from Result<T> to a status.
#pragma once

#include <unistd.h>

#include <boost/json/value.hpp>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "api/api.h"
#include "base/result.h"
#include "capi/registry.h"
#include "client/workspaces.h"
#include "pyro/pyro.h"
#include "sys/fd.h"

struct pyro_error {
  pyro::Error error;
  std::size_t position = 0;
};
struct pyro_result {
  boost::json::value value;
  std::optional<std::string> text;  // of `value`, once somebody asked
};
struct pyro_cancel {
  pyro::sys::Pipe pipe;
  pid_t process = ::getpid();  // that may use it
};
struct pyro_policy_builder {
  pyro::client::NetworkOptions options;
};
struct pyro_client {
  std::unique_ptr<pyro::api::Api> api;
  std::shared_ptr<pyro::client::Workspaces> workspaces;  // for the bytes of files
  pid_t process = ::getpid();                            // that may use it
};

namespace pyro::capi {

pyro_status status_of(Errc code);

// The object of a handle. kInvalid: NULL, freed, or of something else; kConflict: a client of the
// process that forked this one.
template <class T>
Result<std::shared_ptr<T>> object_of(const T* handle, const char* what) {
  if (handle == nullptr) return fail(Errc::kInvalid, std::string(what) + " is NULL");
  auto found = Registry<T>::get().find(handle);
  if (!found) return fail(Errc::kInvalid, std::string(what) + " was freed before, or is none");
  return found;
}
Result<std::shared_ptr<pyro_client>> client_of(const pyro_client* handle);
// kInvalid: NULL.
Result<std::string> required(const char* text, const char* what);

// Gives `value` away; nothing happens when nobody wants it.
void give(boost::json::value value, pyro_result** result);

// Runs `call`, which returns a Result<void> and may throw: its error goes to `error`, with the
// position that `call` noted.
template <class F>
pyro_status guarded(pyro_error** error, F call, const std::size_t* position = nullptr) noexcept {
  if (error != nullptr) *error = nullptr;
  try {
    Error failed;
    try {
      const Result<void> done = call();
      if (done) return PYRO_OK;
      failed = done.error();
    } catch (const std::bad_alloc&) {
      failed = {.code = Errc::kLimit, .message = "there is no memory left", .hint = {}};
    } catch (const std::exception& e) {
      failed = {.code = Errc::kInternal, .message = e.what(), .hint = "please report it"};
    }
    const pyro_status status = status_of(failed.code);
    if (error != nullptr) {
      *error = Registry<pyro_error>::get().add(std::make_shared<pyro_error>(
          pyro_error{std::move(failed), position != nullptr ? *position : 0}));
    }
    return status;
  } catch (...) {
    return PYRO_INTERNAL;
  }
}

}  // namespace pyro::capi
