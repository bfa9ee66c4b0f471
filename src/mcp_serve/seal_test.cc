#include "mcp_serve/seal.h"

#include <gtest/gtest.h>

namespace pyro::mcp_serve {
namespace {

TEST(HmacSeal, OpensOnlyWhatItSealedForTheSameRequest) {
  auto now = std::chrono::system_clock::now();
  const auto seal = HmacSeal::make([&] { return now; });
  ASSERT_TRUE(seal);
  const std::string sealed = seal->seal("state", "tools/call\nx");
  EXPECT_EQ(seal->open(sealed, "tools/call\nx"), "state");
  EXPECT_EQ(seal->open(sealed, "tools/call\ny"), std::nullopt);
  EXPECT_EQ(seal->open(sealed + "-TAMPERED", "tools/call\nx"), std::nullopt);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string other = sealed;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(seal->open(other, "tools/call\nx"), std::nullopt) << i;
  }
  for (const char* text : {"", ".", "..", "...", "c3RhdGU=.1.", "x"}) {
    EXPECT_EQ(seal->open(text, ""), std::nullopt) << text;
  }
  now += kStateLife + std::chrono::seconds(1);
  EXPECT_EQ(seal->open(sealed, "tools/call\nx"), std::nullopt) << "too old";
}

TEST(HmacSeal, KeysOfTwoProcessesDiffer) {
  const auto one = HmacSeal::make();
  const auto two = HmacSeal::make();
  ASSERT_TRUE(one && two);
  EXPECT_EQ(two->open(one->seal("s", "a"), "a"), std::nullopt);
}

TEST(EqualInConstantTime, IsEquality) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("secret", "secret"));
  for (const char* other : {"", "secre", "secret1", "Secret", "secres"}) {
    EXPECT_FALSE(equal_in_constant_time("secret", other)) << other;
  }
}

}  // namespace
}  // namespace pyro::mcp_serve
