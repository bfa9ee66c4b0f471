#include "cli/parse.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "api/arguments.h"
#include "base/text.h"

namespace pyro::cli {
namespace {

using proto::Operation;
using proto::Param;
using proto::ParamType;

std::string quoted(std::string_view word) {
  return "\"" + std::string(word) + "\"";
}

std::string join(const std::vector<std::string>& words, std::string_view glue) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += glue;
    out += word;
  }
  return out;
}

// The names that may stand after `prefix`.
std::vector<std::string> commands_below(const std::vector<std::string>& prefix) {
  std::vector<std::string> names;
  for (const Operation& op : proto::operations()) {
    if (op.cli_path.size() <= prefix.size()) continue;
    if (!std::equal(prefix.begin(), prefix.end(), op.cli_path.begin())) continue;
    std::string name(op.cli_path[prefix.size()]);
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

bool names_below(const std::vector<std::string>& prefix, const std::string& word) {
  const std::vector<std::string> names = commands_below(prefix);
  return std::ranges::find(names, word) != names.end();
}

const Operation* operation_at(const std::vector<std::string>& path) {
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty() && std::ranges::equal(op.cli_path, path)) return &op;
  }
  return nullptr;
}

class Parser {
 public:
  explicit Parser(std::span<const std::string> words) : words_(words) {}

  std::expected<Invocation, ParseFailure> run() {
    Result<Invocation> parsed = top();
    if (parsed) return *std::move(parsed);
    const auto end = std::ranges::find(words_, "--");
    return std::unexpected(ParseFailure{.error = std::move(parsed).error(),
                                        .operation = operation_,
                                        .json = std::find(words_.begin(), end, "--json") != end});
  }

 private:
  Result<Invocation> top() {
    if (words_.empty()) {
      return fail_hint(Errc::kInvalid, "a command is missing", "pyro --help lists the commands");
    }
    if (words_[0] == "--version" || words_[0] == "-V") {
      if (words_.size() > 1) return unexpected_word(words_[1]);
      return Invocation{.kind = Invocation::Kind::kVersion};
    }
    if (words_[0] == "help") return help({}, 1);
    std::vector<std::string> path;
    for (;; ++at_) {
      const Operation* op = operation_at(path);
      const bool below = at_ < words_.size() && names_below(path, words_[at_]);
      if (op != nullptr && !below) return command(*op);
      if (at_ == words_.size()) return missing_command(path);
      const std::string& word = words_[at_];
      if (word == "--help" || word == "-h") return help_of(path);
      if (word == "help") return help(path, at_ + 1);
      if (word.starts_with('-')) return misplaced_option(path, word);
      const std::vector<std::string> names = commands_below(path);
      if (std::ranges::find(names, word) == names.end()) return unknown_command(path, word, names);
      path.push_back(word);
    }
  }

  static Result<Invocation> help_of(std::vector<std::string> path) {
    return Invocation{.kind = Invocation::Kind::kHelp, .path = std::move(path)};
  }

  Result<Invocation> help(std::vector<std::string> path, std::size_t from) {
    if (path.empty() && from + 1 == words_.size()) {
      const std::string& only = words_[from];
      if (only == "--man") return Invocation{.kind = Invocation::Kind::kManPage};
      if (only == "--markdown") return Invocation{.kind = Invocation::Kind::kReference};
      if (only == "--environments") return Invocation{.kind = Invocation::Kind::kEnvironments};
      if (only == "--workspaces") return Invocation{.kind = Invocation::Kind::kWorkspaces};
    }
    if (path.empty() && from + 2 == words_.size()) {
      const std::vector<std::string> workspace{words_[from + 1]};
      if (words_[from] == "--shells") {
        return Invocation{.kind = Invocation::Kind::kShells, .path = workspace};
      }
      if (words_[from] == "--services") {
        return Invocation{.kind = Invocation::Kind::kServices, .path = workspace};
      }
    }
    for (std::size_t i = from; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (word == "--help" || word == "-h") continue;
      const std::vector<std::string> names = commands_below(path);
      if (names.empty() || word.starts_with('-')) return unexpected_word(word);
      if (std::ranges::find(names, word) == names.end()) return unknown_command(path, word, names);
      path.push_back(word);
    }
    return help_of(std::move(path));
  }

  static std::string pyro(const std::vector<std::string>& path) {
    return path.empty() ? "pyro" : "pyro " + join(path, " ");
  }

