// The variables that a command of a guest is to have, as the options --env and --secret-env name
// them.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "cli/parse.h"

namespace pyro::cli {

struct GuestVariables {
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> secret_env;  // secret -> variable
};

// kInvalid for a variable that would have two values; the message repeats none of them.
Result<GuestVariables> guest_variables(const Invocation& call);

}  // namespace pyro::cli
