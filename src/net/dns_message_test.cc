#include "net/dns_message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace pyro::net {
namespace {

using Message = std::vector<std::uint8_t>;
using namespace std::string_view_literals;

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kAaaa = 28;

Address address(const char* text) {
  return Address::parse(text).value();
}
Message bytes(std::string_view text) {
  return {text.begin(), text.end()};
}
// A header with QR and the flags of an ordinary answer.
Message answer_to(std::string_view question, std::size_t answers, std::string_view records) {
  Message m = bytes("\x12\x34\x81\x80\0\1"sv);
  m.push_back(static_cast<std::uint8_t>(answers >> 8U));
  m.push_back(static_cast<std::uint8_t>(answers));
  for (int i = 0; i < 4; ++i) m.push_back(0);
  m.insert(m.end(), question.begin(), question.end());
  m.insert(m.end(), records.begin(), records.end());
  return m;
}
constexpr std::uint16_t kId = 0x1234;
constexpr auto kQuestion = "\7example\3com\0\0\1\0\1"sv;
const DnsQuestion kExample{.name = "example.com", .type = kA};
// An A record of the question's name.
constexpr auto kRecord = "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\x5d\xb8\xd8\x22"sv;

Result<DnsAnswer> parse(const Message& m) {
  return parse_answer(m, kId, kExample);
}

TEST(DnsQuery, IsReadAsItWasWritten) {
  const Message m = write_query(77, {.name = "www.example.com", .type = kAaaa});
  const auto query = parse_query(m);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->id, 77);
  EXPECT_TRUE(query->recursion_desired);
  EXPECT_TRUE(query->has_edns);
  EXPECT_EQ(query->udp_size, kMostDnsUdp);
  EXPECT_EQ(query->question.name, "www.example.com");
  EXPECT_EQ(query->question.type, kAaaa);
}

TEST(DnsQuery, LettersOfEitherCaseAreTheSame) {
  const auto query = parse_query(bytes("\0\1\1\0\0\1\0\0\0\0\0\0\7ExAmPlE\3COM\0\0\1\0\1"sv));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->question, kExample);
  EXPECT_FALSE(query->has_edns);
  EXPECT_EQ(query->udp_size, kPlainDnsSize);
}

