// A provider whose calls take as long as a test wants, and what speaks to the transports.
#pragma once

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <boost/json/array.hpp>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "mcp_serve/http_server.h"
#include "mcp_serve/wake.h"

namespace pyro::mcp_serve {

// Longer than anything here takes, however slow the machine.
inline constexpr std::chrono::seconds kTestLimit{20};

// The tools: "wait" ends when it is interrupted; "hold" when the test lets it, whatever else;
// "answer" at once; "beat" after three beats; "chatter" tells of
// its progress until it is interrupted; "large" gives `bytes` of text, once `together` calls
// of it are under way.
class SlowProvider final : public mcp::Provider {
 public:
  [[nodiscard]] const mcp::ServerInfo& info() const override { return info_; }
  [[nodiscard]] mcp::Features features() const override { return {}; }
  std::string tools() override { return "[]"; }
  mcp::Outcome call_tool(const std::string& name, const mcp::json::object& arguments,
                         mcp::Call& call) override {
    count(1);
    mcp::json::object result{{"tool", name}, {"content", mcp::json::array()}};
    if (name == "wait") result["interrupted"] = wait(call.interrupt_fd());
    if (name == "hold") hold();
    if (name == "beat") beat(call);
    if (name == "chatter") result["interrupted"] = chatter(call);
    if (name == "large") result["text"] = large(arguments);
    count(-1);
    return result;
  }

  // False: there were not so many at once in time.
  bool wait_for(int calls) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kTestLimit, [&] { return running_ == calls; });
  }
  bool wait_for_ended(int calls) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kTestLimit, [&] { return ended_ == calls; });
  }
  void release() {
    const std::scoped_lock lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  void count(int more) {
    const std::scoped_lock lock(mutex_);
    running_ += more;
    if (more < 0) ++ended_;
    changed_.notify_all();
  }
  static bool wait(int interrupt_fd) {
    pollfd wanted{.fd = interrupt_fd, .events = POLLIN, .revents = 0};
    return 1 == ::poll(&wanted, 1, static_cast<int>(std::chrono::milliseconds(kTestLimit).count()));
  }
  void hold() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kTestLimit, [this] { return released_; });
  }
  void beat(mcp::Call& call) {
    int beats = 0;
    call.on_beat([&] {
      const std::scoped_lock lock(mutex_);
      call.progress(++beats, std::nullopt, "so far");
      changed_.notify_all();
    });
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kTestLimit, [&] { return beats >= 3; });
    }
    call.on_beat({});
  }
  static bool chatter(mcp::Call& call) {
    const std::string text(std::size_t{64} << 10, 'x');
    const auto end = std::chrono::steady_clock::now() + kTestLimit;
    for (double value = 1; std::chrono::steady_clock::now() < end; ++value) {
      call.progress(value, std::nullopt, text);
      pollfd wanted{.fd = call.interrupt_fd(), .events = POLLIN, .revents = 0};
      if (::poll(&wanted, 1, /*timeout=*/1) == 1) return true;
    }
    return false;
  }
  std::string large(const mcp::json::object& arguments) {
    std::unique_lock lock(mutex_);
    ++large_;
    changed_.notify_all();
    changed_.wait_for(lock, kTestLimit,
                      [&] { return large_ >= arguments.at("together").as_int64(); });
    return std::string(static_cast<std::size_t>(arguments.at("bytes").as_int64()), 'x');
  }

  mcp::ServerInfo info_{.name = "slow", .title = "", .version = "1", .instructions = ""};
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0, ended_ = 0;
  std::int64_t large_ = 0;
  bool released_ = false;
};

// A server of it on a port of its own; ends with the object.
class TestServer {
 public:
  explicit TestServer(std::chrono::milliseconds write_limit = kTestLimit) {
    std::promise<std::string> listening;
    thread_ = std::thread([this, &listening, write_limit] {
      const Result<void> served = serve_http(
          provider,
          {.stop_fd = stop_.fd(),
           .on_listening = [&listening](const std::string& url) { listening.set_value(url); },
           .write_limit = write_limit});
      (void)served;
    });
    const std::string url = listening.get_future().get();
    const auto end = url.rfind('/');
    const auto colon = url.rfind(':');
    port_ = static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1, end - colon - 1)));
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() {
    provider.release();
    stop_.raise();
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  SlowProvider provider;

 private:
  Wake stop_ = *Wake::make();
  std::thread thread_;
  std::uint16_t port_ = 0;
};

// One connection, byte by byte.
class TestConnection {
 public:
  explicit TestConnection(std::uint16_t port)
      : port_(port), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{.tv_sec = kTestLimit.count(), .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&where),  // NOLINT: connect(2)
                  sizeof where) == 0;
  }
  [[nodiscard]] bool connected() const { return connected_; }

  // `headers`: each with its end.
  void send(std::string_view method, std::string_view body, std::string_view headers = "",
            std::string_view version = "1.1") {
    const std::string text = fmt::format(
        "{} /mcp HTTP/{}\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\n{}\r\n{}",
        method, version, port_, body.size(), headers, body);
    std::size_t at = 0;
    while (at < text.size()) {
      const auto sent = ::send(fd_.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<std::size_t>(sent);
    }
  }
  // All that came until `end` did, with it; what had come when the connection ended or the limit
  // was over.
  std::string hear(std::string_view end) {
    std::array<char, 65536> buffer{};
    for (;;) {
      if (const auto found = heard_.find(end); found != std::string::npos) {
        std::string out = heard_.substr(0, found + end.size());
        heard_.erase(0, out.size());
        return out;
      }
      const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return std::exchange(heard_, {});
      heard_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  // Until the other side closes.
  std::string hear_all() { return hear(std::string_view("\0never", 6)); }
  void close() { fd_ = sys::UniqueFd(); }

 private:
  std::uint16_t port_;
  sys::UniqueFd fd_;
  bool connected_ = false;
  std::string heard_;
};

}  // namespace pyro::mcp_serve
