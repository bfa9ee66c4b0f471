// The byte streams between one running program and its rpc stream.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

#include "io/scope.h"
#include "proto/agent_messages.h"
#include "rpc/stream.h"
#include "sys/fd.h"

namespace pyro::agent {

// The ends of pipes or of a pseudo terminal.
struct ProgramEnds {
  sys::UniqueFd ours_in, ours_out, ours_err;  // nonblocking; with a terminal only ours_out
  sys::UniqueFd child[3];
};
Result<ProgramEnds> open_ends(const proto::Exec& request);

class ExecIo {
 public:
  using Descriptor = boost::asio::posix::stream_descriptor;
  ExecIo(boost::asio::any_io_executor ex, std::shared_ptr<rpc::Stream> stream, ProgramEnds& ends,
         bool terminal);

  // Copies one output until its end; after drain() only what is there already. Ends the channel.
  boost::asio::awaitable<void> pump(std::uint16_t channel);
  // The program has ended: do not wait for whoever else holds its pipes open.
  void drain();
  // Writes what feed() queued; until cancelled.
  boost::asio::awaitable<void> write_stdin();
  void feed(rpc::Data data);
  void resize(proto::Terminal size);

 private:
  Descriptor& output(std::uint16_t channel) { return channel == wire::kStdout ? out_ : err_; }
  std::shared_ptr<rpc::Stream> stream_;
  bool terminal_;
  Descriptor in_, out_, err_;
  bool draining_ = false;
  std::size_t budget_[wire::kChannels] = {};  // bytes left to drain

  std::string queued_;  // stdin; bounded by the stream's credit
  bool in_ended_ = false;
  bool in_broken_ = false;
  io::Event in_ready_;
};

}  // namespace pyro::agent
