#include "mcp_serve/workers.h"

#include <gtest/gtest.h>

#include <future>

namespace pyro::mcp_serve {
namespace {

bool withdraw(Workers& workers, const std::optional<Workers::Ticket>& ticket) {
  return ticket && workers.withdraw(*ticket);
}

// One thread that works until it is let go.
struct Busy {
  std::promise<void> release;
  std::promise<void> begun;
  Workers workers{1};
  Busy() {
    const auto ticket = workers.post(
        [this] {
          begun.set_value();
          release.get_future().wait();
        },
        kMostQueued);
    EXPECT_TRUE(ticket);
    begun.get_future().wait();
    EXPECT_FALSE(withdraw(workers, ticket)) << "it has begun";
  }
};

TEST(Workers, WhatWaitsIsDoneInOrderAndWhatIsWithdrawnIsNot) {
  std::string done;
  {
    Busy busy;
    std::vector<std::optional<Workers::Ticket>> tickets;
    for (const char c : {'a', 'b', 'c'}) {
      tickets.push_back(busy.workers.post([&done, c] { done += c; }, 1));
    }
    ASSERT_TRUE(tickets[1]);
    EXPECT_TRUE(withdraw(busy.workers, tickets[1]));
    EXPECT_FALSE(withdraw(busy.workers, tickets[1]));
    busy.release.set_value();
  }
  EXPECT_EQ(done, "ac");
}

TEST(Workers, WhatWaitsIsBoundedInBytes) {
  Busy busy;
  const auto nothing = [] {};
  const auto half = busy.workers.post(nothing, kMostQueued / 2);
  ASSERT_TRUE(half);
  EXPECT_FALSE(busy.workers.post(nothing, kMostQueued));
  EXPECT_TRUE(busy.workers.post(nothing, kMostQueued / 2));
  EXPECT_FALSE(busy.workers.post(nothing, 1));
  EXPECT_TRUE(withdraw(busy.workers, half));
  EXPECT_TRUE(busy.workers.post(nothing, 1)) << "its bytes are free again";
  busy.release.set_value();
}

}  // namespace
}  // namespace pyro::mcp_serve
