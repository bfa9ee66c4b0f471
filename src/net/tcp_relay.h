// The TCP flows of a guest, in both directions: found, decided, connected, moved and ended.
#pragma once

#include <deque>
#include <functional>
#include <unordered_map>

#include "net/dns_stream.h"
#include "net/flow_key.h"
#include "net/shared.h"
#include "net/slab.h"

namespace pyro::net {

inline constexpr std::size_t kMostTcpFlows = 4096;
inline constexpr std::size_t kMostHalfOpen = 256;
// Of those that clients of published ports have: the guest's own have places left.
inline constexpr std::size_t kMostPublishedFlows = 1024;
// Each has buffers of ours (DnsStream); no resolver needs many.
inline constexpr std::size_t kMostDnsFlows = 16;
// Its record. What else there is of it (name, index, deadline) is less than that again.
inline constexpr std::size_t kMostFlowRecord = 512;

class TcpRelay {
 public:
  // A query that came over a flow; false: it will not be answered.
  using Query = std::function<bool(Token flow, const Address& server, Bytes message)>;
  TcpRelay(Shared& shared, Query on_query);

  void on_segment(const IpPacket& packet, const TcpSegment& segment, Time now);
  void on_ready(Token token, Ready what, Time now);
  void on_deadline(Token token, Time now);
  // To the guest's port, for somebody who has connected to a published one; refused by a reset when
  // there are too many flows.
  void publish(std::unique_ptr<HostTcp> client, Token token, Token listener,
               std::uint16_t guest_port, Time now);
  // The token of a socket that publish() will be given.
  [[nodiscard]] Token next_token() const { return flows_.next(); }
  void answer_query(Token token, Bytes message);
  // Ends the flows that the policy does not allow any more.
  void judge_again(Time now);
  // Ends those that came by this listener.
  void unpublish(Token listener, Time now);

  // Sends what flows have to say, in turns. False: some have more, and the link is full.
  bool flush(Time now);
  [[nodiscard]] std::size_t size() const { return flows_.size(); }

 private:
  struct Flow {
    FlowKey key;
    std::unique_ptr<HostTcp> host;
    DnsStream* dns = nullptr;      // what `host` is, for a flow to the name server
    TcpSegment syn;                // until it is connected; without payload
    std::optional<TcpFlow> guest;  // once it is
    std::string name;
    policy::RuleId rule;
    const char* ended = nullptr;  // why, where that is known from elsewhere
    Time connect_due;
    Deadlines::Place place;
    bool half_open = true;  // counted as such
    bool waiting = false;   // in turn_
    Token listener = 0;     // of the published port that it came by; 0: the guest opened it
  };
  class Sink;

  void open(const IpPacket& packet, const TcpSegment& syn, Time now);
  void on_connected(Token token, Flow& flow, Time now);
  // What became of a connection that did not come to be.
  const char* tell_guest(const FlowKey& key, const TcpSegment& syn, int error);
  void reset(const FlowKey& key, const TcpSegment& segment);
  Flow& add(std::unique_ptr<Flow> flow, Token token);
  void touch(Token token, Flow& flow);
  void wait_for(Token token, Flow& flow);
  void opened(Flow& flow);
  void cut(Token token, Flow& flow, TcpFlow& guest, Time now);
  void produce(Token token, Flow& flow, Sink& sink, Time now);
  void remove(Token token, Flow& flow, const char* why);
  static NetEvent event_of(const Flow& flow);
  std::uint16_t port_for(std::uint16_t guest_port);

  Shared& shared_;
  Query on_query_;
  Slab<Flow> flows_{Kind::kTcp};
  std::unordered_map<FlowKey, Token, FlowKeyHash> by_key_;
  std::deque<Token> turn_;  // who has something to say
  std::size_t half_open_ = 0, dns_flows_ = 0, published_flows_ = 0;
  std::uint16_t last_port_;
};

}  // namespace pyro::net