  static Result<Invocation> missing_command(const std::vector<std::string>& path) {
    return fail_hint(
        Errc::kInvalid,
        "a command of " + pyro(path) + " is missing: " + join(commands_below(path), ", "),
        pyro(path) + " --help describes them");
  }

  static Result<Invocation> unknown_command(const std::vector<std::string>& path,
                                            const std::string& word,
                                            const std::vector<std::string>& names) {
    const std::string near = did_you_mean(word, names);
    std::vector<std::string> guess = path;
    guess.push_back(near);
    std::vector<std::string> given = path;
    given.push_back(word);
    return fail_hint(Errc::kInvalid, "unknown command " + quoted(join(given, " ")),
                     near.empty() ? pyro(path) + " --help lists the commands"
                                  : "did you mean " + quoted(pyro(guess)) + "?");
  }

  static Result<Invocation> misplaced_option(const std::vector<std::string>& path,
                                             const std::string& word) {
    const std::string near =
        did_you_mean(word, path.empty() ? std::vector<std::string>{"--help", "--version"}
                                        : std::vector<std::string>{"--help"});
    return fail_hint(Errc::kInvalid, "unknown option " + quoted(word) + " of " + pyro(path),
                     near.empty() ? "options of a command stand after its name: " + pyro(path) +
                                        " --help lists the commands"
                                  : "did you mean " + quoted(near) + "?");
  }

  static Result<Invocation> unexpected_word(const std::string& word) {
    return fail_hint(Errc::kInvalid, "unexpected argument " + quoted(word),
                     "pyro --help shows how to call pyro");
  }

  // ---- one command

  [[nodiscard]] std::string see_help() const {
    return command_name(*operation_) + " --help shows its options";
  }

  Result<Invocation> command(const Operation& op) {
    operation_ = &op;
    Invocation out{.operation = &op};
    std::size_t next_positional = 0;
    bool options = true;
    for (; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (options && word == "--") {
        if (proto::find_command(op) != nullptr) {
          out.command.assign(words_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, words_.end());
          separator_ = true;
          break;
        }
        options = false;
      } else if (options && (word == "--help" || word == "-h")) {
        return help_of({op.cli_path.begin(), op.cli_path.end()});
      } else if (options && word.size() > 1 && word.starts_with('-')) {
        PYRO_CHECK(option(word, out));
      } else {
        PYRO_CHECK(positional(word, next_positional, out));
      }
    }
    PYRO_CHECK(complete(next_positional, out));
    return out;
  }

  Result<void> positional(const std::string& word, std::size_t& next, Invocation& out) {
    if (next < operation_->positionals.size()) {
      const Param& param = operation_->positionals[next];
      if (param.type == ParamType::kCommand) return needs_separator(out);
      PYRO_CHECK(check_value(param, std::string(param.value_name), word));
      out.values.emplace_back(param.name, word);
      if (!param.repeatable) ++next;
      return {};
    }
    return fail_hint(
        Errc::kInvalid,
        "unexpected argument" + unless_secret(word, out) + " of " + command_name(*operation_),
        see_help());
  }

  [[nodiscard]] bool has_secret(const Invocation& out) const {
    return std::ranges::any_of(operation_->options,
                               [&](const Param& p) { return p.secret && out.flag(p.name); });
  }

  // A word that is not understood after a secret may be the rest of a value with blanks in it.
  [[nodiscard]] std::string unless_secret(const std::string& word, const Invocation& out) const {
    return has_secret(out) ? "" : " " + quoted(word);
  }

  // Shows the line as it should have been: at_ is at the first word of the command.
  [[nodiscard]] std::unexpected<Error> needs_separator(const Invocation& out) const {
    if (has_secret(out)) {
      return fail_hint(Errc::kInvalid, "the command for the guest must follow \"--\"", see_help());
    }
    const std::vector<std::string> before(words_.begin(),
                                          words_.begin() + static_cast<std::ptrdiff_t>(at_));
    std::vector<std::string> after(words_.begin() + static_cast<std::ptrdiff_t>(at_), words_.end());
    std::erase(after, "--");
    return fail_hint(Errc::kInvalid, "the command for the guest must follow \"--\"",
                     "pyro " + shell_join(before) + " -- " + shell_join(after));
  }

