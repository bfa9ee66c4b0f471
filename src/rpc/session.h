// A session: requests in both directions between two processes, over one or two byte lanes.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/scope.h"
#include "rpc/stream.h"
#include "sys/fd.h"

namespace pyro::rpc {

using Handler = std::function<boost::asio::awaitable<void>(std::shared_ptr<Stream>)>;

inline constexpr std::size_t kMaxStreams = 256;
inline constexpr std::size_t kMaxQueuedControl = 8U << 20;  // bytes, each way

struct SessionOptions {
  Handler handler;       // answers the peer's requests; empty: they are refused
  std::string software;  // tells the peer what we are, for messages
};

// Owned by one task, on one loop. Order of life: construct, one handshake, open()/call(), close().
// close() must have been awaited before the destructor, and not by a handler of this session.
// A peer that breaks the rules ends the session with Errc::kInvalid, and nothing else.
class Session {
 public:
  // With `data`, data frames travel on that lane and all else on `control`; without, all on
  // `control`. Sockets, pipes and character devices will do; they are made nonblocking.
  Session(boost::asio::any_io_executor ex, sys::UniqueFd control, sys::UniqueFd data,
          SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Sends hellos until the peer has answered on every lane: bytes may be lost until then.
  Task<proto::Hello> handshake_as_initiator(std::chrono::milliseconds deadline);
  // Waits, without a limit, for an initiator. What came before its hello is discarded.
  Task<proto::Hello> handshake_as_acceptor();

  // Starts a request. kLimit: too many streams, or more than wire::kMaxControl of params.
  Result<std::shared_ptr<Stream>> open(std::string method, json::object params);
  // A request whose events and data do not matter. Negative deadline: none.
  Task<json::object> call(std::string method, json::object params,
                          std::chrono::milliseconds deadline);

  [[nodiscard]] bool is_open() const { return established_ && !error_; }
  // Whether it ended because its connection did: nobody said that it was to end.
  [[nodiscard]] bool is_cut() const { return cut_; }
  // Waits for the end of the session and says why it ended.
  boost::asio::awaitable<Error> closed();
  // Sends what is queued (for at most a second) and the reason, ends every stream, cancels the
  // handlers and waits for them.
  boost::asio::awaitable<void> close(std::string reason = {});
  // What close() does, without waiting for anything. close() is still needed.
  void abort(Error why) { finish(std::move(why)); }

 private:
  friend class Stream;
  struct Lane;
  struct Slot {
    std::weak_ptr<Stream> stream;
    std::shared_ptr<Stream> early;  // data came before its request, which travels on the other lane
  };

  void start(wire::FrameParser::AcceptHello accept);
  boost::asio::awaitable<void> read_lane(Lane* lane, wire::FrameParser parser);
  boost::asio::awaitable<void> write_lane(Lane* lane);
  boost::asio::awaitable<void> run_handler(std::shared_ptr<Stream> stream);
  void take_frames(Lane& lane, wire::FrameParser& parser);
  Result<void> dispatch(Lane& lane, wire::Frame frame);
  Result<void> on_hello(Lane& lane, const wire::Frame& frame);
  Result<void> on_request(const wire::Frame& frame);
  Result<void> on_response(const wire::Frame& frame);
  Result<void> on_event(const wire::Frame& frame);
  Result<void> on_data(wire::Frame frame);
  // The stream of a frame; null: gone, ignore the frame. An error: it was never opened.
  Result<std::shared_ptr<Stream>> find(std::uint32_t id);
  void finish(Error why);
  void forget(std::uint32_t id);
  Result<void> hold_control(std::size_t bytes);
  void release_control(std::size_t bytes) { held_control_ -= bytes; }

  [[nodiscard]] Lane& control() { return *lanes_.front(); }
  [[nodiscard]] bool is_ours(std::uint32_t id) const { return (id % 2 == 1) == initiator_; }
  void send_hello(Lane& lane, bool reply, std::string nonce);
  Result<proto::Hello> agree();
  void send_control(wire::FrameType type, std::uint32_t stream, std::uint16_t flags,
                    std::string_view payload);
  void send_data(std::uint32_t stream, std::uint16_t flags, std::string_view payload);

  boost::asio::any_io_executor ex_;
  SessionOptions options_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::map<std::uint32_t, Slot> streams_;
  std::uint32_t next_id_ = 0;
  std::uint32_t highest_peer_id_ = 0;
  std::size_t held_control_ = 0;
  bool initiator_ = false;
  bool established_ = false;
  std::string nonce_;
  std::optional<proto::Hello> peer_;
  std::optional<Error> error_;
  bool cut_ = false;
  io::Event progress_;  // of the handshake
  io::Event closed_;
  io::TaskScope scope_;
};

}  // namespace pyro::rpc
