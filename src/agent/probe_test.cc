#include "agent/probe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <thread>

#include "agent/exec_testing.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::awaitable;
using asio::ip::tcp;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// --- files --------------------------------------------------------------------------------------

Result<proto::ProbeResult> ask(proto::Probe request) {
  asio::io_context loop(1);
  Result<proto::ProbeResult> out = fail(Errc::kInternal, "did not run");
  asio::co_spawn(loop, probe(std::move(request)),
                 [&](std::exception_ptr e, Result<proto::ProbeResult> r) {
                   rethrow(e);
                   out = std::move(r);
                 });
  loop.run();
  return out;
}

class FileProbe : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(dir_.data()), nullptr); }
  void TearDown() override { fs::remove_all(dir_); }
  static proto::ProbeResult look(const std::string& path, std::int64_t since_ns = 0) {
    return ask({.kind = "file", .path = path, .host = {}, .since_ns = since_ns}).value();
  }
  std::string dir_ = "/tmp/pyro-probe-XXXXXX";
};

TEST_F(FileProbe, ExistsOrNot) {
  const auto missing = look(dir_ + "/ready");
  EXPECT_FALSE(missing.ready);
  EXPECT_EQ(missing.detail, "no such file");
  EXPECT_GT(missing.clock_ns, 0);
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/ready", ""));
  EXPECT_TRUE(look(dir_ + "/ready").ready);
  EXPECT_TRUE(look(dir_).ready);
  EXPECT_EQ(look(dir_ + "/ready/below").detail, "no such file");
  fs::create_symlink("nowhere", dir_ + "/link");
  EXPECT_FALSE(look(dir_ + "/link").ready);
}

TEST_F(FileProbe, OldFilesDoNotCount) {
  const std::int64_t before = look("/").clock_ns;
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/ready", ""));
  EXPECT_TRUE(look(dir_ + "/ready", before).ready);
  const auto late = look(dir_ + "/ready", before + 3'600'000'000'000);
  EXPECT_FALSE(late.ready);
  EXPECT_EQ(late.detail, "the file was there before the service was started");
}

// A file system that a program of the guest serves, and never answers.
TEST_F(FileProbe, DoesNotWaitForAFileSystemThatHangs) {
  sys::UniqueFd server(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!server) GTEST_SKIP() << "/dev/fuse cannot be opened: " << ::strerror(errno);
  const std::string options =
      "fd=" + std::to_string(server.get()) + ",rootmode=40000,user_id=0,group_id=0";
  if (::mount("fuse", dir_.c_str(), "fuse", 0, options.c_str()) != 0)
    GTEST_SKIP() << "mounting needs root: " << ::strerror(errno);
  constexpr int kMore = 12;  // than are looked at a time
  for (int i = 0; i < kMore; ++i) {
    const auto seen = ask({.kind = "file", .path = dir_ + "/ready", .host = {}, .timeout_ms = 20});
    ASSERT_TRUE(seen);
    EXPECT_FALSE(seen->ready);
    EXPECT_EQ(seen->detail, "the file system of it does not answer");
  }
  ASSERT_EQ(::umount2(dir_.c_str(), MNT_DETACH), 0);
  server = {};  // its callers get an error, and their threads end
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!look("/").ready && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(look("/").ready);
}

// --- servers ------------------------------------------------------------------------------------

struct Answer {
  std::string first;    // sent once the request is there
  std::string forever;  // sent after it until the peer has gone
  bool close = false;   // after `first`; otherwise when the peer does
};

// One connection.
awaitable<void> serve(tcp::acceptor* acceptor, Answer answer, bool reads, std::string* request) {
  tcp::socket peer(acceptor->get_executor());
  const auto accepted = co_await acceptor->async_accept(peer, kTuple);
  if (std::get<0>(accepted)) co_return;
  std::array<char, 4096> buffer;
  while (reads && request->find("\r\n\r\n") == std::string::npos) {
    const auto got = co_await peer.async_read_some(asio::buffer(buffer), kTuple);
    if (std::get<0>(got)) co_return;
    request->append(buffer.data(), std::get<1>(got));
  }
  const auto sent = co_await asio::async_write(peer, asio::buffer(answer.first), kTuple);
  if (std::get<0>(sent) || answer.close) co_return;
  while (!answer.forever.empty()) {
    const auto more = co_await asio::async_write(peer, asio::buffer(answer.forever), kTuple);
    if (std::get<0>(more)) co_return;
  }
  for (;;) {
    const auto got = co_await peer.async_read_some(asio::buffer(buffer), kTuple);
    if (std::get<0>(got)) co_return;
  }
}

