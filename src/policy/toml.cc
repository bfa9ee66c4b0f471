#include "policy/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"

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

Result<void> only_keys(const toml::table& table, const std::vector<std::string>& known,
                       std::string_view what) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::string meant = did_you_mean(name, known);
    return wrong_at(key.source(), fmt::format("{} is no key of {}", quoted_name(name), what),
                    meant.empty() ? "" : "did you mean " + meant + "?");
  }
  return {};
}

Result<void> not_empty(const toml::table& table, std::string_view key, std::string hint) {
  const toml::node* node = table.get(key);
  const toml::array* list = node == nullptr ? nullptr : node->as_array();
  if (list == nullptr || !list->empty()) return {};
  return wrong_at(node->source(), fmt::format("{} is empty", key), std::move(hint));
}

Result<void> each_string(const toml::table& table, std::string_view key,
                         const OnString& on_string) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  const toml::array* list = node->as_array();
  if (list == nullptr) return wrong_at(node->source(), fmt::format("{} is a list: [\"...\"]", key));
  for (const toml::node& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr)
      return wrong_at(item.source(), fmt::format("{} is a list of strings", key));
    if (auto taken = on_string(text->get()); !taken) {
      if (taken.error().code != Errc::kInvalid) return taken;
      return wrong_at(item.source(), taken.error().message, taken.error().hint);
    }
  }
  return {};
}

Result<std::optional<std::string>> string_of(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) return wrong_at(node->source(), fmt::format("{} is a string", key));
  return text->get();
}

Result<std::optional<bool>> flag_of(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_boolean();
  if (value == nullptr) return wrong_at(node->source(), fmt::format("{} is true or false", key));
  return value->get();
}

}  // namespace pyro::policy
