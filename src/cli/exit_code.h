// What pyro's exit codes mean. In JSON, error.code says more.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/result.h"
#include "proto/operations.h"

namespace pyro::cli {

enum Exit : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitDenied = 3,
  kExitUnavailable = 4,
  kExitDeadline = 5,
  kExitNo = 6,            // policy explain: an endpoint is not allowed
  kExitTimeout = 124,     // run, workspace exec: --timeout-seconds ended the command
  kExitPyro = 125,        // the same and shell attach: pyro itself failed, also for wrong usage
  kExitBrokenPipe = 141,  // 128 + SIGPIPE: nobody reads standard output any more
};

struct ExitMeaning {
  std::string_view codes;
  std::string_view meaning;
};
inline constexpr std::array<ExitMeaning, 6> kExitMeanings{{
    {"0", "done"},
    {"1", "failed"},
    {"2", "wrong usage"},
    {"3", "not permitted"},
    {"4", "the host cannot do it now"},
    {"5", "it took too long"},
}};
inline constexpr std::array<ExitMeaning, 6> kRunExitMeanings{{
    {"N", "the command's own exit code"},
    {"124", "the command was stopped by --timeout-seconds"},
    {"125", "pyro itself failed, or wrong usage"},
    {"126", "the command cannot be executed"},
    {"127", "the command was not found"},
    {"128+n", "signal n ended the command"},
}};
inline constexpr std::array<ExitMeaning, 4> kAttachExitMeanings{{
    {"0", "detached"},
    {"N", "the exit code of the shell, which has ended"},
    {"125", "pyro itself failed, or wrong usage"},
    {"128+n", "signal n ended the shell, or the attachment"},
}};
inline constexpr std::array<ExitMeaning, 4> kAnswerExitMeanings{{
    {"0", "every endpoint is allowed"},
    {"6", "at least one of them is not"},
    {"2", "wrong usage"},
    {"1, 3, 4, 5", "as of other commands: there is no answer"},
}};
constexpr std::span<const ExitMeaning> exit_meanings(proto::ExitCodes codes) {
  switch (codes) {
    case proto::ExitCodes::kCommand:
      return kRunExitMeanings;
    case proto::ExitCodes::kShell:
      return kAttachExitMeanings;
    case proto::ExitCodes::kAnswer:
      return kAnswerExitMeanings;
    default:
      return kExitMeanings;
  }
}

// Of every command but those with an exit code of the guest (run, workspace exec, shell attach),
// whose own errors are all kExitPyro.
constexpr int exit_code_for(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return kExitUsage;
    case Errc::kDenied:
      return kExitDenied;
    case Errc::kUnavailable:
      return kExitUnavailable;
    case Errc::kDeadline:
      return kExitDeadline;
    default:
      return kExitFailed;
  }
}

}  // namespace pyro::cli