class NetProbe : public testing::Test {
 protected:
  // Probes a server on `address`, under the name `host`.
  Result<proto::ProbeResult> probe_server(proto::Probe request, Answer answer,
                                          const std::string& address = "127.0.0.1") {
    asio::io_context loop(1);
    tcp::acceptor acceptor(loop, {asio::ip::make_address(address), 0});
    request.port = acceptor.local_endpoint().port();
    port_ = request.port;
    if (request.host.empty()) request.host = address;
    Result<proto::ProbeResult> out = fail(Errc::kInternal, "did not run");
    asio::co_spawn(loop, serve(&acceptor, std::move(answer), request.kind == "http", &request_),
                   rethrow);
    asio::co_spawn(loop, probe(std::move(request)),
                   [&](std::exception_ptr e, Result<proto::ProbeResult> r) {
                     rethrow(e);
                     out = std::move(r);
                     acceptor.close();
                   });
    loop.run();
    return out;
  }
  static proto::Probe http(std::int64_t timeout_ms = 60000) {
    return {.kind = "http", .path = {"/health?x=1"}, .host = {}, .timeout_ms = timeout_ms};
  }
  static proto::Probe tcp_probe(std::int64_t timeout_ms = 60000) {
    return {.kind = "tcp", .path = {}, .host = {}, .timeout_ms = timeout_ms};
  }
  void expect_answer(Answer answer, bool ready, const std::string& detail) {
    const auto result = probe_server(http(), std::move(answer));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->ready, ready);
    EXPECT_EQ(result->detail, detail);
    EXPECT_GT(result->clock_ns, 0);
  }
  std::string request_;
  std::uint16_t port_ = 0;
};

TEST_F(NetProbe, ConnectionsAreAccepted) {
  const auto result = probe_server(tcp_probe(), {});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->ready);
  EXPECT_EQ(result->detail, "");
}

TEST_F(NetProbe, ConnectionsAreRefused) {
  std::uint16_t port = 0;
  {
    asio::io_context loop(1);
    const tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
    port = acceptor.local_endpoint().port();
  }
  for (const std::string kind : {"tcp", "http"}) {
    for (const std::string host : {"127.0.0.1", "localhost"}) {
      const auto result = ask({.kind = kind, .path = {"/"}, .host = host, .port = port});
      ASSERT_TRUE(result);
      EXPECT_FALSE(result->ready);
      EXPECT_EQ(result->detail, "connection refused");
    }
  }
}

TEST_F(NetProbe, LocalhostIsBothFamilies) {
  proto::Probe request = http();
  request.host = "localhost";
  const auto four = probe_server(request, {.first = "HTTP/1.1 204 No Content\r\n\r\n"});
  ASSERT_TRUE(four);
  EXPECT_TRUE(four->ready) << four->detail;
  asio::io_context loop(1);
  boost::system::error_code none;
  tcp::acceptor six(loop);
  six.open(tcp::v6(), none);
  if (!none) six.bind({asio::ip::address_v6::loopback(), 0}, none);
  if (none) GTEST_SKIP() << "this host has no IPv6";
  const auto fallback = probe_server(request, {.first = "HTTP/1.1 204 No Content\r\n\r\n"}, "::1");
  ASSERT_TRUE(fallback);
  EXPECT_TRUE(fallback->ready) << fallback->detail;
  request_.clear();
  request.host.clear();
  const auto literal = probe_server(request, {.first = "HTTP/1.0 200 OK\r\n\r\n"}, "::1");
  ASSERT_TRUE(literal);
  EXPECT_TRUE(literal->ready) << literal->detail;
  EXPECT_NE(request_.find("\r\nHost: [::1]:" + std::to_string(port_) + "\r\n"), std::string::npos);
}

