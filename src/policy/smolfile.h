// Smolfiles: what people wrote for smolvm, read for the keys that mean something here.
// docs/reference/smolfiles.md says what each becomes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace pyro::policy {

inline constexpr std::size_t kMostSmolfile = 1U << 20;  // bytes

struct SmolfilePort {
  std::uint16_t host = 0, guest = 0;  // 1..65535
  bool operator==(const SmolfilePort&) const = default;
};

struct Smolfile {
  std::string image;                             // may be empty; not checked
  std::vector<std::string> entrypoint, cmd;      // words
  std::map<std::string, std::string> env;        // names are not empty
  std::string workdir;                           // may be empty, else absolute
  std::optional<std::int64_t> cpus, memory_mib;  // above 0
  std::optional<bool> net;
  std::vector<SmolfilePort> ports;
  std::vector<std::string> init;  // for a shell
  std::vector<Rule> allow;        // allow_hosts, then allow_cidrs: every TCP port of each

  [[nodiscard]] bool has_network() const { return net.value_or(false) || !allow.empty(); }
  // Canonical TOML: parses to the same.
  [[nodiscard]] std::string text() const;
  bool operator==(const Smolfile&) const = default;
};

// kInvalid, with its line: no TOML, a key that is not read (one of smolvm's or none at all), a
// value that is wrong; ports or rules without a network. kLimit: too long, too many rules.
Result<Smolfile> parse_smolfile(std::string_view text);

// Of these values, which are all that a Smolfile can say of a sandbox. kInvalid names what it has
// no words for: rules with ports or a protocol, deny rules, other characters than ASCII.
Result<Smolfile> smolfile_of(Smolfile values, const Policy& policy);

}  // namespace pyro::policy
