// The attempts to get out of a policy, as data: probes.cc is the whole suite at a glance.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"

namespace pyro::escape {

// A policy as a user gives it: egress with these.
struct Rules {
  std::vector<std::string> allow, deny;
  bool allow_udp = false, allow_icmp = false;
  bool off = false;  // no network device at all
};
// kInvalid: the list is wrong.
Result<policy::Policy> policy_of(const Rules& rules);

// What takes more than a policy and one program in the guest.
enum class Scenario : std::uint8_t {
  kNone,
  kRuleRemoved,   // while a connection that it allowed talks
  kEngineKilled,  // while a connection talks
  kSynFlood,
  kTunnelRate,
  kOtherSandbox,  // its published port
  kAfterStop,     // stopped and started
  kAfterReset,
  kAfterSnapshot,  // a reset to one that was made under another policy
  kRun,            // pyro run instead of a workspace
  kOff,
};

// Words are those of pyro-probe (src/probe/commands.h), apart by blanks, with "_" for a blank
// inside of one. {engine}, {engine6}, {guest}, {guest6} and {mac} (the engine's) stand for
// addresses of the link; {frame} is "frame {mac} {guest}", {frame6} the same for IPv6.
struct Probe {
  std::string name;     // unique; [a-z0-9-]+
  std::string attempt;  // a sentence
  Rules rules;
  std::string first;  // done before, and has to work; empty: nothing
  std::string words;
  // How it looks to the guest: an errno, a response code of DNS, or what the probe said.
  std::string sees;
  // Why: the reason of an event of the engine that refuses, or "dropped: " and what its counter of
  // frames is called. Empty: there is no engine.
  std::string why;
  // All that may arrive in the world, as "PROTOCOL ADDRESS" or "PROTOCOL ADDRESS PORT".
  std::vector<std::string> arrives;
  // The same thing, allowed: it must work.
  struct Control {
    Rules rules;
    std::string words;  // empty: the same
    std::string says;   // what the probe says then; empty: anything
  } control;
  Scenario scenario = Scenario::kNone;
};

// In the order in which they run.
const std::vector<Probe>& probes();

}  // namespace pyro::escape
