// QMP, QEMU's control protocol: JSON objects, one on a line (QEMU, "QEMU Machine Protocol
// Specification").
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "io/scope.h"
#include "io/task.h"
#include "sys/fd.h"

namespace pyro::vmm {

// One connection. Owner: QemuVm. Commands run one after the other, each answered within the limit
// (Errc::kDeadline). QEMU is not trusted: a line of more than 1 MiB, anything that is not JSON, or
// replies that nobody asked for end the connection.
class Qmp {
 public:
  using OnEvent = std::function<void(const std::string& name, const boost::json::object& data)>;
  Qmp(io::asio::any_io_executor ex, sys::UniqueFd socket, OnEvent on_event,
      std::chrono::milliseconds reply_limit = std::chrono::seconds(30));

  // Reads the greeting and leaves negotiation mode.
  io::Task<void> negotiate();
  // The command's "return" value; an error reply becomes an Error that names the command.
  io::Task<boost::json::value> execute(std::string command, boost::json::object arguments = {});
  // Gives QEMU a duplicate of `fd` under a name that later commands use (getfd).
  io::Task<void> pass_fd(std::string name, int fd);
  // Adds a duplicate of `fd` to the set that QEMU opens as /dev/fdset/SET, with the access mode
  // that `fd` has (add-fd).
  io::Task<void> add_to_set(int set, int fd);
  // Whether QEMU answered the last command, be it to refuse it. If not, it may be carried out all
  // the same, now or later.
  [[nodiscard]] bool answered() const { return answered_; }
  // Reads events until the connection ends; run this in a scope between commands' lifetimes.
  io::asio::awaitable<void> read_loop();

 private:
  io::Task<std::string> read_line();
  io::Task<boost::json::object> next_reply(std::string command);
  io::Task<boost::json::value> reply_to(std::string command);
  io::Task<void> execute_with_fd(std::string command, boost::json::object arguments, int fd);
  // An error when the connection is to end.
  Result<void> take(const std::string& line);

  boost::asio::posix::stream_descriptor socket_;
  OnEvent on_event_;
  std::string buffer_;
  std::deque<boost::json::object> replies_;
  int late_ = 0;  // replies that nobody waits for any more
  bool answered_ = true;
  io::Event reply_arrived_;
  std::chrono::milliseconds reply_limit_;
  std::optional<Error> closed_;  // why the connection ended
};

}  // namespace pyro::vmm
