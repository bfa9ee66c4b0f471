#include "core/log_relay.h"

#include <fmt/format.h>

#include "store/service_log.h"
#include "sys/clock.h"

namespace pyro::core {

io::Task<bool> send_log(std::string folder, std::uint64_t* cursor,
                        std::shared_ptr<rpc::Stream> client) {
  constexpr std::size_t kPiece = 64U << 10;
  PYRO_CO_TRY(auto part, store::read_log_bytes(folder, *cursor, kPiece));
  if (part.begin > *cursor) {
    const std::uint64_t missed = part.begin - *cursor;
    *cursor = part.begin;
    PYRO_CO_CHECK(co_await client->send(
        wire::kStdout,
        store::encode_log_record(
            {.time_us = sys::wall_clock_ns() / 1000,
             .stream = store::LogStream::kRemark,
             .text = fmt::format("{} bytes of this log are not kept any more\n", missed)})));
    co_return true;
  }
  store::LogParser parser;
  parser.feed(part.bytes);
  for (;;) {
    PYRO_CO_TRY(const auto record, parser.next());
    if (!record) break;
  }
  part.bytes.resize(parser.consumed());
  *cursor += parser.consumed();
  if (part.bytes.empty()) co_return false;
  PYRO_CO_CHECK(co_await client->send(wire::kStdout, std::move(part.bytes)));
  co_return true;
}

io::asio::awaitable<void> until_client_goes(std::shared_ptr<rpc::Stream> client) {
  for (;;) {
    const auto item = co_await client->next();
    if (!item || std::holds_alternative<rpc::Cancelled>(*item)) co_return;
  }
}

}  // namespace pyro::core
