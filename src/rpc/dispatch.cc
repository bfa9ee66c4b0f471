// What a session does with the frames that arrive. Every byte here is the peer's.
#include "base/text.h"
#include "rpc/lane.h"
#include "rpc/session.h"

namespace pyro::rpc {

using wire::Frame;
using wire::FrameType;

void Session::take_frames(Lane& lane, wire::FrameParser& parser) {
  while (!error_) {
    auto frame = parser.next();
    if (frame && !*frame) return;
    Result<void> done =
        frame ? dispatch(lane, std::move(**frame)) : std::unexpected(std::move(frame.error()));
    if (done) continue;
    Error why = std::move(done.error());
    if (why.code == Errc::kLimit) why.code = Errc::kInvalid;
    if (why.code == Errc::kInvalid) why.message.insert(0, "the peer broke the protocol: ");
    finish(std::move(why));
  }
}

Result<void> Session::dispatch(Lane& lane, Frame frame) {
  if (frame.header.type == FrameType::kHello) return on_hello(lane, frame);
  // Between the hellos of two lanes there can be leftovers of an earlier session.
  if (!established_) return {};
  if ((frame.header.type == FrameType::kData) != (&lane == lanes_.back().get()) &&
      lanes_.size() > 1) {
    return fail(Errc::kInvalid, "frame on the wrong lane");
  }
  switch (frame.header.type) {
    case FrameType::kHello:
      return {};
    case FrameType::kRequest:
      return on_request(frame);
    case FrameType::kResponse:
      return on_response(frame);
    case FrameType::kEvent:
      return on_event(frame);
    case FrameType::kData:
      return on_data(std::move(frame));
    case FrameType::kCredit: {
      PYRO_TRY(const auto stream, find(frame.header.stream));
      return stream ? stream->on_credit(frame.header.flags, wire::credit_bytes(frame))
                    : Result<void>{};
    }
    case FrameType::kCancel: {
      PYRO_TRY(const auto stream, find(frame.header.stream));
      if (is_ours(frame.header.stream)) return fail(Errc::kInvalid, "cancel from the wrong side");
      if (stream) stream->on_cancel();
      return {};
    }
    case FrameType::kClose:
      return fail(Errc::kUnavailable, frame.payload.empty() ? "the peer has ended the session"
                                                            : to_utf8(frame.payload));
  }
  return {};
}

Result<std::shared_ptr<Stream>> Session::find(std::uint32_t id) {
  if (const auto it = streams_.find(id); it != streams_.end()) return it->second.stream.lock();
  const bool known = is_ours(id) ? id < next_id_ : id <= highest_peer_id_;
  if (!known) return fail(Errc::kInvalid, "frame for a stream that was never opened");
  return nullptr;  // it has ended here; the peer did not know yet
}

Result<void> Session::on_request(const Frame& frame) {
  const std::uint32_t id = frame.header.stream;
  if (is_ours(id) || id <= highest_peer_id_) return fail(Errc::kInvalid, "bad stream number");
  PYRO_TRY(proto::Request request, proto::decode_text<proto::Request>(frame.payload));
  if (request.method.empty()) return fail(Errc::kInvalid, "request without a method");
  highest_peer_id_ = id;
  Slot& slot = streams_[id];
  auto stream = std::exchange(slot.early, nullptr);
  if (!stream) stream = std::make_shared<Stream>(this, id, false);
  slot.stream = stream;
  stream->request_ = std::move(request);
  if (streams_.size() > kMaxStreams) {
    return stream->respond(
        Error{.code = Errc::kLimit, .message = "too many requests at once", .hint = {}});
  }
  if (!options_.handler) {
    return stream->respond(
        Error{.code = Errc::kInvalid, .message = "no requests are taken here", .hint = {}});
  }
  scope_.spawn(run_handler(std::move(stream)));
  return {};
}

Result<void> Session::on_response(const Frame& frame) {
  if (!is_ours(frame.header.stream)) return fail(Errc::kInvalid, "response from the wrong side");
  PYRO_TRY(const auto stream, find(frame.header.stream));
  PYRO_TRY(proto::Response response, proto::decode_text<proto::Response>(frame.payload));
  if (response.result.has_value() == response.error.has_value()) {
    return fail(Errc::kInvalid, "a response needs either a result or an error");
  }
  if (!stream) return {};
  if (stream->response_) return fail(Errc::kInvalid, "second response on a stream");
  stream->on_response(std::move(response));
  return {};
}

Result<void> Session::on_event(const Frame& frame) {
  PYRO_TRY(const auto stream, find(frame.header.stream));
  PYRO_TRY(proto::Event event, proto::decode_text<proto::Event>(frame.payload));
  if (!stream) return {};
  constexpr std::size_t kOverhead = 256;  // what an event costs beyond its text, roughly
  const std::size_t cost = frame.payload.size() + kOverhead;
  PYRO_CHECK(hold_control(cost));
  stream->on_item(Event{.name = std::move(event.name), .params = std::move(event.params)}, cost);
  return {};
}

Result<void> Session::on_data(Frame frame) {
  const std::uint32_t id = frame.header.stream;
  if (lanes_.size() > 1 && !is_ours(id) && id > highest_peer_id_ && !streams_.contains(id)) {
    if (streams_.size() >= 2 * kMaxStreams) return fail(Errc::kInvalid, "too many streams");
    auto stream = std::make_shared<Stream>(this, id, false);
    streams_[id] = {.stream = stream, .early = stream};
  }
  PYRO_TRY(const auto stream, find(id));
  return stream ? stream->on_data(std::move(frame)) : Result<void>{};
}

}  // namespace pyro::rpc
