#include "net/pins.h"

#include <gtest/gtest.h>

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
using policy::Address;
using Words = std::vector<std::string>;

class PinsTest : public testing::Test {
 protected:
  static Address address(const std::string& text) { return Address::parse(text).value(); }
  [[nodiscard]] Words asked(const char* text) const {
    return pins_.names(address(text), now_).asked;
  }
  Pins pins_;
  Pins::Time now_ = Pins::Time() + 1h;
};

TEST_F(PinsTest, AnAddressHasTheNamesThatItWasGivenFor) {
  pins_.pin(address("1.2.3.4"), "a.example", {"cdn.example"}, 300, now_);
  pins_.pin(address("1.2.3.4"), "b.example", {}, 300, now_);
  pins_.pin(address("1.2.3.5"), "c.example", {}, 300, now_);
  EXPECT_EQ(asked("1.2.3.4"), (Words{"a.example", "b.example"}));
  EXPECT_EQ(pins_.names(address("1.2.3.4"), now_).aliases, Words{"cdn.example"});
  EXPECT_EQ(asked("1.2.3.5"), Words{"c.example"});
  EXPECT_TRUE(asked("1.2.3.3").empty());
}

TEST_F(PinsTest, LivesAsLongAsItsAnswerWithinBounds) {
  pins_.pin(address("1.1.1.1"), "short.example", {}, 0, now_);
  pins_.pin(address("2.2.2.2"), "some.example", {}, 600, now_);
  pins_.pin(address("3.3.3.3"), "long.example", {}, 1'000'000, now_);
  now_ += 59s;
  EXPECT_FALSE(asked("1.1.1.1").empty());
  now_ += 1s;
  EXPECT_TRUE(asked("1.1.1.1").empty());
  now_ += 539s;
  EXPECT_FALSE(asked("2.2.2.2").empty());
  now_ += 1s;
  EXPECT_TRUE(asked("2.2.2.2").empty());
  now_ += 2999s;
  EXPECT_FALSE(asked("3.3.3.3").empty());
  now_ += 1s;
  EXPECT_TRUE(asked("3.3.3.3").empty());
  // What has ended is gone with the next one.
  pins_.pin(address("4.4.4.4"), "d.example", {}, 60, now_);
  EXPECT_EQ(pins_.size(), 1U);
}

TEST_F(PinsTest, IsMadeLongerAndNotShorter) {
  pins_.pin(address("1.1.1.1"), "a.example", {}, 600, now_);
  pins_.pin(address("1.1.1.1"), "a.example", {}, 60, now_);
  now_ += 500s;
  pins_.pin(address("1.1.1.1"), "a.example", {}, 600, now_);
  now_ += 500s;
  EXPECT_FALSE(asked("1.1.1.1").empty());
  EXPECT_EQ(pins_.size(), 1U);
}

TEST_F(PinsTest, WhatEndsFirstGoesFirst) {
  pins_.pin(address("1.1.1.1"), "first.example", {}, 60, now_);
  for (std::size_t i = 0; i < kMostPins; ++i)
    pins_.pin(address("2.2.2.2"), "n" + std::to_string(i) + ".example", {}, 600, now_);
  EXPECT_EQ(pins_.size(), kMostPins);
  EXPECT_TRUE(asked("1.1.1.1").empty());
  EXPECT_EQ(asked("2.2.2.2").size(), kMostPins);
}

}  // namespace
}  // namespace pyro::net
