// The real pyro-net under a supervisor's hand; the test is the guest, frame by frame.
#include "core/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/resolvers.h"
#include "net/dns_message.h"
#include "net/dns_upstream.h"
#include "net/link_addresses.h"
#include "net/packet_writer.h"
#include "policy/special_ranges.h"
#include "support/driver.h"
#include "sys/file.h"

namespace pyro::core {
namespace {

using namespace std::chrono_literals;
using policy::Family;
using policy::Policy;
using policy::Preset;

policy::Policy egress(std::vector<std::string> allow = {}) {
  Policy policy{.preset = Preset::kEgressAndPublish};
  for (const std::string& rule : allow)
    policy.allow.push_back(*policy::parse_rule(rule, policy::Verdict::kAllow));
  return policy;
}

// QEMU's end of the link.
class GuestEnd {
 public:
  explicit GuestEnd(sys::UniqueFd fd) : fd_(std::move(fd)) {}

  void ask_who_has_the_gateway() {
    std::array<std::uint8_t, 42> f{};
    std::ranges::fill_n(f.begin(), 6, 0xff);
    std::ranges::copy(net::kGuestMac, f.begin() + 6);
    constexpr std::array<std::uint8_t, 10> kArp{0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
    std::ranges::copy(kArp, f.begin() + 12);
    std::ranges::copy(net::kGuestMac, f.begin() + 22);
    const policy::LinkAddresses& link = policy::link_of(Family::kIpv4);
    std::ranges::copy(link.guest.bytes(), f.begin() + 28);
    std::ranges::copy(link.engine.bytes(), f.begin() + 38);
    EXPECT_EQ(::send(fd_.get(), f.data(), f.size(), MSG_NOSIGNAL), static_cast<ssize_t>(f.size()));
  }
  void send_syn(const policy::Address& to, std::uint16_t port) {
    std::vector<std::uint8_t> f(200);
    // As the engine writes them, with the ends exchanged.
    const net::Route route{.macs = {.engine = net::kGuestMac, .guest = net::kEngineMac},
                           .source = policy::link_of(Family::kIpv4).guest,
                           .destination = to};
    const std::size_t size = net::write_tcp(
        f, route, {.source_port = 1000, .destination_port = port, .sequence = 7, .syn = true}, 0);
    EXPECT_EQ(::send(fd_.get(), f.data(), size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
  }
  void ask_for_name(const std::string& name) {
    std::vector<std::uint8_t> f(600);
    const std::vector<std::uint8_t> query = net::write_query(7, {.name = name, .type = 1});
    const policy::LinkAddresses& link = policy::link_of(Family::kIpv4);
    const net::Route route{.macs = {.engine = net::kGuestMac, .guest = net::kEngineMac},
                           .source = link.guest,
                           .destination = link.engine};
    std::ranges::copy(query, f.begin() + net::udp_payload_at(Family::kIpv4));
    const std::size_t size = net::write_udp(f, route, 1000, 53, query.size());
    EXPECT_EQ(::send(fd_.get(), f.data(), size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
  }
  // A frame has come; it is dropped but for its size.
  bool has_frame() {
    std::array<std::uint8_t, 65536> f{};
    const ssize_t n = ::recv(fd_.get(), f.data(), f.size(), MSG_DONTWAIT);
    if (n > 0) last_.assign(f.begin(), f.begin() + n);
    return n > 0;
  }
  // Of the last frame: 6 from its start on in its TCP header, as RFC 9293 has them.
  [[nodiscard]] unsigned tcp_flags() const { return last_.size() > 47 ? last_[47] : 0; }
  [[nodiscard]] bool is_arp() const { return last_.size() > 13 && last_[13] == 0x06; }

 private:
  sys::UniqueFd fd_;
  std::vector<std::uint8_t> last_;
};

class NetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // as a supervisor does
    char name[] = "/tmp/pyro-network-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    write("resolv.conf", "# none of these is asked\nnameserver 127.0.0.1\n");
  }
  void TearDown() override {
    if (network_) driver_.run(network_->close());
    network_.reset();
    std::filesystem::remove_all(folder_);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  void make(const std::string& engine = PYRO_NET_PROGRAM) {
    auto made = Network::make(
        {.engine = engine,
         .resolv_conf = folder_ + "/resolv.conf",
         .answer = answer_,
         .span = std::chrono::minutes(1)},
        [this](const proto::NetEvents& news) {
          events_.insert(events_.end(), news.events.begin(), news.events.end());
          if (on_events_) on_events_();
        },
        driver_.executor());
    ASSERT_TRUE(made) << made.error().message;
    network_ = *std::move(made);
    auto end = network_->guest_end();
    ASSERT_TRUE(end) << end.error().message;
    guest_ = std::make_unique<GuestEnd>(*std::move(end));
  }
  // The pid of our only child of that name.
  static pid_t engine_pid() {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream stat(entry.path() / "stat");
      pid_t pid = 0;
      pid_t parent = 0;
      std::string name;
      std::string state;
      if (stat >> pid >> name >> state >> parent && parent == ::getpid() && name == "(pyro-net)" &&
          state != "Z")
        return pid;
    }
    return 0;
  }
  static std::map<std::string, std::string> status_of(pid_t pid) {
    std::map<std::string, std::string> out;
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string key, value; status >> key && std::getline(status >> std::ws, value);)
      out[key] = value;
    return out;
  }
  void expect_an_answer() {
    guest_->ask_who_has_the_gateway();
    EXPECT_TRUE(driver_.until([&] { return guest_->has_frame(); })) << "nobody answers";
    EXPECT_TRUE(guest_->is_arp());
  }

  pyro::testing::Driver driver_;
  std::string folder_;
  std::chrono::milliseconds answer_{20'000};
  std::vector<proto::NetEvent> events_;
  std::function<void()> on_events_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<GuestEnd> guest_;
};

TEST_F(NetworkTest, AnEngineRunsWithThatPolicy) {
  make();
  const auto started = driver_.run(network_->start(egress({"192.0.2.7:8080"})));
  ASSERT_TRUE(started) << started.error().message;
  expect_an_answer();
  const auto info = driver_.run(network_->info());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->policy, "preset egress+published-ports\nallow 192.0.2.7:8080\n");
  EXPECT_EQ(info->counters.at("frames_from_guest"), 1);
}

TEST_F(NetworkTest, ItCanDoNothingElse) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  auto status = status_of(engine_pid());
  EXPECT_EQ(status["Seccomp:"], "2");
  EXPECT_EQ(status["NoNewPrivs:"], "1");
  // At most the right to low ports, which only root's has.
  const std::string capabilities = ::getuid() == 0 ? "0000000000000400" : "0000000000000000";
  EXPECT_EQ(status["CapEff:"], capabilities);
  EXPECT_EQ(status["CapPrm:"], capabilities);
}

TEST_F(NetworkTest, DecisionsAreTold) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress({"192.0.2.7:8080"}))));
  guest_->send_syn(*policy::Address::parse("192.0.2.7"), 81);
  ASSERT_TRUE(driver_.until([&] { return !events_.empty(); }));
  EXPECT_EQ(events_[0].kind, "decision");
  EXPECT_EQ(events_[0].address, "192.0.2.7");
  EXPECT_EQ(events_[0].port, 81);
  EXPECT_FALSE(events_[0].allow);
  EXPECT_EQ(events_[0].reason, "special-range");
  ASSERT_TRUE(driver_.until([&] { return guest_->has_frame(); }));
  EXPECT_EQ(guest_->tcp_flags(), 0x14U) << "a reset that acknowledges";
}

