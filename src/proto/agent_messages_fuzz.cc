// Any text either fails to decode or decodes to a message that survives a round trip. The first
// byte picks the message.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proto/agent_messages.h"

namespace {

using namespace pyro::proto;

template <class T>
void round_trip(std::string_view text) {
  auto message = decode_text<T>(text);
  if (!message) return;
  const std::string once = to_text(encode(*message));
  auto again = decode_text<T>(once);
  if (!again || to_text(encode(*again)) != once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text;
  for (std::size_t i = 1; i < size; ++i) text += static_cast<char>(data[i]);
  switch (data[0] % 12) {
    case 0:
      round_trip<Hello>(text);
      break;
    case 1:
      round_trip<Request>(text);
      break;
    case 2:
      round_trip<Response>(text);
      break;
    case 3:
      round_trip<Event>(text);
      break;
    case 4:
      round_trip<Prepare>(text);
      break;
    case 5:
      round_trip<Rejuvenate>(text);
      break;
    case 6:
      round_trip<Exec>(text);
      break;
    case 7:
      round_trip<ExecResult>(text);
      break;
    case 8:
      round_trip<Started>(text);
      break;
    case 9:
      round_trip<Probe>(text);
      break;
    case 10:
      round_trip<ProbeResult>(text);
      break;
    default:
      round_trip<Signal>(text);
      break;
  }
  return 0;
}
