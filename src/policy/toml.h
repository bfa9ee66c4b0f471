// TOML files from anywhere, safely.
#pragma once

#include <stdexcept>
#include <string_view>

#include "base/result.h"

// The library's assertions can be reached by what stands in a file ("[@]", "a = {b=}"), and without
// them it runs on into undefined behaviour (version 3.3). So they stay, and are exceptions.
#undef NDEBUG
// NOLINTBEGIN(cppcoreguidelines-macro-usage): how the library is told
#define TOML_ASSERT(expr) \
  static_cast<void>((expr) || (throw std::logic_error("the file is not well formed"), true))
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
// NOLINTEND(cppcoreguidelines-macro-usage)
#include <toml++/toml.h>

namespace pyro::policy {

// kInvalid, with its line: no TOML, or other characters than ASCII outside of comments (which the
// library does not survive either, and nothing here needs).
Result<toml::table> parse_toml(std::string_view text);

// "line 3, column 1: " and why.
std::unexpected<Error> wrong_at(const toml::source_region& where, const std::string& why,
                                std::string hint = {});

}  // namespace pyro::policy
