#include "core/network_log.h"

#include <algorithm>
#include <chrono>

#include "core/log_relay.h"
#include "proto/json.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {

constexpr std::chrono::milliseconds kForever{-1};
constexpr std::chrono::seconds kFarewell{1};

asio::awaitable<void> leave_with(std::shared_ptr<rpc::Stream> client, io::Changes* changed,
                                 bool* gone) {
  co_await until_client_goes(std::move(client));
  *gone = true;
  changed->notify();
}

}  // namespace

std::string network_log_folder(const std::string& sandbox_folder) {
  return sandbox_folder + "/network";
}

Result<std::unique_ptr<NetworkLog>> NetworkLog::open(const std::string& folder,
                                                     asio::any_io_executor ex) {
  PYRO_TRY(auto log, store::ServiceLog::open(folder, /*fresh=*/false));
  return std::unique_ptr<NetworkLog>(new NetworkLog(folder, std::move(log), ex));
}

void NetworkLog::add(const proto::NetEvents& news) {
  for (const proto::NetEvent& event : news.events) {
    log_.append(store::LogStream::kStdout, proto::to_text(proto::encode(event)),
                event.time_ns / 1000);
  }
  if (news.lost > 0 && !news.events.empty()) {
    log_.append(store::LogStream::kRemark, std::to_string(news.lost),
                news.events.back().time_ns / 1000);
  }
  changed_.notify();
}

io::Task<void> NetworkLog::follow(std::int64_t cursor, std::shared_ptr<rpc::Stream> client) {
  auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, cursor));
  bool gone = false;
  ++followers_;
  io::TaskScope scope(ex_);
  scope.spawn(leave_with(client, &changed_, &gone));
  Result<void> done;
  while (done && !gone) {
    const std::uint64_t seen = changed_.count();
    const bool last = closed_;
    const auto sent = co_await send_log(folder_, &at, client);
    if (!sent) done = std::unexpected(sent.error());
    if (!sent || *sent) continue;
    if (last) break;
    done = co_await changed_.after(seen, kForever);
  }
  static_cast<void>(co_await scope.close());
  --followers_;
  changed_.notify();
  co_return done;
}

asio::awaitable<void> NetworkLog::close() {
  closed_ = true;
  changed_.notify();
  const auto until = std::chrono::steady_clock::now() + kFarewell;
  while (followers_ > 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const auto changed =
        co_await changed_.after(changed_.count(), std::max(left, std::chrono::milliseconds{0}));
    if (!changed) co_return;
  }
}

}  // namespace pyro::core