  Result<void> complete(std::size_t given, const Invocation& out) const {
    for (std::size_t i = given; i < operation_->positionals.size(); ++i) {
      const Param& param = operation_->positionals[i];
      if (param.optional || out.flag(param.name)) continue;
      if (!param.unless.empty() && out.flag(param.unless)) continue;
      if (param.type != ParamType::kCommand) {
        return fail_hint(Errc::kInvalid,
                         std::string(param.value_name) + " is missing after " +
                             quoted(command_name(*operation_)),
                         where_names_are(param));
      }
      if (!separator_ || out.command.empty()) {
        return fail_hint(Errc::kInvalid,
                         separator_ ? "there is no command after \"--\""
                                    : "a command is missing: it must follow \"--\"",
                         "for example: " + command_name(*operation_) + given_positionals(out) +
                             " -- git --version");
      }
    }
    for (const Param& param : operation_->options) {
      if (!param.required || out.flag(param.name)) continue;
      return fail_hint(Errc::kInvalid, option_name(param.name) + " is missing",
                       "add " + option_synopsis(param));
    }
    return {};
  }

  [[nodiscard]] std::string given_positionals(const Invocation& out) const {
    std::string words;
    for (const Param& param : operation_->positionals) {
      if (param.type != ParamType::kCommand) words += " " + shell_quote(out.text(param.name));
    }
    return words;
  }

  // The next step of somebody who gave no name, or a wrong one.
  [[nodiscard]] std::string where_names_are(const Param& param) const {
    if (param.type == ParamType::kEnvironment) return "pyro env list shows the environments";
    if (param.type == ParamType::kWorkspace) return "pyro workspace list shows the workspaces";
    if (param.type == ParamType::kShell) return "pyro workspace shell list WORKSPACE shows them";
    if (param.type == ParamType::kService)
      return "pyro workspace service list WORKSPACE shows them";
    return see_help();
  }

  Result<void> option(const std::string& word, Invocation& out) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const Param* param = nullptr;
    std::vector<std::string> names{"--help"};
    for (const Param& p : operation_->options) {
      names.push_back(option_name(p.name));
      if (names.back() == name || (p.letter != 0 && name == std::string{'-', p.letter})) param = &p;
    }
    if (param == nullptr) {
      const std::string near = did_you_mean(name, names);
      return fail_hint(
          Errc::kInvalid,
          "unknown option" + unless_secret(name, out) + " of " + command_name(*operation_),
          near.empty() ? see_help() : "did you mean " + quoted(near) + "?");
    }
    const bool again =
        std::ranges::any_of(out.values, [&](const auto& v) { return v.first == param->name; });
    if (again && !param->repeatable) {
      return fail_hint(Errc::kInvalid, name + " is given twice", "leave one of them out");
    }
    if (param->type == ParamType::kFlag) {
      if (equals != std::string::npos) {
        return fail_hint(Errc::kInvalid, name + " takes no value", "write " + name + " alone");
      }
      out.values.emplace_back(param->name, "");
      return {};
    }
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (at_ + 1 < words_.size() && words_[at_ + 1] != "--") {
      value = words_[++at_];
    } else {
      return fail_hint(Errc::kInvalid, name + " needs a value",
                       param->default_text.empty()
                           ? "write " + option_synopsis(*param)
                           : "for example: " + name + " " + std::string(param->default_text));
    }
    PYRO_CHECK(check_value(*param, name, value));
    if (param->type == ParamType::kPair) PYRO_CHECK(check_pair(*param, name, value, out));
    out.values.emplace_back(param->name, std::move(value));
    return {};
  }

  Result<void> check_value(const Param& param, const std::string& shown,
                           const std::string& value) const {
    if (param.type == ParamType::kInteger) {
      std::int64_t number = 0;
      const char* end = value.data() + value.size();
      const auto parsed = std::from_chars(value.data(), end, number);
      if (parsed.ec != std::errc() || parsed.ptr != end || number < param.min ||
          number > param.max) {
        return fail_hint(Errc::kInvalid,
                         shown + " must be a whole number from " + std::to_string(param.min) +
                             " to " + std::to_string(param.max) + ", not " + quoted(value),
                         see_help());
      }
    }
    if (param.type == ParamType::kChoice) {
      const std::vector<std::string> names(param.choices.begin(), param.choices.end());
      if (std::ranges::find(names, value) == names.end()) {
        const std::string near = did_you_mean(value, names);
        return fail_hint(Errc::kInvalid,
                         shown + " must be one of " + join(names, ", ") + ", not " + quoted(value),
                         near.empty() ? see_help() : "did you mean " + quoted(near) + "?");
      }
    }
    if (param.type == ParamType::kEnvironment && value.empty()) {
      return fail_hint(Errc::kInvalid, "the name of the environment is empty",
                       where_names_are(param));
    }
    if (param.type == ParamType::kWorkspace && value.empty()) {
      return fail_hint(Errc::kInvalid, "the name of the workspace is empty",
                       where_names_are(param));
    }
    if ((param.type == ParamType::kShell || param.type == ParamType::kService) && value.empty()) {
      return fail_hint(Errc::kInvalid, shown + " is empty", where_names_are(param));
    }
    if (param.type == ParamType::kHostPath && value.empty()) {
      return fail_hint(Errc::kInvalid, "the path for " + shown + " is empty", see_help());
    }
    return {};
  }

  Result<void> check_pair(const Param& param, const std::string& shown, const std::string& value,
                          const Invocation& out) const {
    const std::size_t equals = value.find('=');
    const std::string name = value.substr(0, equals);
    const std::string wanted = shown + " needs " + std::string(param.value_name);
    const std::string given = param.secret ? "" : ", not " + quoted(value);
    if (equals == std::string::npos && !param.value_optional) {
      return fail_hint(Errc::kInvalid, wanted + given + ": there is no \"=\"", see_help());
    }
    if (name.empty() || (param.identifier && !api::is_identifier(name))) {
      return fail_hint(Errc::kInvalid,
                       wanted + given +
                           (param.identifier ? ": the name must be letters, digits and _, and "
                                               "begin with no digit"
                                             : ": the name is empty"),
                       see_help());
    }
    if (param.value_optional && equals != std::string::npos &&
        !api::is_identifier(value.substr(equals + 1))) {
      return fail_hint(Errc::kInvalid,
                       wanted + given +
                           ": the variable must be letters, digits and _, and begin "
                           "with no digit",
                       see_help());
    }
    for (const auto& [other, unused] : out.pairs(param.name)) {
      if (other != name) continue;
      return fail_hint(Errc::kInvalid, shown + " names " + quoted(name) + " twice",
                       "leave one of them out");
    }
    return {};
  }

  std::span<const std::string> words_;
  std::size_t at_ = 0;
  const Operation* operation_ = nullptr;
  bool separator_ = false;
};

}  // namespace

