#include "agent/exec_io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kChunk = 32U << 10;
// What a terminal can hold back once its program is gone; the kernel's buffers are far smaller.
constexpr std::size_t kTerminalDrain = 1U << 20;
constexpr char kEndOfFile = 4;  // ^D

// `ours` becomes nonblocking, the program's end stays as programs expect it.
Result<void> pipe_from(ExecIo::Descriptor& ours, sys::UniqueFd& theirs, bool child_reads) {
  PYRO_TRY(sys::Pipe pipe, sys::make_pipe());
  sys::UniqueFd& kept = child_reads ? pipe.write : pipe.read;
  PYRO_CHECK(sys::set_nonblocking(kept.get(), true));
  ours.assign(kept.release());
  theirs = std::move(child_reads ? pipe.read : pipe.write);
  return {};
}

}  // namespace

ExecIo::ExecIo(const asio::any_io_executor& ex, bool terminal)
    : terminal_(terminal), in_(ex), out_(ex), err_(ex), in_ready_(ex) {}

Result<std::unique_ptr<ExecIo>> ExecIo::make_pipes(asio::any_io_executor ex) {
  std::unique_ptr<ExecIo> io(new ExecIo(ex, false));
  PYRO_TRY(const int null, sys::retrying("open /dev/null",
                                         [] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }));
  io->child_[0] = sys::UniqueFd(null);
  PYRO_CHECK(pipe_from(io->out_, io->child_[1], false));
  PYRO_CHECK(pipe_from(io->err_, io->child_[2], false));
  return io;
}

Result<void> ExecIo::open_input() {
  return pipe_from(in_, child_[0], true);
}

Result<std::unique_ptr<ExecIo>> ExecIo::make_terminal(asio::any_io_executor ex,
                                                      const proto::Terminal& size) {
  std::unique_ptr<ExecIo> io(new ExecIo(ex, true));
  PYRO_TRY(const int master, sys::retrying("open /dev/ptmx", [] {
             return ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
           }));
  io->out_.assign(master);
  int unlocked = 0;
  PYRO_CHECK(sys::retrying("TIOCSPTLCK", [&] { return ::ioctl(master, TIOCSPTLCK, &unlocked); }));
  PYRO_TRY(const int slave, sys::retrying("TIOCGPTPEER", [&] {
             return ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
           }));
  io->child_[0] = sys::UniqueFd(slave);
  io->resize(size);
  PYRO_TRY(io->child_[1], sys::duplicate(slave));
  PYRO_TRY(io->child_[2], sys::duplicate(slave));
  return io;
}

void ExecIo::begin(std::shared_ptr<rpc::Stream> stream) {
  stream_ = std::move(stream);
  child_ = {};
}

asio::awaitable<void> ExecIo::pump(std::uint16_t channel) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Descriptor& from = output(channel);
  // One for all: what was read is copied out before the next wait. A buffer for each pump would
  // have to be cleared first, which an emulated processor takes a millisecond for.
  static std::array<char, kChunk> buffer;
  while (from.is_open()) {
    const std::size_t room = draining_ ? std::min(kChunk, budget_[channel]) : kChunk;
    if (room == 0) break;
    const auto n = ::read(from.native_handle(), buffer.data(), room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      if (draining_) break;
      const auto woken = co_await from.async_wait(Descriptor::wait_read, kTuple);
      static_cast<void>(woken);  // an error is drain()'s, and the next read sees the rest
      continue;
    }
    if (n <= 0) break;  // the end; of a terminal EIO
    const auto count = static_cast<std::size_t>(n);
    if (draining_) budget_[channel] -= count;
    const auto sent = co_await stream_->send(channel, std::string(buffer.data(), count));
    if (!sent) co_return;
  }
}

void ExecIo::drain() {
  draining_ = true;
  for (const std::uint16_t channel : {wire::kStdout, wire::kStderr}) {
    Descriptor& from = output(channel);
    if (!from.is_open()) continue;
    int waiting = 0;
    (void)::ioctl(from.native_handle(), FIONREAD, &waiting);
    budget_[channel] = terminal_ ? kTerminalDrain : static_cast<std::size_t>(std::max(0, waiting));
    boost::system::error_code ignored;
    from.cancel(ignored);
  }
}

void ExecIo::feed(rpc::Data data) {
  if (data.channel != wire::kStdin) return;
  queued_ += data.bytes;
  in_ended_ = in_ended_ || data.end;
  in_ready_.set();
}

asio::awaitable<void> ExecIo::write_stdin() {
  co_await asio::this_coro::throw_if_cancelled(false);
  Descriptor& to = terminal_ ? out_ : in_;
  for (;;) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
    if (in_broken_ || !to.is_open()) {  // nobody reads it: take it and throw it away
      stream_->consumed(wire::kStdin, queued_.size());
      queued_.clear();
    }
    if (queued_.empty()) {
      if (in_ended_) {
        if (terminal_ && to.is_open()) {
          (void)!::write(to.native_handle(), &kEndOfFile, 1);
        } else if (to.is_open()) {
          to.close();
        }
        co_return;
      }
      in_ready_.clear();
      const auto woken = co_await in_ready_.wait();
      static_cast<void>(woken);
      continue;
    }
    const auto n = ::write(to.native_handle(), queued_.data(), queued_.size());
    if (n >= 0) {
      queued_.erase(0, static_cast<std::size_t>(n));
      stream_->consumed(wire::kStdin, static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      const auto woken = co_await to.async_wait(Descriptor::wait_write, kTuple);
      static_cast<void>(woken);
    } else if (errno != EINTR) {
      in_broken_ = true;
    }
  }
}

void ExecIo::resize(proto::Terminal size) {
  if (!terminal_) return;
  const winsize ws{.ws_row = size.rows, .ws_col = size.cols, .ws_xpixel = 0, .ws_ypixel = 0};
  (void)::ioctl(out_.native_handle(), TIOCSWINSZ, &ws);
}

void ExecIo::hang_up() {
  boost::system::error_code ignored;
  if (terminal_) out_.close(ignored);
}

pid_t ExecIo::foreground() {
  pid_t group = 0;
  if (!terminal_ || ::ioctl(out_.native_handle(), TIOCGPGRP, &group) != 0) return 0;
  return group;
}

}  // namespace pyro::agent
