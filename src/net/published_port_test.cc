// Ports of the host that lead to the guest.
#include <gtest/gtest.h>

#include "net/engine_testing.h"
#include "net/tcp_relay.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;

class PublishedPortTest : public testing::Test, protected EngineRig {
 protected:
  void SetUp() override { configure(); }
  static void add_clients(FakeListenerState& listener, std::size_t count) {
    for (; count > 0; --count) listener.waiting.push_back(std::make_shared<FakeTcpState>());
  }
};

TEST_F(PublishedPortTest, APublishedPortOpensAFlowToTheGuest) {
  ASSERT_EQ(engine.publish(8080, 80).value_or(0), 8080);
  EXPECT_EQ(engine.publish(8080, 81).error(), EADDRINUSE);
  auto client = std::make_shared<FakeTcpState>();
  network.listeners.back()->waiting.push_back(client);
  ready(network.listeners.back()->token);
  const Seen opening = next();
  ASSERT_NE(opening.tcp(), nullptr);
  EXPECT_TRUE(opening.tcp()->syn && !opening.tcp()->ack);
  EXPECT_EQ(opening.tcp()->destination_port, 80);
  EXPECT_EQ(opening.packet->source, policy::link_of(Family::kIpv4).engine);
  EXPECT_EQ(last_event(), "published 10.255.255.1 80 allowed rule");
  // A guest where nobody listens.
  give(guest_frame::tcp(guest_frame::to(opening.packet->source),
                        {.source_port = 80,
                         .destination_port = opening.tcp()->source_port,
                         .acknowledgement = opening.tcp()->sequence + 1,
                         .rst = true,
                         .ack = true}));
  EXPECT_TRUE(client->closed && client->reset);
  EXPECT_EQ(engine.sizes().tcp, 0U);
}

// One that is started again meets flows of the guest that it does not know.
TEST(PublishedPort, EachEngineBeginsWithAnotherPort) {
  std::set<std::uint16_t> ports;
  constexpr int kEngines = 4;
  for (int i = 0; i < kEngines; ++i) {
    EngineRig rig;
    rig.configure();
    ASSERT_TRUE(rig.engine.publish(8080, 80));
    rig.network.listeners.back()->waiting.push_back(std::make_shared<FakeTcpState>());
    rig.ready(rig.network.listeners.back()->token);
    const Seen opening = rig.next();
    ASSERT_NE(opening.tcp(), nullptr);
    ports.insert(opening.tcp()->source_port);
  }
  EXPECT_GT(ports.size(), 1U);
  EXPECT_GE(*ports.begin(), 1024);
}

TEST_F(PublishedPortTest, UnpublishingEndsThatPortsFlowsOnly) {
  ASSERT_TRUE(engine.publish(8080, 80));
  ASSERT_TRUE(engine.publish(8081, 80));
  std::vector<std::shared_ptr<FakeTcpState>> clients;
  for (const auto& listener : std::vector(network.listeners)) {
    clients.push_back(std::make_shared<FakeTcpState>());
    listener->waiting.push_back(clients.back());
    ready(listener->token);
  }
  EXPECT_TRUE(engine.unpublish(8080));
  EXPECT_FALSE(engine.unpublish(8080));
  flush();
  EXPECT_TRUE(network.listeners.front()->closed);
  EXPECT_TRUE(clients[0]->closed && clients[0]->reset);
  EXPECT_FALSE(clients[1]->closed);
  EXPECT_EQ(last_event(), "published 10.255.255.1 80 end unpublished");
}

TEST_F(PublishedPortTest, APolicyWithoutPublishedPortsHasNone) {
  ASSERT_TRUE(engine.publish(8080, 80));
  ASSERT_TRUE(engine.publish(8081, 80));
  const auto client = std::make_shared<FakeTcpState>();
  network.listeners.front()->waiting.push_back(client);
  ready(network.listeners.front()->token);
  settings.policy.preset = policy::Preset::kEgress;
  configure();
  for (const auto& listener : network.listeners) EXPECT_TRUE(listener->closed);
  EXPECT_TRUE(client->closed && client->reset);
  const auto refused = engine.publish(8080, 80);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), EACCES);
  EXPECT_EQ(network.listeners.size(), 2U);
  settings.policy.preset = policy::Preset::kEgressAndPublish;
  configure();
  EXPECT_TRUE(engine.publish(8080, 80));
}

TEST_F(PublishedPortTest, AListenerWithoutDescriptorsTriesAgain) {
  ASSERT_TRUE(engine.publish(8080, 80));
  const auto listener = network.listeners.back();
  listener->waiting.push_back(std::make_shared<FakeTcpState>());
  listener->error = EMFILE;
  ready(listener->token);
  EXPECT_EQ(engine.sizes().tcp, 0U);
  wait(100ms);
  EXPECT_EQ(engine.sizes().tcp, 1U);
}

// Whoever connects again and again does not keep the engine from all else.
TEST_F(PublishedPortTest, ClientsAreTakenSomeAtATime) {
  ASSERT_TRUE(engine.publish(8080, 80));
  FakeListenerState& listener = *network.listeners.back();
  add_clients(listener, 150);
  ready(listener.token);
  EXPECT_EQ(engine.sizes().tcp, 64U);
  wait(1ms);
  EXPECT_EQ(engine.sizes().tcp, 128U);
  wait(1ms);
  EXPECT_EQ(engine.sizes().tcp, 150U);
  EXPECT_TRUE(listener.waiting.empty());
}

TEST_F(PublishedPortTest, ClientsLeaveTheGuestPlacesForItsOwnFlows) {
  ASSERT_TRUE(engine.publish(8080, 80));
  FakeListenerState& listener = *network.listeners.back();
  add_clients(listener, kMostPublishedFlows);
  ready(listener.token);
  wait(100ms);
  EXPECT_EQ(engine.sizes().tcp, kMostPublishedFlows);
  const auto late = std::make_shared<FakeTcpState>();
  listener.waiting.push_back(late);
  events();
  ready(listener.token);
  EXPECT_TRUE(late->closed && late->reset);
  EXPECT_EQ(last_event(), "published 10.255.255.1 80 refused limit");
  EXPECT_TRUE(engine.unpublish(8080));
  EXPECT_EQ(engine.sizes().tcp, 0U);
  // Their places are free again.
  ASSERT_TRUE(engine.publish(8080, 80));
  add_clients(*network.listeners.back(), 1);
  ready(network.listeners.back()->token);
  EXPECT_EQ(engine.sizes().tcp, 1U);
}

}  // namespace
}  // namespace pyro::net
