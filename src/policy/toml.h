// TOML files from anywhere, safely.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

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

// kInvalid: a key that is none of `known`, with a hint at the one that is probably meant. `what`
// has them: "a policy".
Result<void> only_keys(const toml::table& table, const std::vector<std::string>& known,
                       std::string_view what);

// ---- the value of a key, which may be missing; kInvalid with its line where it is of another kind

// Of a list that narrows something: an empty one, which would narrow nothing, is wrong.
Result<void> not_empty(const toml::table& table, std::string_view key, std::string hint);
using OnString = std::function<Result<void>(const std::string& text)>;
// Of a list: `on_string` gets one after the other, and what it finds wrong gets its line.
Result<void> each_string(const toml::table& table, std::string_view key, const OnString& on_string);
Result<std::optional<std::string>> string_of(const toml::table& table, std::string_view key);
Result<std::optional<bool>> flag_of(const toml::table& table, std::string_view key);

}  // namespace pyro::policy
