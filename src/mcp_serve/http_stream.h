// The messages of one HTTP response, between the threads that have them and the loop that writes.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "io/scope.h"
#include "mcp/session.h"

namespace pyro::mcp_serve {

class HttpStream : public std::enable_shared_from_this<HttpStream> {
 public:
  explicit HttpStream(boost::asio::any_io_executor loop) : loop_(loop), changes_(loop) {}

  // From any thread; never blocks. Notices are left out when many wait; with far too much waiting
  // the reader counts as gone.
  void push(mcp::Outgoing message);

  // Of the loop alone from here.
  enum class State : std::uint8_t { kMessage, kGone, kQuiet };
  // kQuiet: nothing came within `limit`.
  io::Task<State> wait(std::chrono::milliseconds limit);
  std::optional<mcp::Outgoing> take();
  void set_gone();

 private:
  void wake();

  boost::asio::any_io_executor loop_;
  io::Changes changes_;
  std::mutex mutex_;
  std::deque<mcp::Outgoing> queue_;
  std::size_t waiting_ = 0;
  bool gone_ = false;
};

}  // namespace pyro::mcp_serve
