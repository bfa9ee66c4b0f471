#include "world/names.h"

#include <gtest/gtest.h>

#include "net/dns_message.h"

namespace pyro::world {
namespace {

constexpr std::size_t kMost = 1232;
constexpr std::uint16_t kTxt = 16;

net::DnsAnswer ask(Names& names, const std::string& name, net::DnsType type = net::DnsType::kA) {
  const net::DnsQuestion question{.name = name, .type = static_cast<std::uint16_t>(type)};
  const Answered answered = names.answer(net::write_query(7, question), kMost);
  EXPECT_EQ(answered.name, name);
  auto answer = net::parse_answer(answered.message, 7, question);
  EXPECT_TRUE(answer) << answer.error().message;
  return answer ? *answer : net::DnsAnswer{};
}

std::string first_address(const net::DnsAnswer& answer) {
  return answer.addresses.empty() ? "" : answer.addresses.front().address.text();
}

TEST(Names, AnswersWhatTheScriptSays) {
  Names names;
  EXPECT_EQ(first_address(ask(names, "allowed.example")), "93.184.216.34");
  EXPECT_EQ(first_address(ask(names, "allowed.example", net::DnsType::kAaaa)), "2a00:1450::34");
  EXPECT_EQ(first_address(ask(names, "rebind-loopback.example")), "127.0.0.1");
  EXPECT_EQ(ask(names, "rebind-loopback.example").addresses.front().ttl, 0U);
  EXPECT_EQ(ask(names, "nobody.example").rcode, net::Rcode::kNxDomain);
}

TEST(Names, AnAliasSaysWhoseItIs) {
  Names names;
  const net::DnsAnswer answer = ask(names, "alias.example");
  EXPECT_EQ(answer.aliases, std::vector<std::string>{"denied.example"});
  EXPECT_EQ(first_address(answer), "93.184.216.66");
}

TEST(Names, EverythingBelowTheTunnelIsThere) {
  Names names;
  EXPECT_EQ(first_address(ask(names, "a.b.c.tunnel.example")), "93.184.216.99");
  EXPECT_EQ(ask(names, "tunnel.example").rcode, net::Rcode::kNxDomain);
}

TEST(Names, OneChangesItsMindUntilItIsForgotten) {
  Names names;
  EXPECT_EQ(first_address(ask(names, "flip.example")), "93.184.216.70");
  EXPECT_EQ(first_address(ask(names, "flip.example")), "127.0.0.1");
  names.forget();
  EXPECT_EQ(first_address(ask(names, "flip.example")), "93.184.216.70");
}

TEST(Names, OtherTypesAreEmptyAndWhatIsNoQuestionIsRefused) {
  Names names;
  EXPECT_TRUE(ask(names, "allowed.example", static_cast<net::DnsType>(kTxt)).addresses.empty());
  const std::vector<std::uint8_t> nothing{1, 2, 3};
  const Answered answered = names.answer(nothing, kMost);
  EXPECT_TRUE(answered.name.empty());
}

}  // namespace
}  // namespace pyro::world
