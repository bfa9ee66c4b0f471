// The part of a session before its first request.
#include <algorithm>

#include "base/text.h"
#include "rpc/lane.h"
#include "rpc/session.h"
#include "sys/random.h"

namespace pyro::rpc {
namespace {

using std::chrono::milliseconds;
// Longer than a restored guest takes to its first answer, so that it reads one hello and not four.
constexpr milliseconds kFirstRepeat{40};
constexpr milliseconds kLastRepeat{100};

Result<std::string> fresh_nonce() {
  PYRO_TRY(const std::string raw, sys::random_bytes(16));
  return hex(raw);
}

std::string range(int low, int high) {
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

void Session::send_hello(Lane& lane, bool reply, std::string nonce) {
  if (error_) return;
  const proto::Hello hello{
      .nonce = std::move(nonce), .reply = reply, .software = options_.software};
  lane.pending += wire::encode_hello(proto::to_text(proto::encode(hello)));
  lane.queued();
}

// After the hellos: whether both sides have a protocol version in common.
Result<proto::Hello> Session::agree() {
  if (error_) return std::unexpected(*error_);
  if (!peer_) return fail(Errc::kInternal, "the hellos are not over");
  if (peer_->version_min > proto::kProtocolMax || peer_->version_max < proto::kProtocolMin) {
    const std::string who = peer_->software.empty() ? "the peer" : to_utf8(peer_->software);
    return fail_hint(Errc::kUnavailable,
                     who + " speaks protocol version " +
                         range(peer_->version_min, peer_->version_max) + ", this program version " +
                         range(proto::kProtocolMin, proto::kProtocolMax),
                     "start the sandbox again with this version of pyro");
  }
  return *peer_;
}

Task<proto::Hello> Session::handshake_as_initiator(milliseconds deadline) {
  PYRO_CO_TRY(nonce_, fresh_nonce());
  initiator_ = true;
  next_id_ = 1;
  const std::string nonce = nonce_;
  start([nonce](std::string_view payload) {
    const auto hello = proto::decode_text<proto::Hello>(payload);
    return hello && hello->reply && hello->nonce == nonce;
  });
  const auto end = std::chrono::steady_clock::now() + deadline;
  milliseconds pause = kFirstRepeat;
  while (!established_ && !error_) {
    for (const auto& lane : lanes_) {
      if (lane->nonce.empty() && lane->pending.empty()) send_hello(*lane, false, nonce_);
    }
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      co_return fail(Errc::kDeadline,
                     "the peer did not answer within " + std::to_string(deadline.count()) + " ms");
    }
    const auto woken = co_await progress_.wait_for(std::min(pause, left));
    if (!woken && woken.error().code != Errc::kDeadline) {
      co_return std::unexpected(woken.error());
    }
    progress_.clear();
    pause = std::min(pause * 2, kLastRepeat);
  }
  co_return agree();
}

Task<proto::Hello> Session::handshake_as_acceptor() {
  initiator_ = false;
  next_id_ = 2;
  start([](std::string_view payload) {
    const auto hello = proto::decode_text<proto::Hello>(payload);
    return hello && !hello->reply;
  });
  while (!established_ && !error_) {
    progress_.clear();
    PYRO_CO_CHECK(co_await progress_.wait());
  }
  auto hello = agree();
  if (!hello) {  // the answer is queued: let it reach the peer, which will say the same
    for (const auto& lane : lanes_) {
      const auto drained = co_await lane->idle.wait_for(std::chrono::seconds(1));
      static_cast<void>(drained);
    }
  }
  co_return hello;
}

Result<void> Session::on_hello(Lane& lane, const wire::Frame& frame) {
  PYRO_TRY(proto::Hello hello, proto::decode_text<proto::Hello>(frame.payload));
  if (hello.reply != initiator_) return fail(Errc::kInvalid, "hello from the wrong side");
  if (initiator_) {
    if (hello.nonce != nonce_) return fail(Errc::kInvalid, "hello of another session");
  } else {
    // The initiator repeats itself until it has heard us: an earlier answer may be lost.
    if (established_ && hello.nonce != nonce_) {
      return fail(Errc::kUnavailable, "the peer has started a new session");
    }
    send_hello(lane, true, hello.nonce);
  }
  if (established_) return {};
  lane.nonce = hello.nonce;
  if (std::ranges::any_of(lanes_, [&](const auto& l) { return l->nonce != hello.nonce; }))
    return {};
  nonce_ = hello.nonce;
  peer_ = std::move(hello);
  established_ = true;
  progress_.set();
  return {};
}

}  // namespace pyro::rpc
