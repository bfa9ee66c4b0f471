#include "cli/completion.h"

#include <vector>

#include "base/text.h"
#include "cli/parse.h"
#include "proto/operations.h"

namespace pyro::cli {
namespace {

using proto::Operation;
using proto::Param;
using proto::ParamType;

std::vector<const Operation*> commands() {
  std::vector<const Operation*> out;
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty()) out.push_back(&op);
  }
  return out;
}

// "env pull".
std::string path(const Operation& op) {
  return command_name(op).substr(5);
}

struct Name {
  std::string name, summary;
};

// The words after `pyro` (group "") or after `pyro GROUP`.
std::vector<Name> names_in(std::string_view group) {
  std::vector<Name> out;
  if (group.empty()) {
    for (const proto::Group& g : proto::groups())
      out.emplace_back(std::string(g.name), std::string(g.summary));
  }
  for (const Operation* op : commands()) {
    const bool inside = group.empty() ? op->cli_path.size() == 1
                                      : op->cli_path.size() == 2 && op->cli_path[0] == group;
    if (inside) out.emplace_back(std::string(op->cli_path.back()), std::string(op->summary));
  }
  if (group.empty()) out.emplace_back("help", "Show help");
  return out;
}

std::string words(const std::vector<Name>& names) {
  std::string out;
  for (const Name& n : names) out += (out.empty() ? "" : " ") + n.name;
  return out;
}

std::string choices(const Param& param) {
  std::string out;
  for (const std::string_view c : param.choices) out += (out.empty() ? "" : " ") + std::string(c);
  return out;
}

std::string option_words(const Operation& op) {
  std::string out;
  for (const Param& p : op.options) out += option_name(p.name) + " ";
  return out + "--help";
}

constexpr const char* kEnvironments = "pyro help --environments 2>/dev/null";

std::string bash_positional(const Operation& op) {
  if (op.positionals.empty()) return "";
  const Param& p = op.positionals[0];
  if (p.type == ParamType::kEnvironment) return std::string("$(") + kEnvironments + ")";
  return choices(p);
}

std::string bash_values() {
  // Options with a value, by name: all commands agree on what a name means.
  std::string out, seen = " ";
  for (const Operation* op : commands()) {
    for (const Param& p : op->options) {
      const std::string name = option_name(p.name);
      if (p.type == ParamType::kFlag || seen.contains(" " + name + " ")) continue;
      seen += name + " ";
      out += "    " + name + ") _pyro_offer \"" + choices(p) + "\"; return ;;\n";
    }
  }
  return out;
}

}  // namespace

std::string bash_completion() {
  std::string out = R"(# bash completion for pyro
_pyro_offer() {
  local cur=${COMP_LINE:0:COMP_POINT}
  cur=${cur##*[[:space:]]}
  # Readline splits words at ':', so only what follows the last one is to be given.
  local cut=
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then cut=${cur%"${cur##*:}"}; fi
  local word
  COMPREPLY=()
  for word in $1; do
    if [[ $word == "$cur"* ]]; then COMPREPLY+=("${word#"$cut"}"); fi
  done
}
_pyro() {
  local line=${COMP_LINE:0:COMP_POINT}
  local -a words
  read -r -a words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  local last=$((${#words[@]} - 1))
  local cur=${words[last]} prev= path= n=0 i
  if ((last > 0)); then prev=${words[last - 1]}; fi
  for ((i = 1; i < last; i++)); do
    case ${words[i]} in
    --) compopt -o default 2>/dev/null; COMPREPLY=(); return ;;
    -*) ;;
    *)
      n=$((n + 1))
      case $n in
      1) path=${words[i]} ;;
      2) case $path in
)";
  for (const proto::Group& g : proto::groups()) {
    out += "         " + std::string(g.name) + ") path=\"$path ${words[i]}\" ;;\n";
  }
  out += R"(         esac ;;
      esac ;;
    esac
  done
  case $prev in
)" + bash_values() +
         R"(  esac
  case $path in
  "") if [[ $cur == -* ]]; then _pyro_offer "--help --version"; else _pyro_offer ")" +
         words(names_in("")) + "\"; fi ;;\n";
  for (const proto::Group& g : proto::groups()) {
    out += "  " + std::string(g.name) + ") _pyro_offer \"" + words(names_in(g.name)) +
           " --help\" ;;\n";
  }
  for (const Operation* op : commands()) {
    out += "  \"" + path(*op) + "\") if [[ $cur == -* ]]; then _pyro_offer \"" + option_words(*op) +
           "\"; else _pyro_offer \"" + bash_positional(*op) + "\"; fi ;;\n";
  }
  return out + "  esac\n}\ncomplete -F _pyro pyro\n";
}

namespace {

// Inside '...' of an _arguments specification.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out;
}

std::string zsh_value(const Param& p) {
  switch (p.type) {
    case ParamType::kEnvironment:
      return "_pyro_environments";
    case ParamType::kChoice:
      return "(" + choices(p) + ")";
    default:
      return " ";
  }
}

