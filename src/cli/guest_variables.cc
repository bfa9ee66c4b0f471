#include "cli/guest_variables.h"

namespace pyro::cli {

Result<GuestVariables> guest_variables(const Invocation& call) {
  GuestVariables out;
  for (auto& [name, value] : call.pairs("env")) out.env[name] = value;
  std::map<std::string, std::string> secret_of;
  for (auto& [secret, variable] : call.pairs("secret_env")) {
    // Not the variable: it may be the secret itself, given to the wrong option.
    const auto [other, is_new] = secret_of.emplace(variable, secret);
    if (!is_new) {
      return refuse(call, "the secrets " + other->second + " and " + secret +
                              " are to stand in the same variable");
    }
    if (out.env.contains(variable)) {
      return refuse(call, "the variable " + variable + " is given by --env and by --secret-env");
    }
    out.secret_env[secret] = variable;
  }
  return out;
}

}  // namespace pyro::cli