TEST_F(NetProbe, TheRequest) {
  expect_answer({.first = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .close = true}, true,
                "HTTP status 200");
  EXPECT_EQ(request_, "GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
                          "\r\nUser-Agent: pyro\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

TEST_F(NetProbe, TheStatusDecides) {
  expect_answer({.first = "HTTP/1.1 302 Found\r\nLocation: /health?x=1\r\n\r\n"}, true,
                "HTTP status 302");
  expect_answer({.first = "HTTP/1.1 399 \r\n\r\n"}, true, "HTTP status 399");
  expect_answer({.first = "HTTP/1.1 400 Bad\r\n\r\n"}, false, "HTTP status 400");
  expect_answer({.first = "HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\n"}, false,
                "HTTP status 503");
  expect_answer({.first = "HTTP/1.1 199 Odd\r\n\r\n"}, false, "HTTP status 199");
}

TEST_F(NetProbe, BodiesAreNotRead) {
  expect_answer({.first = "HTTP/1.1 200 OK\r\n\r\n", .forever = std::string(1 << 20, 'x')}, true,
                "HTTP status 200");
  expect_answer(
      {.first = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .forever = "1\r\nx\r\n"},
      true, "HTTP status 200");
  expect_answer({.first = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"}, true,
                "HTTP status 200");
}

TEST_F(NetProbe, WhatIsNotHttp) {
  expect_answer({.first = "SSH-2.0-OpenSSH_9.2\r\n"}, false, "the answer is not HTTP");
  expect_answer({.first = "HTTP/1.1 2000 OK\r\n\r\n"}, false, "the answer is not HTTP");
  expect_answer({.first = "HTTP/2.0 200 OK\r\n\r\n"}, false, "the answer is not HTTP");
  expect_answer({.first = "HTTP/1.1 200 O", .close = true}, false, "the answer is not HTTP");
  expect_answer({.first = "", .close = true}, false, "the connection was closed without an answer");
}

TEST_F(NetProbe, HeadsAreBounded) {
  const std::string too_long = "the head of the answer is longer than 16 KiB";
  expect_answer({.first = "HTTP/1.1 200 OK\r\n", .forever = "Name: value\r\n"}, false, too_long);
  expect_answer({.first = "HTTP/1.1 200 OK\r\nName: ", .forever = "x"}, false, too_long);
  expect_answer({.first = "HTTP/1.1 200 ", .forever = "OK"}, false, too_long);
}

TEST_F(NetProbe, SilenceEndsWithTheTime) {
  const auto nothing = probe_server(http(50), {});
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->ready);
  EXPECT_EQ(nothing->detail, "no answer within 50 ms");
  const auto half = probe_server(http(50), {.first = "HTTP/1.1 200 OK\r\nA: b\r\n"});
  ASSERT_TRUE(half);
  EXPECT_EQ(half->detail, "no answer within 50 ms");
}

// --- requests -----------------------------------------------------------------------------------

TEST(Probe, BadRequests) {
  const auto base = [](auto change) {
    proto::Probe p{.kind = "http", .path = {"/"}, .host = "127.0.0.1", .port = 80};
    change(p);
    return p;
  };
  const std::vector<proto::Probe> bad = {
      base([](auto& p) { p.kind = "udp"; }),
      base([](auto& p) { p.kind = ""; }),
      base([](auto& p) { p.port = 0; }),
      base([](auto& p) { p.timeout_ms = 0; }),
      base([](auto& p) { p.timeout_ms = 60001; }),
      base([](auto& p) { p.host = ""; }),
      base([](auto& p) { p.host = "example.org"; }),
      base([](auto& p) { p.host = "fe80::1%lo"; }),
      base([](auto& p) { p.path = {""}; }),
      base([](auto& p) { p.path = {"health"}; }),
      base([](auto& p) { p.path = {"/a b"}; }),
      base([](auto& p) { p.path = {"/a\r\nX: y"}; }),
      base([](auto& p) { p.path = {"/" + std::string(1 << 16, 'x')}; }),
      {.kind = "file", .path = {"ready"}, .host = {}},
      {.kind = "file", .path = {std::string("/a\0b", 4)}, .host = {}},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto result = ask(bad[i]);
    ASSERT_FALSE(result) << i;
    EXPECT_EQ(result.error().code, Errc::kInvalid) << i;
  }
}

TEST_F(AgentTest, Probes) {
  run([](rpc::Session& host) -> awaitable<void> {
    const std::chrono::seconds limit(5);
    const proto::Probe request{.kind = "file", .path = {"/"}, .host = {}};
    const auto ready = co_await host.call("probe", proto::encode(request), limit);
    EXPECT_TRUE(ready);
    if (ready) EXPECT_TRUE(proto::decode<proto::ProbeResult>(*ready)->ready);
    const auto bad = co_await host.call("probe", {{"kind", "smoke"}}, limit);
    EXPECT_EQ(bad.error().code, Errc::kInvalid);
    const auto empty = co_await host.call("probe", {}, limit);
    EXPECT_EQ(empty.error().code, Errc::kInvalid);
  });
}

}  // namespace
}  // namespace pyro::agent
