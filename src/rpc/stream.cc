#include "rpc/stream.h"

#include <algorithm>

#include "rpc/session.h"

namespace pyro::rpc {
namespace {

// Credit goes back in steps, so that many small reads do not cost a frame each. A producer never
// stalls on what is withheld: three quarters of its window are still open.
constexpr std::uint32_t kCreditStep = kInitialCredit / 4;

}  // namespace

Stream::Stream(Session* session, std::uint32_t id, bool opener)
    : session_(session),
      id_(id),
      opener_(opener),
      incoming_(session->ex_),
      credited_{io::Event(session->ex_), io::Event(session->ex_), io::Event(session->ex_)} {
  window_.fill(kInitialCredit);
  credit_.fill(kInitialCredit);
}

Stream::~Stream() {
  if (session_ == nullptr) return;
  if (opener_ && !response_) cancel();
  if (!opener_ && !responded_ && !request_.method.empty()) {
    (void)respond(Error{.code = Errc::kInternal,
                        .message = request_.method + ": ended without an answer",
                        .hint = {}});
  }
  for (const Item& item : items_) session_->release_control(item.cost);
  session_->forget(id_);
}

void Stream::wake() {
  incoming_.set();
  for (io::Event& e : credited_) e.set();
}

void Stream::abandon(Error error) {
  if (!error_) error_ = std::move(error);
  wake();
}

// --- taking -------------------------------------------------------------------------------------

void Stream::consumed(std::uint16_t channel, std::size_t bytes) {
  owed_[channel] += static_cast<std::uint32_t>(bytes);
  if (owed_[channel] < kCreditStep || ended_in_[channel] || session_ == nullptr) return;
  session_->send_control(
      wire::FrameType::kCredit, id_, channel,
      wire::encode_credit(id_, channel, owed_[channel]).substr(wire::kHeaderSize));
  window_[channel] += owed_[channel];
  owed_[channel] = 0;
}

void Stream::give_credit() {
  if (const auto taken = std::exchange(taken_, std::nullopt); taken && !manual_credit_) {
    consumed(taken->first, taken->second);
  }
}

Result<std::optional<Incoming>> Stream::take() {
  if (!items_.empty()) {
    Item item = std::move(items_.front());
    items_.pop_front();
    if (session_ != nullptr) session_->release_control(item.cost);
    if (const auto* data = std::get_if<Data>(&item.incoming); data != nullptr) {
      taken_ = {data->channel, static_cast<std::uint32_t>(data->bytes.size())};
    }
    return std::move(item.incoming);
  }
  if (delivered_) return fail(Errc::kConflict, "the stream has ended");
  if (response_ && frames_in_ >= response_->data_frames) {
    delivered_ = true;
    if (response_->error) return std::unexpected(proto::from_body(*response_->error));
    return Incoming(Response{.result = std::move(response_->result).value_or(json::object{})});
  }
  if (error_) return std::unexpected(*error_);
  return std::nullopt;
}

Task<Incoming> Stream::next() {
  give_credit();
  for (;;) {
    PYRO_CO_TRY(auto item, take());
    if (item) co_return *std::move(item);
    incoming_.clear();
    PYRO_CO_CHECK(co_await incoming_.wait());
  }
}

Task<std::optional<Incoming>> Stream::next_within(std::chrono::milliseconds limit) {
  give_credit();
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    PYRO_CO_TRY(auto item, take());
    if (item) co_return item;
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero()) co_return std::nullopt;
    incoming_.clear();
    const auto woken =
        co_await incoming_.wait_for(std::chrono::ceil<std::chrono::milliseconds>(left));
    if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
  }
}

Result<void> Stream::on_data(wire::Frame frame) {
  const std::uint16_t channel = frame.header.flags & ~wire::kEndOfChannel;
  const bool end = (frame.header.flags & wire::kEndOfChannel) != 0;
  if (ended_in_[channel]) return fail(Errc::kInvalid, "data after the end of its channel");
  if (frame.payload.size() > window_[channel]) {
    return fail(Errc::kInvalid, "more data than credit was given for");
  }
  window_[channel] -= static_cast<std::uint32_t>(frame.payload.size());
  ended_in_[channel] = end;
  ++frames_in_;
  if (frame.payload.empty() && !end) {  // costs no credit, so must not cost memory
    incoming_.set();
    return {};
  }
  on_item(Data{.channel = channel, .bytes = std::move(frame.payload), .end = end}, 0);
  return {};
}

void Stream::on_item(Incoming incoming, std::size_t cost) {
  items_.push_back({.incoming = std::move(incoming), .cost = cost});
  incoming_.set();
}

void Stream::on_response(proto::Response response) {
  response_ = std::move(response);
  wake();
}

