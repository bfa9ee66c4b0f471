// The operations of network policies, and what others share with them. Constant data for the table
// of operations alone.
#pragma once

#include <algorithm>
#include <array>

#include "proto/operations_params.h"

namespace pyro::proto {

// Both lists in one, still in the order of their names.
template <std::size_t N, std::size_t M>
constexpr std::array<Field, N + M> sorted_fields(const std::array<Field, N>& a,
                                                 const std::array<Field, M>& b) {
  std::array<Field, N + M> out{};
  std::ranges::merge(a, b, out.begin(), {}, &Field::name, &Field::name);
  return out;
}

// ---- what a network policy is made of

inline constexpr std::array<std::string_view, 3> kNetworkPolicies{"off", "egress",
                                                                  "egress+published-ports"};
inline constexpr Param kNetworkPolicy{.name = "network_policy",
                                      .type = ParamType::kChoice,
                                      .value_name = "POLICY",
                                      .default_text = "off",
                                      .help = "Network of the guest; a rule makes it egress",
                                      .choices = kNetworkPolicies};
// Where it has no default: "off" must be said, and not saying it is no policy.
inline constexpr Param kNetworkPolicySaid{.name = kNetworkPolicy.name,
                                          .type = kNetworkPolicy.type,
                                          .value_name = kNetworkPolicy.value_name,
                                          .help = kNetworkPolicy.help,
                                          .choices = kNetworkPolicies};
inline constexpr Param kNetAllow{.name = "net_allow",
                                 .value_name = "RULE",
                                 .help = "Allow these endpoints and no others, as HOST:PORTS",
                                 .repeatable = true};
inline constexpr Param kNetDeny{.name = "net_deny",
                                .value_name = "RULE",
                                .help = "Deny these endpoints, whatever else allows them",
                                .repeatable = true};
inline constexpr Param kAllowUdp{
    .name = "allow_udp",
    .type = ParamType::kFlag,
    .help = "Allow the endpoints of --net-allow over UDP as well as over TCP"};
inline constexpr Param kAllowIcmp{.name = "allow_icmp",
                                  .type = ParamType::kFlag,
                                  .help = "Allow ICMP echo (ping) to the hosts of --net-allow"};
inline constexpr Param kPolicyFile{
    .name = "policy",
    .type = ParamType::kHostPath,
    .value_name = "FILE",
    .help = "Take the whole network policy from a TOML file, instead of all these options",
    .library_name = "policy_file"};
inline constexpr const char* kNetworkText =
    "--net-allow and --net-deny narrow the network to endpoints: HOST:PORTS, where HOST is a name, "
    "*.NAME, an address, a block such as 10.0.0.0/8, or *; a denied one stays denied. "
    "docs/reference/network-policies.md has the rules.";

inline constexpr std::array<Field, 7> kNetworkFields{{
    {.name = "allow", .type = FieldType::kStringList, .doc = "Rules, in their canonical form"},
    {.name = "allow_icmp", .type = FieldType::kBoolean, .doc = "As asked for"},
    {.name = "allow_udp", .type = FieldType::kBoolean, .doc = "As asked for"},
    {.name = "deny", .type = FieldType::kStringList, .doc = "Rules, in their canonical form"},
    {.name = "hash", .doc = "SHA-256 of the policy, in hexadecimal"},
    {.name = "policy", .doc = "off, egress or egress+published-ports"},
    {.name = "warnings", .type = FieldType::kStringList, .doc = "What to know about this policy"},
}};
inline constexpr Field kNetworkField{.name = "network",
                                     .type = FieldType::kObject,
                                     .doc = "What the guest may reach",
                                     .fields = kNetworkFields};

inline constexpr std::array<Field, 3> kNetworkAddressFields{{
    {.name = "gateway", .doc = "Router, name server and host.pyro.internal"},
    {.name = "guest", .doc = "Its own address"},
    {.name = "prefix_length", .type = FieldType::kInteger, .doc = "Leading bits of the network"},
}};
inline constexpr std::array<Field, 8> kLiveNetworkFields{{
    {.name = "addresses",
     .type = FieldType::kObjectList,
     .doc = "One for each family",
     .fields = kNetworkAddressFields},
    {.name = "counters", .type = FieldType::kNumberMap, .doc = "Since the engine began"},
    {.name = "drops",
     .type = FieldType::kNumberMap,
     .doc = "Frames that no honest guest sends, by reason"},
    {.name = "error", .doc = "Why there is no engine", .nullable = true},
    {.name = "policy_hash",
     .doc = "SHA-256 of the policy that the engine decides by",
     .nullable = true},
    {.name = "restarts", .type = FieldType::kInteger, .doc = "Engines that were replaced"},
    {.name = "running", .type = FieldType::kBoolean, .doc = "Without an engine: no network"},
    {.name = "sizes", .type = FieldType::kNumberMap, .doc = "Flows and pinned names, now"},
}};
inline constexpr Field kLiveNetworkField{.name = "live",
                                         .type = FieldType::kObject,
                                         .doc = "The engine of a guest that has a network",
                                         .nullable = true,
                                         .fields = kLiveNetworkFields};

// ---- policy check

inline constexpr std::array<std::string_view, 2> kPolicyCheckPath{"policy", "check"};
inline constexpr std::array<std::string_view, 1> kPolicyCheckText{
    "Reads a policy file as --policy would, and prints the policy in its canonical form, its hash "
    "and what there is to know about it. What is wrong is named with its line and column."};
inline constexpr std::array<Example, 1> kPolicyCheckExamples{
    {{"pyro policy check ./policy.toml", "Before it is used"}}};
inline constexpr std::array kPolicyCheckPositionals{Param{.name = "policy_file",
                                                          .type = ParamType::kHostPath,
                                                          .value_name = "FILE",
                                                          .help = "Policy file of the host"}};
inline constexpr std::array kPolicyCheckOptions{kJson};
inline constexpr std::array<Field, 1> kPolicyCheckFields{kNetworkField};
inline constexpr std::array kPolicyErrors{Errc::kInvalid, Errc::kNotFound, Errc::kDenied,
                                          Errc::kLimit, Errc::kInternal};

// ---- policy explain

inline constexpr std::array<std::string_view, 2> kPolicyExplainPath{"policy", "explain"};
inline constexpr std::array<std::string_view, 3> kPolicyExplainText{
    "Prints for each endpoint whether a policy allows it, by which of its rules, or why not. The "
    "policy is that of a workspace, or what the options say.",
    "An endpoint is tcp://HOST:PORT, udp://HOST:PORT or icmp://HOST, and HOST is a name or an "
    "address. Nobody is asked for the addresses of a name: the answer is for public ones, and says "
    "so.",
    "The same code decides in the network engine."};
inline constexpr std::array<Example, 3> kPolicyExplainExamples{
    {{"pyro policy explain fix tcp://github.com:443", "May the workspace fix do that?"},
     {"pyro policy explain --net-allow '*.example.com:443' tcp://www.example.com:443 "
      "icmp://example.com",
      "What would these options do?"},
     {"pyro policy explain --policy ./policy.toml tcp://10.0.0.1:22", "The same of a file"}}};
inline constexpr std::array kPolicyExplainPositionals{
    Param{.name = "words",
          .type = ParamType::kWorkspace,
          .value_name = "WORKSPACE|ENDPOINT",
          .help = "The workspace, unless options say the policy; then the endpoints",
          .repeatable = true,
          .cli_only = true}};
inline constexpr std::array kPolicyExplainLibraryOptions{
    Param{.name = "endpoints",
          .value_name = "ENDPOINT",
          .help = "What to ask about: tcp://HOST:PORT, udp://HOST:PORT or icmp://HOST",
          .repeatable = true,
          .required = true},
    Param{.name = "workspace_id",
          .type = ParamType::kWorkspace,
          .value_name = "WORKSPACE",
          .help = "The workspace whose policy it is, unless the other arguments say the policy"}};
inline constexpr std::array kPolicyExplainOptions{
    kNetworkPolicySaid, kNetAllow, kNetDeny, kAllowUdp, kAllowIcmp, kPolicyFile, kJson};
inline constexpr std::array<Field, 7> kExplanationFields{{
    {.name = "allow", .type = FieldType::kBoolean, .doc = "Whether it is allowed"},
    {.name = "assumed_public",
     .type = FieldType::kBoolean,
     .doc = "Whether it was decided as if the addresses of the name were public"},
    {.name = "detail", .doc = "The reason as a sentence"},
    {.name = "endpoint", .doc = "In its canonical form"},
    {.name = "reason", .doc = "rule, preset, denied, not-listed, special-range, ..."},
    {.name = "rule", .doc = "Text of the rule; null where none had a say", .nullable = true},
    {.name = "rule_id", .doc = "Its place, for example allow[2]; preset where none had a say"},
}};
inline constexpr std::array<Field, 2> kExplainFields{{
    {.name = "allow", .type = FieldType::kBoolean, .doc = "Whether all of them are allowed"},
    {.name = "endpoints",
     .type = FieldType::kObjectList,
     .doc = "In the order in which they were given",
     .fields = kExplanationFields},
}};
inline constexpr std::array kPolicyExplainErrors{
    Errc::kInvalid,     Errc::kNotFound, Errc::kDenied,  Errc::kLimit,
    Errc::kUnavailable, Errc::kConflict, Errc::kDamaged, Errc::kInternal};

// ---- smolfile render

inline constexpr std::array<std::string_view, 2> kSmolfileRenderPath{"smolfile", "render"};
inline constexpr std::array<std::string_view, 1> kSmolfileRenderText{
    "Prints a Smolfile of what a workspace is: environment, processors, memory, variables and "
    "network. A network policy that a Smolfile has no words for (ports, deny rules, UDP, ICMP) is "
    "refused: what is printed never allows more."};
inline constexpr std::array<Example, 1> kSmolfileRenderExamples{
    {{"pyro smolfile render fix > Smolfile", "For another one like it"}}};
inline constexpr std::array kSmolfileRenderPositionals{Param{.name = "workspace_id",
                                                             .type = ParamType::kWorkspace,
                                                             .value_name = "WORKSPACE",
                                                             .help = "Id or name of a workspace"}};

inline constexpr std::array<Field, 2> kSmolfileRenderFields{{
    {.name = "smolfile", .doc = "The text of the Smolfile"},
    {.name = "workspace_id", .doc = "Id of the workspace"},
}};

inline constexpr std::array<Operation, 3> kPolicyOperations{{
    {.name = "policy.check",
     .method = "check_policy",
     .tool = "policy_check",
     .cli_path = kPolicyCheckPath,
     .summary = "Check a network policy file",
     .description = kPolicyCheckText,
     .positionals = kPolicyCheckPositionals,
     .options = kPolicyCheckOptions,
     .result = kPolicyCheckFields,
     .errors = kPolicyErrors,
     .examples = kPolicyCheckExamples,
     .effects = kReads},
    {.name = "policy.explain",
     .method = "explain_policy",
     .tool = "policy_explain",
     .cli_path = kPolicyExplainPath,
     .summary = "Say what a network policy allows, and by which rule",
     .description = kPolicyExplainText,
     .positionals = kPolicyExplainPositionals,
     .options = kPolicyExplainOptions,
     .result = kExplainFields,
     .errors = kPolicyExplainErrors,
     .examples = kPolicyExplainExamples,
     .exit_codes = ExitCodes::kAnswer,
     .library_options = kPolicyExplainLibraryOptions,
     .effects = kReads},
    {.name = "smolfile.render",
     .method = "render_smolfile",
     .tool = "smolfile_render",
     .cli_path = kSmolfileRenderPath,
     .summary = "Write a Smolfile of a workspace",
     .description = kSmolfileRenderText,
     .positionals = kSmolfileRenderPositionals,
     .errors = kPolicyExplainErrors,
     .examples = kSmolfileRenderExamples,
     .library_result = kSmolfileRenderFields,
     .effects = kReads},
}};
inline constexpr std::array<std::string_view, 1> kPolicyPath{"policy"};
inline constexpr std::array<std::string_view, 1> kSmolfilePath{"smolfile"};
inline constexpr std::array<Group, 2> kPolicyGroups{{
    {kPolicyPath, "Understand network policies"},
    {kSmolfilePath, "Write Smolfiles"},
}};

}  // namespace pyro::proto
