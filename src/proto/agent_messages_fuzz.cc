// What the agent in a guest is told, and says.
#include "proto/agent_messages.h"
#include "proto/message_fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::proto;  // NOLINT(google-build-using-namespace)
  round_trip_one_of<Hello, Request, Response, Event, Prepare, Rejuvenate, Exec, ExecResult, Started,
                    Probe, ProbeResult, Signal>(data, size);
  return 0;
}