void Stream::on_cancel() {
  if (cancelled_) return;
  cancelled_ = true;
  items_.push_back({.incoming = Cancelled{}});
  wake();
}

// --- sending ------------------------------------------------------------------------------------

std::optional<Error> Stream::send_error() const {
  const auto no = [](const char* why) {
    return Error{.code = Errc::kUnavailable, .message = why, .hint = {}};
  };
  if (error_) return error_;
  if (session_ == nullptr) return no("the session has ended");
  if (opener_ ? response_.has_value() : responded_) return no("the stream has its answer already");
  if (!opener_ && cancelled_) return no("cancelled by the peer");
  return std::nullopt;
}

Result<void> Stream::can_send(std::uint16_t channel) const {
  if (auto e = send_error()) return std::unexpected(*std::move(e));
  if (ended_out_[channel]) return fail(Errc::kConflict, "the channel was ended before");
  return {};
}

std::size_t Stream::send_frame(std::uint16_t channel, std::string_view bytes, bool end) {
  const std::size_t chunk = std::min<std::size_t>({bytes.size(), credit_[channel], wire::kMaxData});
  if (chunk == 0 && !bytes.empty()) return 0;
  const bool last = end && chunk == bytes.size();
  session_->send_data(id_, last ? channel | wire::kEndOfChannel : channel, bytes.substr(0, chunk));
  ended_out_[channel] = last;
  credit_[channel] -= static_cast<std::uint32_t>(chunk);
  ++frames_out_;
  return chunk;
}

Task<void> Stream::send(std::uint16_t channel, std::string bytes, bool end) {
  std::string_view rest = bytes;
  while (!rest.empty() || end) {
    PYRO_CO_CHECK(can_send(channel));
    const std::size_t sent = send_frame(channel, rest, end);
    rest.remove_prefix(sent);
    if (ended_out_[channel]) break;
    if (sent > 0) continue;
    credited_[channel].clear();
    PYRO_CO_CHECK(co_await credited_[channel].wait());
  }
  co_return Result<void>{};
}

Task<std::size_t> Stream::send_within(std::uint16_t channel, std::string bytes,
                                      std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    PYRO_CO_CHECK(can_send(channel));
    const std::size_t sent = send_frame(channel, rest, /*end=*/false);
    rest.remove_prefix(sent);
    if (sent > 0) continue;
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero()) break;
    credited_[channel].clear();
    const auto woken =
        co_await credited_[channel].wait_for(std::chrono::ceil<std::chrono::milliseconds>(left));
    if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
  }
  co_return bytes.size() - rest.size();
}

Result<void> Stream::on_credit(std::uint16_t channel, std::uint32_t bytes) {
  constexpr std::uint32_t kMost = 16U << 20;
  if (bytes > kMost || credit_[channel] + bytes > kMost) {
    return fail(Errc::kInvalid, "more credit than any window");
  }
  credit_[channel] += bytes;
  credited_[channel].set();
  return {};
}

Result<void> Stream::send_event(std::string name, json::object params) {
  if (auto e = send_error()) return std::unexpected(*std::move(e));
  const std::string text = proto::to_text(
      proto::encode(proto::Event{.name = std::move(name), .params = std::move(params)}));
  if (text.size() > wire::kMaxControl) return fail(Errc::kLimit, "event too large");
  session_->send_control(wire::FrameType::kEvent, id_, 0, text);
  return {};
}

Result<void> Stream::finish(proto::Response response) {
  if (opener_ || responded_) return fail(Errc::kConflict, "the stream has its answer already");
  responded_ = true;
  if (session_ == nullptr) return fail(Errc::kUnavailable, "the session has ended");
  response.data_frames = frames_out_;
  std::string text = proto::to_text(proto::encode(std::move(response)));
  if (text.size() > wire::kMaxControl) {
    const Error error{.code = Errc::kLimit, .message = "the answer is too large", .hint = {}};
    text = proto::to_text(
        proto::encode(proto::Response{.data_frames = frames_out_, .error = proto::to_body(error)}));
  }
  session_->send_control(wire::FrameType::kResponse, id_, 0, text);
  wake();
  return {};
}

Result<void> Stream::respond(json::object result) {
  return finish(proto::Response{.result = std::move(result)});
}

Result<void> Stream::respond(Error error) {
  constexpr std::size_t kMost = 64U << 10;
  if (error.message.size() > kMost) error.message.resize(kMost);
  return finish(proto::Response{.error = proto::to_body(error)});
}

void Stream::cancel() {
  if (!opener_ || cancelled_ || session_ == nullptr) return;
  cancelled_ = true;
  session_->send_control(wire::FrameType::kCancel, id_, 0, {});
}

}  // namespace pyro::rpc
