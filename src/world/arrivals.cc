#include "world/arrivals.h"

#include <algorithm>
#include <utility>

#include "net/wire_numbers.h"

namespace pyro::world {

namespace {

constexpr std::uint8_t kFragmentHeader = 44;
constexpr std::uint8_t kHopByHop = 0;  // Linux sends multicast listener reports behind it

std::optional<Seen> see_tcp(net::Bytes b, Seen seen) {
  constexpr unsigned kSyn = 2;
  constexpr unsigned kAck = 16;
  if (b.size() < net::kTcpHeader) return std::nullopt;
  const std::size_t header = std::size_t{b[12]} / 16 * 4;
  if (header < net::kTcpHeader || header > b.size()) return std::nullopt;
  const bool opens = (b[13] & kSyn) != 0 && (b[13] & kAck) == 0;
  seen.bytes = b.size() - header;
  if (!opens && seen.bytes == 0) return std::nullopt;
  seen.protocol = "tcp";
  seen.opens = opens;
  seen.port = net::be16(b, 2);
  return seen;
}

// RFC 792: unreachable, time exceeded, parameter problem; RFC 4443, 2.1: the first half.
bool is_error(std::uint8_t protocol, std::uint8_t type) {
  constexpr std::uint8_t kFirstNoError = 128;
  if (protocol == net::ip_protocol::kIcmpv6) return type < kFirstNoError;
  return type == 3 || type == 11 || type == 12;
}

std::optional<Seen> see_inner(std::uint8_t protocol, net::Bytes b, Seen seen) {
  if (protocol == net::ip_protocol::kTcp) return see_tcp(b, std::move(seen));
  seen.bytes = b.size();
  if (protocol == net::ip_protocol::kUdp && b.size() >= net::kUdpHeader) {
    seen.protocol = "udp";
    seen.port = net::be16(b, 2);
    seen.bytes = b.size() - net::kUdpHeader;
    return seen;
  }
  if (protocol == net::ip_protocol::kIcmp || protocol == net::ip_protocol::kIcmpv6) {
    // Echo and errors; neighbours are found and groups joined without anybody's asking.
    constexpr std::uint8_t kFirstOfLink = 130;
    constexpr std::uint8_t kLastOfLink = 143;
    if (b.empty()) return std::nullopt;
    if (protocol == net::ip_protocol::kIcmpv6 && b[0] >= kFirstOfLink && b[0] <= kLastOfLink)
      return std::nullopt;
    seen.protocol = "icmp";
    seen.error = is_error(protocol, b[0]);
    return seen;
  }
  seen.protocol = std::to_string(protocol);
  return seen;
}

std::optional<Seen> see_v4(net::Bytes b) {
  constexpr std::size_t kFragmentBits = 0x3fff;
  const std::size_t header = std::size_t{b[0]} % 16 * 4;
  if (b.size() < net::kIpv4Header || header < net::kIpv4Header || header > b.size())
    return std::nullopt;
  // The device may have padded it.
  const net::Bytes whole = b.first(std::clamp<std::size_t>(net::be16(b, 2), header, b.size()));
  Seen seen{.address = policy::Address::v4({b[16], b[17], b[18], b[19]}).text()};
  if ((net::be16(b, 6) & kFragmentBits) != 0) {
    seen.protocol = "fragment";
    seen.bytes = whole.size() - header;
    return seen;
  }
  return see_inner(b[9], whole.subspan(header), std::move(seen));
}

std::optional<Seen> see_v6(net::Bytes b) {
  if (b.size() < net::kIpv6Header || b[6] == kHopByHop) return std::nullopt;
  std::array<std::uint8_t, policy::kIpv6Bytes> to{};
  std::ranges::copy(b.subspan(24, to.size()), to.begin());
  Seen seen{.address = policy::Address::v6(to).text()};
  if (b[6] == kFragmentHeader) {
    seen.protocol = "fragment";
    seen.bytes = b.size() - net::kIpv6Header;
    return seen;
  }
  return see_inner(b[6], b.subspan(net::kIpv6Header), std::move(seen));
}

}  // namespace

std::optional<Seen> see(net::Bytes packet) {
  if (packet.empty()) return std::nullopt;
  switch (packet[0] / 16) {
    case 4:
      return see_v4(packet);
    case 6:
      return see_v6(packet);
    default:
      return std::nullopt;
  }
}

void Record::add(const std::string& where, const Seen& seen) {
  if (seen.error && where == kAtHost) return;
  const std::tuple key{where, seen.protocol, seen.address, seen.port};
  if (sums_.size() >= kMost && !sums_.contains(key)) {
    ++lost_;
    return;
  }
  Sum& sum = sums_[key];
  ++sum.packets;
  sum.bytes += static_cast<std::int64_t>(seen.bytes);
}

Arrivals Record::take() {
  Arrivals out{.lost = std::exchange(lost_, 0)};
  for (const auto& [key, sum] : std::exchange(sums_, {})) {
    const auto& [where, protocol, address, port] = key;
    out.list.push_back({.where = where,
                        .protocol = protocol,
                        .address = address,
                        .port = port,
                        .packets = sum.packets,
                        .bytes = sum.bytes});
  }
  return out;
}

}  // namespace pyro::world
