#include "capi/handles.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>

namespace pyro::capi {

// The numbers of pyro_status are those of Errc, after PYRO_OK.
static_assert(static_cast<int>(Errc::kInvalid) + 1 == PYRO_INVALID);
static_assert(static_cast<int>(Errc::kInternal) + 1 == PYRO_INTERNAL);

pyro_status status_of(Errc code) {
  return static_cast<pyro_status>(static_cast<int>(code) + 1);
}

Result<std::shared_ptr<pyro_client>> client_of(const pyro_client* handle) {
  PYRO_TRY(auto client, object_of(handle, "client"));
  if (client->process == ::getpid()) return client;
  return fail_hint(Errc::kConflict, "this client belongs to the process that forked this one",
                   "open one of its own in each process");
}

Result<std::string> required(const char* text, const char* what) {
  if (text == nullptr) return fail(Errc::kInvalid, std::string(what) + " is NULL");
  return std::string(text);
}

void give(boost::json::value value, pyro_result** result) {
  if (result == nullptr) return;
  *result = Registry<pyro_result>::get().add(
      std::make_shared<pyro_result>(pyro_result{std::move(value), std::nullopt}));
}

namespace {

// kNotFound: no such result, no such field, or null.
Result<const boost::json::value*> field_of(const pyro_result* result, const char* pointer) {
  PYRO_TRY(const auto object, object_of(result, "result"));
  PYRO_TRY(const std::string path, required(pointer, "pointer"));
  boost::system::error_code missing;
  const boost::json::value* value = object->value.find_pointer(path, missing);
  if (value == nullptr || value->is_null()) return fail(Errc::kNotFound, "there is no " + path);
  return value;  // the registry holds it until the result is freed
}

// Runs `take(field)`, which says whether the field was of its type.
template <class F>
pyro_status with_field(const pyro_result* result, const char* pointer, const void* out, F take) {
  return guarded(nullptr, [&]() -> Result<void> {
    if (out == nullptr) return fail(Errc::kInvalid, "value is NULL");
    PYRO_TRY(const boost::json::value* field, field_of(result, pointer));
    if (take(*field)) return {};
    return fail(Errc::kInvalid, "it is of another type");
  });
}

template <class T>
void remove(const T* handle) noexcept {
  Registry<T>::get().remove(handle);
}

}  // namespace
}  // namespace pyro::capi

using namespace pyro::capi;  // NOLINT(google-build-using-namespace)

const char* pyro_status_name(pyro_status status) {
  if (status == PYRO_OK) return "ok";
  if (status < PYRO_INVALID || status > PYRO_INTERNAL) return "internal";
  return pyro::errc_name(static_cast<pyro::Errc>(status - 1)).data();  // of literals
}

void pyro_free(void* memory) {
  std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc): from pyro_file_read()
}

pyro_status pyro_error_status(const pyro_error* error) {
  if (error == nullptr) return PYRO_OK;
  const auto object = Registry<pyro_error>::get().find(error);
  return object ? status_of(object->error.code) : PYRO_INVALID;
}

const char* pyro_error_message(const pyro_error* error) {
  const auto object = Registry<pyro_error>::get().find(error);
  return object ? object->error.message.c_str() : "";
}

const char* pyro_error_hint(const pyro_error* error) {
  const auto object = Registry<pyro_error>::get().find(error);
  return object ? object->error.hint.c_str() : "";
}

size_t pyro_error_position(const pyro_error* error) {
  const auto object = Registry<pyro_error>::get().find(error);
  return object ? object->position : 0;
}

void pyro_error_free(pyro_error* error) {
  remove(error);
}

const char* pyro_result_json(pyro_result* result) {
  const char* text = nullptr;
  static_cast<void>(guarded(nullptr, [&]() -> pyro::Result<void> {
    PYRO_TRY(const auto object, object_of(result, "result"));
    if (!object->text) object->text = boost::json::serialize(object->value);
    text = object->text->c_str();
    return {};
  }));
  return text;
}

pyro_status pyro_result_integer(const pyro_result* result, const char* pointer, int64_t* value) {
  return with_field(result, pointer, value, [&](const boost::json::value& field) {
    boost::system::error_code inexact;
    const auto number = field.to_number<std::int64_t>(inexact);
    if (!inexact) *value = number;
    return !inexact;
  });
}

pyro_status pyro_result_number(const pyro_result* result, const char* pointer, double* value) {
  return with_field(result, pointer, value, [&](const boost::json::value& field) {
    boost::system::error_code other;
    const auto number = field.to_number<double>(other);
    if (!other) *value = number;
    return !other;
  });
}

pyro_status pyro_result_boolean(const pyro_result* result, const char* pointer, int* value) {
  return with_field(result, pointer, value, [&](const boost::json::value& field) {
    if (field.is_bool()) *value = field.get_bool() ? 1 : 0;
    return field.is_bool();
  });
}

pyro_status pyro_result_count(const pyro_result* result, const char* pointer, size_t* count) {
  return with_field(result, pointer, count, [&](const boost::json::value& field) {
    if (field.is_array()) *count = field.get_array().size();
    if (field.is_object()) *count = field.get_object().size();
    return field.is_array() || field.is_object();
  });
}

const char* pyro_result_text(const pyro_result* result, const char* pointer, size_t* length) {
  const char* text = nullptr;
  size_t size = 0;
  static_cast<void>(with_field(result, pointer, static_cast<const void*>(&text),
                               [&](const boost::json::value& field) {
                                 if (!field.is_string()) return false;
                                 text = field.get_string().c_str();
                                 size = field.get_string().size();
                                 return true;
                               }));
  if (length != nullptr) *length = size;
  return text;
}

void pyro_result_free(pyro_result* result) {
  remove(result);
}

pyro_status pyro_cancel_new(pyro_cancel** cancel, pyro_error** error) {
  return guarded(error, [&]() -> pyro::Result<void> {
    if (cancel == nullptr) return pyro::fail(pyro::Errc::kInvalid, "cancel is NULL");
    *cancel = nullptr;
    PYRO_TRY(auto pipe, pyro::sys::make_pipe());
    // Whoever presses a thousand times does not wait.
    PYRO_CHECK(pyro::sys::set_nonblocking(pipe.write.get(), true));
    *cancel = Registry<pyro_cancel>::get().add(
        std::make_shared<pyro_cancel>(pyro_cancel{std::move(pipe)}));
    return {};
  });
}

void pyro_cancel_now(pyro_cancel* cancel) {
  const auto object = Registry<pyro_cancel>::get().find(cancel);
  // The pipe is shared with a process that forked this one, whose call is not ours to end.
  if (object && object->process == ::getpid())
    static_cast<void>(!::write(object->pipe.write.get(), "!", 1));
}

void pyro_cancel_free(pyro_cancel* cancel) {
  remove(cancel);
}

void pyro_policy_builder_free(pyro_policy_builder* builder) {
  remove(builder);
}

void pyro_close(pyro_client* client) {
  remove(client);
}