TEST_F(NetworkTest, ANewPolicyIsInForceWhenItIsAnswered) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  ASSERT_TRUE(driver_.run(network_->set_policy(egress({"a.example:443"}))));
  EXPECT_EQ(network_->policy(), egress({"a.example:443"}));
  const auto info = driver_.run(network_->info());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->policy, egress({"a.example:443"}).text());
  Policy bad{.preset = Preset::kEgress, .allow_udp = true};
  EXPECT_EQ(driver_.run(network_->set_policy(bad)).error().code, Errc::kInvalid);
}

// It would apply what it was told as soon as it wakes up, after everybody was told that it failed.
TEST_F(NetworkTest, AnEngineThatDoesNotAnswerANewPolicyIsReplacedByOneWithTheOld) {
  answer_ = 5s;
  make();
  const Policy old = egress({"a.example:443"});
  ASSERT_TRUE(driver_.run(network_->start(old)));
  const pid_t first = engine_pid();
  ASSERT_EQ(::kill(first, SIGSTOP), 0);
  const auto set = driver_.run(network_->set_policy(egress({"b.example:443"})));
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Errc::kDeadline) << set.error().message;
  ::kill(first, SIGCONT);
  ASSERT_TRUE(driver_.until([&] { return engine_pid() != first; }));
  const auto info = driver_.run(network_->info());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->policy, old.text());
  EXPECT_EQ(network_->policy(), old);
}

