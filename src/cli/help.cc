#include "cli/help.h"

#include <algorithm>

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
  if (op.name == "run") {
    for (const ExitMeaning& m : kRunExitMeanings)
      rows.emplace_back(std::string(m.codes), std::string(m.meaning));
  } else {
    for (const ExitMeaning& m : kExitMeanings)
      rows.emplace_back(std::string(m.codes), std::string(m.meaning));
  }
  return rows;
}

std::string command_help(const Operation& op) {
  std::string out = "Usage: " + usage(op) + "\n\n" + std::string(op.summary) + ".\n";
  for (const std::string_view paragraph : op.description)
    out += "\n" + wrap(paragraph, 0, 0) + "\n";
  std::vector<Row> arguments;
  for (const Param& p : op.positionals)
    arguments.emplace_back(std::string(p.value_name), param_help(p));
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

std::string group_help(const std::string& name) {
  std::vector<Row> rows;
  for (const Operation& op : proto::operations()) {
    if (op.cli_path.size() == 2 && op.cli_path[0] == name) {
      rows.emplace_back(std::string(op.cli_path[1]), std::string(op.summary));
    }
  }
  std::string summary;
  for (const proto::Group& g : proto::groups()) {
    if (g.name == name) summary = g.summary;
  }
  return "Usage: pyro " + name + " COMMAND [OPTIONS]\n\n" + summary + ".\n" +
         table("Commands", rows) + table("Options", {kHelpRow}) + "\n\"pyro " + name +
         " COMMAND --help\" describes one command.\n";
}

std::string top_help() {
  std::vector<Row> rows;
  for (const Operation& op : proto::operations()) {
    if (op.cli_path.empty()) continue;
    std::string path;
    for (const std::string_view word : op.cli_path)
      path += (path.empty() ? "" : " ") + std::string(word);
    rows.emplace_back(std::move(path), std::string(op.summary));
  }
  return "Usage: pyro COMMAND [OPTIONS]\n\n"
         "Runs commands in throw-away microVMs of their own.\n" +
         table("Commands", rows) +
         table("Options", {kHelpRow, Row{.left = "-V, --version", .right = "Show the version"}}) +
         "\nFirst steps:\n"
         "  pyro doctor\n"
         "  pyro run debian:12 -- git --version\n"
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
  if (param.repeatable) out += " (may be repeated)";
  return out;
}

std::string option_synopsis(const Param& param) {
  return option_name(param.name) +
         (param.value_name.empty() ? "" : " " + std::string(param.value_name));
}

std::string usage(const Operation& op) {
  std::string out = command_name(op);
  if (!op.options.empty()) out += " [OPTIONS]";
  for (const Param& p : op.positionals) {
    out += p.type == ParamType::kCommand ? " -- COMMAND [ARG...]" : " " + std::string(p.value_name);
  }
  return out;
}

std::string help_text(const std::vector<std::string>& path) {
  if (path.empty()) return top_help();
  for (const Operation& op : proto::operations()) {
    if (!op.cli_path.empty() && std::ranges::equal(op.cli_path, path)) return command_help(op);
  }
  return group_help(path[0]);
}

}  // namespace pyro::cli
