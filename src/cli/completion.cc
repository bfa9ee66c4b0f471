#include "cli/completion.h"

#include <algorithm>
#include <span>
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
using Path = std::span<const std::string_view>;

std::string joined(Path path, const char* glue) {
  std::string out;
  for (const std::string_view word : path) out += (out.empty() ? "" : glue) + std::string(word);
  return out;
}

bool directly_in(Path path, Path group) {
  return path.size() == group.size() + 1 && std::ranges::equal(path.first(group.size()), group);
}

// The command of that path, also when there are others below it; nullptr when there is none.
const Operation* command_at(Path path) {
  for (const Operation* op : commands()) {
    if (std::ranges::equal(op->cli_path, path)) return op;
  }
  return nullptr;
}

bool is_group(Path path) {
  return std::ranges::any_of(
      proto::groups(), [&](const proto::Group& g) { return std::ranges::equal(g.path, path); });
}

// The words after `pyro GROUP...`; the group {} is pyro itself.
std::vector<Name> names_in(Path group) {
  std::vector<Name> out;
  for (const proto::Group& g : proto::groups()) {
    if (directly_in(g.path, group) && command_at(g.path) == nullptr)
      out.emplace_back(std::string(g.path.back()), std::string(g.summary));
  }
  for (const Operation* op : commands()) {
    if (directly_in(op->cli_path, group))
      out.emplace_back(std::string(op->cli_path.back()), std::string(op->summary));
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
constexpr const char* kWorkspaces = "pyro help --workspaces 2>/dev/null";

// What a workspace has of that kind; `workspace` is how the shell writes its name.
std::string names_of_workspace(const Param& p, const char* workspace) {
  return std::string("pyro help --") + (p.type == ParamType::kShell ? "shells " : "services ") +
         workspace + " 2>/dev/null";
}

// What to do for a word that `p` stands for.
std::string bash_offer(const Param& p) {
  switch (p.type) {
    case ParamType::kEnvironment:
      return std::string("_pyro_offer \"$(") + kEnvironments + ")\"";
    case ParamType::kWorkspace:
      return std::string("_pyro_offer \"$(") + kWorkspaces + ")\"";
    case ParamType::kShell:
    case ParamType::kService:
      return "_pyro_offer \"$(" + names_of_workspace(p, "\"$first\"") + ")\"";
    case ParamType::kHostPath:
      return "_pyro_files";
    default:
      return "_pyro_offer \"" + choices(p) + "\"";
  }
}

// By how many positionals stand before the word.
std::string bash_positionals(const Operation& op) {
  if (op.positionals.empty()) return "_pyro_offer \"\"";
  std::string out = "case $n in ";
  for (std::size_t i = 0; i < op.positionals.size(); ++i) {
    const Param& p = op.positionals[i];
    if (p.type == ParamType::kCommand) break;
    out += (p.repeatable ? "*" : std::to_string(i)) + ") " + bash_offer(p) + " ;; ";
  }
  return out + "esac";
}

// Options with a value, by name: in no other command that name is a flag.
std::vector<const Param*> valued_options() {
  std::vector<const Param*> out;
  for (const Operation* op : commands()) {
    for (const Param& p : op->options) {
      const bool seen = std::ranges::any_of(out, [&](const Param* q) { return q->name == p.name; });
      if (p.type != ParamType::kFlag && !seen) out.push_back(&p);
    }
  }
  return out;
}

// What to do for the value of an option, which for a few depends on the command.
std::string bash_values() {
  std::string out;
  for (const Param* p : valued_options()) {
    std::string by_path;
    bool agree = true;
    for (const Operation* op : commands()) {
      const Param* own = proto::find_param(*op, p->name);
      if (own == nullptr) continue;
      agree = agree && bash_offer(*own) == bash_offer(*p);
      by_path += " \"" + path(*op) + "\") " + bash_offer(*own) + " ;;";
    }
    out += "  " + option_name(p->name) + ") " +
           (agree ? bash_offer(*p) : "case $path in" + by_path + " esac") + "; return ;;\n";
  }
  return out;
}

// `"" | "env" | "workspace sync"`: the paths after which another word of a command stands.
std::string group_pattern() {
  std::string out = "\"\"";
  for (const proto::Group& g : proto::groups()) out += " | \"" + joined(g.path, " ") + "\"";
  return out;
}

std::string valued_pattern() {
  std::string out;
  for (const Param* p : valued_options()) out += (out.empty() ? "" : " | ") + option_name(p->name);
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
_pyro_files() {
  COMPREPLY=()
  compopt -o default 2>/dev/null
}
_pyro() {
  local line=${COMP_LINE:0:COMP_POINT}
  local -a words
  read -r -a words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  local last=$((${#words[@]} - 1))
  local cur=${words[last]} prev= path= first= n=0 value= i
  COMPREPLY=()
  if ((last > 0)); then prev=${words[last - 1]}; fi
  for ((i = 1; i < last; i++)); do
    if [[ $value ]]; then
      value=
      continue
    fi
    case ${words[i]} in
    --) _pyro_files; return ;;
    )" + valued_pattern() +
                    R"() value=1 ;;
    -*) ;;
    *)
      case $path in
      )" + group_pattern() +
                    R"() path=${path:+$path }${words[i]} ;;
      *) n=$((n + 1)); first=${first:-${words[i]}} ;;
      esac ;;
    esac
  done
  case $prev in
)" + bash_values() +
                    R"(  esac
  case $path in
  "") if [[ $cur == -* ]]; then _pyro_offer "--help --version"; else _pyro_offer ")" +
                    words(names_in({})) + "\"; fi ;;\n";
  for (const proto::Group& g : proto::groups()) {
    const Operation* itself = command_at(g.path);
    out += "  \"" + joined(g.path, " ") + "\") _pyro_offer \"" + words(names_in(g.path)) + " " +
           (itself == nullptr ? "--help" : option_words(*itself)) + "\" ;;\n";
  }
  for (const Operation* op : commands()) {
    if (is_group(op->cli_path)) continue;
    out += "  \"" + path(*op) + "\") if [[ $cur == -* ]]; then _pyro_offer \"" + option_words(*op) +
           "\"; else " + bash_positionals(*op) + "; fi ;;\n";
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
    case ParamType::kWorkspace:
      return "_pyro_workspaces";
    case ParamType::kShell:
      return "_pyro_shells";
    case ParamType::kService:
      return "_pyro_services";
    case ParamType::kHostPath:
      return "_files";
    case ParamType::kChoice:
      return "(" + choices(p) + ")";
    default:
      return " ";
  }
}

