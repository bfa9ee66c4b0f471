// A client says lines, in whatever order and of whatever kind: every request that was taken is
// answered exactly once or given up, and nothing is left when the client has gone. A line that
// begins with '!' lets the handlers work.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "mcp/testing.h"

namespace {

using namespace pyro::mcp;

void require(bool fine) {
  if (!fine) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(data, data + size);
  std::string_view text = bytes;
  TestClient client;
  std::size_t requests = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with('!')) {
      client.work();
    } else if (const auto message = parse_message(line)) {
      requests += std::holds_alternative<Request>(*message) ? 1 : 0;
      client.say(line);
    }
  }
  client.work();
  client.take(client.session.close());
  client.work();
  client.take(client.session.abandon());
  client.work();
  require(client.session.idle() && client.started.empty());
  std::size_t answers = 0;
  for (const json::object& message : client.sent) answers += message.contains("method") ? 0 : 1;
  require(answers <= requests);
  return 0;
}
