// Parameters that several operations share. Constant data for the table of operations alone.
#pragma once

#include <array>

#include "proto/limits.h"
#include "proto/operations.h"

namespace pyro::proto {

// What a call does to what is there already.
inline constexpr Effects kReads{.read_only = true, .idempotent = true};
inline constexpr Effects kReplaces{.destructive = true, .idempotent = true};
inline constexpr Effects kRunsApart{.open_world = true};  // in a machine of its own
inline constexpr Effects kRunsAnything{.destructive = true, .open_world = true};

inline constexpr Param kEnvironmentParam{
    .name = "environment",
    .type = ParamType::kEnvironment,
    .value_name = "ENVIRONMENT",
    .help = "Name of an environment of the catalogue, for example debian:12"};
inline constexpr Param kEnvironmentOrFile{.name = "environment",
                                          .type = ParamType::kEnvironment,
                                          .value_name = "ENVIRONMENT",
                                          .help = kEnvironmentParam.help,
                                          .unless = "smolfile"};
inline constexpr Param kSmolfile{.name = "smolfile",
                                 .type = ParamType::kHostPath,
                                 .value_name = "FILE",
                                 .help = "Take from a Smolfile what is not given here",
                                 .cli_only = true};
inline constexpr Param kVmIdParam{
    .name = "vm_id", .value_name = "VM_ID", .help = "Id that create_vm returned"};
inline constexpr Param kVcpuCount{.name = "vcpu_count",
                                  .type = ParamType::kInteger,
                                  .value_name = "N",
                                  .default_text = "1",
                                  .help = "Virtual CPUs of the guest",
                                  .min = kVcpuCountRange.low,
                                  .max = kVcpuCountRange.high};
inline constexpr Param kMemMib{.name = "mem_mib",
                               .type = ParamType::kInteger,
                               .value_name = "N",
                               .default_text = "1024",
                               .help = "Memory of the guest in MiB",
                               .min = kMemMibRange.low,
                               .max = kMemMibRange.high};
inline constexpr Param kTimeoutSeconds{
    .name = "timeout_seconds",
    .type = ParamType::kInteger,
    .value_name = "N",
    .default_text = "30",
    .help = "Stop the command after this many seconds, counted from its start",
    .min = kTimeoutSecondsRange.low,
    .max = kTimeoutSecondsRange.high};
inline constexpr Param kTtlSeconds{.name = "ttl_seconds",
                                   .type = ParamType::kInteger,
                                   .value_name = "N",
                                   .default_text = "600",
                                   .help = "Delete the VM at the latest after this many seconds",
                                   .min = kTtlSecondsRange.low,
                                   .max = kTtlSecondsRange.high};
inline constexpr Param kNetwork{.name = "network",
                                .type = ParamType::kFlag,
                                .help = "The short form of --network-policy egress"};
inline constexpr Param kAllowHostCompat{.name = "allow_host_compat",
                                        .type = ParamType::kFlag,
                                        .help =
                                            "Allow a weaker backend when no guest can run; this "
                                            "version has none, so it changes nothing"};
inline constexpr std::array<std::string_view, 2> kBootChoices{"template", "cold"};
inline constexpr Param kBoot{.name = "boot",
                             .type = ParamType::kChoice,
                             .value_name = "HOW",
                             .default_text = "template",
                             .help = "Clone a booted template, or boot a kernel for this VM alone",
                             .choices = kBootChoices};
inline constexpr Param kJson{.name = "json",
                             .type = ParamType::kFlag,
                             .help = "Print one JSON object on standard output instead of text",
                             .cli_only = true};

inline constexpr std::string_view kTruncatedDoc =
    "Whether something is left out: what is written after 64 MiB, over MCP after 1 MiB";

inline constexpr Param kCommandParam{
    .name = "command",
    .type = ParamType::kCommand,
    .value_name = "COMMAND",
    .help =
        "Program and arguments; they reach the guest word for word, "
        "without a shell"};
inline constexpr Param kCommandOrFile{.name = kCommandParam.name,
                                      .type = kCommandParam.type,
                                      .value_name = kCommandParam.value_name,
                                      .help = kCommandParam.help,
                                      .unless = "smolfile"};
inline constexpr const char* kSmolfileText =
    "--smolfile reads a Smolfile: image, cpus, memory, env, workdir, entrypoint, cmd, init, ports, "
    "net and [network]. What is given on the command line goes before it. "
    "docs/reference/smolfiles.md says what each key becomes.";

}  // namespace pyro::proto
