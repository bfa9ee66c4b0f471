#include "api/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>

#include "base/text.h"
#include "proto/limits.h"

namespace pyro::api {
namespace {

namespace json = boost::json;
using proto::Argument;
using proto::Param;
using proto::ParamType;

constexpr std::size_t kMostProblems = 16;    // that are told
constexpr std::size_t kLongestName = 64;     // of which a likely one is looked for
constexpr std::size_t kMostText = 1U << 20;  // bytes of an argument that is no content
constexpr double kExactDoubles = 1LL << 53;  // up to here every whole number has one
// Of content, which may be written as base64.
constexpr std::size_t kMostContent = proto::kMaxWriteBytes / 3 * 4 + 4;

// Numbers without a fraction are whole, also when they are written as 1.0.
std::optional<std::int64_t> whole_number(const json::value& value) {
  if (const auto* i = value.if_int64()) return *i;
  const auto* d = value.if_double();
  if (d == nullptr || std::abs(*d) > kExactDoubles || std::trunc(*d) != *d) return std::nullopt;
  return static_cast<std::int64_t>(*d);
}

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

// Never repeats a value: it may be a secret, or long.
class Checker {
 public:
  void object(const std::vector<Argument>& known, const json::object& given,
              const std::string& where, bool secret) {
    for (const auto& [key, value] : given) {
      if (full()) return;
      const auto at = std::ranges::find(known, std::string_view(key), &Argument::name);
      if (at != known.end()) {
        if (value.is_null() && !at->required && at->param->default_text.empty()) continue;
        argument(*at, value, where + std::string(at->name), secret || at->param->secret);
      } else {
        unknown(known, key, where, secret);
      }
    }
    for (const Argument& argument : known) {
      if (argument.required && !given.contains(argument.name))
        problem(where + std::string(argument.name) + " is missing");
    }
  }

  [[nodiscard]] Result<void> result() && {
    if (problems_.empty()) return {};
    std::string text;
    for (const std::string& one : problems_) text += (text.empty() ? "" : "; ") + one;
    return fail_hint(Errc::kInvalid, full() ? text + "; and perhaps more" : text, hint_);
  }

 private:
  [[nodiscard]] bool full() const { return problems_.size() >= kMostProblems; }
  void problem(std::string text) {
    if (!full()) problems_.push_back(std::move(text));
  }

  void unknown(const std::vector<Argument>& known, std::string_view key, const std::string& where,
               bool secret) {
    std::vector<std::string> names;
    names.reserve(known.size());
    for (const Argument& argument : known) names.emplace_back(argument.name);
    const std::string all = names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
    if (!where.empty()) {
      // Within an object that holds a secret even a name may be one, given in the wrong place.
      return problem(where.substr(0, where.size() - 1) + " has a field " +
                     (secret ? "" : quoted_name(key) + " ") + "that is none of " + all);
    }
    const std::string near = key.size() > kLongestName ? "" : did_you_mean(key, names);
    problem("there is no argument " + quoted_name(key) +
            (near.empty() ? "" : " (did you mean " + near + "?)"));
    hint_ = "the arguments are: " + all;
  }

  void argument(const Argument& argument, const json::value& value, const std::string& path,
                bool secret) {
    if (!argument.list) return one(*argument.param, value, path, secret);
    const json::array* list = value.if_array();
    if (list == nullptr) return problem(path + " must be a list");
    if (argument.required && list->empty()) problem(path + " is empty");
    each(*list, path, [&](const json::value& item, const std::string& at) {
      one(*argument.param, item, at, secret);
    });
  }

  template <class F>
  void each(const json::array& list, const std::string& path, const F& check) {
    for (std::size_t i = 0; i < list.size() && !full(); ++i)
      check(list[i], fmt::format("{}[{}]", path, i));
  }

  void one(const Param& param, const json::value& value, const std::string& path, bool secret) {
    switch (param.type) {
      case ParamType::kFlag:
        if (!value.is_bool()) problem(path + " must be true or false");
        return;
      case ParamType::kInteger:
        return integer(param, value, path);
      case ParamType::kChoice:
        if (!value.is_string() ||
            std::ranges::find(param.choices, std::string_view(value.get_string())) ==
                param.choices.end())
          problem(path + " must be one of " + joined(param.choices));
        return;
      case ParamType::kString:
        return string(param, value, path, /*may_be_empty=*/true);
      case ParamType::kEnvironment:
      case ParamType::kWorkspace:
      case ParamType::kShell:
      case ParamType::kService:
      case ParamType::kHostPath:
        return string(param, value, path, /*may_be_empty=*/false);
      case ParamType::kPair:
        return pairs(param, value, path, secret);
      case ParamType::kCommand:
        return command(param, value, path);
      case ParamType::kObject:
        if (!value.is_object()) return problem(path + " must be an object");
        return object(nested_arguments(param), value.get_object(), path + ".", secret);
      case ParamType::kObjectList:
        if (!value.is_array()) return problem(path + " must be a list of objects");
        return each(value.get_array(), path, [&](const json::value& item, const std::string& at) {
          if (!item.is_object()) return problem(at + " must be an object");
          object(nested_arguments(param), item.get_object(), at + ".", secret);
        });
    }
  }

  void integer(const Param& param, const json::value& value, const std::string& path) {
    const auto number = whole_number(value);
    if (!number || *number < param.min || *number > param.max)
      problem(fmt::format("{} must be a whole number from {} to {}", path, param.min, param.max));
  }

