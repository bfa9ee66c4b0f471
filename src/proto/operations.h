// The one table of operations: names, parameters, results and errors of everything pyro offers.
//
// Command line, help, completion, manual page and reference pages are made from it; the other
// surfaces (C++, Python, MCP) are made from it or checked against it. All of it is constant data:
// nothing runs before main() and nothing is allocated.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pyro::proto {

enum class ParamType : std::uint8_t {
  kFlag,         // present or absent; a boolean elsewhere, false unless default_text is "true"
  kInteger,      // min..max, both included
  kString,       // any text
  kChoice,       // one of choices
  kEnvironment,  // the name of a catalogue entry
  kWorkspace,    // the id or the name of a workspace
  kShell,        // the id of a shell of the workspace
  kService,      // the name of a service of the workspace
  kHostPath,     // a file or folder of the host
  kPair,     // NAME=VALUE on the command line, repeatable; elsewhere a map, and where the value is
             // optional a list of names will do
  kCommand,  // words after "--" on the command line; elsewhere a list of words, or a string
             // for /bin/sh -c
  kObject,   // libraries only: an object with `fields`
  kObjectList,  // libraries only: a list of such
};

struct Param {
  std::string_view name;  // snake_case; the command line says --snake-case
  ParamType type = ParamType::kString;
  std::string_view value_name;                // in usage lines: N, ENVIRONMENT; empty for flags
  std::string_view default_text;              // empty: no default
  std::string_view help;                      // one sentence without a full stop
  std::int64_t min = 0, max = 0;              // kInteger
  std::span<const std::string_view> choices;  // kChoice
  bool repeatable = false;                    // elsewhere a list
  bool optional = false;                      // a positional that may be left out; only the last
  std::string_view unless;                    // an option with which a positional may be left out
  bool required = false;                      // an option that must be given
  bool identifier = false;                    // kPair: the name is [A-Za-z_][A-Za-z0-9_]*
  bool value_optional = false;                // kPair: NAME alone will do
  bool secret = false;                        // no message repeats what was given
  bool cli_only = false;  // no argument of a library call: it means nothing there (--json), or
                          // library_options say the same in another way
  bool one_in_library = false;  // repeatable and optional on the command line; a library needs one
  bool content = false;         // kString: what a file holds or a terminal gets, so any characters
  std::string_view library_name;  // what a library calls it, when that is not `name`
  char letter = 0;                // kFlag: on the command line -v as well; 0: none
  std::span<const Param> fields;  // kObject, kObjectList
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

// What a call does to what is there already, for those who ask before they let it happen.
struct Effects {
  bool read_only = false;    // changes nothing
  bool destructive = false;  // may take away or replace what is there
  bool idempotent = false;   // a second call with the same arguments changes nothing more
  bool open_world = false;   // may reach beyond this host
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
  std::span<const Param> library_options;  // what a library is told beside or instead of the above
  std::span<const Field> library_result;   // where `result` is empty
  Effects effects;
};

// A place of the command line that holds other commands. It may be a command itself (demo), which
// then takes no positionals.
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

// An argument of a library call.
struct Argument {
  const Param* param = nullptr;
  std::string_view name;
  bool positional = false;  // in Python it may be given by its place
  bool required = false;
  bool list = false;  // of what `param` says
};
// In the order of the table: the positional ones first.
std::vector<Argument> library_arguments(const Operation& operation);

// Of what a library call gives.
std::span<const Field> result_fields(const Operation& operation);

// The words for a guest, when the operation takes such.
const Param* find_command(const Operation& operation);

}  // namespace pyro::proto
