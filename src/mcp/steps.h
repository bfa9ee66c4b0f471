// How far a call is, for a client: numbers that grow, whatever the library knows.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "api/api.h"
#include "base/stopwatch.h"
#include "mcp/provider.h"

namespace pyro::mcp {

// Phases come one after the other, each with a part that is done where that is known; not more than
// a hundred reports of each. Between them something is said at each beat: the request timeouts of
// clients begin anew with every report, and with nothing else.
class Steps {
 public:
  // `call` is borrowed; `what` stands for the phase as long as there is none.
  Steps(Call& call, std::string_view what);
  ~Steps();
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  void take(const api::Progress& progress);

 private:
  void beat();

  Call& call_;
  const Stopwatch since_;
  std::mutex mutex_;
  std::string phase_, text_;
  std::int64_t phases_ = 0;
  double said_ = 0;         // what the library knows of
  std::int64_t beats_ = 0;  // since then
};

}  // namespace pyro::mcp
