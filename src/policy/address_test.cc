#include "policy/address.h"

#include <gtest/gtest.h>

#include <vector>

#include "policy/special_ranges.h"

namespace pyro::policy {
namespace {

TEST(Address, IsParsedAndWrittenInOneForm) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"1.2.3.4", "1.2.3.4"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"::ffff:1.2.3.4", "1.2.3.4"},
      {"::ffff:102:304", "1.2.3.4"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
  };
  for (const auto& [in, out] : cases) {
    const auto address = Address::parse(in);
    ASSERT_TRUE(address) << in;
    EXPECT_EQ(address->text(), out);
    EXPECT_EQ(*Address::parse(address->text()), *address);
  }
  EXPECT_EQ(*Address::parse("::ffff:1.2.3.4"), *Address::parse("1.2.3.4"));
}

TEST(Address, OtherWaysToWriteOneAreNone) {
  for (const char* text : {"",           "1",          "1.2.3",
                           "127.1",      "2130706433", "0x7f000001",
                           "0x7f.1.1.1", "0177.0.0.1", "01.2.3.4",
                           "1.2.3.4.",   "1.2.3.256",  " 1.2.3.4",
                           "1.2.3.4 ",   "::1%lo",     "[::1]",
                           ":::",        "1::2::3",    "12345::",
                           "localhost",  "1.2.3.4/32", "\xef\xbc\x91.2.3.4"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
  EXPECT_FALSE(Address::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(Block, HoldsAddresses) {
  const Block ten = *parse_block("10.0.0.0/8");
  EXPECT_TRUE(ten.contains(*Address::parse("10.255.255.255")));
  EXPECT_FALSE(ten.contains(*Address::parse("11.0.0.0")));
  EXPECT_FALSE(ten.contains(*Address::parse("::a00:1")));
  EXPECT_TRUE(ten.contains(*Address::parse("::ffff:10.0.0.1")));
  EXPECT_TRUE(ten.contains(*parse_block("10.1.0.0/16")));
  EXPECT_FALSE(ten.contains(*parse_block("0.0.0.0/1")));
  EXPECT_TRUE(parse_block("2001:db8::/33")->contains(*Address::parse("2001:db8:7fff::1")));
  EXPECT_FALSE(parse_block("2001:db8::/33")->contains(*Address::parse("2001:db8:8000::1")));
  EXPECT_EQ(parse_block("1.2.3.4")->text(), "1.2.3.4");
  EXPECT_EQ(parse_block("1.2.3.4/32")->text(), "1.2.3.4");
  EXPECT_EQ(parse_block("::ffff:10.0.0.0/104")->text(), "10.0.0.0/8");
  EXPECT_EQ(parse_block("0.0.0.0/0")->length, 0);
}

TEST(Block, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",
        "10.0.0.0/8 ", "10.0.0.0/8/8", "::/129", "::ffff:10.0.0.0/64", "ten/8"}) {
    EXPECT_FALSE(parse_block(text)) << text;
  }
  const auto beyond = parse_block("10.1.2.3/8");
  ASSERT_FALSE(beyond);
  EXPECT_NE(beyond.error().message.find("the block is 10.0.0.0/8"), std::string::npos);
}

TEST(SpecialRanges, AreNotPublic) {
  const std::vector<std::pair<const char*, Range>> cases{
      {"1.1.1.1", Range::kPublic},
      {"9.255.255.255", Range::kPublic},
      {"10.0.0.0", Range::kPrivate},
      {"11.0.0.0", Range::kPublic},
      {"0.0.0.0", Range::kThisHost},
      {"0.1.2.3", Range::kThisHost},
      {"100.63.255.255", Range::kPublic},
      {"100.64.0.0", Range::kShared},
      {"100.100.100.200", Range::kShared},
      {"127.0.0.1", Range::kLoopback},
      {"127.255.255.254", Range::kLoopback},
      {"169.254.169.254", Range::kLinkLocal},
      {"172.15.255.255", Range::kPublic},
      {"172.31.255.255", Range::kPrivate},
      {"192.0.0.8", Range::kReserved},
      {"192.0.0.9", Range::kPublic},
      {"192.0.2.1", Range::kReserved},
      {"192.168.255.255", Range::kPrivate},
      {"198.19.255.255", Range::kReserved},
      {"224.0.0.1", Range::kMulticast},
      {"240.0.0.1", Range::kReserved},
      {"255.255.255.255", Range::kMulticast},
      {"::ffff:127.0.0.1", Range::kLoopback},
      {"::ffff:8.8.8.8", Range::kPublic},
      {"::", Range::kThisHost},
      {"::1", Range::kLoopback},
      {"::7f00:1", Range::kTranslated},
      {"64:ff9b::7f00:1", Range::kLoopback},
      {"64:ff9b::a9fe:a9fe", Range::kLinkLocal},
      {"64:ff9b::808:808", Range::kPublic},
      {"64:ff9b:1::1", Range::kTranslated},
      {"2001::1", Range::kTranslated},
      {"2001:db8::1", Range::kReserved},
      {"2002:7f00:1::", Range::kTranslated},
      {"2600::1", Range::kPublic},
      {"2001:4860:4860::8888", Range::kPublic},
      {"4000::1", Range::kReserved},
      {"fd00:ec2::254", Range::kPrivate},
      {"fe80::1", Range::kLinkLocal},
      {"ff02::1", Range::kMulticast},
  };
  for (const auto& [text, range] : cases) {
    EXPECT_STREQ(range_name(range_of(*Address::parse(text))), range_name(range)) << text;
  }
}

TEST(SpecialRanges, ABlockLiesInOneOrNot) {
  const Block ten = *parse_block("10.0.0.0/8");
  EXPECT_EQ(special_block_around(*parse_block("10.2.0.0/16")), ten);
  EXPECT_EQ(special_block_around(ten), ten);
  EXPECT_FALSE(special_block_around(*parse_block("10.0.0.0/7")));
  EXPECT_FALSE(special_block_around(*parse_block("8.8.8.8")));
  EXPECT_FALSE(special_block_around(*parse_block("192.0.0.9")));
}

TEST(SpecialRanges, TheLinkIsTheEngines) {
  EXPECT_TRUE(is_engine(*Address::parse("10.255.255.1")));
  EXPECT_FALSE(is_engine(*Address::parse("10.255.255.2")));
  EXPECT_TRUE(is_on_link(*Address::parse("10.255.255.2")));
  EXPECT_FALSE(is_on_link(*Address::parse("10.255.255.4")));
  EXPECT_TRUE(is_engine(*Address::parse("fd70:7972:6f00::1")));
  EXPECT_TRUE(is_on_link(*Address::parse("fd70:7972:6f00::ffff")));
  EXPECT_FALSE(is_on_link(*Address::parse("fd70:7972:6f01::1")));
}

}  // namespace
}  // namespace pyro::policy