std::string zsh_command(const Operation& op) {
  std::string out = "    _arguments -S";
  for (const Param& p : op.options) {
    out += " \\\n      '" + option_name(p.name) + "[" + zsh_text(p.help) + "]";
    if (p.type != ParamType::kFlag) out += ":" + std::string(p.value_name) + ":" + zsh_value(p);
    out += "'";
  }
  out += " \\\n      '(-h --help)'{-h,--help}'[Show this help]'";
  int n = 0;
  for (const Param& p : op.positionals) {
    if (p.type == ParamType::kCommand) {
      out += " \\\n      '*::command:_normal'";
    } else {
      out += " \\\n      '" + std::to_string(++n) + ":" + std::string(p.value_name) + ":" +
             zsh_value(p) + "'";
    }
  }
  return out + "\n";
}

std::string zsh_list(std::string_view group) {
  std::string out = "(";
  for (const Name& n : names_in(group)) out += "'" + n.name + ":" + zsh_text(n.summary) + "' ";
  out.back() = ')';
  return out;
}

}  // namespace

std::string zsh_completion() {
  std::string out = "#compdef pyro\n_pyro_environments() {\n  local -a names\n  names=(${(f)\"$(" +
                    std::string(kEnvironments) + ")\"})\n  compadd -a names\n}\n";
  for (const proto::Group& g : proto::groups()) {
    const std::string name(g.name);
    out += "_pyro_" + name + "() {\n  local -a commands\n  commands=" + zsh_list(name) +
           "\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n"
           "  local command=$words[2]\n  shift words\n  ((CURRENT--))\n  case $command in\n";
    for (const Operation* op : commands()) {
      if (op->cli_path.size() == 2 && op->cli_path[0] == name) {
        out += "  " + std::string(op->cli_path[1]) + ")\n" + zsh_command(*op) + "    ;;\n";
      }
    }
    out += "  esac\n}\n";
  }
  out += "_pyro() {\n  local -a commands\n  commands=" + zsh_list("") +
         "\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n"
         "  local command=$words[2]\n  shift words\n  ((CURRENT--))\n  case $command in\n";
  for (const proto::Group& g : proto::groups()) {
    out += "  " + std::string(g.name) + ") _pyro_" + std::string(g.name) + " ;;\n";
  }
  for (const Operation* op : commands()) {
    if (op->cli_path.size() == 1) {
      out += "  " + std::string(op->cli_path[0]) + ")\n" + zsh_command(*op) + "    ;;\n";
    }
  }
  // Works both when sourced and as a file in fpath, where the body is the function itself.
  return out +
         "  esac\n}\nif [[ $funcstack[1] == _pyro ]]; then\n  _pyro \"$@\"\nelse\n  compdef _pyro "
         "pyro\nfi\n";
}

namespace {

std::string fish_seen(const Operation& op) {
  std::string out = "__fish_seen_subcommand_from";
  if (op.cli_path.size() == 2) {
    out += " " + std::string(op.cli_path[0]) + "; and __fish_seen_subcommand_from " +
           std::string(op.cli_path[1]);
  } else {
    out += " " + std::string(op.cli_path[0]);
  }
  return out;
}

std::string fish_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

std::string fish_completion() {
  std::string out = "# fish completion for pyro\ncomplete -c pyro -f\n";
  for (const Name& n : names_in("")) {
    out += "complete -c pyro -n __fish_use_subcommand -a " + n.name + " -d " +
           fish_quote(n.summary) + "\n";
  }
  out +=
      "complete -c pyro -n __fish_use_subcommand -s V -l version -d 'Show the version'\n"
      "complete -c pyro -s h -l help -d 'Show help'\n";
  for (const proto::Group& g : proto::groups()) {
    const std::vector<Name> names = names_in(g.name);
    for (const Name& n : names) {
      out += "complete -c pyro -n '__fish_seen_subcommand_from " + std::string(g.name) +
             "; and not __fish_seen_subcommand_from " + words(names) + "' -a " + n.name + " -d " +
             fish_quote(n.summary) + "\n";
    }
  }
  for (const Operation* op : commands()) {
    const std::string when = "complete -c pyro -n '" + fish_seen(*op) + "'";
    for (const Param& p : op->options) {
      out += when + " -l " + option_name(p.name).substr(2) + " -d " + fish_quote(p.help);
      if (p.type != ParamType::kFlag) out += " -x";
      if (p.type == ParamType::kChoice) out += " -a " + fish_quote(choices(p));
      out += "\n";
    }
    for (const Param& p : op->positionals) {
      if (p.type == ParamType::kEnvironment) out += when + " -a '(" + kEnvironments + ")'\n";
      if (p.type == ParamType::kChoice) out += when + " -a " + fish_quote(choices(p)) + "\n";
    }
  }
  return out;
}

}  // namespace pyro::cli
