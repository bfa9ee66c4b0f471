// The operations that try pyro itself. Constant data for the table of operations alone.
#pragma once

#include <array>

#include "proto/operations_params.h"

namespace pyro::proto {

inline constexpr std::array<Field, 9> kProbeFields{{
    {.name = "attempt", .doc = "What was tried"},
    {.name = "control", .doc = "What came of the same thing when it was allowed"},
    {.name = "name", .doc = "Of the probe"},
    {.name = "passed",
     .type = FieldType::kBoolean,
     .doc = "Whether it was stopped for that reason, and the control worked"},
    {.name = "problems", .type = FieldType::kStringList, .doc = "What was not as it should be"},
    {.name = "refused_ms", .type = FieldType::kInteger, .doc = "Until the guest knew"},
    {.name = "saw", .doc = "How it looked to the guest: an errno, an answer"},
    {.name = "tries",
     .type = FieldType::kInteger,
     .doc = "How often it was made: again when something came too late, never when something got "
            "out"},
    {.name = "why", .doc = "The engine's reason, or what its count of dropped frames is called"},
}};
inline constexpr std::array<Field, 5> kSelftestFields{{
    {.name = "backend", .doc = "The isolation backend that was tried"},
    {.name = "duration_ms", .type = FieldType::kInteger, .doc = "Of all of it"},
    {.name = "environment", .doc = "Of the guests"},
    {.name = "passed", .type = FieldType::kBoolean, .doc = "Whether every probe passed"},
    {.name = "probes",
     .type = FieldType::kObjectList,
     .doc = "In the order in which they ran",
     .fields = kProbeFields},
}};

inline constexpr Param kBackendParam{.name = "backend",
                                     .value_name = "NAME",
                                     .default_text = "qemu",
                                     .help = "Isolation backend to try; there is only qemu"};
inline constexpr std::array kEscapeOptions{
    kBackendParam,
    Param{.name = "probe",
          .value_name = "NAME",
          .help = "Run only this probe; may be given several times",
          .repeatable = true},
    Param{.name = "markdown",
          .type = ParamType::kFlag,
          .help = "Print a table for a page instead of text"},
    kJson};
inline constexpr std::array kSmokeOptions{kBackendParam, kJson};
inline constexpr std::array<std::string_view, 2> kEscapePath{"selftest", "escape"};
inline constexpr std::array<std::string_view, 2> kSmokePath{"selftest", "smoke"};
inline constexpr std::array<std::string_view, 4> kEscapeText{
    "Tries to get out of the network policy of a sandbox, in some seventy ways, from inside of a "
    "guest "
    "on this machine. For each it says whether it was stopped, by what, and that the same thing "
    "works "
    "when it is allowed.",
    "The guest's traffic goes into a world made for the purpose, in network namespaces of this "
    "user: "
    "an internet, a LAN, a metadata service and a host with programs on its loopback. Nothing of "
    "it "
    "touches the real network, and no rights are needed beyond user namespaces.",
    "A probe passes only when the guest was refused within two seconds, the engine said why, "
    "nothing "
    "arrived in the world, and the control worked. One that could not be tried has failed.",
    "Progress goes to standard error. The exit code is 0 only when every probe passed. What the "
    "suite "
    "made is removed at the end, also after Ctrl-C."};
inline constexpr std::array<std::string_view, 2> kSmokeText{
    "Starts a service in a workspace, waits until it is ready, reads from its published port on "
    "the "
    "host, reads its log and stops it; and looks that a workspace without a network has no network "
    "device.",
    "The exit code is 0 only when both passed."};
inline constexpr std::array<Example, 2> kEscapeExamples{{
    {"pyro selftest escape", "Try all of it on this machine"},
    {"pyro selftest escape --probe lan --probe metadata", "Try two"},
}};
inline constexpr std::array<Example, 1> kSmokeExamples{
    {{"pyro selftest smoke", "Do services and policies work here?"}}};
inline constexpr std::array kSelftestErrors{Errc::kInvalid,  Errc::kDenied,   Errc::kUnavailable,
                                            Errc::kDeadline, Errc::kConflict, Errc::kInternal};

inline constexpr std::array<Operation, 2> kSelftestOperations{{
    {.name = "selftest.escape",
     .cli_path = kEscapePath,
     .summary = "Try to get out of the network policy of a sandbox",
     .description = kEscapeText,
     .options = kEscapeOptions,
     .result = kSelftestFields,
     .errors = kSelftestErrors,
     .examples = kEscapeExamples},
    {.name = "selftest.smoke",
     .cli_path = kSmokePath,
     .summary = "Try a published service, and a sandbox without a network",
     .description = kSmokeText,
     .options = kSmokeOptions,
     .result = kSelftestFields,
     .errors = kSelftestErrors,
     .examples = kSmokeExamples},
}};
inline constexpr std::array<std::string_view, 1> kSelftestPath{"selftest"};
inline constexpr std::array<Group, 1> kSelftestGroups{
    {{kSelftestPath, "Try what pyro promises, on this machine"}}};

}  // namespace pyro::proto
