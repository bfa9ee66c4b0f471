// What a guest that was taken over can send towards its sandbox: each ends that sandbox, with a
// reason, and nothing else.
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/sandbox.h"
#include "proto/envelope.h"
#include "rpc/session.h"
#include "support/host.h"
#include "sys/file.h"
#include "wire/frame.h"

namespace pyro::testing {
namespace {

using io::asio::any_io_executor;
using io::asio::awaitable;
using wire::FrameType;

std::string header(std::uint32_t length, std::uint32_t stream, FrameType type,
                   std::uint16_t flags) {
  std::string out;
  wire::FrameHeader{.length = length, .stream = stream, .type = type, .flags = flags}.append_to(
      out);
  return out;
}

// Blocking: the next frame on a port.
wire::Frame next_frame(int fd, wire::FrameParser& parser) {
  for (;;) {
    auto frame = parser.next();
    if (!frame) ::_exit(1);
    if (*frame) return std::move(**frame);
    char chunk[4096];
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n <= 0) ::_exit(1);
    parser.feed({chunk, static_cast<std::size_t>(n)});
  }
}
// Answers the hello that comes on a port.
wire::FrameParser answer_hello(int fd) {
  wire::FrameParser parser([](std::string_view) { return true; });
  const wire::Frame frame = next_frame(fd, parser);
  auto hello = proto::decode_text<proto::Hello>(frame.payload);
  hello->reply = true;
  (void)sys::write_all(fd, wire::encode_hello(proto::to_text(proto::encode(*hello))));
  return parser;
}

// Behaves until its first request (rejuvenate, or prepare), then sends `control` and `data` on the
// two ports, `times` times, and stays.
Agent attacker(std::string control, std::string data, int times = 1) {
  return [control = std::move(control), data = std::move(data), times](const Ports& ports) {
    auto parser = answer_hello(ports.control);
    (void)answer_hello(ports.data);
    while (next_frame(ports.control, parser).header.type != FrameType::kRequest) {
    }
    for (int i = 0; i < times; ++i) {
      if (!control.empty() && !sys::write_all(ports.control, control)) break;
      if (!data.empty() && !sys::write_all(ports.data, data)) break;
    }
    for (;;) ::pause();
  };
}

class HostileAgent : public ::testing::Test {
 protected:
  // The error of a cold start on a machine with that agent.
  std::string start_with(Agent agent) {
    vmm_.fresh = std::move(agent);
    std::string message;
    run_loop([&](any_io_executor ex) { return attacked(ex, &message); });
    return message;
  }
  awaitable<void> attacked(any_io_executor ex, std::string* message) {
    core::Sandbox sandbox(
        {.vm_id = "vm-0123456789",
         .environment = "debian:12-base",
         .shape = {.mem_mib = 128},
         .cold = true,
         .boot = host_.boot()},
        {.vmm = vmm_, .templates = templates_, .environments = host_.environments()}, ex);
    const auto started = co_await sandbox.start({});
    EXPECT_FALSE(started);
    if (!started) *message = started.error().message;
    EXPECT_EQ(sandbox.state(), core::SandboxState::kFailed);
    EXPECT_EQ(sandbox.guest(), nullptr);
    co_await sandbox.stop();
  }
  void expect_refused(Agent agent, const std::string& why) {
    const std::string message = start_with(std::move(agent));
    EXPECT_NE(message.find("the peer broke the protocol"), std::string::npos) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  }

  Host host_;
  FakeVmm vmm_{host_.log()};
  core::Templates templates_{host_.dirs().templates(), vmm_};
};

constexpr const char* kResult = R"({"data_frames":9,"result":{}})";

TEST_F(HostileAgent, AFrameLargerThanItsKindAllows) {
  expect_refused(attacker(std::string("\x7f\xff\xff\xff\0\0\0\1\0\3\0\0", 12), ""), "");
}
TEST_F(HostileAgent, AnswersToWhatNobodyAsked) {
  expect_refused(attacker(header(0, 99, FrameType::kCancel, 0), ""), "never opened");
  expect_refused(attacker(wire::encode_frame(FrameType::kResponse, 77, 0, kResult), ""),
                 "never opened");
  expect_refused(attacker("", wire::encode_frame(FrameType::kData, 77, 1, "x")), "never opened");
}
TEST_F(HostileAgent, MoreDataThanItsCredit) {
  expect_refused(
      attacker("", wire::encode_frame(FrameType::kData, 1, 1, std::string(200'000, 'x'))),
      "more data than credit");
}
TEST_F(HostileAgent, TwoResponses) {
  const std::string twice = wire::encode_frame(FrameType::kResponse, 1, 0, kResult);
  expect_refused(attacker(twice + twice, ""), "second response");
}
TEST_F(HostileAgent, MoreCreditThanAnyWindow) {
  expect_refused(attacker(wire::encode_credit(1, 0, 0x7fffffff), ""), "more credit");
}
TEST_F(HostileAgent, NoJson) {
  expect_refused(attacker(wire::encode_frame(FrameType::kResponse, 1, 0, "\xff{"), ""), "");
}
TEST_F(HostileAgent, EndlessRequestsWithoutReadingTheAnswers) {
  const std::string text = R"({"method":"x","params":{}})";
  std::string requests;
  for (std::uint32_t id = 2; id < 300'000; id += 2) {
    requests += wire::encode_frame(FrameType::kRequest, id, 0, text);
  }
  const std::string message = start_with(attacker(requests, ""));
  EXPECT_NE(message.find("does not read"), std::string::npos) << message;
}
TEST_F(HostileAgent, ItsLastWordsCannotMoveTheTerminal) {
  const std::string message =
      start_with(attacker(wire::encode_frame(FrameType::kClose, 0, 0, "\x1b[2Jbye\x07"), ""));
  EXPECT_NE(message.find("bye"), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\x07'), std::string::npos);
}

}  // namespace
}  // namespace pyro::testing
