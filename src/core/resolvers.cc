#include "core/resolvers.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "policy/special_ranges.h"
#include "sys/file.h"

namespace pyro::core {

namespace {

constexpr std::size_t kMostBytes = 64U << 10;
constexpr std::string_view kBlanks = " \t\r";

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<proto::NetResolver> parse_resolvers(std::string_view text) {
  std::vector<proto::NetResolver> out;
  while (!text.empty() && out.size() < kMostResolvers) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (next_word(line) != "nameserver") continue;
    if (const auto address = policy::Address::parse(next_word(line)))
      out.push_back({.address = address->text()});
  }
  return out;
}

std::vector<proto::NetResolver> read_resolvers(const std::string& path) {
  const auto text = sys::read_file(path, kMostBytes);
  return text ? parse_resolvers(*text) : std::vector<proto::NetResolver>{};
}

bool host_has_ipv6() {
  // A route is asked for; nothing is sent (connect(2), on datagram sockets). 2000::/3 is what is
  // given out (RFC 4291, 2.4), and this address of it is nobody's.
  const sys::UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 there{};
  there.sin6_family = AF_INET6;
  there.sin6_port = htons(9);
  there.sin6_addr.s6_addr[0] = 0x2f;
  sockaddr_in6 here{};
  socklen_t size = sizeof(here);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof(there)) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&here), &size) != 0)
    return false;
  std::array<std::uint8_t, policy::kIpv6Bytes> bytes{};
  std::ranges::copy(here.sin6_addr.s6_addr, bytes.begin());
  return policy::range_of(policy::Address::v6(bytes)) == policy::Range::kPublic;
}

}  // namespace pyro::core
