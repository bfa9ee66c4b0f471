// The one table of operations: names, parameters, results and errors of everything pyro offers.
//
// Command line, help, completion, manual page and reference pages are made from it; the other
// surfaces (C++, Python, MCP) are made from it or checked against it. All of it is constant data:
// nothing runs before main() and nothing is allocated.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace pyro::proto {

enum class ParamType : std::uint8_t {
  kFlag,         // present or absent; a boolean elsewhere
  kInteger,      // min..max, both included
  kString,       // any text
  kChoice,       // one of choices
  kEnvironment,  // the name of a catalogue entry
  kWorkspace,    // the id or the name of a workspace
  kShell,        // the id of a shell of the workspace
  kService,      // the name of a service of the workspace
  kHostPath,     // a file or folder of the host
  kPair,         // NAME=VALUE on the command line, repeatable; elsewhere a map
  kCommand,      // words after "--" on the command line; elsewhere a list of words, or a string
                 // for /bin/sh -c
};

struct Param {
  std::string_view name;  // snake_case; the command line says --snake-case
  ParamType type = ParamType::kString;
  std::string_view value_name;                // in usage lines: N, ENVIRONMENT; empty for flags
  std::string_view default_text;              // empty: no default
  std::string_view help;                      // one sentence without a full stop
  std::int64_t min = 0, max = 0;              // kInteger
  std::span<const std::string_view> choices;  // kChoice
  bool repeatable = false;
  bool optional = false;        // a positional that may be left out; only the last
  std::string_view unless;      // an option with which a positional may be left out
  bool required = false;        // an option that must be given
  bool identifier = false;      // kPair: the name is [A-Za-z_][A-Za-z0-9_]*
  bool value_optional = false;  // kPair: NAME alone will do
  bool secret = false;          // no message repeats what was given
  bool cli_only = false;        // means nothing to a library call (--json)
};

enum class FieldType : std::uint8_t {
  kString,
  kInteger,
  kNumber,
  kBoolean,
  kObject,
  kStringList,
  kObjectList,
  kNumberMap,   // names that depend on the host; every value a number
  kStringMap,   // names that a person chose; every value a string
  kFreeObject,  // its fields depend on something else, which doc names
};

struct Field {
  std::string_view name;
  FieldType type = FieldType::kString;
  std::string_view doc;
  bool nullable = false;
  bool optional = false;          // left out where doc says so; every other field is always there
  std::span<const Field> fields;  // kObject, kObjectList
};

struct Example {
  std::string_view command;
  std::string_view doc;
};

// What the exit code of a command line means (cli/exit_code.h).
enum class ExitCodes : std::uint8_t {
  kPyro,     // how it went
  kCommand,  // that of a command in the guest
  kShell,    // that of a shell, or 0 when it goes on
  kAnswer,   // yes or no, or how it went
};

struct Operation {
  std::string_view name;                          // dotted, unique
  std::string_view method;                        // in a library: list_environments; may be empty
  std::string_view tool;                          // in MCP: vm_list_environments; may be empty
  std::span<const std::string_view> cli_path;     // {"env", "list"}; empty: not on the command line
  std::string_view summary;                       // one sentence without a full stop
  std::span<const std::string_view> description;  // paragraphs
  std::span<const Param> positionals;  // in order; the last may be optional or repeatable
  std::span<const Param> options;
  std::span<const Field> result;  // the JSON object; empty: the command has no --json
  std::span<const Errc> errors;
  std::span<const Example> examples;
  ExitCodes exit_codes = ExitCodes::kPyro;
};

// A place of the command line that only holds other commands.
struct Group {
  std::span<const std::string_view> path;  // {"workspace", "sync"}
  std::string_view summary;
};

// In the order in which help lists them.
std::span<const Operation> operations();
std::span<const Group> groups();
// nullptr when there is none.
const Operation* find_operation(std::string_view name);
// Of an operation's positionals and options; nullptr when there is none.
const Param* find_param(const Operation& operation, std::string_view name);
// The words for a guest, when the operation takes such.
const Param* find_command(const Operation& operation);

}  // namespace pyro::proto
