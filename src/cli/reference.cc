#include <algorithm>

#include "base/version.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/parse.h"

namespace pyro::cli {
namespace {

using proto::Field;
using proto::FieldType;
using proto::Operation;
using proto::Param;

// ---- roff

// Backslashes and hyphens mean something to roff, and so do a dot or a quote that begin a line.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '~') {
      out += "\\(ti";
    } else {
      out += c;
    }
  }
  if (out.starts_with('.')) out.insert(0, "\\&");
  return out;
}

std::string man_command(const Operation& op) {
  std::string out = ".SS " + roff(command_name(op)) + "\n";
  out += ".B " + roff(usage(op)) + "\n.PP\n" + roff(op.summary) + ".\n";
  for (const std::string_view paragraph : op.description) out += ".PP\n" + roff(paragraph) + "\n";
  for (const auto& list : {op.positionals, op.options}) {
    for (const Param& p : list) {
      out += ".TP\n.B " +
             roff(&list[0] == op.positionals.data() ? positional_synopsis(p) : option_synopsis(p)) +
             "\n" + roff(param_help(p)) + "\n";
    }
  }
  return out;
}

std::string man_exit_codes(std::string_view title, std::span<const ExitMeaning> meanings) {
  std::string out = ".SS " + roff(title) + "\n";
  for (const ExitMeaning& m : meanings) {
    out += ".TP\n.B " + roff(m.codes) + "\n" + roff(m.meaning) + "\n";
  }
  return out;
}

struct Variable {
  std::string_view name, doc;
};
constexpr std::array<Variable, 6> kVariables{{
    {"PYRO_CACHE_DIR",
     "Environments and templates; otherwise $XDG_CACHE_HOME/pyro or ~/.cache/pyro"},
    {"PYRO_HOME", "Records of sandboxes; otherwise $XDG_STATE_HOME/pyro or ~/.local/state/pyro"},
    {"PYRO_RUNTIME_DIR",
     "Sockets; otherwise $XDG_RUNTIME_DIR/pyro, /run/user/UID/pyro or /tmp/pyro-UID"},
    {"PYRO_LIBEXEC", "Folder of the helper programs; otherwise found from where pyro lies"},
    {"PYRO_NET_NAMESPACE",
     "The network namespace whose network guests get, as /run/netns/NAME or /proc/PID/ns/net; "
     "otherwise the one that pyro runs in"},
    {"PYRO_RESOLV_CONF",
     "The file that names the name servers of that network; otherwise /etc/resolv.conf"},
}};

// ---- markdown

std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string_view type_name(FieldType type) {
  switch (type) {
    case FieldType::kString:
      return "string";
    case FieldType::kInteger:
      return "integer";
    case FieldType::kNumber:
      return "number";
    case FieldType::kBoolean:
      return "boolean";
    case FieldType::kObject:
      return "object";
    case FieldType::kStringList:
      return "list of strings";
    case FieldType::kObjectList:
      return "list of objects";
    case FieldType::kNumberMap:
      return "object of numbers";
    case FieldType::kStringMap:
      return "object of strings";
    case FieldType::kFreeObject:
      return "object";
  }
  return "";
}

// Inside a table cell a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void field_rows(std::span<const Field> fields, const std::string& prefix, std::string& out) {
  for (const Field& f : fields) {
    const std::string name = prefix + std::string(f.name);
    out += "| " + code(name) + " | " + std::string(type_name(f.type)) +
           (f.nullable ? " or null" : "") + " | " + cell(f.doc) +
           (f.optional ? " (may be missing)" : "") + " |\n";
    field_rows(f.fields, name + (f.type == FieldType::kObjectList ? "[]." : "."), out);
  }
}

