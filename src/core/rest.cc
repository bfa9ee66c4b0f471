#include "core/rest.h"

#include <boost/asio/this_coro.hpp>

#include "sys/clock.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {
constexpr std::chrono::hours kNoHurry{24};
}

io::Task<void> Rest::go_on() {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (!paused_) co_return Result<void>{};
  PYRO_CO_CHECK(co_await guest_.vm().resume());
  paused_ = false;
  const proto::SetClock clock{.wall_clock_ns = sys::wall_clock_ns()};
  PYRO_CO_CHECK(co_await guest_.call("setting the guest's clock", proto::SetClock::kName,
                                     proto::encode(clock)));
  co_return Result<void>{};
}

io::Task<Rest::Awake> Rest::wake() {
  Awake awake(this);
  if (!paused_ && !pausing_) co_return awake;
  // Left half done it would be neither asleep nor awake.
  PYRO_CO_CHECK(co_await io::to_the_end(go_on()));
  co_return awake;
}

// False: something runs in it.
io::Task<bool> Rest::try_to_pause() {
  pausing_ = true;
  auto turn = co_await turns_.take();
  Result<bool> idle = false;
  if (turn) {
    const std::uint64_t before = calls_;
    auto answer =
        co_await guest_.call("asking the guest whether it is idle", proto::Rest::kName, {});
    auto said = answer ? proto::decode<proto::RestResult>(*answer)
                       : Result<proto::RestResult>(std::unexpected(answer.error()));
    idle = said ? Result<bool>(said->idle) : std::unexpected(said.error());
    if (idle && *idle && calls_ == before) {
      const auto paused = co_await guest_.vm().pause();
      paused_ = paused.has_value();
    }
  }
  pausing_ = false;
  co_return idle;
}

asio::awaitable<void> Rest::run() {
  for (;;) {
    const auto unused = co_await unused_.wait();
    if (!unused) co_return;
    const std::uint64_t before = calls_;
    const auto slept = co_await io::sleep_for(kAfter);
    if (!slept) co_return;
    if (calls_ != before) continue;
    wanted_.clear();
    const auto idle = co_await try_to_pause();
    if (!idle) co_return;  // the machine is ending: nobody needs its rest
    const std::chrono::milliseconds patience = paused_ ? kNoHurry : kAgain;
    const auto woken = co_await wanted_.wait_for(patience);
    if (!woken && woken.error().code != Errc::kDeadline) co_return;
  }
}

asio::awaitable<void> Rest::stop() {
  static_cast<void>(co_await scope_.close());
}

}  // namespace pyro::core