std::string zsh_command(const Operation& op) {
  std::string out = "    _arguments -S";
  for (const Param& p : op.options) {
    out += std::string(" \\\n      '") + (p.repeatable ? "*" : "") + option_name(p.name) + "[" +
           zsh_text(p.help) + "]";
    if (p.type != ParamType::kFlag) out += ":" + std::string(p.value_name) + ":" + zsh_value(p);
    out += "'";
  }
  out += " \\\n      '(-h --help)'{-h,--help}'[Show this help]'";
  int n = 0;
  for (const Param& p : op.positionals) {
    if (p.type == ParamType::kCommand) {
      out += " \\\n      '*:command:_pyro_command'";
    } else {
      out += " \\\n      '" + (p.repeatable ? "*" : std::to_string(++n)) +
             (p.optional && !p.repeatable ? "::" : ":") + std::string(p.value_name) + ":" +
             zsh_value(p) + "'";
    }
  }
  return out + "\n";
}

std::string zsh_list(Path group) {
  std::string out = "(";
  for (const Name& n : names_in(group)) out += "'" + n.name + ":" + zsh_text(n.summary) + "' ";
  out.back() = ')';
  return out;
}

// Of a group that is a command as well.
std::string zsh_own_options(Path group) {
  const Operation* itself = command_at(group);
  if (itself == nullptr) return "";
  return "  if [[ $words[2] == -* ]]; then\n" + zsh_command(*itself) + "    return\n  fi\n";
}

// The function for pyro itself ({}) or for a group.
std::string zsh_function(Path group) {
  const std::string name = group.empty() ? "_pyro" : "_pyro_" + joined(group, "_");
  std::string out = name + "() {\n  local -a commands\n  commands=" + zsh_list(group) + "\n" +
                    zsh_own_options(group) +
                    "  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n"
                    "  fi\n  local command=$words[2]\n  shift words\n  ((CURRENT--))\n"
                    "  case $command in\n";
  for (const proto::Group& g : proto::groups()) {
    if (directly_in(g.path, group)) {
      out += "  " + std::string(g.path.back()) + ") _pyro_" + joined(g.path, "_") + " ;;\n";
    }
  }
  for (const Operation* op : commands()) {
    if (directly_in(op->cli_path, group) && !is_group(op->cli_path)) {
      out += "  " + std::string(op->cli_path.back()) + ")\n" + zsh_command(*op) + "    ;;\n";
    }
  }
  return out + "  esac\n}\n";
}

std::string zsh_names(const std::string& function, const std::string& command,
                      const std::string& before = "") {
  return function + "() {\n" + before + "  local -a names\n  names=(${(f)\"$(" + command +
         ")\"})\n  compadd -a names\n}\n";
}