TEST(DnsQuery, WhatIsNoneIsToldSo) {
  struct Case {
    const char* what;
    Message message;
    Rcode rcode;
  };
  const std::vector<Case> cases{
      {"an update", bytes("\0\1\x28\0\0\1\0\0\0\0\0\0\1a\0\0\6\0\1"sv), Rcode::kNotImp},
      {"no question", bytes("\0\1\1\0\0\0\0\0\0\0\0\0"sv), Rcode::kFormErr},
      {"two questions", bytes("\0\1\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1b\0\0\1\0\1"sv),
       Rcode::kFormErr},
      {"an answer in it", bytes("\0\1\1\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1"sv), Rcode::kFormErr},
      {"CHAOS", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\3"sv), Rcode::kRefused},
      {"ANY", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\xff\0\1"sv), Rcode::kRefused},
      {"AXFR", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\xfc\0\1"sv), Rcode::kRefused},
      {"the root", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1"sv), Rcode::kRefused},
      {"an address",
       bytes("\0\1\1\0\0\1\0\0\0\0\0\0\1"
             "1\1"
             "2\1"
             "3\1"
             "4\0\0\1\0\1"sv),
       Rcode::kRefused},
      {"a dot in a label", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\3a.b\0\0\1\0\1"sv), Rcode::kRefused},
      {"a zero in a label", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\3a\0b\0\0\1\0\1"sv), Rcode::kRefused},
      {"a pointer to itself", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"sv), Rcode::kFormErr},
      {"a pointer forward", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x20\0\1\0\1"sv), Rcode::kFormErr},
      {"a label of 64", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\x40\0\0\1\0\1"sv), Rcode::kFormErr},
      {"cut off", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\7exam"sv), Rcode::kFormErr},
      {"more behind it", bytes("\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1x"sv), Rcode::kFormErr},
      {"two OPTs",
       bytes("\0\1\1\0\0\1\0\0\0\0\0\2\1a\0\0\1\0\1\0\0\x29\4\0\0\0\0\0\0\0"
             "\0\0\x29\4\0\0\0\0\0\0\0"sv),
       Rcode::kFormErr},
  };
  for (const Case& c : cases) {
    const auto query = parse_query(c.message);
    ASSERT_FALSE(query) << c.what;
    EXPECT_EQ(query.error().id, 1) << c.what;
    EXPECT_EQ(static_cast<int>(query.error().rcode), static_cast<int>(c.rcode)) << c.what;
  }
  // Nobody to tell: too short for an id, or an answer (which would make two servers talk for ever).
  EXPECT_EQ(parse_query(bytes("\0\1\1\0"sv)).error().id, std::nullopt);
  EXPECT_EQ(parse_query(answer_to(kQuestion, 1, kRecord)).error().id, std::nullopt);
}

TEST(DnsQuery, ANameThatIsTooLongIsNone) {
  Message m = bytes("\0\1\1\0\0\1\0\0\0\0\0\0"sv);
  for (int i = 0; i < 5; ++i) {
    m.push_back(63);
    m.insert(m.end(), 63, 'a');
  }
  const Message rest = bytes("\0\0\1\0\1"sv);
  m.insert(m.end(), rest.begin(), rest.end());
  EXPECT_FALSE(parse_query(m));
}

TEST(DnsAnswer, HasTheAddressesOfTheQuestion) {
  const auto answer = parse(answer_to(kQuestion, 1, kRecord));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->rcode, Rcode::kNoError);
  ASSERT_EQ(answer->addresses.size(), 1U);
  EXPECT_EQ(answer->addresses.front().address, address("93.184.216.34"));
  EXPECT_EQ(answer->addresses.front().ttl, 300U);
  EXPECT_TRUE(answer->aliases.empty());
}

TEST(DnsAnswer, FollowsAliasesInAnyOrder) {
  // c.example.com A; b CNAME c; example.com CNAME b. And one that belongs to nobody asked for.
  constexpr auto kRecords =
      "\1c\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"
      "\1b\xc0\x0c\0\5\0\1\0\0\0\x0a\0\4\1c\xc0\x0c"
      "\xc0\x0c\0\5\0\1\0\0\0\x64\0\4\1b\xc0\x0c"
      "\1d\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\5\6\7\x8"sv;
  const auto answer = parse(answer_to(kQuestion, 4, kRecords));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->aliases, (std::vector<std::string>{"b.example.com", "c.example.com"}));
  ASSERT_EQ(answer->addresses.size(), 1U);
  EXPECT_EQ(answer->addresses.front().address, address("1.2.3.4"));
  EXPECT_EQ(answer->addresses.front().ttl, 10U);
}

TEST(DnsAnswer, WhatDoesNotFitTheQuestionIsNone) {
  const Message good = answer_to(kQuestion, 1, kRecord);
  EXPECT_FALSE(parse_answer(good, kId + 1, kExample));
  EXPECT_FALSE(parse_answer(good, kId, {.name = "example.org", .type = kA}));
  EXPECT_FALSE(parse_answer(good, kId, {.name = "example.com", .type = kAaaa}));
  Message query = good;
  query[2] = 1;
  EXPECT_FALSE(parse(query));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse(Message(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))));
  EXPECT_FALSE(parse(answer_to(kQuestion, 2, kRecord)));
  // Two aliases that are each other's.
  EXPECT_FALSE(parse(answer_to(kQuestion, 2,
                               "\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1b\xc0\x0c"
                               "\1b\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x0c"sv)));
  // An alias whose data says more or less than its length.
  EXPECT_FALSE(parse(answer_to(kQuestion, 1, "\xc0\x0c\0\5\0\1\0\0\0\1\0\5\1b\xc0\x0c\0"sv)));
  // An address of five bytes is passed over.
  const auto odd = parse(answer_to(kQuestion, 1, "\xc0\x0c\0\1\0\1\0\0\0\1\0\5\1\2\3\4\5"sv));
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->addresses.empty());
}

TEST(DnsAnswer, OneThatIsCutSaysSo) {
  Message m = answer_to(kQuestion, 1, "");
  m[2] |= 2;
  const auto answer = parse(m);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->truncated);
}

TEST(DnsAnswer, IsWrittenAnew) {
  const DnsQuery query{
      .id = kId, .recursion_desired = true, .has_edns = true, .question = kExample};
  DnsAnswer answer{.aliases = {"b.example.net", "c.example.net"}};
  answer.addresses = {{.address = address("1.2.3.4"), .ttl = 60},
                      {.address = address("5.6.7.8"), .ttl = 30}};
  const auto read = parse(write_answer(query, answer, std::nullopt, kMostDnsUdp));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->aliases, answer.aliases);
  ASSERT_EQ(read->addresses.size(), 2U);
  EXPECT_EQ(read->addresses[1].address, address("5.6.7.8"));
  EXPECT_EQ(read->addresses[0].ttl, 30U);
}

TEST(DnsAnswer, IsCutToWhatTheAskerTakes) {
  DnsQuery query{.id = kId, .question = kExample};
  DnsAnswer answer;
  answer.addresses.assign(200, {.address = address("1.2.3.4"), .ttl = 60});
  const Message small = write_answer(query, answer, std::nullopt, kPlainDnsSize);
  EXPECT_LE(small.size(), kPlainDnsSize);
  EXPECT_TRUE(parse(small)->truncated);
  EXPECT_EQ(parse(write_answer(query, answer, std::nullopt, kMostDnsMessage))->addresses.size(),
            200U);
  query.has_edns = true;
  EXPECT_LE(write_answer(query, answer, ExtendedError{.code = kBlocked, .text = "no"}, 600).size(),
            600U);
}

TEST(DnsAnswer, ARefusalSaysWhy) {
  const DnsQuery query{.id = kId, .has_edns = true, .question = kExample};
  const Message m = write_answer(query, {.rcode = Rcode::kRefused},
                                 ExtendedError{.code = kBlocked, .text = "not-listed"}, 512);
  EXPECT_EQ(parse(m)->rcode, Rcode::kRefused);
  const std::string_view all(reinterpret_cast<const char*>(m.data()), m.size());
  EXPECT_TRUE(all.ends_with("\0\x0f\0\x0c\0\x0fnot-listed"sv));
  EXPECT_EQ(write_refusal(1, Rcode::kFormErr), bytes("\0\1\x80\x81\0\0\0\0\0\0\0\0"sv));
}

}  // namespace
}  // namespace pyro::net
