// Completion scripts, made from the table of operations. Names of environments and of workspaces
// are asked of `pyro help --environments` and `pyro help --workspaces` when they are needed.
#pragma once

#include <string>

namespace pyro::cli {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace pyro::cli
