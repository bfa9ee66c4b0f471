#include "agent/probe.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "io/scope.h"
#include "sys/clock.h"
#include "sys/fd.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using std::chrono::milliseconds;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::int64_t kLongest = 60000;        // ms
constexpr std::size_t kMostHead = 16U << 10;    // of an answer
constexpr std::size_t kLongestPath = 8U << 10;  // of a request; servers refuse more than this
constexpr int kMostLooks = 8;                   // at files, that do not come back
constexpr const char* kNoAnswer = "the file system of it does not answer";
constexpr const char* kSilent = "the connection was closed without an answer";
constexpr const char* kNotHttp = "the answer is not HTTP";

struct Finding {
  bool ready = false;
  std::string detail;
};

// --- files --------------------------------------------------------------------------------------

// The clock that file times are taken from: another one may be ahead of it by a tick.
std::int64_t file_clock_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &t);
  return sys::to_ns(t);
}

Finding look_for_file(const std::string& path, std::int64_t since_ns) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) {
    const int e = errno;
    if (e == ENOENT || e == ENOTDIR) return {.detail = "no such file"};
    return {.detail = sys::fail_errno("looking for the file", e).error().message};
  }
  if (since_ns != 0 && sys::to_ns(st.st_ctim) < since_ns) {
    return {.detail = "the file was there before the service was started"};
  }
  return {.ready = true, .detail = {}};
}

// A file system may never answer (one that a program of the guest serves): the look is taken beside
// the loop, by a thread that is left behind when it takes too long.
struct Look {
  std::string path;
  std::int64_t since_ns = 0;
  sys::UniqueFd over;  // an eventfd
  std::mutex mutex;
  Finding finding;
};

std::atomic<int>& looks_under_way() {
  static std::atomic<int> count = 0;
  return count;
}

void take_look(const std::shared_ptr<Look>& look) {
  Finding finding = look_for_file(look->path, look->since_ns);
  {
    const std::lock_guard lock(look->mutex);
    look->finding = std::move(finding);
  }
  --looks_under_way();
  static_cast<void>(::eventfd_write(look->over.get(), 1));
}

asio::awaitable<void> set_when_readable(int fd, io::Event* done) {
  const auto readable = co_await io::wait_readable(fd);
  if (readable) done->set();
}

