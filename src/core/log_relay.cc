#include "core/log_relay.h"

#include "store/service_log.h"

namespace pyro::core {

io::Task<bool> send_log(std::string folder, std::uint64_t* cursor,
                        std::shared_ptr<rpc::Stream> client) {
  constexpr std::size_t kPiece = 64U << 10;
  PYRO_CO_TRY(auto part, store::read_log_bytes(folder, *cursor, kPiece));
  store::LogParser parser;
  parser.feed(part.bytes);
  for (;;) {
    PYRO_CO_TRY(const auto record, parser.next());
    if (!record) break;
  }
  part.bytes.resize(parser.consumed());
  *cursor = part.begin + parser.consumed();
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
