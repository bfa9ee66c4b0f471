// What `pyro selftest` runs: all probes against a workspace of this installation, in a world of
// their own; and the two smoke tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/client.h"
#include "escape/runner.h"
#include "sys/dirs.h"

namespace pyro::escape {

inline constexpr const char* kBackend = "qemu";

struct SuiteOptions {
  std::string backend = kBackend;
  std::vector<std::string> only;      // names of probes; none: all
  client::RunObserver observer;       // phases, Ctrl-C; its output callbacks stay empty
  std::function<bool()> interrupted;  // looked at between probes; may be empty
  // Before each probe; `total` of them will run.
  std::function<void(const std::string& name, std::size_t number, std::size_t total)> on_probe;
};
struct Report {
  std::string backend, environment;
  std::vector<Outcome> outcomes;
  std::int64_t duration_ms = 0;
  [[nodiscard]] bool passed() const;
};

// kInvalid: no such backend or probe; kUnavailable: the world or the workspace cannot be had, or
// the user interrupted it. `env` is what the process was started with.
Result<Report> run_escape(const sys::Environment& env, const SuiteOptions& options);
// A published service, probed from the host; and a workspace without a network.
Result<Report> run_smoke(const sys::Environment& env, const SuiteOptions& options);

}  // namespace pyro::escape
