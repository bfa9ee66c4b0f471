// The whole of the command line: words in, exit code out.
#pragma once

#include <span>
#include <string>

#include "cli/backend.h"
#include "cli/io.h"

namespace pyro::cli {

// `words` without the program's name. Throws nothing but what a bug throws.
int main_with(std::span<const std::string> words, Io& io, const Library& library);

}  // namespace pyro::cli
