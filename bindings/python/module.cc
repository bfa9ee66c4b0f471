// The compiled part of the package pyro_mcp: operations by their names, and nothing else. What
// people see is made in Python from describe(); see generate.py.
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "api/api.h"
#include "base/version.h"
#include "json_values.h"
#include "sys/dirs.h"

namespace pyro::python {
namespace {

namespace json = boost::json;
namespace py = pybind11;

[[noreturn]] void raise(const Error& error) {
  const py::object made = py::module_::import("pyro_mcp.errors")
                              .attr("make")(to_text(errc_name(error.code)), to_text(error.message),
                                            to_text(error.hint));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
  throw py::error_already_set();
}

template <class T>
T value_or_raise(Result<T> result) {
  if (!result) raise(result.error());
  return *std::move(result);
}

// What a call tells on its way, handed to deliver(kind, value) of the caller's. Called without the
// interpreter's lock.
class Reporter {
 public:
  explicit Reporter(const py::function& deliver) : deliver_(deliver) {}

  template <class Make>
  Result<void> tell(const char* kind, Make make) const {
    const py::gil_scoped_acquire lock;
    try {
      deliver_(kind, make());
      return {};
    } catch (const py::error_already_set& error) {
      return fail(Errc::kUnavailable, std::string("nobody takes what comes: ") + error.what());
    }
  }
  Result<void> bytes(const char* kind, std::string_view bytes) const {
    return tell(kind, [bytes] { return py::bytes(bytes.data(), bytes.size()); });
  }
  [[nodiscard]] api::Observer observer(bool output, int interrupt_fd, int stdin_fd) const {
    api::Observer observer;
    // A caller that is gone learns nothing, and the end of the call tells the rest.
    observer.on_progress = [this](const api::Progress& p) {
      static_cast<void>(tell("progress", [&p] {
        return py::make_tuple(to_text(p.phase), to_text(p.detail),
                              p.of ? py::object(py::float_(*p.of)) : py::none());
      }));
    };
    observer.on_warning = [this](std::string_view warning) {
      static_cast<void>(tell("warning", [warning] { return to_text(warning); }));
    };
    if (output) {
      observer.on_stdout = [this](std::string_view data) { return bytes("stdout", data); };
      observer.on_stderr = [this](std::string_view data) { return bytes("stderr", data); };
    }
    observer.interrupt_fd = interrupt_fd;
    if (stdin_fd >= 0) observer.stdin_fd = stdin_fd;
    return observer;
  }

 private:
  const py::function& deliver_;
};

class Native {
 public:
  // `libexec`: where the helper programs lie, unless PYRO_LIBEXEC says so: /proc/self/exe, by which
  // pyro finds them, is the interpreter here.
  explicit Native(const std::string& libexec) : pid_(::getpid()) {
    sys::Environment env = sys::process_environment();
    api_ = value_or_raise(
        api::open([env, libexec](const std::string& name) -> std::optional<std::string> {
          auto value = env(name);
          if (!value && name == "PYRO_LIBEXEC") return libexec;
          return value;
        }));
  }
  Native(const Native&) = delete;
  Native& operator=(const Native&) = delete;
  // What a fork has copied belongs to the other process.
  ~Native() {
    if (::getpid() != pid_) static_cast<void>(api_.release());
  }

  py::object call(const std::string& name, const py::dict& arguments, const py::function& deliver,
                  bool output, int interrupt_fd, int stdin_fd) {
    const proto::Operation* operation = proto::find_operation(name);
    if (operation == nullptr || !api::is_callable(*operation)) {
      raise({.code = Errc::kNotFound, .message = "there is no operation " + name, .hint = {}});
    }
    const json::object given = value_or_raise(to_json(arguments));
    const Reporter reporter(deliver);
    Result<json::object> result = fail(Errc::kInternal, "the call did not run");
    {
      const py::gil_scoped_release unlocked;
      result = api_->call(*operation, given, reporter.observer(output, interrupt_fd, stdin_fd));
    }
    return to_python(value_or_raise(std::move(result)));
  }

 private:
  std::unique_ptr<api::Api> api_;
  pid_t pid_;
};

py::dict describe_one(const proto::Operation& op) {
  py::list description;
  for (const std::string_view paragraph : op.description) description.append(to_text(paragraph));
  py::list arguments;
  for (const proto::Argument& argument : proto::library_arguments(op)) {
    py::dict one;
    one["name"] = to_text(argument.name);
    one["positional"] = argument.positional;
    one["host_path"] = argument.param->type == proto::ParamType::kHostPath;
    arguments.append(one);
  }
  py::list errors;
  for (const Errc code : op.errors) errors.append(to_text(errc_name(code)));
  py::dict out;
  out["name"] = to_text(op.name);
  out["method"] = to_text(op.method);
  out["summary"] = to_text(op.summary);
  out["description"] = description;
  out["arguments"] = arguments;
  out["errors"] = errors;
  out["input_schema"] = to_python(api::input_schema(op));
  out["output_schema"] = to_python(api::output_schema(op));
  return out;
}

// Every operation that can be called, in the order of the table.
py::list describe() {
  py::list out;
  for (const proto::Operation& op : proto::operations()) {
    if (api::is_callable(op)) out.append(describe_one(op));
  }
  return out;
}

}  // namespace
}  // namespace pyro::python

PYBIND11_MODULE(_native, module) {
  namespace py = pybind11;
  using pyro::python::Native;
  module.attr("version") = pyro::python::to_text(pyro::kVersion);
  module.def("describe", &pyro::python::describe);
  py::class_<Native>(module, "Native")
      .def(py::init<const std::string&>(), py::arg("libexec"))
      .def("call", &Native::call, py::arg("operation"), py::arg("arguments"), py::arg("deliver"),
           py::arg("output"), py::arg("interrupt_fd"), py::arg("stdin_fd"));
}
