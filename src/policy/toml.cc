#include "policy/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace pyro::policy {

namespace {

bool is_plain(char c) {
  return c == '\t' || (c >= ' ' && c < '\x7f');
}

// The text, without comments that are not ASCII.
Result<std::string> plain(std::string_view text) {
  std::string out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    text.remove_prefix(std::min(end + 1, text.size()));
    // A # inside of a string leaves the string open, which is an error as well.
    if (!std::ranges::all_of(line, is_plain)) line = line.substr(0, line.find('#'));
    if (!std::ranges::all_of(line, is_plain)) {
      return fail(
          Errc::kInvalid,
          fmt::format("line {}: only comments may have other characters than ASCII", number));
    }
    out += line;
    out += '\n';
  }
  return out;
}

}  // namespace

std::unexpected<Error> wrong_at(const toml::source_region& where, const std::string& why,
                                std::string hint) {
  return fail_hint(Errc::kInvalid,
                   fmt::format("line {}, column {}: {}", where.begin.line, where.begin.column, why),
                   std::move(hint));
}

Result<toml::table> parse_toml(std::string_view text) {
  PYRO_TRY(const std::string ascii, plain(text));
  try {
    return toml::parse(ascii);
  } catch (const toml::parse_error& e) {
    return wrong_at(e.source(), std::string(e.description()));
  } catch (const std::logic_error& e) {
    return fail(Errc::kInvalid, e.what());
  }
}

}  // namespace pyro::policy
