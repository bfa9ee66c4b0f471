// What the network engine says of a hostile guest, and what a supervisor is asked by its users.
#include "proto/net_messages.h"

#include "proto/message_fuzzing.h"
#include "proto/network_requests.h"
#include "proto/supervisor_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::proto;  // NOLINT(google-build-using-namespace)
  round_trip_one_of<NetResolver, ConfigureNet, ConfiguredNet, PublishPort, PortPublished,
                    UnpublishPort, NetInfo, NetEvent, NetEvents, NetworkState, SetNetwork,
                    FollowNetwork, HostSettings, CreateVm, VmStatus, Stage, Phase, StartVmResult,
                    ExecVm, Refusal, ExecVmResult, SignalVm>(data, size);
  return 0;
}
