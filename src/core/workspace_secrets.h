// The secrets of a workspace: <folder>/secrets.json (0600), and nowhere else on the host. They are
// sent to the guest over the agent's channel.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/json.h"

namespace pyro::core {

inline constexpr std::size_t kMostSecret = 64U << 10;  // bytes of a value
inline constexpr std::size_t kMostSecrets = 64;

using Secrets = std::map<std::string, std::string>;  // by name

// Names are [A-Za-z_][A-Za-z0-9_]* of at most 128 bytes; values are UTF-8 of kLeastSecret to
// kMostSecret bytes. kInvalid never has a value in it.
Result<void> check_secret(const std::string& name, const std::string& value);

Result<void> write_secrets(const std::string& folder, const Secrets& secrets);
Result<void> remove_secrets(const std::string& folder);
// None when there is no such file.
Result<Secrets> read_secrets(const std::string& folder);

// Secrets are in no record. kInvalid when the value of one stands in `text`; `where` is what the
// user gave it in, and `instead` how a program gets it, the secret's name after it.
Result<void> check_recordable(const Secrets& secrets, std::string_view text, std::string_view where,
                              std::string_view instead);

// `text` as it can be shown.
std::string redacted(const Secrets& secrets, const std::string& text);
// The words of a command as one line for a shell.
std::string redacted_line(const Secrets& secrets, std::vector<std::string> words);
// What is in the strings of an object, however deep: its keys are ours.
boost::json::object redacted(const Secrets& secrets, boost::json::object object);
// An error as it can be shown, of which parts come from the guest: printable too.
Error safe(Error error, const Secrets& secrets);

}  // namespace pyro::core
