#include "rpc/session.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/text.h"
#include "rpc/lane.h"

namespace pyro::rpc {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSize = 64U << 10;

Error ended(std::string why) {
  return {.code = Errc::kUnavailable, .message = std::move(why), .hint = {}};
}

}  // namespace

Session::Session(asio::any_io_executor ex, sys::UniqueFd control, sys::UniqueFd data,
                 SessionOptions options)
    : ex_(ex), options_(std::move(options)), progress_(ex), closed_(ex), scope_(ex) {
  lanes_.push_back(std::make_unique<Lane>(ex, std::move(control)));
  if (data) lanes_.push_back(std::make_unique<Lane>(ex, std::move(data)));
}

Session::~Session() {
  finish(ended("the session was dropped"));
}

void Session::start(wire::FrameParser::AcceptHello accept) {
  for (const auto& lane : lanes_) {
    scope_.spawn(read_lane(lane.get(), wire::FrameParser(accept)));
    scope_.spawn(write_lane(lane.get()));
  }
}

void Session::finish(Error why) {
  if (error_) return;
  error_ = std::move(why);
  for (const auto& lane : lanes_) {
    boost::system::error_code ignored;
    lane->fd.close(ignored);
    lane->ready.set();
    lane->idle.set();
  }
  const auto streams = std::exchange(streams_, {});
  for (const auto& [id, slot] : streams) {
    if (const auto stream = slot.stream.lock()) {
      stream->session_ = nullptr;
      stream->abandon(*error_);
    }
  }
  progress_.set();
  closed_.set();
}

asio::awaitable<Error> Session::closed() {
  const auto woken = co_await closed_.wait();
  if (!woken) co_return woken.error();
  co_return error_.value_or(ended("the session has ended"));
}

asio::awaitable<void> Session::close(std::string reason) {
  if (is_open()) {
    send_control(wire::FrameType::kClose, 0, 0, std::string_view(reason).substr(0, wire::kMaxText));
    for (const auto& lane : lanes_) {
      const auto drained = co_await lane->idle.wait_for(std::chrono::seconds(1));
      static_cast<void>(drained);
    }
  }
  finish(ended(reason.empty() ? "the session was closed" : reason));
  const std::exception_ptr failure = co_await scope_.close();
  static_cast<void>(failure);  // every task catches its own; see read_lane, run_handler
}

// --- lanes --------------------------------------------------------------------------------------

asio::awaitable<void> Session::read_lane(Lane* lane, wire::FrameParser parser) {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::string buffer(kReadSize, '\0');
  while (!error_) {
    const auto got = co_await lane->fd.async_read_some(asio::buffer(buffer), kTuple);
    const auto& [ec, n] = got;
    if (error_) co_return;
    if (ec) {
      cut_ = true;
      finish(ended(ec == asio::error::eof ? "the peer closed the connection"
                                          : "reading from the peer: " + ec.message()));
      co_return;
    }
    try {
      parser.feed(std::string_view(buffer).substr(0, n));
      take_frames(*lane, parser);
    } catch (const std::exception& e) {
      finish({.code = Errc::kInternal, .message = std::string("session: ") + e.what(), .hint = {}});
    }
  }
}

asio::awaitable<void> Session::write_lane(Lane* lane) {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::string batch;
  while (!error_) {
    if (lane->pending.empty()) {
      lane->idle.set();
      lane->ready.clear();
      const auto woken = co_await lane->ready.wait();
      static_cast<void>(woken);
      continue;
    }
    batch.clear();
    std::swap(batch, lane->pending);
    lane->pending_control = 0;
    std::size_t done = 0;
    while (done < batch.size() && !error_) {
      const auto wrote = co_await lane->fd.async_write_some(
          asio::buffer(batch.data() + done, batch.size() - done), kTuple);
      const auto& [ec, n] = wrote;
      if (ec) {
        cut_ = true;
        finish(ended("writing to the peer: " + ec.message()));
        co_return;
      }
      done += n;
    }
    constexpr std::size_t kKeep = 256U << 10;
    if (batch.capacity() > kKeep) batch = std::string();
  }
}

