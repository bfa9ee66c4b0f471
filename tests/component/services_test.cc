// Services of a workspace in this process, whose guest is a script.
#include "core/services.h"

#include <fmt/format.h>

#include <sstream>

#include "core/log_relay.h"
#include "proto/limits.h"
#include "rpc/session.h"
#include "support/workspace_fixture.h"

namespace pyro::testing {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using boost::json::object;
using Clock = std::chrono::steady_clock;
using StreamPtr = std::shared_ptr<rpc::Stream>;

// ---- what the guest's agent does about a program, or a look at it

void started(const StreamPtr& stream) {
  static_cast<void>(stream->send_event(proto::Started::kName, {{"pid", 7}}));
}
void ended(const StreamPtr& stream, object answer) {
  static_cast<void>(stream->respond(std::move(answer)));
}
// Takes its time to end after SIGTERM, unless it is killed before.
constexpr auto kSlow = 300ms;
awaitable<void> ends_slowly(StreamPtr stream) {
  started(stream);
  static_cast<void>(co_await stream->next());
  const auto until = Clock::now() + kSlow;
  while (Clock::now() < until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    const auto item = co_await stream->next_within(left);
    if (!item || (*item && std::holds_alternative<rpc::Cancelled>(**item)))
      co_return ended(stream, {{"signal", 9}});
  }
  ended(stream, {{"exit_code", 0}});
}
awaitable<void> ends_when_killed(StreamPtr stream) {
  started(stream);
  for (;;) {
    const auto item = co_await stream->next();
    if (!item || std::holds_alternative<rpc::Cancelled>(*item))
      co_return ended(stream, {{"signal", 9}});
  }
}
awaitable<void> ends_at_once(StreamPtr stream) {
  started(stream);
  ended(stream, {{"exit_code", 0}});
  co_return;
}
awaitable<void> ends_at_a_signal(StreamPtr stream) {
  started(stream);
  static_cast<void>(co_await stream->next());
  ended(stream, {{"signal", 15}});
}
void answer_probe(const StreamPtr& stream, bool ready) {
  ended(stream, proto::encode(proto::ProbeResult{.ready = ready, .detail = "nobody listens"}));
}
awaitable<void> is_not_ready(StreamPtr stream) {
  answer_probe(stream, false);
  co_return;
}

// The only program of its guest.
StreamPtr the_program;
awaitable<void> ends_when_looked_at(StreamPtr stream) {
  started(stream);
  the_program = std::move(stream);
  co_return;
}
awaitable<void> looks_and_ends_it(StreamPtr stream) {
  answer_probe(stream, false);
  ended(the_program, {{"exit_code", 3}});
  co_return;
}

// How often a guest was looked at, and the shortest time between an answer and the next look.
struct Looks {
  int count = 0;
  Clock::time_point answered;
  std::chrono::milliseconds shortest{1'000'000};
} looks;
constexpr int kLooks = 4;  // until it is ready
awaitable<void> counts_looks(StreamPtr stream) {
  if (looks.count++ > 0) {
    const auto gap = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - looks.answered);
    looks.shortest = std::min(looks.shortest, gap);
  }
  answer_probe(stream, looks.count == kLooks);
  looks.answered = Clock::now();
  co_return;
}
awaitable<void> tells_looks(StreamPtr stream) {
  started(stream);
  static_cast<void>(co_await stream->next());
  static_cast<void>(co_await stream->send(
      wire::kStdout, fmt::format("{} {}", looks.count, looks.shortest.count())));
  ended(stream, {{"exit_code", 0}});
}

// ---- calls

