#include "json_values.h"

#include <cmath>
#include <string>
#include <utility>

namespace pyro::python {
namespace {

namespace json = boost::json;
namespace py = pybind11;

constexpr int kMostDepth = 32;

Result<json::value> value_of(py::handle value, int depth);

Result<std::string_view> utf8_of(py::handle text) {
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (bytes == nullptr) {
    PyErr_Clear();
    return fail(Errc::kInvalid, "a text that is not UTF-8");
  }
  return std::string_view(bytes, static_cast<std::size_t>(size));
}

Result<json::object> object_of(const py::dict& values, int depth) {
  json::object out;
  for (const auto& [key, value] : values) {
    if (!py::isinstance<py::str>(key)) return fail(Errc::kInvalid, "a name that is no str");
    PYRO_TRY(const std::string_view name, utf8_of(key));
    auto converted = value_of(value, depth + 1);
    if (!converted) return std::unexpected(std::move(converted.error()).context(name));
    out.insert_or_assign(name, *std::move(converted));
  }
  return out;
}

Result<json::value> list_of(py::handle values, int depth) {
  // Throws what the object's own methods raise.
  const py::list items{py::reinterpret_borrow<py::object>(values)};
  json::array out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto converted = value_of(items[i], depth + 1);
    if (!converted) {
      return std::unexpected(std::move(converted.error()).context("[" + std::to_string(i) + "]"));
    }
    out.push_back(*std::move(converted));
  }
  return json::value(std::move(out));
}

Result<json::value> integer_of(py::handle value) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0) return fail(Errc::kInvalid, "a number of more than 64 bits");
  return json::value(std::int64_t{number});
}

Result<json::value> value_of(py::handle value, int depth) {
  if (depth > kMostDepth) return fail(Errc::kInvalid, "values in values, more than 32 deep");
  if (value.is_none()) return json::value(nullptr);
  if (PyBool_Check(value.ptr())) return json::value(value.ptr() == Py_True);
  if (PyLong_Check(value.ptr())) return integer_of(value);
  if (PyFloat_Check(value.ptr())) {
    const double number = PyFloat_AS_DOUBLE(value.ptr());
    if (!std::isfinite(number)) return fail(Errc::kInvalid, "a number that is not finite");
    return json::value(number);
  }
  if (PyUnicode_Check(value.ptr())) {
    PYRO_TRY(const std::string_view text, utf8_of(value));
    return json::value(text);
  }
  if (py::isinstance<py::dict>(value)) {
    PYRO_TRY(json::object out, object_of(py::reinterpret_borrow<py::dict>(value), depth));
    return json::value(std::move(out));
  }
  if (py::hasattr(value, "__fspath__")) {
    const auto path = py::reinterpret_steal<py::object>(PyOS_FSPath(value.ptr()));
    if (!path) throw py::error_already_set();
    return value_of(path, depth + 1);
  }
  if (py::hasattr(value, "keys")) {
    return value_of(py::dict(py::reinterpret_borrow<py::object>(value)), depth + 1);
  }
  const bool bytes = PyBytes_Check(value.ptr()) || PyByteArray_Check(value.ptr());
  if (PySequence_Check(value.ptr()) != 0 && !bytes) return list_of(value, depth);
  return fail(Errc::kInvalid,
              "a value of type " + std::string(Py_TYPE(value.ptr())->tp_name) + " cannot be given");
}

}  // namespace

py::str to_text(std::string_view bytes) {
  PyObject* text =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace");
  if (text == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(text);
}

Result<json::object> to_json(const py::dict& values) {
  return object_of(values, 0);
}

py::object to_python(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return py::none();
    case json::kind::bool_:
      return py::bool_(value.get_bool());
    case json::kind::int64:
      return py::int_(value.get_int64());
    case json::kind::uint64:
      return py::int_(value.get_uint64());
    case json::kind::double_:
      return py::float_(value.get_double());
    case json::kind::string:
      return to_text(value.get_string());
    case json::kind::array: {
      py::list out(value.get_array().size());
      std::size_t at = 0;
      for (const json::value& item : value.get_array()) out[at++] = to_python(item);
      return std::move(out);
    }
    case json::kind::object: {
      py::dict out;
      for (const auto& [name, field] : value.get_object()) out[to_text(name)] = to_python(field);
      return std::move(out);
    }
  }
  return py::none();
}

}  // namespace pyro::python
