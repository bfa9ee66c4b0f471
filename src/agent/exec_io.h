// The byte streams between one running program and its rpc stream.
#pragma once

#include <sys/types.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

#include "io/scope.h"
#include "proto/agent_messages.h"
#include "rpc/stream.h"
#include "sys/fd.h"

namespace pyro::agent {

class ExecIo {
 public:
  using Descriptor = boost::asio::posix::stream_descriptor;
  // Pipes for both outputs and /dev/null as input; with open_input() a pipe for that, too.
  static Result<std::unique_ptr<ExecIo>> make_pipes(boost::asio::any_io_executor ex);
  Result<void> open_input();
  static Result<std::unique_ptr<ExecIo>> make_terminal(boost::asio::any_io_executor ex,
                                                       const proto::Terminal& size);
  // What the program gets as descriptor `i` (0 to 2); open until begin().
  [[nodiscard]] int child(std::size_t i) const { return child_.at(i).get(); }
  // The program runs.
  void begin(std::shared_ptr<rpc::Stream> stream);

  // Copies one output until its end; after drain() only what is there already. Ends the channel.
  boost::asio::awaitable<void> pump(std::uint16_t channel);
  // The program has ended: do not wait for whoever else holds its pipes open.
  void drain();
  // Writes what feed() queued; until cancelled.
  boost::asio::awaitable<void> write_stdin();
  void feed(rpc::Data data);
  void resize(proto::Terminal size);
  // Takes the terminal away: the kernel sends SIGHUP and SIGCONT to the program and to what is in
  // the foreground, and whoever reads or writes is told. A signal alone is lost on a shell that is
  // about to read (bash 5.2). No output comes after it.
  void hang_up();
  // The process group in the foreground of the terminal; 0: none, or no terminal.
  [[nodiscard]] pid_t foreground();

 private:
  ExecIo(const boost::asio::any_io_executor& ex, bool terminal);
  Descriptor& output(std::uint16_t channel) { return channel == wire::kStdout ? out_ : err_; }
  std::shared_ptr<rpc::Stream> stream_;
  bool terminal_;
  std::array<sys::UniqueFd, 3> child_;
  Descriptor in_, out_, err_;
  bool draining_ = false;
  std::size_t budget_[wire::kChannels] = {};  // bytes left to drain

  std::string queued_;  // stdin; bounded by the stream's credit
  bool in_ended_ = false;
  bool in_broken_ = false;
  io::Event in_ready_;
};

}  // namespace pyro::agent