// Of the workspace that is the first word of the command.
std::string zsh_names_of_workspace(const std::string& function, ParamType type) {
  return zsh_names(function, names_of_workspace({.type = type}, "\"$first\""),
                   "  local word first= value=\n"
                   "  for word in $words[2,CURRENT-1]; do\n"
                   "    if [[ -n $value ]]; then value=; continue; fi\n"
                   "    case $word in\n    " +
                       valued_pattern() +
                       ") value=1 ;;\n    -*) ;;\n    *) first=$word; break ;;\n    esac\n"
                       "  done\n");
}

}  // namespace

std::string zsh_completion() {
  std::string out = "#compdef pyro\n" + zsh_names("_pyro_environments", kEnvironments) +
                    zsh_names("_pyro_workspaces", kWorkspaces) +
                    zsh_names_of_workspace("_pyro_shells", ParamType::kShell) +
                    zsh_names_of_workspace("_pyro_services", ParamType::kService) +
                    // The words after "--" are completed as a command of their own.
                    "_pyro_command() {\n  local at=${words[(i)--]}\n  ((at < CURRENT)) || return\n"
                    "  words=(\"${(@)words[at+1,-1]}\")\n  ((CURRENT -= at))\n  _normal\n}\n";
  for (const proto::Group& g : proto::groups()) out += zsh_function(g.path);
  // Works both when sourced and as a file in fpath, where the body is the function itself.
  return out + zsh_function({}) +
         "if [[ $funcstack[1] == _pyro ]]; then\n  _pyro \"$@\"\nelse\n  compdef _pyro "
         "pyro\nfi\n";
}

namespace {

// `__pyro_at PATH [N]`: whether the words so far are that command or group, with N positionals.
std::string fish_at() {
  std::string groups = "''";
  for (const proto::Group& g : proto::groups()) groups += " '" + joined(g.path, " ") + "'";
  std::string valued;
  for (const Param* p : valued_options()) valued += " " + option_name(p->name);
  return R"(function __pyro_at
  set -l path
  set -l count 0
  set -l value no
  for word in (commandline -opc)[2..]
    if test $value = yes
      set value no
      continue
    end
    switch $word
    case --
      return 1
    case)" +
         valued +
         R"(
      set value yes
    case '-*'
    case '*'
      switch "$path"
      case )" +
         groups + R"(
        set -a path $word
      case '*'
        set count (math $count + 1)
        test $count -eq 1; and set -g __pyro_first $word
      end
    end
  end
  test "$path" = "$argv[1]"; or return 1
  test (count $argv) -eq 1; or test $count -eq $argv[2]
end
)";
}

std::string fish_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_when(const std::string& place) {
  return "complete -c pyro -n \"__pyro_at " + place + "\"";
}

// " -a ..." for a word that `p` stands for; files are what fish offers by itself with -F.
std::string fish_offer(const Param& p) {
  switch (p.type) {
    case ParamType::kEnvironment:
      return std::string(" -a '(") + kEnvironments + ")'";
    case ParamType::kWorkspace:
      return std::string(" -a '(") + kWorkspaces + ")'";
    case ParamType::kShell:
    case ParamType::kService:
      return " -a '(" + names_of_workspace(p, "$__pyro_first") + ")'";
    case ParamType::kHostPath:
      return " -F";
    case ParamType::kChoice:
      return " -a " + fish_quote(choices(p));
    default:
      return "";
  }
}

std::string fish_command(const Operation& op) {
  const std::string place = "'" + path(op) + "'";
  std::string out;
  for (const Param& p : op.options) {
    out += fish_when(place) + " -l " + option_name(p.name).substr(2) +
           (p.letter == 0 ? "" : std::string(" -s ") + p.letter) + " -d " + fish_quote(p.help);
    if (p.type == ParamType::kHostPath) {
      out += " -r";
    } else if (p.type != ParamType::kFlag) {
      out += " -x";
    }
    out += fish_offer(p) + "\n";
  }
  for (std::size_t i = 0; i < op.positionals.size(); ++i) {
    const Param& p = op.positionals[i];
    const std::string offer = fish_offer(p);
    if (offer.empty()) continue;
    out += fish_when(place + (p.repeatable ? "" : " " + std::to_string(i))) + offer + "\n";
  }
  return out;
}

}  // namespace

std::string fish_completion() {
  std::string out = "# fish completion for pyro\n" + fish_at() + "complete -c pyro -f\n";
  const auto names = [&](Path group) {
    for (const Name& n : names_in(group)) {
      out += fish_when("'" + joined(group, " ") + "'") + " -a " + n.name + " -d " +
             fish_quote(n.summary) + "\n";
    }
  };
  names({});
  out += fish_when("''") +
         " -s V -l version -d 'Show the version'\n"
         "complete -c pyro -s h -l help -d 'Show help'\n";
  for (const proto::Group& g : proto::groups()) names(g.path);
  for (const Operation* op : commands()) out += fish_command(*op);
  return out;
}

}  // namespace pyro::cli
