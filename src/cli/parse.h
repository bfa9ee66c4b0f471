// Words of the command line -> what is asked for, by the table of operations.
//
// A parser of our own and not CLI11: the words after "--" must stay as they are even when they look
// like options, every refusal must name its next step, and building CLI11's objects for every
// command costs more than the whole of `pyro --version`.
//
// What is wrong with a secret is said without repeating any of it: even the part before its '=' may
// be the start of a value.
//
// Rules: options may stand before, between and after positionals, as "--name value" or
// "--name=value", never shortened; "--" ends them. Where a command takes words for a guest, those
// must follow "--".
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "proto/operations.h"

namespace pyro::cli {

struct Invocation {
  enum class Kind : std::uint8_t {
    kCommand,
    kHelp,  // path says of what
    kVersion,
    kManPage,       // pyro help --man (not shown in help: for packaging)
    kReference,     // pyro help --markdown (the same)
    kEnvironments,  // pyro help --environments: one name a line (for completion scripts)
    kWorkspaces,    // pyro help --workspaces: the same
    kShells,        // pyro help --shells WORKSPACE: the same; path holds the workspace
    kServices,      // pyro help --services WORKSPACE: the same
  };
  Kind kind = Kind::kCommand;
  const proto::Operation* operation = nullptr;  // kCommand
  std::vector<std::string> path;                // kHelp: {}, {"env"}, {"env", "pull"}
  std::vector<std::pair<std::string_view, std::string>> values;  // by parameter name, as given
  std::vector<std::string> command;                              // the words after "--"

  [[nodiscard]] bool flag(std::string_view name) const;  // also: whether a value was given
  // As given, else the default; "" when there is neither. Checked by the parser already.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] int integer(std::string_view name) const;
  [[nodiscard]] std::int64_t integer64(std::string_view name) const;
  // nullopt unless it was given.
  [[nodiscard]] std::optional<int> given_integer(std::string_view name) const;
  // Every value of one that may be repeated, in the order given.
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  // The same for NAME=VALUE; of NAME alone the value is NAME.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> pairs(std::string_view name) const;
};

struct ParseFailure {
  Error error;                                  // always kInvalid
  const proto::Operation* operation = nullptr;  // when that much was understood
  bool json = false;                            // --json was among the words
};

// `words` without the program's name.
std::expected<Invocation, ParseFailure> parse(std::span<const std::string> words);

// "vcpu_count" -> "--vcpu-count".
std::string option_name(std::string_view param);
// "--vcpu-count N".
std::string option_synopsis(const proto::Param& param);
// For values that do not fit together: kInvalid, with the command's help as the next step.
std::unexpected<Error> refuse(const Invocation& call, std::string message);
// "pyro env pull".
std::string command_name(const proto::Operation& operation);

}  // namespace pyro::cli
