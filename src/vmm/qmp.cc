#include "vmm/qmp.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace pyro::vmm {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxLine = 1U << 20;
constexpr std::size_t kMaxReplies = 4;  // the greeting, and one command at a time
}  // namespace

Qmp::Qmp(asio::any_io_executor ex, sys::UniqueFd socket, OnEvent on_event,
         std::chrono::milliseconds reply_limit)
    : socket_(ex, socket.release()),
      on_event_(std::move(on_event)),
      reply_arrived_(ex),
      reply_limit_(reply_limit) {}

io::Task<std::string> Qmp::read_line() {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      co_return line;
    }
    if (buffer_.size() > kMaxLine)
      co_return fail(Errc::kLimit, fmt::format("QEMU sent a line of more than {} bytes", kMaxLine));
    char chunk[4096];
    const auto r = co_await socket_.async_read_some(asio::buffer(chunk), kTuple);
    const auto& [ec, n] = r;
    if (ec) co_return fail(Errc::kUnavailable, "QEMU went away");
    buffer_.append(chunk, n);
  }
}

Result<void> Qmp::take(const std::string& line) {
  boost::system::error_code ec;
  json::value value = json::parse(line, ec);
  if (ec || !value.is_object()) return fail(Errc::kInvalid, "QEMU sent what is no JSON object");
  json::object& message = value.get_object();
  if (const auto* event = message.if_contains("event"); event != nullptr && event->is_string()) {
    const auto* data = message.if_contains("data");
    on_event_(std::string(event->get_string()),
              data != nullptr && data->is_object() ? data->get_object() : json::object{});
    return {};
  }
  // Replies come in the order of their commands: this one is not that of the command under way.
  if (late_ > 0) {
    --late_;
    return {};
  }
  if (replies_.size() >= kMaxReplies)
    return fail(Errc::kInvalid, "QEMU sent replies that nobody asked for");
  replies_.push_back(std::move(message));
  reply_arrived_.set();
  return {};
}

asio::awaitable<void> Qmp::read_loop() {
  while (!closed_) {
    // With more to read at once there is no wait that a cancellation could end.
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
    auto line = co_await read_line();
    auto taken = line ? take(*line) : Result<void>(std::unexpected(std::move(line.error())));
    if (!taken) closed_ = std::move(taken.error());
  }
  reply_arrived_.set();
}

io::Task<json::object> Qmp::next_reply(std::string command) {
  while (replies_.empty()) {
    if (closed_)
      co_return fail(Errc::kUnavailable, fmt::format("QMP {}: {}", command, closed_->message));
    reply_arrived_.clear();
    auto arrived = co_await reply_arrived_.wait_for(reply_limit_);
    if (!arrived) {
      ++late_;
      co_return std::unexpected(std::move(arrived.error()).context("QMP " + command));
    }
  }
  json::object reply = std::move(replies_.front());
  replies_.pop_front();
  answered_ = true;
  co_return reply;
}

io::Task<void> Qmp::negotiate() {
  // The greeting is the first object; it arrives like a reply.
  PYRO_CO_TRY(const auto greeting, co_await next_reply("greeting"));
  static_cast<void>(greeting);
  PYRO_CO_TRY(const auto ignored, co_await execute("qmp_capabilities"));
  static_cast<void>(ignored);
  co_return Result<void>{};
}

io::Task<json::value> Qmp::execute(std::string command, json::object arguments) {
  json::object request{{"execute", command}};
  if (!arguments.empty()) request["arguments"] = std::move(arguments);
  const std::string line = json::serialize(request) + "\n";
  answered_ = false;
  const auto written = co_await asio::async_write(socket_, asio::buffer(line), kTuple);
  const auto& [ec, n] = written;
  if (ec) co_return fail(Errc::kUnavailable, "QMP " + command + ": " + ec.message());
  co_return co_await reply_to(std::move(command));
}

io::Task<void> Qmp::pass_fd(std::string name, int fd) {
  json::object arguments{{"fdname", std::move(name)}};
  co_return co_await execute_with_fd("getfd", std::move(arguments), fd);
}

io::Task<void> Qmp::add_to_set(int set, int fd) {
  json::object arguments{{"fdset-id", set}};
  co_return co_await execute_with_fd("add-fd", std::move(arguments), fd);
}

io::Task<void> Qmp::execute_with_fd(std::string command, json::object arguments, int fd) {
  const json::object request{{"execute", command}, {"arguments", std::move(arguments)}};
  const std::string line = json::serialize(request) + "\n";
  answered_ = false;
  // Commands go one at a time and are small, so the socket always has room for one.
  PYRO_CO_CHECK(sys::send_with_fd(socket_.native_handle(), line, fd));
  PYRO_CO_TRY(const auto ignored, co_await reply_to(std::move(command)));
  static_cast<void>(ignored);
  co_return Result<void>{};
}

io::Task<json::value> Qmp::reply_to(std::string command) {
  PYRO_CO_TRY(json::object reply, co_await next_reply(command));
  if (auto* value = reply.if_contains("return")) co_return std::move(*value);
  std::string why = "refused";
  if (const auto* e = reply.if_contains("error"); e != nullptr && e->is_object()) {
    if (const auto* desc = e->get_object().if_contains("desc");
        desc != nullptr && desc->is_string()) {
      why = std::string(desc->get_string());
    }
  }
  co_return fail(Errc::kUnavailable, "QMP " + command + ": " + why);
}

}  // namespace pyro::vmm