void Session::send_control(wire::FrameType type, std::uint32_t stream, std::uint16_t flags,
                           std::string_view payload) {
  if (error_) return;
  Lane& lane = control();
  lane.pending_control += wire::kHeaderSize + payload.size();
  if (lane.pending_control > kMaxQueuedControl) {
    return finish({.code = Errc::kLimit, .message = "the peer does not read", .hint = {}});
  }
  wire::FrameHeader{.length = static_cast<std::uint32_t>(payload.size()),
                    .stream = stream,
                    .type = type,
                    .flags = flags}
      .append_to(lane.pending);
  lane.pending += payload;
  lane.queued();
}

void Session::send_data(std::uint32_t stream, std::uint16_t flags, std::string_view payload) {
  if (error_) return;
  Lane& lane = *lanes_.back();
  wire::FrameHeader{.length = static_cast<std::uint32_t>(payload.size()),
                    .stream = stream,
                    .type = wire::FrameType::kData,
                    .flags = flags}
      .append_to(lane.pending);
  lane.pending += payload;
  lane.queued();
}

// --- requests -----------------------------------------------------------------------------------

Result<std::shared_ptr<Stream>> Session::open(std::string method, json::object params) {
  if (error_) return std::unexpected(*error_);
  if (!established_) return fail(Errc::kConflict, "no handshake yet");
  if (streams_.size() >= kMaxStreams) return fail(Errc::kLimit, "too many requests at once");
  if (next_id_ > UINT32_MAX - 4) return fail(Errc::kLimit, "the session is used up");
  proto::Request request{.method = std::move(method), .params = std::move(params)};
  const std::string text = proto::to_text(proto::encode(request));
  if (text.size() > wire::kMaxControl) {
    return fail(Errc::kLimit, request.method + ": the request is larger than 1 MiB");
  }
  auto stream = std::make_shared<Stream>(this, next_id_, true);
  stream->request_ = std::move(request);
  streams_[next_id_] = {.stream = stream, .early = nullptr};
  send_control(wire::FrameType::kRequest, next_id_, 0, text);
  next_id_ += 2;
  return stream;
}

Task<json::object> Session::call(std::string method, json::object params,
                                 std::chrono::milliseconds deadline) {
  PYRO_CO_TRY(const std::shared_ptr<Stream> stream, open(method, std::move(params)));
  asio::steady_timer limit(ex_);
  if (deadline.count() >= 0) {
    limit.expires_after(deadline);
    limit.async_wait([weak = std::weak_ptr(stream), method](const boost::system::error_code& ec) {
      const auto late = weak.lock();
      if (ec || !late) return;
      late->abandon(
          {.code = Errc::kDeadline, .message = method + ": no answer in time", .hint = {}});
    });
  }
  for (;;) {
    PYRO_CO_TRY(Incoming incoming, co_await stream->next());
    if (auto* response = std::get_if<Response>(&incoming)) co_return std::move(response->result);
  }
}

asio::awaitable<void> Session::run_handler(std::shared_ptr<Stream> stream) {
  std::string what;
  try {
    co_await options_.handler(stream);
    co_return;
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what = "unknown exception";
  }
  if (!stream->responded()) {
    (void)stream->respond(
        Error{.code = Errc::kInternal, .message = stream->method() + ": " + what, .hint = {}});
  }
}

void Session::forget(std::uint32_t id) {
  streams_.erase(id);
}

Result<void> Session::hold_control(std::size_t bytes) {
  if (held_control_ + bytes > kMaxQueuedControl) {
    return fail(Errc::kInvalid, "more messages than anybody takes");
  }
  held_control_ += bytes;
  return {};
}

}  // namespace pyro::rpc
