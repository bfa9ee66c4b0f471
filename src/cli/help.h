// Help text and reference pages, made from the table of operations alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/operations.h"

namespace pyro::cli {

// Of pyro itself ({}), of a group ({"env"}, {"workspace", "sync"}) or of a command. 80 columns.
std::string help_text(const std::vector<std::string>& path);
// pyro(1) in roff, man(7) macros.
std::string man_page();
// docs/reference/cli.md.
std::string reference_page();

// "Virtual CPUs of the guest, 1 to 32 [default: 1]".
std::string param_help(const proto::Param& param);
// "pyro run [OPTIONS] ENVIRONMENT -- COMMAND [ARG...]".
std::string usage(const proto::Operation& operation);
// "ENVIRONMENT", "[PATH]", "[WORKSPACE...]".
std::string positional_synopsis(const proto::Param& param);

}  // namespace pyro::cli