// The host itself may have stood still, and with the engine went every flow.
TEST_F(NetworkTest, AnEngineThatIsSlowToTakeOtherNameServersStays) {
  write("resolv.conf", "");
  answer_ = 5s;
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress({"a.example:443"}))));
  const pid_t engine = engine_pid();
  on_events_ = [&] {
    write("resolv.conf", "nameserver 127.0.0.1\n");
    ::kill(engine, SIGSTOP);
  };
  guest_->ask_for_name("a.example");
  ASSERT_TRUE(driver_.until([&] { return !events_.empty(); }));
  on_events_ = {};
  EXPECT_EQ(events_[0].reason, "no-route");
  // Asked after it, so given up after it.
  EXPECT_EQ(driver_.run(network_->info()).error().code, Errc::kDeadline);
  ::kill(engine, SIGCONT);
  const auto info = driver_.run(network_->info());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(engine_pid(), engine);
  EXPECT_EQ(driver_.run(network_->state())->restarts, 0);
}

TEST_F(NetworkTest, APublishedPortLeadsToTheGuest) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  const auto port = driver_.run(network_->publish(0, 8080));
  ASSERT_TRUE(port) << port.error().message;
  EXPECT_GT(*port, 0);
  EXPECT_EQ(driver_.run(network_->publish(*port, 8081)).error().code, Errc::kConflict);
  const sys::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(*port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  ASSERT_TRUE(driver_.until([&] { return guest_->has_frame(); }));
  EXPECT_EQ(guest_->tcp_flags(), 0x02U) << "a SYN";
  ASSERT_TRUE(driver_.run(network_->unpublish(*port)));
  char byte = 0;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), -1) << "its connections end with it";
  const sys::UniqueFd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(late.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), -1);
}

TEST_F(NetworkTest, ADeadEngineIsReplacedOnTheSameLink) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress({"a.example:443"}))));
  const auto port = driver_.run(network_->publish(0, 8080));
  ASSERT_TRUE(port);
  const pid_t first = engine_pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_TRUE(driver_.until([&] { return engine_pid() != first && engine_pid() > 0; }));
  const auto info = driver_.run(network_->info());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->policy, egress({"a.example:443"}).text());
  EXPECT_NE(engine_pid(), first);
  expect_an_answer();
  EXPECT_EQ(driver_.run(network_->publish(*port, 8081)).error().code, Errc::kConflict)
      << "the port came back with it";
}

