#include "mcp_serve/stdio.h"

#include <gtest/gtest.h>

#include "mcp/protocol.h"
#include "mcp_serve/outbox.h"
#include "mcp_serve/testing.h"

namespace pyro::mcp_serve {
namespace {

// A server of the slow provider and both ends of its pipes.
class Served {
 public:
  explicit Served(std::chrono::milliseconds last_answers = StdioOptions().last_answers) {
    thread_ = std::thread([this, last_answers] {
      result_ = serve_stdio(
          provider, {.in = in_.read.get(), .out = out_.write.get(), .last_answers = last_answers});
      out_.write = sys::UniqueFd();
    });
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    provider.release();
    end_input();
    out_.read = sys::UniqueFd();
    if (thread_.joinable()) thread_.join();
  }

  void say(std::string_view text) {
    while (!text.empty()) {
      const auto wrote = ::write(in_.write.get(), text.data(), text.size());
      if (wrote <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
  void end_input() { in_.write = sys::UniqueFd(); }
  // With its newline; shorter when the output ended, empty when nothing came in time.
  std::string line() {
    std::array<char, 65536> buffer{};
    for (;;) {
      if (const auto end = heard_.find('\n', looked_); end != std::string::npos) {
        std::string out = heard_.substr(0, end + 1);
        heard_.erase(0, end + 1);
        looked_ = 0;
        return out;
      }
      looked_ = heard_.size();
      pollfd wanted{.fd = out_.read.get(), .events = POLLIN, .revents = 0};
      if (::poll(&wanted, 1, 20'000) != 1) return "";
      const auto got = ::read(out_.read.get(), buffer.data(), buffer.size());
      if (got <= 0) return std::exchange(heard_, {});
      heard_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  Result<void> end() {
    end_input();
    thread_.join();
    return result_;
  }

  SlowProvider provider;

 private:
  sys::Pipe in_ = *sys::make_pipe(), out_ = *sys::make_pipe();
  Result<void> result_;
  std::thread thread_;
  std::string heard_;
  std::size_t looked_ = 0;
};

constexpr std::string_view kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
constexpr std::string_view kPong = R"({"jsonrpc":"2.0","id":1,"result":{}})";

TEST(Stdio, AnErrorOfTheClientIsNotAnsweredWithOne) {
  Served served;
  for (const std::string_view line : {
           R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"what?"}})",
           R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}})",
           R"({"jsonrpc":"2.0","id":1,"error":7})",
           R"({"id":1,"result":{}})",
       }) {
    served.say(line);
    served.say("\n");
  }
  served.say(kPing);
  served.say("\n");
  EXPECT_EQ(served.line(), std::string(kPong) + "\n");
}

TEST(Stdio, TheLastMessageNeedsNoNewline) {
  Served served;
  served.say(kPing);
  served.end_input();
  EXPECT_EQ(served.line(), std::string(kPong) + "\n");
  EXPECT_TRUE(served.end());

  Served cut;
  cut.say(kPing.substr(0, 20));
  cut.end_input();
  EXPECT_TRUE(cut.line().contains("-32700"));
  EXPECT_TRUE(cut.end());
}

TEST(Stdio, ManyLargeAnswersAtOnceReachAClientThatReads) {
  Served served(std::chrono::minutes(2));  // longer than the test may take
  constexpr int kCalls = 8;
  constexpr std::size_t kSize = std::size_t{10} << 20;
  static_assert(kCalls * kSize > kMostWaiting);
  for (int id = 1; id <= kCalls; ++id) {
    served.say(fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{{)"
                           R"("name":"large","arguments":{{"bytes":{},"together":{}}},"_meta":{{)"
                           R"("{}":"{}","{}":{{}}}}}}}})"
                           "\n",
                           id, kSize, kCalls, mcp::kMetaVersion, mcp::kModernVersion,
                           mcp::kMetaCapabilities));
  }
  // All of them have ended, or wait for their turn to answer, before the first byte is read; and
  // that the input ends must not cut them short either.
  ASSERT_TRUE(served.provider.wait_for_ended(kCalls));
  served.end_input();
  for (int i = 0; i < kCalls; ++i) EXPECT_GT(served.line().size(), kSize);
  EXPECT_TRUE(served.end());
}

}  // namespace
}  // namespace pyro::mcp_serve