std::string reference_command(const Operation& op) {
  std::string out = "\n## " + command_name(op) + "\n\n" + std::string(op.summary) + ".\n\n    " +
                    usage(op) + "\n";
  for (const std::string_view paragraph : op.description)
    out += "\n" + std::string(paragraph) + "\n";
  if (!op.positionals.empty() || !op.options.empty()) {
    out += "\n| Argument | Meaning |\n| --- | --- |\n";
    for (const Param& p : op.positionals)
      out += "| " + code(positional_synopsis(p)) + " | " + cell(param_help(p)) + " |\n";
    for (const Param& p : op.options) {
      out += "| " + code(option_synopsis(p)) + " | " + cell(param_help(p)) + " |\n";
    }
  }
  out += "\nExamples:\n\n";
  for (const proto::Example& e : op.examples) {
    out += "    # " + std::string(e.doc) + "\n    " + std::string(e.command) + "\n";
  }
  if (!op.result.empty()) {
    out += "\nWith `--json`:\n\n| Field | Type | Meaning |\n| --- | --- | --- |\n";
    field_rows(op.result, "", out);
  }
  out += "\nErrors (`error.code`):";
  for (std::size_t i = 0; i < op.errors.size(); ++i) {
    out += (i == 0 ? " " : ", ") + code(errc_name(op.errors[i]));
  }
  return out + ".\n";
}

std::string reference_exit_codes(std::string_view title, std::span<const ExitMeaning> meanings) {
  std::string out = "\n" + std::string(title) + ":\n\n| Code | Meaning |\n| --- | --- |\n";
  for (const ExitMeaning& m : meanings)
    out += "| " + code(m.codes) + " | " + cell(m.meaning) + " |\n";
  return out;
}

}  // namespace

std::string man_page() {
  std::string out = ".TH PYRO 1 \"\" \"pyro " + std::string(kVersion) + "\" \"User Commands\"\n";
  out += ".SH NAME\npyro \\- run commands in microVMs of their own\n";
  out += ".SH SYNOPSIS\n";
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty()) out += ".B " + roff(usage(op)) + "\n.br\n";
  }
  out += ".B pyro \\-\\-version\n";
  out +=
      ".SH DESCRIPTION\npyro run gives a command a virtual machine of its own, cloned from a "
      "booted template in a fraction of a second and deleted afterwards. pyro workspace keeps one "
      "for as long as it is wanted.\n";
  out += ".PP\nEvery command has \\fB\\-\\-help\\fR.\n";
  out += ".SH COMMANDS\n";
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty()) out += man_command(op);
  }
  out += ".SH EXIT STATUS\n" +
         man_exit_codes("pyro run and pyro workspace exec", kRunExitMeanings) +
         man_exit_codes("pyro workspace shell attach", kAttachExitMeanings) +
         man_exit_codes("pyro policy explain", kAnswerExitMeanings) +
         man_exit_codes("Other commands", kExitMeanings);
  out += ".SH ENVIRONMENT\n";
  for (const Variable& v : kVariables) out += ".TP\n.B " + roff(v.name) + "\n" + roff(v.doc) + "\n";
  out += ".SH EXAMPLES\n";
  for (const Operation& op : proto::operations()) {
    for (const proto::Example& e : op.examples) {
      out += ".PP\n" + roff(e.doc) + ":\n.PP\n.RS 4\n.nf\n" + roff(e.command) + "\n.fi\n.RE\n";
    }
  }
  return out;
}

std::string reference_page() {
  std::string out =
      "<!-- Made from the table of operations by `pyro help --markdown`; a test compares. "
      "test: page, tests/e2e/test_cli_examples.py runs the examples -->\n"
      "# The command line\n\n"
      "Text goes to standard output, phases and errors to standard error. With `--json` a command "
      "prints one object on standard output, its keys sorted, and an error is "
      "`{\"error\": {\"code\", \"message\", \"hint\"}}` there.\n";
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty()) out += reference_command(op);
  }
  out += "\n## Exit codes\n";
  out += reference_exit_codes("`pyro run` and `pyro workspace exec`", kRunExitMeanings);
  out += reference_exit_codes("`pyro workspace shell attach`", kAttachExitMeanings);
  out += reference_exit_codes("`pyro policy explain`", kAnswerExitMeanings);
  out += reference_exit_codes("Other commands", kExitMeanings);
  out += "\n141 (128 + SIGPIPE) from any command: nobody reads its standard output any more.\n";
  out += "\n## Environment variables\n\n| Variable | Meaning |\n| --- | --- |\n";
  for (const Variable& v : kVariables) out += "| " + code(v.name) + " | " + cell(v.doc) + " |\n";
  return out;
}

}  // namespace pyro::cli
