// `pyro selftest`: what pyro promises, tried on this machine.
#pragma once

#include "cli/backend.h"
#include "cli/io.h"
#include "cli/parse.h"
#include "escape/suite.h"

namespace pyro::cli {

Result<int> selftest_escape(const Invocation& call, Io& io, Backend& backend);
Result<int> selftest_smoke(const Invocation& call, Io& io, Backend& backend);

std::string render_report(const escape::Report& report);
// The table of docs/reference/escape-suite.md: the same on every machine.
std::string markdown_report(const escape::Report& report);
boost::json::object to_json(const escape::Report& report);

}  // namespace pyro::cli
