#include "rpc/session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

namespace pyro::rpc {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::awaitable;

struct Fds {
  sys::UniqueFd a_control, a_data, b_control, b_data;
};
Fds make_fds(bool two_lanes) {
  Fds f;
  auto control = sys::make_socket_pair();
  f.a_control = std::move(control->ours);
  f.b_control = std::move(control->theirs);
  if (two_lanes) {
    auto data = sys::make_socket_pair();
    f.a_data = std::move(data->ours);
    f.b_data = std::move(data->theirs);
  }
  return f;
}

void rethrow(std::exception_ptr e) {
  if (e) std::rethrow_exception(e);
}

// The tests run with data on a lane of its own and without.
class SessionTest : public testing::TestWithParam<bool> {
 protected:
  void run(Handler handler, std::function<awaitable<void>(Session&, Session&)> body) {
    Fds f = make_fds(GetParam());
    Session client(loop_.get_executor(), std::move(f.a_control), std::move(f.a_data), {});
    Session server(loop_.get_executor(), std::move(f.b_control), std::move(f.b_data),
                   {.handler = std::move(handler)});
    asio::co_spawn(loop_, accept(server), rethrow);
    asio::co_spawn(loop_, drive(client, server, std::move(body)), rethrow);
    loop_.run();
  }
  static awaitable<void> accept(Session& server) {
    const auto hello = co_await server.handshake_as_acceptor();
    EXPECT_TRUE(hello);
  }
  static awaitable<void> drive(Session& client, Session& server,
                               std::function<awaitable<void>(Session&, Session&)> body) {
    const auto hello = co_await client.handshake_as_initiator(5s);
    EXPECT_TRUE(hello);
    co_await body(client, server);
    co_await client.close();
    co_await server.close();
  }
  asio::io_context loop_{1};
};
INSTANTIATE_TEST_SUITE_P(Lanes, SessionTest, testing::Bool());

// Everything until the response, for streams whose output fits in memory.
struct Output {
  std::array<std::string, wire::kChannels> text;
  std::array<bool, wire::kChannels> ended{};
  std::vector<std::string> events;
  std::optional<json::object> result;
  std::optional<Error> error;
};
awaitable<Output> collect(std::shared_ptr<Stream> stream) {
  Output out;
  for (;;) {
    auto item = co_await stream->next();
    if (!item) {
      out.error = item.error();
      co_return out;
    }
    if (auto* data = std::get_if<Data>(&*item)) {
      out.text[data->channel] += data->bytes;
      out.ended[data->channel] = data->end;
    } else if (auto* event = std::get_if<Event>(&*item)) {
      out.events.push_back(event->name);
    } else if (auto* response = std::get_if<Response>(&*item)) {
      out.result = std::move(response->result);
      co_return out;
    }
  }
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t x = 1;
  for (char& c : out) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return out;
}

// Sends stdin back on stdout.
awaitable<void> echo(std::shared_ptr<Stream> stream) {
  for (;;) {
    auto item = co_await stream->next();
    if (!item) co_return;
    auto* data = std::get_if<Data>(&*item);
    if (data == nullptr) continue;
    const bool end = data->end;
    const auto sent = co_await stream->send(wire::kStdout, std::move(data->bytes), end);
    if (!sent) co_return;
    if (end) break;
  }
  (void)stream->respond(json::object{{"method", stream->method()}});
}

awaitable<void> feed(std::shared_ptr<Stream> stream, std::string bytes) {
  const auto sent = co_await stream->send(wire::kStdin, std::move(bytes), true);
  EXPECT_TRUE(sent);
}

TEST_P(SessionTest, EchoesFiveMegabytes) {
  run(echo, [](Session& client, Session&) -> awaitable<void> {
    const std::string sent = pattern(5 << 20);
    auto stream = client.open("echo", {});
    asio::co_spawn(co_await asio::this_coro::executor, feed(*stream, sent), rethrow);
    const Output out = co_await collect(*stream);
    EXPECT_TRUE(out.text[wire::kStdout] == sent);
    EXPECT_TRUE(out.ended[wire::kStdout]);
    EXPECT_EQ(out.result->at("method").as_string(), "echo");
  });
}

awaitable<void> two_channels(std::shared_ptr<Stream> stream) {
  (void)stream->send_event("started", {});
  (void)co_await stream->send(wire::kStdout, pattern(300000), true);
  (void)co_await stream->send(wire::kStderr, std::string("\0\xff", 2), true);
  (void)stream->respond(json::object{});
  EXPECT_FALSE(stream->respond(json::object{}));
}

TEST_P(SessionTest, AResponseComesAfterAllData) {
  run(two_channels, [](Session& client, Session&) -> awaitable<void> {
    auto stream = client.open("x", {});
    const Output out = co_await collect(*stream);
    EXPECT_EQ(out.text[wire::kStdout], pattern(300000));
    EXPECT_EQ(out.text[wire::kStderr], std::string("\0\xff", 2));
    EXPECT_EQ(out.events, std::vector<std::string>{"started"});
    EXPECT_TRUE(out.result);
  });
}

awaitable<void> fails(std::shared_ptr<Stream> stream) {
  if (stream->method() == "throw") throw std::runtime_error("oops");
  if (stream->method() == "silent") co_return;
  if (stream->method() == "large") {
    (void)stream->respond(json::object{{"x", std::string(2 << 20, 'x')}});
    co_return;
  }
  (void)stream->respond(
      Error{.code = Errc::kNotFound, .os_errno = 2, .message = "no such thing", .hint = "look"});
}

TEST_P(SessionTest, ErrorsArriveAsErrors) {
  run(fails, [](Session& client, Session&) -> awaitable<void> {
    const auto a = co_await client.call("fail", {}, 5s);
    EXPECT_EQ(a.error().code, Errc::kNotFound);
    EXPECT_EQ(a.error().os_errno, 2);
    EXPECT_EQ(a.error().hint, "look");
    const auto b = co_await client.call("throw", {}, 5s);
    EXPECT_EQ(b.error().code, Errc::kInternal);
    const auto c = co_await client.call("silent", {}, 5s);
    EXPECT_EQ(c.error().code, Errc::kInternal);
    const auto d = co_await client.call("large", {}, 5s);
    EXPECT_EQ(d.error().code, Errc::kLimit);
    const auto e = client.open("x", json::object{{"x", std::string(2 << 20, 'x')}});
    EXPECT_EQ(e.error().code, Errc::kLimit);
    EXPECT_TRUE(client.is_open());
  });
}

// Pushes what the peer takes; how much that was is told in the answer to "count".
std::size_t pushed = 0;
awaitable<void> push(std::shared_ptr<Stream> stream) {
  if (stream->method() != "push") co_return co_await echo(stream);
  pushed = 0;
  for (;;) {
    const auto sent = co_await stream->send(wire::kStdout, std::string(1024, 'x'));
    if (!sent) break;
    pushed += 1024;
  }
  EXPECT_TRUE(stream->cancelled());
  (void)stream->respond(json::object{{"pushed", pushed}});
}

TEST_P(SessionTest, WhoDoesNotReadStopsTheProducerOnly) {
  run(push, [](Session& client, Session&) -> awaitable<void> {
    const auto loop = co_await asio::this_coro::executor;
    auto slow = client.open("push", {});
    // A whole exchange of another stream happens meanwhile.
    auto other = client.open("echo", {});
    asio::co_spawn(loop, feed(*other, pattern(1 << 20)), rethrow);
    const Output out = co_await collect(*other);
    EXPECT_EQ(out.text[wire::kStdout].size(), 1U << 20);
    EXPECT_EQ(pushed, kInitialCredit);
    // Taking some of it lets as much flow again.
    for (int i = 0; i < 20; ++i) (void)co_await (*slow)->next();
    auto again = client.open("echo", {});
    asio::co_spawn(loop, feed(*again, "x"), rethrow);
    (void)co_await collect(*again);
    EXPECT_GT(pushed, kInitialCredit);
    EXPECT_LE(pushed, kInitialCredit + 20 * 1024);
    (*slow)->cancel();
    const Output rest = co_await collect(*slow);
    EXPECT_TRUE(rest.result);
    EXPECT_EQ(rest.text[wire::kStdout].size() + std::size_t{20} * 1024, pushed);
  });
}

constexpr std::size_t kLittle = 40'000;

// Takes so many bytes and no more.
awaitable<void> take_little(std::shared_ptr<Stream> stream) {
  stream->manual_credit();
  std::size_t taken = 0;
  for (;;) {
    auto item = co_await stream->next();
    if (!item) co_return;
    if (const auto* data = std::get_if<Data>(&*item)) {
      taken += data->bytes.size();
      if (taken == kLittle) stream->consumed(wire::kStdin, kLittle);
    } else {
      break;
    }
  }
  (void)stream->respond(json::object{{"taken", taken}});
}

TEST_P(SessionTest, SendWithinALimitSaysWhatWentOut) {
  run(take_little, [](Session& client, Session&) -> awaitable<void> {
    const auto stream = client.open("take", {}).value();
    const auto all = co_await stream->send_within(wire::kStdin, pattern(kLittle), 10s);
    EXPECT_TRUE(all && *all == kLittle);
    const auto most = co_await stream->send_within(wire::kStdin, pattern(1 << 20),
                                                   3s);  // for credit to come back
    EXPECT_TRUE(most && *most == kInitialCredit) << (most ? *most : 0);
    const auto none = co_await stream->send_within(wire::kStdin, "d", 0ms);
    EXPECT_TRUE(none && *none == 0);
    stream->cancel();
    const Output out = co_await collect(stream);
    EXPECT_TRUE(out.result && out.result->at("taken") == kInitialCredit + kLittle);
    const auto over = co_await stream->send_within(wire::kStdin, "d", 10s);
    EXPECT_FALSE(over);
  });
}

TEST_P(SessionTest, ADroppedStreamIsCancelled) {
  run(push, [](Session& client, Session&) -> awaitable<void> {
    {
      auto stream = client.open("push", {});
      (void)co_await (*stream)->next();
    }
    auto other = client.open("echo", {});
    const auto sent = co_await (*other)->send(wire::kStdin, "x", true);
    EXPECT_TRUE(sent);
    const Output out = co_await collect(*other);
    EXPECT_TRUE(out.result);
    EXPECT_TRUE(client.is_open());
  });
}

TEST_P(SessionTest, CallHasADeadline) {
  run(echo, [](Session& client, Session&) -> awaitable<void> {
    const auto r = co_await client.call("never answered: no input", {}, 10ms);
    EXPECT_EQ(r.error().code, Errc::kDeadline);
    EXPECT_TRUE(client.is_open());
  });
}

TEST_P(SessionTest, NextWithinALimitLosesNothing) {
  run(echo, [](Session& client, Session& server) -> awaitable<void> {
    const auto stream = client.open("echo", {}).value();
    const auto none = co_await stream->next_within(5ms);
    EXPECT_TRUE(none && !*none);
    const auto at_once = co_await stream->next_within(0ms);
    EXPECT_TRUE(at_once && !*at_once);
    const auto sent = co_await stream->send(wire::kStdin, "abc");
    EXPECT_TRUE(sent);
    auto item = co_await stream->next_within(10s);
    const auto* data = item && *item ? std::get_if<Data>(&**item) : nullptr;
    EXPECT_TRUE(data != nullptr && data->bytes == "abc");
    const auto more = co_await stream->send(wire::kStdin, "d", true);
    EXPECT_TRUE(more);
    auto next = co_await stream->next();
    EXPECT_TRUE(next);
    co_await server.close("going away");
    auto end = co_await stream->next_within(10s);
    while (end && *end) end = co_await stream->next_within(10s);
    EXPECT_FALSE(end);
  });
}

TEST_P(SessionTest, ThePeersEndEndsEveryStream) {
  run(echo, [](Session& client, Session& server) -> awaitable<void> {
    auto stream = client.open("echo", {});
    const auto sent = co_await (*stream)->send(wire::kStdin, "abc");
    EXPECT_TRUE(sent);
    auto first = co_await (*stream)->next();
    EXPECT_TRUE(first);
    co_await server.close("going away");
    const auto next = co_await (*stream)->next();
    EXPECT_EQ(next.error().message, "going away");
    const auto more = co_await (*stream)->send(wire::kStdin, "x");
    EXPECT_FALSE(more);
    const Error why = co_await client.closed();
    EXPECT_EQ(why.code, Errc::kUnavailable);
    EXPECT_FALSE(client.open("x", {}));
  });
}

TEST_P(SessionTest, StreamsAreBounded) {
  run(echo, [](Session& client, Session&) -> awaitable<void> {
    std::vector<std::shared_ptr<Stream>> streams;
    streams.reserve(kMaxStreams);
    for (std::size_t i = 0; i < kMaxStreams; ++i) streams.push_back(*client.open("echo", {}));
    EXPECT_EQ(client.open("echo", {}).error().code, Errc::kLimit);
    streams.clear();
    auto stream = client.open("echo", {});
    EXPECT_TRUE(stream);
    co_return;
  });
}

// --- a peer that does not play by the rules ------------------------------------------------------

void put(int fd, std::string_view bytes) {
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}
std::string hello_text(std::string_view nonce, bool reply = false) {
  return wire::encode_hello(
      proto::to_text(proto::encode(proto::Hello{.nonce = std::string(nonce), .reply = reply})));
}
std::string request_text(std::uint32_t id) {
  return wire::encode_frame(wire::FrameType::kRequest, id, 0, R"({"method":"echo"})");
}
// Reads until a hello came; its nonce.
std::string read_hello(int fd) {
  std::string nonce;
  wire::FrameParser parser([](std::string_view) { return true; });
  char buffer[4096];
  while (nonce.empty()) {
    const auto n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return {};
    parser.feed({buffer, static_cast<std::size_t>(n)});
    const auto frame = parser.next();
    if (frame && *frame) nonce = proto::decode_text<proto::Hello>((*frame)->payload)->nonce;
  }
  return nonce;
}

awaitable<void> serve_until_closed(Session& server, Error& why) {
  const auto hello = co_await server.handshake_as_acceptor();
  why = co_await server.closed();
  co_await server.close();
}
Error serve_raw(std::string_view bytes) {
  asio::io_context loop(1);
  Fds f = make_fds(false);
  Session server(loop.get_executor(), std::move(f.b_control), {}, {.handler = echo});
  Error why;
  asio::co_spawn(loop, serve_until_closed(server, why), rethrow);
  put(f.a_control.get(), bytes);
  ::shutdown(f.a_control.get(), SHUT_WR);
  loop.run();
  return why;
}

TEST(SessionHostile, BadFramesEndTheSession) {
  using wire::encode_frame;
  using T = wire::FrameType;
  const std::string start = hello_text("n");
  const std::string open = start + request_text(1);
  const std::string too_much = encode_frame(T::kData, 1, 0, std::string(kInitialCredit, 'x'));
  const std::vector<std::pair<const char*, std::string>> rows = {
      {"unknown type", start + std::string("\0\0\0\0\0\0\0\1\0\x63\0\0", 12)},
      {"oversized", start + std::string("\x7f\xff\xff\xff\0\0\0\1\0\2\0\0", 12)},
      {"stream of ours", start + request_text(2)},
      {"stream twice", open + request_text(1)},
      {"request not JSON", start + encode_frame(T::kRequest, 1, 0, "{")},
      {"no method", start + encode_frame(T::kRequest, 1, 0, "{}")},
      {"data before request", start + encode_frame(T::kData, 1, 0, "x")},
      {"response from the opener", open + encode_frame(T::kResponse, 1, 0, "{\"result\":{}}")},
      {"response never asked for", start + encode_frame(T::kResponse, 2, 0, "{\"result\":{}}")},
      {"event on no stream", start + encode_frame(T::kEvent, 5, 0, "{\"name\":\"x\"}")},
      {"beyond credit", open + too_much + encode_frame(T::kData, 1, 0, "x")},
      {"data after the end", open + encode_frame(T::kData, 1, wire::kEndOfChannel, "") +
                                 encode_frame(T::kData, 1, 0, "")},
      {"absurd credit", open + wire::encode_credit(1, 1, 0xffffffff)},
      {"reply from an initiator", start + hello_text("n", true)},
  };
  for (const auto& [what, bytes] : rows) {
    const Error why = serve_raw(bytes);
    EXPECT_EQ(why.code, Errc::kInvalid) << what << ": " << why.message;
  }
}

TEST(SessionHostile, EventsThatNobodyTakesAreBounded) {
  Fds f = make_fds(false);
  asio::io_context loop(1);
  Session server(loop.get_executor(), std::move(f.b_control), {},
                 {.handler = [](std::shared_ptr<Stream> s) -> awaitable<void> {
                   // Waits for the session's end without taking anything.
                   (void)co_await s->send(wire::kStdout,
                                          std::string(std::size_t{2} * kInitialCredit, 'x'));
                 }});
  Error why;
  asio::co_spawn(loop, serve_until_closed(server, why), rethrow);
  std::thread flood([fd = f.a_control.get()] {
    std::string bytes = hello_text("n") + request_text(1);
    const std::string event = wire::encode_frame(wire::FrameType::kEvent, 1, 0, "{\"name\":\"x\"}");
    for (int i = 0; i < 1000; ++i) bytes += event;
    while (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
      bytes = bytes.substr(bytes.size() - 1000 * event.size());
    }
  });
  loop.run();
  flood.join();
  EXPECT_EQ(why.code, Errc::kInvalid);
}

TEST(SessionHostile, OrderlyEndsAreNotTheProtocolsFault) {
  EXPECT_EQ(serve_raw(hello_text("n") + request_text(1)).code, Errc::kUnavailable);
  EXPECT_EQ(serve_raw(hello_text("n") + hello_text("m")).code, Errc::kUnavailable);
  EXPECT_EQ(serve_raw("noise").code, Errc::kUnavailable);
  const std::string bye = wire::encode_frame(wire::FrameType::kClose, 0, 0, "bye");
  EXPECT_EQ(serve_raw(hello_text("n") + bye).message, "bye");
}

TEST(Handshake, SurvivesLostAndStaleBytes) {
  asio::io_context loop(1);
  Fds f = make_fds(true);
  Error why;
  Session server(loop.get_executor(), sys::UniqueFd(::dup(f.b_control.get())),
                 sys::UniqueFd(::dup(f.b_data.get())), {.handler = echo});
  Session client(loop.get_executor(), sys::UniqueFd(::dup(f.a_control.get())),
                 sys::UniqueFd(::dup(f.a_data.get())), {});
  // The tail of a hello and of older traffic on the way in, an old answer on the way out.
  put(f.a_control.get(), hello_text("old").substr(20) + "{\"stale\":1}");
  put(f.a_data.get(), wire::encode_frame(wire::FrameType::kData, 9, 1, "stale"));
  put(f.b_control.get(), hello_text("old", true) + request_text(3));
  put(f.b_data.get(), hello_text("old", true));
  asio::co_spawn(loop, serve_until_closed(server, why), rethrow);
  asio::co_spawn(
      loop,
      [](Session& c) -> awaitable<void> {
        const auto hello = co_await c.handshake_as_initiator(5s);
        EXPECT_TRUE(hello);
        auto stream = c.open("echo", {});
        const auto sent = co_await (*stream)->send(wire::kStdin, "x", true);
        EXPECT_TRUE(sent);
        const Output out = co_await collect(*stream);
        EXPECT_EQ(out.text[wire::kStdout], "x");
        co_await c.close();
      }(client),
      rethrow);
  loop.run();
  EXPECT_EQ(why.code, Errc::kUnavailable) << why.message;
}

TEST(Handshake, RepeatsUntilAnswered) {
  asio::io_context loop(1);
  Fds f = make_fds(false);
  Session client(loop.get_executor(), std::move(f.a_control), {}, {});
  std::thread peer([fd = f.b_control.get()] {
    const std::string first = read_hello(fd);
    const std::string second = read_hello(fd);  // the first one counts as lost
    EXPECT_EQ(first, second);
    put(fd, hello_text(second, true));
  });
  Result<proto::Hello> hello = fail(Errc::kInternal, "not run");
  asio::co_spawn(
      loop,
      [](Session& c, Result<proto::Hello>& out) -> awaitable<void> {
        out = co_await c.handshake_as_initiator(30s);
        co_await c.close();
      }(client, hello),
      rethrow);
  loop.run();
  peer.join();
  EXPECT_TRUE(hello);
}

awaitable<void> accept_twice(std::vector<std::unique_ptr<Session>>& servers, int& accepted) {
  for (const auto& server : servers) {
    const auto hello = co_await server->handshake_as_acceptor();
    if (hello) ++accepted;
    const Error why = co_await server->closed();
    EXPECT_EQ(why.code, Errc::kUnavailable);
    co_await server->close();
  }
}

// What a restored clone and a restarted supervisor do: a second session on the same descriptors.
TEST(Handshake, CanStartOverOnTheSameDescriptors) {
  asio::io_context loop(1);
  Fds f = make_fds(true);
  const auto make = [&](int control, int data) {
    return std::make_unique<Session>(loop.get_executor(), sys::UniqueFd(::dup(control)),
                                     sys::UniqueFd(::dup(data)), SessionOptions{.handler = echo});
  };
  std::vector<std::unique_ptr<Session>> servers;
  std::vector<std::unique_ptr<Session>> clients;
  for (int i = 0; i < 3; ++i) {
    servers.push_back(make(f.b_control.get(), f.b_data.get()));
    clients.push_back(make(f.a_control.get(), f.a_data.get()));
  }
  int accepted = 0;
  asio::co_spawn(loop, accept_twice(servers, accepted), rethrow);
  asio::co_spawn(
      loop,
      [](std::vector<std::unique_ptr<Session>>& list) -> awaitable<void> {
        for (std::size_t i = 0; i < list.size(); ++i) {
          const auto hello = co_await list[i]->handshake_as_initiator(5s);
          EXPECT_TRUE(hello);
          const auto answer = co_await list[i]->open("echo", {}).value()->send(0, "x", true);
          EXPECT_TRUE(answer);
          // The first goes without a word, as a killed supervisor would.
          if (i == 0) list[i]->abort({.code = Errc::kUnavailable, .message = "gone", .hint = {}});
          co_await list[i]->close("next");
        }
      }(clients),
      rethrow);
  loop.run();
  EXPECT_EQ(accepted, 3);
}

TEST(Handshake, NamesAVersionThatDoesNotFit) {
  asio::io_context loop(1);
  Fds f = make_fds(false);
  Session server(loop.get_executor(), std::move(f.b_control), {}, {.software = "pyro test"});
  Result<proto::Hello> hello = fail(Errc::kInternal, "not run");
  asio::co_spawn(
      loop,
      [](Session& s, Result<proto::Hello>& out) -> awaitable<void> {
        out = co_await s.handshake_as_acceptor();
        co_await s.close();
      }(server, hello),
      rethrow);
  proto::Hello theirs{.version_min = 7, .version_max = 9, .nonce = "n", .software = "pyro 9"};
  put(f.a_control.get(), wire::encode_hello(proto::to_text(proto::encode(theirs))));
  loop.run();
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error().message, "pyro 9 speaks protocol version 7 to 9, this program version 1");
  EXPECT_EQ(read_hello(f.a_control.get()), "n");
}

TEST(Handshake, HasADeadline) {
  asio::io_context loop(1);
  Fds f = make_fds(true);
  Session client(loop.get_executor(), std::move(f.a_control), std::move(f.a_data), {});
  Result<proto::Hello> hello = fail(Errc::kInternal, "not run");
  asio::co_spawn(
      loop,
      [](Session& c, Result<proto::Hello>& out) -> awaitable<void> {
        out = co_await c.handshake_as_initiator(30ms);
        co_await c.close();
      }(client, hello),
      rethrow);
  loop.run();
  EXPECT_EQ(hello.error().code, Errc::kDeadline);
}

}  // namespace
}  // namespace pyro::rpc