TEST_F(NetworkTest, APortThatSomebodyElseTookMeanwhileComesBackWhenItIsFree) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  const auto port = driver_.run(network_->publish(0, 8080));
  ASSERT_TRUE(port);
  const pid_t first = engine_pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  // Before its successor runs: nothing does while the loop does not.
  sys::UniqueFd thief(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ASSERT_EQ(::setsockopt(thief.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(*port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto take = [&] {
    return ::bind(thief.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0 &&
           ::listen(thief.get(), 1) == 0;
  };
  // Until the kernel has cleared up.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!take()) ASSERT_LT(std::chrono::steady_clock::now(), limit);
  ASSERT_TRUE(driver_.until([&] { return engine_pid() > 0 && engine_pid() != first; }));
  ASSERT_TRUE(driver_.run(network_->info()));
  thief = sys::UniqueFd();
  ASSERT_TRUE(driver_.until([&] {
    const sys::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return client && ::connect(client.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0;
  }));
}

TEST_F(NetworkTest, OneThatDiesAgainAndAgainIsTheEndOfIt) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  for (int deaths = 1; deaths <= 3; ++deaths) {
    const pid_t pid = engine_pid();
    ASSERT_GT(pid, 0);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    // Reaped, so that it was noticed.
    ASSERT_TRUE(driver_.until([&] { return ::kill(pid, 0) != 0; }));
    // Until its successor has answered, or it is clear that there will be none.
    static_cast<void>(driver_.run(network_->info()));
  }
  const auto info = driver_.run(network_->info());
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, Errc::kUnavailable);
  EXPECT_NE(info.error().message.find("ended 3 times"), std::string::npos) << info.error().message;
  const auto state = driver_.run(network_->state());
  ASSERT_TRUE(state);
  EXPECT_EQ(state->restarts, 2) << "the last one had no successor";
}

TEST_F(NetworkTest, ASuccessorThatDoesNotComeUpIsADeath) {
  const std::string broken = folder_ + "/broken";
  const std::string engine = folder_ + "/engine";
  write("engine", "#!/bin/sh\nif [ -e " + broken + " ]; then exec /bin/rm " + broken +
                      "; fi\nexec " PYRO_NET_PROGRAM "\n");
  ASSERT_EQ(::chmod(engine.c_str(), 0700), 0);
  make(engine);
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  write("broken", "");
  const pid_t first = engine_pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_TRUE(driver_.until([&] { return !std::filesystem::exists(broken); }));
  const auto info = driver_.run(network_->info());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(driver_.run(network_->state())->restarts, 1);
  ASSERT_EQ(::kill(engine_pid(), SIGKILL), 0);
  EXPECT_TRUE(driver_.until([&] {
    const auto gone = driver_.run(network_->info());
    return !gone && gone.error().message.find("ended 3 times") != std::string::npos;
  }));
}

TEST_F(NetworkTest, AnEngineThatDoesNotComeUpIsAnError) {
  make("/bin/true");
  const auto started = driver_.run(network_->start(egress()));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("starting the network engine"), std::string::npos);
  make(folder_ + "/missing");
  EXPECT_FALSE(driver_.run(network_->start(egress())));
}

TEST_F(NetworkTest, ItEndsWithItsOwner) {
  make();
  ASSERT_TRUE(driver_.run(network_->start(egress())));
  const pid_t pid = engine_pid();
  driver_.run(network_->close());
  network_.reset();
  EXPECT_EQ(::kill(pid, 0), -1);
}

// At each step of its successor's coming up.
TEST_F(NetworkTest, ItEndsAlsoWhileAnEngineIsReplaced) {
  constexpr int kSteps = 40;
  for (int steps = 0; steps < kSteps; ++steps) {
    SCOPED_TRACE(steps);
    make();
    ASSERT_TRUE(driver_.run(network_->start(egress())));
    for (std::uint16_t guest_port = 80; guest_port < 84; ++guest_port)
      ASSERT_TRUE(driver_.run(network_->publish(0, guest_port)));
    const pid_t first = engine_pid();
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    ASSERT_TRUE(driver_.until([&] { return engine_pid() != first; }));
    int left = steps;
    ASSERT_TRUE(driver_.until([&] { return left-- == 0; }));
    driver_.run(network_->close());
    if (HasFailure()) return;  // it would be waited for again and again
  }
}

TEST(Resolvers, AreThoseOfTheFile) {
  const auto found = parse_resolvers(
      "# nameserver 1.1.1.1\nsearch example.com\nnameserver 10.0.0.1\nnameserver\t2001:db8::1  \n"
      "nameserver fe80::1%eth0\nnameserver none\nnameserver 127.0.0.53 trailing\r\noptions "
      "ndots:2");
  const std::vector<proto::NetResolver> wanted{
      {.address = "10.0.0.1"}, {.address = "2001:db8::1"}, {.address = "127.0.0.53"}};
  EXPECT_EQ(found, wanted);
  std::string many;
  for (int i = 0; i < 20; ++i) many += "nameserver 10.0.0." + std::to_string(i) + "\n";
  EXPECT_EQ(parse_resolvers(many).size(), net::kMostResolvers);
  EXPECT_TRUE(parse_resolvers("").empty());
  EXPECT_TRUE(read_resolvers("/nonexistent").empty());
}

}  // namespace
}  // namespace pyro::core