io::Task<Finding> look_within(std::string path, std::int64_t since_ns, milliseconds limit) {
  if (looks_under_way() >= kMostLooks) co_return Finding{.detail = kNoAnswer};
  PYRO_CO_TRY(const int over, sys::retrying("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); }));
  const auto look = std::make_shared<Look>();
  look->path = std::move(path);
  look->since_ns = since_ns;
  look->over = sys::UniqueFd(over);
  ++looks_under_way();
  try {
    std::thread(take_look, look).detach();
  } catch (const std::system_error&) {  // no thread is to be had
    take_look(look);
  }
  const auto ex = co_await asio::this_coro::executor;
  io::Event done(ex);
  io::TaskScope scope(ex);
  scope.spawn(set_when_readable(over, &done));
  const auto woken = co_await done.wait_for(limit);
  static_cast<void>(co_await scope.close());
  if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
  if (!woken) co_return Finding{.detail = kNoAnswer};
  const std::lock_guard lock(look->mutex);
  co_return look->finding;
}

// --- connections --------------------------------------------------------------------------------

struct Target {
  std::vector<asio::ip::address> addresses;  // tried in this order
  std::uint16_t port = 0;
  std::string request;  // empty: the connection is all that is asked for
};

std::string phrase(const boost::system::error_code& ec) {
  if (ec == asio::error::connection_refused) return "connection refused";
  return "connecting: " + ec.message();
}

// A port of the range that clients get theirs from may be given to this very connection, which then
// meets itself (RFC 9293, 3.5: simultaneous open). Nobody listens there.
bool met_itself(const tcp::socket& socket) {
  boost::system::error_code failed;
  const auto local = socket.local_endpoint(failed);
  return !failed && local == socket.remote_endpoint(failed);
}

// What is begun after the cancellation is not ended by it.
asio::awaitable<bool> is_over() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

// An empty detail: it is connected.
asio::awaitable<std::string> connect(tcp::socket* socket, const Target* target) {
  std::string first;
  for (const auto& address : target->addresses) {
    const bool over = co_await is_over();
    if (over) break;
    boost::system::error_code failed;
    socket->close(failed);
    const auto connected = co_await socket->async_connect({address, target->port}, kTuple);
    const auto& [ec] = connected;
    std::string why;
    if (ec) {
      why = phrase(ec);
    } else if (met_itself(*socket)) {
      socket->set_option(tcp::socket::linger(true, 0), failed);  // the port is free at once
      why = phrase(asio::error::connection_refused);
    } else {
      co_return std::string();
    }
    // The first address is the one that people mean; the others are often not there at all.
    if (first.empty()) first = std::move(why);
  }
  co_return first;
}

// Reads no further than the head of the answer.
asio::awaitable<Finding> ask(tcp::socket* socket, const std::string* request) {
  bool over = co_await is_over();
  if (over) co_return Finding{};
  const auto written = co_await asio::async_write(*socket, asio::buffer(*request), kTuple);
  if (std::get<0>(written)) co_return Finding{.detail = kSilent};
  http::response_parser<http::empty_body> parser;
  parser.header_limit(kMostHead);
  parser.skip(true);  // however long a body is announced
  std::array<char, kMostHead> head;
  std::size_t have = 0;
  std::size_t parsed = 0;
  while (have < head.size()) {
    over = co_await is_over();
    if (over) co_return Finding{};
    const auto got = co_await socket->async_read_some(asio::buffer(head) + have, kTuple);
    const auto& [ec, count] = got;
    if (ec) co_return Finding{.detail = have == 0 ? kSilent : kNotHttp};
    have += count;
    boost::system::error_code problem;
    parsed += parser.put(asio::buffer(head.data() + parsed, have - parsed), problem);
    if (parser.is_header_done()) {
      const unsigned status = parser.get().result_int();
      co_return Finding{.ready = status >= 200 && status <= 399,
                        .detail = "HTTP status " + std::to_string(status)};
    }
    if (problem == http::error::header_limit) break;
    if (problem && problem != http::error::need_more) co_return Finding{.detail = kNotHttp};
  }
  co_return Finding{.detail = "the head of the answer is longer than 16 KiB"};
}

asio::awaitable<void> knock(tcp::socket* socket, const Target* target,
                            std::optional<Finding>* found, io::Event* done) {
  std::string why = co_await connect(socket, target);
  Finding finding{.ready = why.empty(), .detail = std::move(why)};
  if (finding.ready && !target->request.empty()) {
    finding = co_await ask(socket, &target->request);
  }
  *found = std::move(finding);
  done->set();
}

io::Task<Finding> knock_within(Target target, milliseconds limit) {
  const auto ex = co_await asio::this_coro::executor;
  tcp::socket socket(ex);
  std::optional<Finding> found;
  io::Event done(ex);
  io::TaskScope scope(ex);
  scope.spawn(knock(&socket, &target, &found, &done));
  const auto woken = co_await done.wait_for(limit);
  const bool in_time = found.has_value();
  const auto failure = co_await scope.close();
  static_cast<void>(failure);
  if (in_time) co_return *std::move(found);
  if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
  co_return Finding{.detail = "no answer within " + std::to_string(limit.count()) + " ms"};
}

// --- requests -----------------------------------------------------------------------------------

bool is_blank_or_control(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
}

Result<void> check_timeout(const proto::Probe& request) {
  if (request.timeout_ms >= 1 && request.timeout_ms <= kLongest) return {};
  return fail(Errc::kInvalid, "probe: the timeout must be 1 to 60000 ms");
}

Result<Target> target_of(const proto::Probe& request) {
  PYRO_CHECK(check_timeout(request));
  if (request.port == 0) return fail(Errc::kInvalid, "probe: no port named");
  Target target{.addresses = {}, .port = request.port, .request = {}};
  std::string authority = request.host;
  if (request.host == "localhost") {
    target.addresses = {asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()};
  } else {
    boost::system::error_code failed;
    target.addresses = {asio::ip::make_address(request.host, failed)};
    if (failed || request.host.find('%') != std::string::npos) {
      return fail(Errc::kInvalid, "probe: the host must be an IP address or localhost");
    }
    if (target.addresses.front().is_v6()) authority = "[" + authority + "]";
  }
  if (request.kind == "tcp") return target;
  const std::string& path = request.path.value;
  if (!path.starts_with('/') || path.size() > kLongestPath ||
      std::ranges::any_of(path, is_blank_or_control)) {
    return fail(Errc::kInvalid,
                "probe: the path must begin with / and have no blanks and no control characters");
  }
  target.request = "GET " + path + " HTTP/1.1\r\nHost: " + authority + ":" +
                   std::to_string(request.port) +
                   "\r\nUser-Agent: pyro\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  return target;
}

io::Task<Finding> find_out(proto::Probe request) {
  if (request.kind == "file") {
    const std::string& path = request.path.value;
    if (!path.starts_with('/') || path.find('\0') != std::string::npos) {
      co_return fail(Errc::kInvalid, "probe: the path must be absolute");
    }
    PYRO_CO_CHECK(check_timeout(request));
    co_return co_await look_within(path, request.since_ns, milliseconds(request.timeout_ms));
  }
  if (request.kind != "tcp" && request.kind != "http") {
    co_return fail(Errc::kInvalid, "probe: no such kind");
  }
  PYRO_CO_TRY(Target target, target_of(request));
  co_return co_await knock_within(std::move(target), milliseconds(request.timeout_ms));
}

}  // namespace

io::Task<proto::ProbeResult> probe(proto::Probe request) {
  PYRO_CO_TRY(Finding finding, co_await find_out(std::move(request)));
  co_return proto::ProbeResult{
      .ready = finding.ready, .detail = std::move(finding.detail), .clock_ns = file_clock_ns()};
}

asio::awaitable<void> handle_probe(std::shared_ptr<rpc::Stream> stream) {
  auto request = proto::decode<proto::Probe>(stream->params());
  if (!request) {
    (void)stream->respond(std::move(request.error()));
    co_return;
  }
  auto result = co_await probe(*std::move(request));
  if (result) {
    (void)stream->respond(proto::encode(*std::move(result)));
  } else {
    (void)stream->respond(std::move(result.error()));
  }
}

}  // namespace pyro::agent
