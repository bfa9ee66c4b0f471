#include "mcp_serve/stdio.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "mcp_serve/conversation.h"
#include "mcp_serve/lines.h"
#include "mcp_serve/outbox.h"
#include "mcp_serve/seal.h"

namespace pyro::mcp_serve {
namespace {

void take_line(const LineReader::Line& line, Conversation& conversation, Outbox& outbox) {
  if (line.too_long) {
    return outbox.push(mcp::error_text({}, mcp::too_long().error), false);
  }
  if (std::ranges::all_of(line.text, [](char c) { return c == ' ' || c == '\t'; })) return;
  auto message = mcp::parse_message(line.text);
  if (!message) {
    if (message.error().of_response) return;
    return outbox.push(mcp::error_text(message.error().id, message.error().error), false);
  }
  conversation.receive(*std::move(message));
}

// Until the input ends or there is a reason to stop.
Result<void> read_all(const StdioOptions& options, const Wake& gone, Conversation& conversation,
                      Outbox& outbox) {
  LineReader lines(mcp::kMostMessage);
  std::vector<char> buffer(std::size_t{64} << 10);
  for (;;) {
    std::array<pollfd, 3> fds{pollfd{.fd = options.in, .events = POLLIN, .revents = 0},
                              pollfd{.fd = gone.fd(), .events = POLLIN, .revents = 0},
                              pollfd{.fd = options.stop_fd, .events = POLLIN, .revents = 0}};
    PYRO_CHECK(sys::retrying("poll", [&] { return ::poll(fds.data(), fds.size(), -1); }));
    if (fds[1].revents != 0 || fds[2].revents != 0) return {};
    const auto got = sys::retrying(
        "read standard input", [&] { return ::read(options.in, buffer.data(), buffer.size()); });
    if (!got && got.error().os_errno == EAGAIN) continue;
    PYRO_CHECK(got);
    if (*got == 0) {
      // The last message may have no newline; one that was cut is refused as no JSON.
      if (const auto line = lines.rest()) take_line(*line, conversation, outbox);
      return {};
    }
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(*got));
    while (const auto line = lines.next(bytes)) take_line(*line, conversation, outbox);
  }
}

}  // namespace

Result<void> serve_stdio(mcp::Provider& provider, const StdioOptions& options) {
  PYRO_TRY(const HmacSeal seal, HmacSeal::make());
  PYRO_TRY(const Wake gone, Wake::make());
  PYRO_TRY(const std::unique_ptr<Outbox> outbox, Outbox::make(options.out, gone));
  Workers workers(kMostThreads);
  Hub hub;
  const auto conversation = std::make_shared<Conversation>(
      Parts{.provider = provider, .seal = seal, .workers = workers}, mcp::Session::Eras::kBoth,
      [&](mcp::Outgoing out) {
        if (out.kind == mcp::Outgoing::Kind::kEnd) return;  // a line has no end of its own
        outbox->push(std::move(out.text), out.kind == mcp::Outgoing::Kind::kNotice);
      },
      [&] { outbox->wait_for_room(); });
  hub.add(conversation);
  provider.on_change([&](const mcp::Change& change) { hub.changed(change); });

  const Result<void> read = read_all(options, gone, *conversation, *outbox);
  conversation->close();
  outbox->open_at(std::chrono::steady_clock::now() + options.last_answers);
  conversation->wait();
  provider.on_change({});
  outbox->finish(options.last_answers);
  PYRO_CHECK(read);
  if (auto problem = outbox->problem(); problem && problem->os_errno != EPIPE) {
    return std::unexpected(*std::move(problem));
  }
  return {};
}

}  // namespace pyro::mcp_serve