// Both ends of a connection, in one loop.
class Pair {
 public:
  Pair(Driver& driver, rpc::Handler handler) : driver_(driver) {
    auto ends = sys::make_socket_pair();
    server_ =
        std::make_unique<rpc::Session>(driver.executor(), std::move(ends->theirs), sys::UniqueFd(),
                                       rpc::SessionOptions{.handler = std::move(handler)});
    client_ = std::make_unique<rpc::Session>(driver.executor(), std::move(ends->ours),
                                             sys::UniqueFd(), rpc::SessionOptions{});
    const auto accepted = driver.begin(server_->handshake_as_acceptor());
    EXPECT_TRUE(driver.run(client_->handshake_as_initiator(10s)));
    EXPECT_TRUE(driver.end(accepted));
  }
  ~Pair() {
    driver_.run(client_->close());
    driver_.run(server_->close());
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  rpc::Session& client() { return *client_; }

 private:
  Driver& driver_;
  std::unique_ptr<rpc::Session> server_, client_;
};

awaitable<void> serve_start(std::shared_ptr<core::Services> services, StreamPtr stream) {
  const auto request = proto::decode<proto::StartService>(stream->params());
  const auto done = co_await services->start(*request, stream);
  static_cast<void>(done ? stream->respond(object{}) : stream->respond(done.error()));
}
awaitable<void> serve_log(std::string folder, StreamPtr stream) {
  std::uint64_t cursor = 0;
  for (bool sent = true; sent;) {
    const auto result = co_await core::send_log(folder, &cursor, stream);
    sent = result.value_or(false);
  }
  static_cast<void>(stream->respond(object{}));
}

class ServicesTest : public WorkspaceTest {
 protected:
  void begin(Script program, Script probe = is_not_ready, const char* policy = "preset off\n") {
    vmm_.clone = scripted_agent(
        {{proto::Exec::kName, std::move(program)}, {proto::Probe::kName, std::move(probe)}});
    auto what = wanted("project");
    what.record.network = *policy::parse_policy_text(policy);
    ASSERT_TRUE(create(std::move(what)));
    ASSERT_TRUE(WorkspaceTest::start());
    services_ = *workspace_->services();
    pair_ = std::make_unique<Pair>(
        driver_, [this](StreamPtr stream) { return serve_start(services_, std::move(stream)); });
  }
  ~ServicesTest() override {
    pair_.reset();
    services_.reset();
    close();
  }
  static proto::ServiceDefinition plain() { return {.argv = {{"program"}}}; }
  static proto::ServiceDefinition probed() {
    return {.argv = {{"program"}},
            .readiness = proto::Readiness{.type = "tcp", .host = "127.0.0.1", .port = 80},
            .ready_interval_ms = 50};
  }
  auto begin_start(const std::string& name, const proto::ServiceDefinition& definition) {
    return driver_.begin(pair_->client().call(
        proto::StartService::kName,
        proto::encode(proto::StartService{.name = name, .definition = definition}), 30s));
  }
  auto start(const std::string& name, const proto::ServiceDefinition& definition) {
    return driver_.end(begin_start(name, definition));
  }
  auto stop(const std::string& name) {
    return driver_.run(services_->stop({.name = name, .timeout_ms = 30'000}));
  }
  [[nodiscard]] Result<store::ServiceRecord> known(const std::string& name) const {
    PYRO_TRY(auto store, store::WorkspaceStore::open(folder(), store::Database::Mode::kReadOnly));
    return store.service(name);
  }
  // Empty where there is none.
  [[nodiscard]] store::ServiceRecord service(const std::string& name) const {
    return known(name).value_or(store::ServiceRecord{});
  }
  [[nodiscard]] std::string log_folder(const std::string& name) const {
    return core::service_log_folder(folder(), name);
  }
  void start_as_many_as_there_can_be() {
    for (int i = 0; i < proto::kMostServices; ++i)
      ASSERT_TRUE(start(fmt::format("s{}", i), plain()));
  }

  std::shared_ptr<core::Services> services_;
  std::unique_ptr<Pair> pair_;
};

// ---- ends

TEST_F(ServicesTest, WhoStopsAStartGrantsTheTimeForIt) {
  boot_.failed_grace = 1ms;
  begin(ends_slowly);
  const auto start = begin_start("web", probed());
  ASSERT_TRUE(driver_.until([&] { return service("web").pid.has_value(); }));
  ASSERT_TRUE(stop("web"));
  EXPECT_EQ(service("web").stop_reason, "sigterm");
  EXPECT_EQ(service("web").exit_code, 0);
  EXPECT_FALSE(driver_.end(start));
}

TEST_F(ServicesTest, OneThatIsNotReadyInTimeHasLittleTimeToEnd) {
  boot_.failed_grace = 1ms;
  begin(ends_when_killed);
  auto definition = probed();
  definition.ready_timeout_ms = 1;
  EXPECT_EQ(start("web", definition).error().code, Errc::kDeadline);
  EXPECT_EQ(service("web").exit_code, 137);
}

TEST_F(ServicesTest, WhoHearsOfAnEndFindsItsPortsClosed) {
  network_ = {.engine = PYRO_NET_PROGRAM, .resolv_conf = "/etc/resolv.conf"};
  begin(ends_when_looked_at, looks_and_ends_it, "preset egress+published-ports\n");
  auto definition = probed();
  definition.published = {{.guest_port = 80}};
  const auto start = begin_start("web", definition);
  const auto bound = [this] { return service("web").definition.find("\"bound\":0"); };
  const auto is_bound = [&] {
    return service("web").definition.contains("\"bound\":") && bound() == std::string::npos;
  };
  ASSERT_TRUE(driver_.until(is_bound));
  // Looked at after each event.
  ASSERT_TRUE(driver_.until([&] { return is_over(service("web").state); }));
  EXPECT_NE(bound(), std::string::npos) << service("web").definition;
  ASSERT_FALSE(driver_.end(start));
  EXPECT_NE(this->start("web", definition).error().code, Errc::kConflict);
}

// ---- readiness

TEST_F(ServicesTest, OneThatEndsBeforeItIsReadySaysWhatWasSeenLast) {
  begin(ends_when_looked_at, looks_and_ends_it);
  const auto failed = start("web", probed());
  ASSERT_FALSE(failed);
  constexpr const char* kWhy =
      "it ended before it was ready (exit code 3); the last probe: nobody listens";
  EXPECT_EQ(failed.error().message, fmt::format("the service web did not become ready: {}", kWhy));
  EXPECT_EQ(service("web").last_error, kWhy);
}

TEST_F(ServicesTest, BetweenTwoLooksNothingIsAskedOfTheGuest) {
  begin(tells_looks, counts_looks);
  auto definition = probed();
  definition.ready_interval_ms = 100;
  ASSERT_TRUE(start("web", definition));
  ASSERT_TRUE(stop("web"));
  const auto log = store::read_log(log_folder("web"));
  ASSERT_FALSE(log->records.empty());
  std::istringstream told(log->records.front().text);
  int count = 0, shortest = 0;
  told >> count >> shortest;
  EXPECT_EQ(count, kLooks);
  EXPECT_GE(shortest, 100);
}

TEST_F(ServicesTest, OneWithoutAProbeIsReadyWhenItRuns) {
  begin(ends_at_a_signal);
  ASSERT_TRUE(start("web", plain()));
  EXPECT_GE(service("web").ready_at.value_or(0), service("web").started_at);
}

// ---- many

TEST_F(ServicesTest, OfTooManyTheOneThatEndedFirstIsForgotten) {
  begin(ends_at_once);
  start_as_many_as_there_can_be();
  ASSERT_TRUE(sys::exists(log_folder("s0")));
  ASSERT_TRUE(start("new", plain()));
  EXPECT_TRUE(service("new").ready_at);
  EXPECT_EQ(known("s0").error().code, Errc::kNotFound);
  EXPECT_FALSE(sys::exists(log_folder("s0")));
  EXPECT_TRUE(known("s1"));
  EXPECT_EQ(stop("s0").error().code, Errc::kNotFound);
  ASSERT_TRUE(start("s1", plain()));  // takes no room but its own
  EXPECT_TRUE(known("s2"));
}

TEST_F(ServicesTest, OneThatRunsIsNeverForgotten) {
  begin(ends_at_a_signal);
  start_as_many_as_there_can_be();
  const auto refused = start("new", plain());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
  EXPECT_NE(refused.error().hint.find("service stop"), std::string::npos);
  ASSERT_TRUE(stop("s5"));
  ASSERT_TRUE(start("new", plain()));
  EXPECT_EQ(known("s5").error().code, Errc::kNotFound);
  EXPECT_EQ(service("s0").state, store::ServiceState::kRunning);
}

// ---- logs

TEST(SendLog, SaysWhatIsLost) {
  Host host;
  Driver driver;
  const std::string folder = host.dirs().state + "/log";
  auto log = store::ServiceLog::open(folder, /*fresh=*/true);
  ASSERT_TRUE(log);
  while (log->end() <= store::kLogBound)
    log->append(store::LogStream::kStdout, std::string(store::kMostLogText, 'x'), 1);
  Pair pair(driver, [folder](StreamPtr stream) { return serve_log(folder, std::move(stream)); });
  const auto stream = pair.client().open("log", {});
  store::LogParser parser;
  std::vector<store::LogRecord> got;
  for (;;) {
    const auto item = driver.run((*stream)->next());
    ASSERT_TRUE(item) << item.error().message;
    const auto* data = std::get_if<rpc::Data>(&*item);
    if (data == nullptr) break;
    parser.feed(data->bytes);
    for (auto record = parser.next(); record && *record; record = parser.next())
      got.push_back(**std::move(record));
  }
  const auto kept = store::read_log(folder);
  ASSERT_FALSE(got.empty());
  EXPECT_EQ(got.front().stream, store::LogStream::kRemark);
  EXPECT_EQ(got.front().text,
            fmt::format("{} bytes of this log are not kept any more\n", kept->begin));
  EXPECT_GT(kept->begin, 0U);
  got.erase(got.begin());
  EXPECT_EQ(got, kept->records);
}

}  // namespace
}  // namespace pyro::testing
