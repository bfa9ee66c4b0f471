#include "cli/help.h"

#include <algorithm>
#include <span>

#include "cli/exit_code.h"
#include "cli/parse.h"

namespace pyro::cli {
namespace {

using proto::Operation;
using proto::Param;
using proto::ParamType;

constexpr std::size_t kWidth = 80;

// `text` in lines of at most kWidth columns, every line but the first indented.
std::string wrap(std::string_view text, std::size_t indent, std::size_t first_column) {
  std::string out;
  std::size_t column = first_column;
  bool line_is_empty = true;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (!line_is_empty && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      line_is_empty = true;
    }
    if (!line_is_empty) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    line_is_empty = false;
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out;
}

struct Row {
  std::string left, right;
};

std::string table(std::string_view title, const std::vector<Row>& rows) {
  if (rows.empty()) return "";
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.left.size());
  std::string out = "\n" + std::string(title) + ":\n";
  for (const Row& row : rows) {
    out += "  " + row.left + std::string(width - row.left.size() + 2, ' ');
    out += wrap(row.right, width + 4, width + 4) + "\n";
  }
  return out;
}

const Row kHelpRow{.left = "-h, --help", .right = "Show this help"};

std::vector<Row> exit_rows(const Operation& op) {
  std::vector<Row> rows;
  for (const ExitMeaning& m : exit_meanings(op.exit_codes))
    rows.emplace_back(std::string(m.codes), std::string(m.meaning));
  return rows;
}

std::string command_help(const Operation& op) {
  std::string out = "Usage: " + usage(op) + "\n\n" + std::string(op.summary) + ".\n";
  for (const std::string_view paragraph : op.description)
    out += "\n" + wrap(paragraph, 0, 0) + "\n";
  std::vector<Row> arguments;
  for (const Param& p : op.positionals)
    arguments.emplace_back(positional_synopsis(p), param_help(p));
  out += table("Arguments", arguments);
  std::vector<Row> options;
  for (const Param& p : op.options) options.emplace_back(option_synopsis(p), param_help(p));
  options.push_back(kHelpRow);
  out += table("Options", options);
  out += table("Exit codes", exit_rows(op));
  out += "\nExamples:\n";
  for (const proto::Example& e : op.examples) {
    out += "  # " + std::string(e.doc) + "\n  " + std::string(e.command) + "\n";
  }
  return out;
}

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : " ") + std::string(word);
  return out;
}

// The commands below a group, named as they are after it.
std::vector<Row> command_rows(std::span<const std::string_view> group, std::size_t named_from) {
  std::vector<Row> rows;
  for (const Operation& op : proto::operations()) {
    if (op.cli_path.size() <= group.size()) continue;
    if (!std::ranges::equal(op.cli_path.first(group.size()), group)) continue;
    rows.emplace_back(joined(op.cli_path.subspan(named_from)), std::string(op.summary));
  }
  return rows;
}

std::string group_help(const proto::Group& group) {
  const std::string name = "pyro " + joined(group.path);
  return "Usage: " + name + " COMMAND [OPTIONS]\n\n" + std::string(group.summary) + ".\n" +
         table("Commands", command_rows(group.path, group.path.size())) +
         table("Options", {kHelpRow}) + "\n\"" + name +
         " COMMAND --help\" describes one command.\n";
}

// A command that others are below of (demo).
bool is_command(std::span<const std::string_view> path) {
  return std::ranges::any_of(proto::operations(), [&](const Operation& op) {
    return !op.cli_path.empty() && std::ranges::equal(op.cli_path, path);
  });
}

std::string top_help() {
  std::vector<Row> single;
  for (const Operation& op : proto::operations()) {
    if (op.cli_path.empty() || !is_command(op.cli_path.first(1))) continue;
    single.emplace_back(joined(op.cli_path), std::string(op.summary));
  }
  std::string groups;
  for (const proto::Group& group : proto::groups()) {
    if (group.path.size() == 1 && !is_command(group.path))
      groups += table(group.summary, command_rows(group.path, 0));
  }
  return "Usage: pyro COMMAND [OPTIONS]\n\n"
         "Runs commands in microVMs of their own.\n" +
         table("Commands", single) + groups +
         table("Options", {kHelpRow, Row{.left = "-V, --version", .right = "Show the version"}}) +
         "\nFirst steps:\n"
         "  pyro doctor\n"
         "  pyro run debian:12 -- git --version\n"
         "  pyro workspace create debian:12 --seed-path .\n"
         "\n\"pyro COMMAND --help\" describes one command.\n";
}

}  // namespace

std::string param_help(const Param& param) {
  std::string out(param.help);
  if (param.type == ParamType::kInteger) {
    out += ", " + std::to_string(param.min) + " to " + std::to_string(param.max);
  }
  if (param.type == ParamType::kChoice) {
    out += ": ";
    for (std::size_t i = 0; i < param.choices.size(); ++i) {
      out += (i == 0 ? "" : ", ") + std::string(param.choices[i]);
    }
  }
  if (!param.default_text.empty()) out += " [default: " + std::string(param.default_text) + "]";
  if (param.required) out += " (must be given)";
  if (param.repeatable) out += " (may be repeated)";
  return out;
}

std::string positional_synopsis(const Param& param) {
  const std::string name = std::string(param.value_name) + (param.repeatable ? "..." : "");
  return param.optional ? "[" + name + "]" : name;
}

std::string usage(const Operation& op) {
  std::string out = command_name(op);
  if (!op.options.empty()) out += " [OPTIONS]";
  for (const Param& p : op.options) {
    if (p.required) out += " " + option_synopsis(p);
  }
  for (const Param& p : op.positionals) {
    out += p.type == ParamType::kCommand ? " -- COMMAND [ARG...]" : " " + positional_synopsis(p);
  }
  return out;
}

std::string help_text(const std::vector<std::string>& path) {
  if (path.empty()) return top_help();
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty() && std::ranges::equal(op.cli_path, path)) return command_help(op);
  }
  for (const proto::Group& group : proto::groups()) {
    if (std::ranges::equal(group.path, path)) return group_help(group);
  }
  return top_help();
}

}  // namespace pyro::cli
