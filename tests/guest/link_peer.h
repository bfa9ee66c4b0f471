// The other end of a guest's link, played by a test in the engine's place.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/scope.h"
#include "net/packet_writer.h"
#include "sys/fd.h"

namespace pyro::testing {

// Answers who has the engine's addresses, as the engine does, and keeps everything else. One loop.
// close() must have been awaited before it is destroyed.
class LinkPeer {
 public:
  using OnPacket = std::function<void(const net::IpPacket&)>;

  LinkPeer(io::asio::any_io_executor ex, sys::UniqueFd end)
      : end_(std::move(end)), seen_(ex), scope_(ex) {
    scope_.spawn(read());
  }
  // Called for each packet of the guest that is no neighbour solicitation.
  void on_packet(OnPacket call) { on_packet_ = std::move(call); }

  // Returns once `done` is true; looked at after each frame, for at most half a minute.
  io::Task<void> until(std::function<bool()> done);
  void send(std::string_view frame);
  // Answers to what came in `to`, from where that was sent to.
  void reply_udp(const net::IpPacket& to, const std::string& payload);
  void reply_tcp(const net::IpPacket& to, net::TcpSegment segment, const std::string& payload);
  // Closes this end. Another LinkPeer may go on with a duplicate of it.
  io::asio::awaitable<void> close();

  // What has come: frames, questions, and what no honest guest sends.
  struct Counts {
    int frames = 0, arp = 0, solicitations = 0, others = 0;
    std::size_t largest = 0;
    std::vector<std::string> refused;  // reason and EtherType
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  io::asio::awaitable<void> read();
  void take(net::Bytes bytes);
  void take(const net::Frame& frame, const net::IpPacket& packet);
  net::Route back(const net::IpPacket& to) const;

  sys::UniqueFd end_;
  OnPacket on_packet_;
  Counts counts_;
  io::Changes seen_;
  io::TaskScope scope_;
};

}  // namespace pyro::testing