bool Invocation::flag(std::string_view name) const {
  return std::ranges::any_of(values, [&](const auto& v) { return v.first == name; });
}

std::string Invocation::text(std::string_view name) const {
  for (const auto& [given, value] : values) {
    if (given == name) return value;
  }
  const Param* param = proto::find_param(*operation, name);
  return std::string(param == nullptr ? std::string_view() : param->default_text);
}

int Invocation::integer(std::string_view name) const {
  return static_cast<int>(integer64(name));
}

std::int64_t Invocation::integer64(std::string_view name) const {
  const std::string value = text(name);
  std::int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

std::optional<int> Invocation::given_integer(std::string_view name) const {
  if (!flag(name)) return std::nullopt;
  return integer(name);
}

std::vector<std::string> Invocation::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [given, value] : values) {
    if (given == name) out.push_back(value);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Invocation::pairs(std::string_view name) const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& value : all(name)) {
    const std::size_t equals = value.find('=');
    out.emplace_back(value.substr(0, equals),
                     equals == std::string::npos ? value : value.substr(equals + 1));
  }
  return out;
}

std::unexpected<Error> refuse(const Invocation& call, std::string message) {
  return fail_hint(Errc::kInvalid, std::move(message),
                   command_name(*call.operation) + " --help shows its options");
}

std::expected<Invocation, ParseFailure> parse(std::span<const std::string> words) {
  return Parser(words).run();
}

std::string option_name(std::string_view param) {
  std::string name = "--" + std::string(param);
  std::ranges::replace(name, '_', '-');
  return name;
}

std::string option_synopsis(const Param& param) {
  const std::string letter = param.letter == 0 ? "" : std::string{'-', param.letter, ',', ' '};
  return letter + option_name(param.name) +
         (param.value_name.empty() ? "" : " " + std::string(param.value_name));
}

std::string command_name(const proto::Operation& operation) {
  std::string name = "pyro";
  for (const std::string_view word : operation.cli_path) name += " " + std::string(word);
  return name;
}

}  // namespace pyro::cli
