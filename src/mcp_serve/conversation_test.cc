#include "mcp_serve/conversation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "mcp/testing.h"
#include "mcp_serve/testing.h"

namespace pyro::mcp_serve {
namespace {

mcp::Message call_of(std::int64_t id, std::string_view tool, std::size_t size = 0) {
  return mcp::Request{
      .id = mcp::RequestId(id),
      .method = "tools/call",
      .params = {{"name", tool},
                 {"_meta",
                  {{mcp::kMetaVersion, mcp::kModernVersion}, {mcp::kMetaCapabilities, {}}}}},
      .size = size};
}
mcp::Message cancel_of(std::int64_t id) {
  return mcp::Notification{.method = "notifications/cancelled", .params = {{"requestId", id}}};
}

struct Talk {
  explicit Talk(std::size_t threads = 1) : workers(threads) {}
  SlowProvider provider;
  mcp::PlainSeal seal;
  std::mutex mutex;
  std::vector<mcp::Outgoing> sent;
  Workers workers;
  std::shared_ptr<Conversation> conversation =
      std::make_shared<Conversation>(Parts{.provider = provider, .seal = seal, .workers = workers},
                                     mcp::Session::Eras::kBoth, [this](mcp::Outgoing out) {
                                       const std::scoped_lock lock(mutex);
                                       sent.push_back(std::move(out));
                                     });

  std::size_t answers(int code) {
    const std::scoped_lock lock(mutex);
    return static_cast<std::size_t>(std::ranges::count_if(sent, [&](const mcp::Outgoing& out) {
      return out.kind == mcp::Outgoing::Kind::kAnswer && out.error_code == code;
    }));
  }
};

std::ptrdiff_t descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(Conversation, ACancelledCallThatWaitsForAThreadKeepsNothing) {
  Talk talk;
  talk.conversation->receive(call_of(0, "hold"));
  ASSERT_TRUE(talk.provider.wait_for(1));
  for (std::int64_t id = 1; id <= 100; ++id) {
    talk.conversation->receive(call_of(id, "answer", kMostQueued / 4));
    talk.conversation->receive(cancel_of(id));
  }
  EXPECT_EQ(talk.answers(mcp::kBusy), 0U);
  talk.provider.release();
  talk.conversation->wait();
  EXPECT_EQ(talk.answers(0), 1U) << "none of the cancelled";
}

TEST(Conversation, CallsThatWaitAreBoundedInBytesAndTakeNoDescriptors) {
  Talk talk;
  talk.conversation->receive(call_of(0, "hold"));
  ASSERT_TRUE(talk.provider.wait_for(1));
  const auto before = descriptors();
  for (std::int64_t id = 1; id <= 200; ++id) {
    talk.conversation->receive(call_of(id, "answer", kMostQueued / 100));
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(talk.answers(mcp::kBusy), 100U);
  talk.provider.release();
  talk.conversation->wait();
  EXPECT_EQ(talk.answers(0), 101U);
}

TEST(Conversation, WhatIsStoppedInOrderBeforeItBeginsIsStillAnswered) {
  Talk talk;
  talk.conversation->receive(call_of(0, "hold"));
  ASSERT_TRUE(talk.provider.wait_for(1));
  talk.conversation->receive(call_of(1, "wait"));  // ends only when it is interrupted
  talk.conversation->close();
  talk.provider.release();
  talk.conversation->wait();
  EXPECT_EQ(talk.answers(0), 2U);
  EXPECT_TRUE(talk.sent.back().text.contains("\"interrupted\":true")) << talk.sent.back().text;
}

TEST(Conversation, OneAnswerAtATimeIsGivenRoom) {
  Talk talk(4);
  std::atomic<int> room = 0;
  const auto conversation = std::make_shared<Conversation>(
      Parts{.provider = talk.provider, .seal = talk.seal, .workers = talk.workers},
      mcp::Session::Eras::kBoth, [&](const mcp::Outgoing&) { EXPECT_EQ(room--, 1); },
      [&] { ++room; });
  for (std::int64_t id = 1; id <= 4; ++id) conversation->receive(call_of(id, "hold"));
  ASSERT_TRUE(talk.provider.wait_for(4));
  room = 0;  // what was given to begin
  talk.provider.release();
  conversation->wait();
  EXPECT_EQ(room, 0);
}

TEST(Conversation, ACallThatTakesLongIsHeardOf) {
  Talk talk;
  std::vector<mcp::Outgoing> sent;
  const auto conversation = std::make_shared<Conversation>(
      Parts{.provider = talk.provider,
            .seal = talk.seal,
            .workers = talk.workers,
            .beat = std::chrono::milliseconds(1)},
      mcp::Session::Eras::kBoth, [&](mcp::Outgoing out) { sent.push_back(std::move(out)); });
  mcp::Message call = call_of(1, "beat");
  std::get<mcp::Request>(call).params.at("_meta").as_object()["progressToken"] = "p";
  conversation->receive(std::move(call));
  conversation->wait();
  ASSERT_GE(sent.size(), 4U);
  EXPECT_TRUE(sent.front().text.contains("notifications/progress")) << sent.front().text;
  EXPECT_TRUE(sent.back().kind == mcp::Outgoing::Kind::kAnswer) << "nothing comes after it";
}

}  // namespace
}  // namespace pyro::mcp_serve
