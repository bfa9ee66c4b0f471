// One request and everything that belongs to it, seen from either end of a Session.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "io/scope.h"
#include "io/task.h"
#include "proto/envelope.h"
#include "wire/frame.h"

namespace pyro::rpc {

namespace json = boost::json;
using io::Task;

class Session;

struct Data {
  std::uint16_t channel = 0;  // wire::kStdin, kStdout, kStderr
  std::string bytes;
  bool end = false;  // nothing more comes on this channel
};
struct Event {
  std::string name;
  json::object params;
};
struct Response {  // the last item, for the side that opened the stream
  json::object result;
};
struct Cancelled {
};  // the opener wants an early end, for the side that answers; respond() all the same

using Incoming = std::variant<Data, Event, Response, Cancelled>;

// Bytes a peer may send on one channel before any of them was taken.
inline constexpr std::uint32_t kInitialCredit = 64U << 10;

// Single loop; one next() and, for each channel, one send() at a time. Dropping the last reference
// cancels a stream that has no response yet (opener), or answers with kInternal (handler).
// Events may overtake data; a response never does.
class Stream {
 public:
  Stream(Session* session, std::uint32_t id, bool opener);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] std::uint32_t id() const { return id_; }
  // What the opener asked for.
  [[nodiscard]] const std::string& method() const { return request_.method; }
  [[nodiscard]] const json::object& params() const { return request_.params; }

  // The next item. Taking one gives the peer credit for the data item before it, so whoever does
  // not call this stops the producer. An error: the peer's answer was one, or the session has
  // ended.
  Task<Incoming> next();
  // The same, but nullopt when there is none within `limit`.
  Task<std::optional<Incoming>> next_within(std::chrono::milliseconds limit);
  // From now on next() gives no credit back: consumed() does, once the bytes have really gone on.
  // For a consumer that must not miss events and cancellation while its data is stuck.
  void manual_credit() { manual_credit_ = true; }
  void consumed(std::uint16_t channel, std::size_t bytes);
  // Waits for credit. An error: the session has ended, the peer has answered or cancelled (so
  // nobody reads this any more), or the channel was ended before.
  Task<void> send(std::uint16_t channel, std::string bytes, bool end = false);
  // The same, but no longer than `limit`: how many of the bytes went out. The rest never will.
  Task<std::size_t> send_within(std::uint16_t channel, std::string bytes,
                                std::chrono::milliseconds limit);
  // At most wire::kMaxControl bytes of JSON.
  Result<void> send_event(std::string name, json::object params);
  // Once; handler's side. A result that is too large goes out as an error.
  Result<void> respond(json::object result);
  Result<void> respond(Error error);
  // Opener's side: asks for an early end; the response still comes and next() still works.
  void cancel();
  // Ends the wait of next() and send() with `error`. For deadlines.
  void abandon(Error error);

  [[nodiscard]] bool responded() const { return responded_; }
  [[nodiscard]] bool cancelled() const { return cancelled_; }

 private:
  friend class Session;
  struct Item {
    Incoming incoming;
    std::size_t cost = 0;  // bytes of control payload held in memory
  };

  // From the session, as frames arrive. An error is the peer's fault and ends the session.
  Result<void> on_data(wire::Frame frame);
  Result<void> on_credit(std::uint16_t channel, std::uint32_t bytes);
  void on_item(Incoming incoming, std::size_t cost);
  void on_response(proto::Response response);
  void on_cancel();

  void give_credit();
  // What there is to take now.
  Result<std::optional<Incoming>> take();
  void wake();
  [[nodiscard]] std::optional<Error> send_error() const;
  [[nodiscard]] Result<void> can_send(std::uint16_t channel) const;
  // As much of `bytes` as one frame and the credit allow: how much that was.
  std::size_t send_frame(std::uint16_t channel, std::string_view bytes, bool end);
  Result<void> finish(proto::Response response);

  Session* session_;  // null once the session has ended
  std::uint32_t id_;
  bool opener_;
  proto::Request request_;

  std::deque<Item> items_;
  io::Event incoming_;
  std::array<std::uint32_t, wire::kChannels> window_;  // what the peer may still send
  std::array<std::uint32_t, wire::kChannels> owed_{};  // taken, not yet given back
  std::array<bool, wire::kChannels> ended_in_{};
  std::optional<std::pair<std::uint16_t, std::uint32_t>> taken_;  // the last data item
  std::uint64_t frames_in_ = 0;
  std::optional<proto::Response> response_;
  bool delivered_ = false;
  bool manual_credit_ = false;

  std::array<std::uint32_t, wire::kChannels> credit_;  // what we may still send
  std::array<io::Event, wire::kChannels> credited_;
  std::array<bool, wire::kChannels> ended_out_{};
  std::uint64_t frames_out_ = 0;
  bool responded_ = false;
  bool cancelled_ = false;
  std::optional<Error> error_;
};

}  // namespace pyro::rpc