  void string(const Param& param, const json::value& value, const std::string& path,
              bool may_be_empty) {
    const json::string* text = value.if_string();
    if (text == nullptr) return problem(path + " must be a string");
    if (text->empty() && !may_be_empty) return problem(path + " is empty");
    if (text->size() > (param.content ? kMostContent : kMostText))
      return problem(path + " is too long");
    if (param.content) return;
    if (text->find('\0') != json::string::npos) return problem(path + " has a NUL character in it");
    if (param.identifier && !is_identifier(*text))
      problem(path + " must be letters, digits and _, no digit first");
  }

  void pair_name(const Param& param, std::string_view name, const std::string& path, bool secret) {
    const bool fine = param.identifier ? is_identifier(name)
                                       : !name.empty() && name.find('\0') == std::string_view::npos;
    if (fine) return;
    problem(path + " has a name that cannot be one" + (secret ? "" : ": " + quoted_name(name)));
  }

  // The names are made of the object's keys, so they are only told where nothing is secret.
  void pairs(const Param& param, const json::value& value, const std::string& path, bool secret) {
    const Param text{.name = param.name, .type = ParamType::kString};
    if (const json::array* names = value.if_array(); names != nullptr && param.value_optional) {
      return each(*names, path, [&](const json::value& item, const std::string& at) {
        if (!item.is_string()) return problem(at + " must be a string");
        pair_name(param, item.get_string(), path, secret);
      });
    }
    const json::object* map = value.if_object();
    if (map == nullptr) {
      return problem(path + (param.value_optional
                                 ? " must be an object of strings, or a list of names"
                                 : " must be an object of strings"));
    }
    for (const auto& [name, item] : *map) {
      if (full()) return;
      pair_name(param, name, path, secret);
      string(text, item, secret ? "a value of " + path : path + "[" + quoted_name(name) + "]",
             true);
      if (param.value_optional && item.is_string())
        pair_name(param, item.get_string(), path, secret);
    }
  }

  void command(const Param& param, const json::value& value, const std::string& path) {
    if (value.is_string()) return string(param, value, path, /*may_be_empty=*/false);
    const json::array* words = value.if_array();
    if (words == nullptr)
      return problem(path + " must be a list of words, or a string for /bin/sh -c");
    if (words->empty() || (words->front().is_string() && words->front().get_string().empty()))
      problem(path + " is empty");
    each(*words, path, [&](const json::value& word, const std::string& at) {
      string(param, word, at, /*may_be_empty=*/true);
    });
  }

  std::vector<std::string> problems_;
  std::string hint_;
};

std::string string_of(const json::value& value) {
  return {value.get_string().data(), value.get_string().size()};
}

}  // namespace

bool is_identifier(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789";
  return !name.empty() && !kDigits.contains(name[0]) &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
             std::string_view::npos;
}

std::vector<Argument> nested_arguments(const Param& param) {
  std::vector<Argument> out;
  for (const Param& field : param.fields)
    out.push_back({.param = &field, .name = field.name, .required = field.required});
  return out;
}

Result<Arguments> Arguments::check(const proto::Operation& operation, const json::object& given) {
  Arguments out(proto::library_arguments(operation), given);
  Checker checker;
  checker.object(out.known_, given, "", /*secret=*/false);
  PYRO_CHECK(std::move(checker).result());
  return out;
}

const json::value* Arguments::find(std::string_view name) const {
  const json::value* value = param(name) == nullptr ? nullptr : given_->if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const Param* Arguments::param(std::string_view name) const {
  const auto at = std::ranges::find(known_, name, &Argument::name);
  return at == known_.end() ? nullptr : at->param;
}

std::string Arguments::text(std::string_view name) const {
  if (const json::value* value = find(name)) return string_of(*value);
  const Param* known = param(name);
  return known == nullptr ? "" : std::string(known->default_text);
}

std::optional<std::string> Arguments::given_text(std::string_view name) const {
  const json::value* value = find(name);
  return value == nullptr ? std::nullopt : std::optional(string_of(*value));
}

std::int64_t Arguments::integer64(std::string_view name) const {
  if (const json::value* value = find(name)) return whole_number(*value).value_or(0);
  const Param* known = param(name);
  std::int64_t number = 0;
  if (known == nullptr) return number;
  const std::string_view text = known->default_text;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int Arguments::integer(std::string_view name) const {
  return static_cast<int>(integer64(name));
}

std::optional<int> Arguments::given_integer(std::string_view name) const {
  return given(name) ? std::optional(integer(name)) : std::nullopt;
}

bool Arguments::flag(std::string_view name) const {
  if (const json::value* value = find(name)) return value->get_bool();
  const Param* known = param(name);
  return known != nullptr && known->default_text == "true";
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  std::vector<std::string> out;
  const json::value* value = find(name);
  if (value == nullptr) return out;
  for (const json::value& item : value->get_array()) out.push_back(string_of(item));
  return out;
}

std::map<std::string, std::string> Arguments::map(std::string_view name) const {
  std::map<std::string, std::string> out;
  const json::value* value = find(name);
  if (value == nullptr) return out;
  if (value->is_array()) {
    for (const std::string& item : list(name)) out[item] = item;
    return out;
  }
  for (const auto& [key, item] : value->get_object()) out[std::string(key)] = string_of(item);
  return out;
}

std::optional<Arguments> Arguments::object(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  return Arguments(nested_arguments(*param(name)), value->get_object());
}

std::vector<Arguments> Arguments::objects(std::string_view name) const {
  std::vector<Arguments> out;
  const json::value* value = find(name);
  if (value == nullptr) return out;
  for (const json::value& item : value->get_array())
    out.push_back(Arguments(nested_arguments(*param(name)), item.get_object()));
  return out;
}

Arguments::Command Arguments::command() const {
  const json::value* value = find("command");
  if (value == nullptr) return {};
  if (value->is_string()) return {.words = {}, .line = string_of(*value)};
  return {.words = list("command"), .line = {}};
}

}  // namespace pyro::api
