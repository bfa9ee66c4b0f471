#include "guest/link_peer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>

#include "net/link_addresses.h"
#include "policy/special_ranges.h"

namespace pyro::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);
constexpr net::Macs kMacs{.engine = net::kEngineMac, .guest = net::kGuestMac};

std::string_view text_of(net::Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

io::asio::awaitable<void> LinkPeer::read() {
  std::vector<std::uint8_t> buffer(net::kMostFrame + 1);
  for (;;) {
    const auto readable = co_await io::wait_readable(end_.get());
    if (!readable) co_return;
    for (;;) {
      const ssize_t n = ::recv(end_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n < 0) break;
      take(net::Bytes(buffer).first(static_cast<std::size_t>(n)));
    }
    seen_.notify();
  }
}

void LinkPeer::take(net::Bytes bytes) {
  ++counts_.frames;
  counts_.largest = std::max(counts_.largest, bytes.size());
  const auto frame = net::parse_frame(bytes);
  if (!frame) {
    const unsigned type = bytes.size() > 13 ? bytes[12] * 256U + bytes[13] : 0;
    counts_.refused.push_back(fmt::format("{} {:04x}", net::drop_name(frame.error()), type));
    return;
  }
  EXPECT_EQ(frame->source, net::kGuestMac);
  if (const auto* packet = std::get_if<net::IpPacket>(&frame->content))
    return take(*frame, *packet);
  const auto& question = std::get<net::ArpRequest>(frame->content);
  ++counts_.arp;
  if (!policy::is_engine(question.target)) return;
  std::vector<std::uint8_t> out(net::kMostFrame);
  const std::size_t size = net::write_arp_reply(out, kMacs, question);
  send(text_of(net::Bytes(out).first(size)));
}

void LinkPeer::take(const net::Frame& frame, const net::IpPacket& packet) {
  if (const auto* asked = std::get_if<net::NeighbourSolicitation>(&packet.transport)) {
    ++counts_.solicitations;
    if (!policy::is_engine(asked->target)) return;
    std::vector<std::uint8_t> out(net::kMostFrame);
    const std::size_t size = net::write_advertisement(
        out, {.macs = kMacs, .source = asked->target, .destination = packet.source});
    return send(text_of(net::Bytes(out).first(size)));
  }
  if (std::holds_alternative<net::OtherTransport>(packet.transport)) {
    ++counts_.others;
  } else {
    EXPECT_EQ(frame.destination, net::kEngineMac);
    EXPECT_EQ(packet.source, policy::link_of(packet.source.family()).guest);
  }
  if (on_packet_) on_packet_(packet);
}

io::Task<void> LinkPeer::until(std::function<bool()> done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const std::uint64_t seen = seen_.count();
    if (done()) co_return Result<void>{};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      co_return fail(Errc::kDeadline, "the guest did not send what was waited for");
    PYRO_CO_CHECK(co_await seen_.after(seen, left));
  }
}

void LinkPeer::send(std::string_view frame) {
  EXPECT_EQ(::send(end_.get(), frame.data(), frame.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(frame.size()));
}

net::Route LinkPeer::back(const net::IpPacket& to) const {
  return {.macs = kMacs, .source = to.destination, .destination = to.source};
}

void LinkPeer::reply_udp(const net::IpPacket& to, const std::string& payload) {
  const auto& asked = std::get<net::UdpDatagram>(to.transport);
  std::vector<std::uint8_t> out(net::kMostFrame);
  std::ranges::copy(
      payload, out.begin() + static_cast<std::ptrdiff_t>(net::udp_payload_at(to.source.family())));
  const std::size_t size =
      net::write_udp(out, back(to), asked.destination_port, asked.source_port, payload.size());
  send(text_of(net::Bytes(out).first(size)));
}

void LinkPeer::reply_tcp(const net::IpPacket& to, net::TcpSegment segment,
                         const std::string& payload) {
  const auto& asked = std::get<net::TcpSegment>(to.transport);
  segment.source_port = asked.destination_port;
  segment.destination_port = asked.source_port;
  std::vector<std::uint8_t> out(net::kMostFrame);
  std::ranges::copy(
      payload, out.begin() + static_cast<std::ptrdiff_t>(net::tcp_payload_at(to.source.family())));
  const std::size_t size = net::write_tcp(out, back(to), segment, payload.size());
  send(text_of(net::Bytes(out).first(size)));
}

io::asio::awaitable<void> LinkPeer::close() {
  static_cast<void>(co_await scope_.close());
  end_ = {};
}

}  // namespace pyro::testing
