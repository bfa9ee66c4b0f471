// One byte lane of a session: its descriptor and what is queued for it.
#pragma once

#include "rpc/session.h"

namespace pyro::rpc {

struct Session::Lane {
  Lane(const boost::asio::any_io_executor& ex, sys::UniqueFd descriptor)
      : fd(ex, descriptor.release()), ready(ex), idle(ex) {}

  boost::asio::posix::stream_descriptor fd;
  std::string nonce;  // of the last hello seen here

  std::string pending;              // frames not yet given to the kernel
  std::size_t pending_control = 0;  // how much of it no credit bounds
  bool writing = false;
  io::Event ready;  // pending is not empty, or the session has ended
  io::Event idle;   // everything is written

  void queued() {
    idle.clear();
    ready.set();
  }
};

}  // namespace pyro::rpc
