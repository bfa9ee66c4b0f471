#include "io/turn.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>
#include <string>

namespace pyro::io {
namespace {

struct Fixture {
  asio::io_context loop{1};
  Turns turns{loop.get_executor()};
  Event go_on{loop.get_executor()};
  std::string said;
  // Lets everybody run who can.
  void settle() {
    loop.restart();
    loop.poll();
  }
};

// Takes a turn and keeps it until `go_on`.
asio::awaitable<void> work(Fixture* f, char name) {
  const auto turn = co_await f->turns.take();
  if (!turn) {
    f->said += '!';
    f->said += name;
    co_return;
  }
  f->said += name;
  const auto woken = co_await f->go_on.wait();
  f->said += woken ? '.' : '-';
}
asio::awaitable<void> close(TaskScope* scope) {
  const auto failure = co_await scope->close();
  EXPECT_FALSE(failure);
}

TEST(Turns, OneTaskAtATime) {
  Fixture f;
  TaskScope scope(f.loop.get_executor());
  for (const char name : {'a', 'b', 'c'}) scope.spawn(work(&f, name));
  f.settle();
  EXPECT_EQ(f.said, "a");
  f.go_on.set();
  f.settle();
  EXPECT_EQ(f.said, "a.b.c.");  // each had its turn, whole, in the order in which they came
  EXPECT_TRUE(scope.empty());
}

TEST(Turns, OneThatStopsWaitingCostsNobodyItsTurn) {
  Fixture f;
  TaskScope first(f.loop.get_executor());
  TaskScope second(f.loop.get_executor());
  TaskScope third(f.loop.get_executor());
  first.spawn(work(&f, 'a'));
  f.settle();
  second.spawn(work(&f, 'b'));
  third.spawn(work(&f, 'c'));
  f.settle();
  asio::co_spawn(f.loop, close(&second), [](std::exception_ptr) {});
  f.settle();
  EXPECT_EQ(f.said, "a!b");
  f.go_on.set();
  f.settle();
  EXPECT_EQ(f.said, "a!b.c.");
}

asio::awaitable<void> work_soon(Fixture* f, std::chrono::milliseconds limit) {
  const auto turn = co_await f->turns.take_within(limit);
  f->said += turn ? "in time" : turn.error().code == Errc::kDeadline ? "late" : "failed";
}

TEST(Turns, OneThatIsNotWaitedForTooLong) {
  Fixture f;
  TaskScope scope(f.loop.get_executor());
  scope.spawn(work(&f, 'a'));
  f.settle();
  scope.spawn(work_soon(&f, std::chrono::milliseconds(5)));
  f.loop.restart();
  while (f.said == "a" && f.loop.run_one() > 0) {
  }
  EXPECT_EQ(f.said, "alate");
  scope.spawn(work_soon(&f, std::chrono::minutes(1)));
  f.settle();
  f.go_on.set();
  f.settle();
  EXPECT_EQ(f.said, "alate.in time");
  EXPECT_TRUE(scope.empty());
}

asio::awaitable<void> work_while(Fixture* f, const bool* wanted) {
  const auto turn = co_await f->turns.take_while([wanted] { return *wanted; });
  f->said += turn ? "wanted" : turn.error().code == Errc::kUnavailable ? "unwanted" : "failed";
}

TEST(Turns, OneThatNobodyWantsAnyMore) {
  Fixture f;
  TaskScope scope(f.loop.get_executor());
  bool first = true;
  bool second = true;
  scope.spawn(work(&f, 'a'));
  f.settle();
  scope.spawn(work_while(&f, &first));
  scope.spawn(work_while(&f, &second));
  f.settle();
  first = false;
  f.loop.restart();
  while (f.said == "a" && f.loop.run_one() > 0) {
  }
  EXPECT_EQ(f.said, "aunwanted");
  f.go_on.set();
  f.loop.restart();
  while (!scope.empty() && f.loop.run_one() > 0) {
  }
  EXPECT_EQ(f.said, "aunwanted.wanted");
}

TEST(Turns, OneThatIsCancelledInItsTurnGivesItBack) {
  Fixture f;
  TaskScope first(f.loop.get_executor());
  TaskScope second(f.loop.get_executor());
  first.spawn(work(&f, 'a'));
  f.settle();
  second.spawn(work(&f, 'b'));
  f.settle();
  asio::co_spawn(f.loop, close(&first), [](std::exception_ptr) {});
  f.settle();
  EXPECT_EQ(f.said, "a-b");
  f.go_on.set();
  f.settle();
  EXPECT_EQ(f.said, "a-b.");
}

Task<int> wait_and_answer(Fixture* f) {
  const auto woken = co_await f->go_on.wait();
  f->said += woken ? "waited " : "cancelled ";
  if (!woken) co_return std::unexpected(woken.error());
  co_return 7;
}
asio::awaitable<void> insist(Fixture* f) {
  const auto answer = co_await to_the_end(wait_and_answer(f));
  f->said += answer && *answer == 7 ? "answered " : "failed ";
  Event never(f->loop.get_executor());
  const auto later = co_await never.wait();
  f->said += later ? "woken" : "not woken";
}

TEST(ToTheEnd, GivesTheResult) {
  Fixture f;
  TaskScope scope(f.loop.get_executor());
  scope.spawn(insist(&f));
  f.go_on.set();
  f.settle();
  EXPECT_EQ(f.said, "waited answered ");
  asio::co_spawn(f.loop, close(&scope), [](std::exception_ptr) {});
  f.settle();
  EXPECT_TRUE(scope.empty());
}

TEST(ToTheEnd, RunsOnWhenItsCallerIsCancelledWhoFindsOutLater) {
  Fixture f;
  TaskScope scope(f.loop.get_executor());
  scope.spawn(insist(&f));
  f.settle();
  scope.cancel();
  f.settle();
  EXPECT_EQ(f.said, "");
  f.go_on.set();
  f.settle();
  EXPECT_EQ(f.said, "waited answered not woken");
  EXPECT_TRUE(scope.empty());
}

Task<int> refuse() {
  co_return fail(Errc::kConflict, "refused");
}
Task<int> throws() {
  throw std::runtime_error("thrown");
  co_return 0;
}
asio::awaitable<void> both(Result<int>* refused, Result<int>* thrown) {
  *refused = co_await to_the_end(refuse());
  *thrown = co_await to_the_end(throws());
}

TEST(ToTheEnd, ErrorsAndExceptionsAreErrors) {
  Fixture f;
  Result<int> refused = 0;
  Result<int> thrown = 0;
  asio::co_spawn(f.loop, both(&refused, &thrown), [](std::exception_ptr e) { EXPECT_FALSE(e); });
  f.settle();
  EXPECT_EQ(refused.error().code, Errc::kConflict);
  EXPECT_EQ(thrown.error().code, Errc::kInternal);
}

}  // namespace
}  // namespace pyro::io
