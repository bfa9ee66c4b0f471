// The operations of the table by their names, with JSON for arguments and results: what the MCP
// server, the Python package and the C ABI stand on, so that none of them has logic of its own.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "proto/operations.h"
#include "sys/dirs.h"

namespace pyro::api {

// How far a long call is.
struct Progress {
  std::string_view phase;    // pull, queue, template, create, seed, start, execute, cleanup, ...
  std::string_view detail;   // for people; may be empty
  std::optional<double> of;  // 0..1, where it is known
};

// What a caller sees of a call under way. All may be empty; called on the calling thread.
struct Observer {
  std::function<void(const Progress&)> on_progress;
  std::function<void(std::string_view warning)> on_warning;
  // Output of a command in the guest as it comes; it is in the result all the same. An error ends
  // the call.
  std::function<Result<void>(std::string_view bytes)> on_stdout, on_stderr;
  // Readable: the call is given up in order, and a command of its in the guest ended: by SIGINT,
  // and by force two seconds later. Nothing is read from it; it must stay readable. Looked at while
  // a guest is waited for, but not during a pull, nor by what ends a machine or asks little of a
  // guest: that goes on to its end.
  int interrupt_fd = -1;
  std::optional<int> stdin_fd;  // for a command; borrowed, read to its end
};

// Blocking calls, each on a thread of the caller's; any number at once: each talks to the
// supervisor of its sandbox over a connection of its own, and what they share is constant.
class Api {
 public:
  virtual ~Api() = default;
  // `arguments` has the names and types of input_schema(); the result has the fields of
  // output_schema(), the same that the command line prints with --json. kInvalid: an argument that
  // is unknown, missing, mistyped or out of range, all of them told at once and no value repeated.
  // Of stdout and stderr the result holds the first 64 MiB each, as of a file that is read.
  virtual Result<boost::json::object> call(const proto::Operation& operation,
                                           const boost::json::object& arguments,
                                           const Observer& observer) = 0;
};

class Backend;  // api/backend.h

// Over any backend; tests bring a fake.
std::unique_ptr<Api> over(std::shared_ptr<Backend> backend);
// The real one. `env` is what the process was started with.
Result<std::unique_ptr<Api>> open(const sys::Environment& env);

// What can be called: every operation with a method, but those that need a terminal.
bool is_callable(const proto::Operation& operation);

// JSON Schema 2020-12, closed objects. Defaults, ranges and choices are in it. What has no default
// and is not required may be null, which is the same as leaving it out.
boost::json::object input_schema(const proto::Operation& operation);
boost::json::object output_schema(const proto::Operation& operation);
// Makes `schema` one of what may be null as well: the same as not given.
void allow_null(boost::json::object& schema);

// {"error": {"code", "message", "hint"}}, as everywhere.
boost::json::object error_object(const Error& error);

}  // namespace pyro::api
