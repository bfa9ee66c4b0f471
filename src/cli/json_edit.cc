#include "cli/json_edit.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

namespace pyro::cli {
namespace {

namespace json = boost::json;

// Where a member stands in the text of an object.
struct Member {
  std::size_t begin = 0, value = 0, end = 0;  // of its name, of its value, after that
};

// Finds its way through text that is known to be JSON.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  [[nodiscard]] std::size_t blanks(std::size_t at) const {
    return std::min(text_.find_first_not_of(" \t\r\n", at), text_.size());
  }
  [[nodiscard]] std::size_t after_text(std::size_t at) const {
    for (++at; at < text_.size() && text_[at] != '"'; ++at) {
      if (text_[at] == '\\') ++at;
    }
    return at + 1;
  }
  [[nodiscard]] std::size_t after_value(std::size_t at) const {
    if (text_[at] == '"') return after_text(at);
    if (text_[at] != '{' && text_[at] != '[') {
      return std::min(text_.find_first_of(",]} \t\r\n", at), text_.size());
    }
    int depth = 0;
    while (at < text_.size()) {
      const char c = text_[at];
      if (c == '"') {
        at = after_text(at);
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at;
      if (depth == 0) break;
    }
    return at;
  }
  // The members of the object that begins at `at`: the last of all, and the last called `name`.
  struct Found {
    std::optional<Member> last, named;
  };
  [[nodiscard]] Found members(std::size_t at, std::string_view name) const {
    Found found;
    for (at = blanks(at + 1); at < text_.size() && text_[at] == '"'; at = blanks(at + 1)) {
      Member member{.begin = at};
      const std::size_t name_end = after_text(at);
      member.value = blanks(blanks(name_end) + 1);
      member.end = after_value(member.value);
      found.last = member;
      const std::string_view quoted = text_.substr(at, name_end - at);
      if (json::parse({quoted.data(), quoted.size()}).get_string() == name) found.named = member;
      at = blanks(member.end);
      if (at >= text_.size() || text_[at] != ',') break;
    }
    return found;
  }

 private:
  std::string_view text_;
};

Result<json::object> parsed(std::string_view text) {
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = 256;
  json::value value = json::parse({text.data(), text.size()}, ec, {}, options);
  if (ec || !value.is_object()) return fail(Errc::kInvalid, "it is not one JSON object");
  return std::move(value.get_object());
}

// What one level is indented with.
std::string unit_of(std::string_view text) {
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return "  ";
  const std::size_t end = text.find_first_not_of(" \t", line + 1);
  const bool plain = end != std::string_view::npos && end > line + 1 && text[end] == '"';
  return plain ? std::string(text.substr(line + 1, end - line - 1)) : "  ";
}

std::string repeated(std::string_view unit, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += unit;
  return out;
}

// Puts a new member into the object that begins at `at`, `depth` levels down.
std::string inserted(std::string_view text, std::size_t at, const std::optional<Member>& last,
                     std::string_view unit, int depth, std::string_view name,
                     const json::value& value) {
  const std::string entry =
      fmt::format("\n{}{}: {}", repeated(unit, depth + 1), json::serialize(json::string(name)),
                  indented(value, unit, depth + 1));
  std::string out(text.substr(0, last ? last->end : at + 1));
  out += last ? "," + entry : entry + "\n" + repeated(unit, depth);
  const Walker walker(text);
  out += text.substr(last ? last->end : walker.blanks(at + 1));
  return out;
}

}  // namespace

std::string indented(const json::value& value, std::string_view unit, int depth) {
  const json::object* object = value.if_object();
  if (object == nullptr || object->empty()) return json::serialize(value);
  std::string out = "{";
  for (const auto& [key, item] : *object) {
    if (out.size() > 1) out += ",";
    out += fmt::format("\n{}{}: {}", repeated(unit, depth + 1), json::serialize(json::string(key)),
                       indented(item, unit, depth + 1));
  }
  return out + "\n" + repeated(unit, depth) + "}";
}

Result<std::string> set_member(std::string_view text, std::string_view section,
                               std::string_view name, const json::value& value) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) text = "{}\n";
  PYRO_TRY(json::object wanted, parsed(text));
  json::value& outer = wanted[section];
  if (outer.is_null() && !parsed(text)->contains(section)) outer = json::object();
  if (!outer.is_object()) {
    return fail(Errc::kInvalid, fmt::format("its member {} is no object", section));
  }
  const json::value* there = outer.get_object().if_contains(name);
  if (there != nullptr && *there == value) return std::string(text);
  outer.get_object()[name] = value;

  const Walker walker(text);
  const std::string unit = unit_of(text);
  const std::size_t root = walker.blanks(0);
  const auto sections = walker.members(root, section);
  std::string out;
  if (!sections.named) {
    out = inserted(text, root, sections.last, unit, 0, section, json::object{{name, value}});
  } else {
    const std::size_t inner = sections.named->value;
    const auto entries = walker.members(inner, name);
    if (entries.named) {
      out = std::string(text.substr(0, entries.named->value)) + indented(value, unit, 2);
      out += text.substr(entries.named->end);
    } else {
      out = inserted(text, inner, entries.last, unit, 1, name, value);
    }
  }
  // What was found by walking is believed only when parsing says the same.
  const Result<json::object> again = parsed(out);
  if (!again || *again != wanted) return fail(Errc::kInvalid, "its members cannot be told apart");
  return out;
}

}  // namespace pyro::cli
