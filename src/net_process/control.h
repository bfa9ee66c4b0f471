// What the supervisor asks of the engine, answered.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>

#include "net/engine.h"
#include "rpc/session.h"

namespace pyro::net_process {

class Control {
 public:
  // `changed` is called after each use of the engine.
  Control(net::Engine& engine, std::function<void()> changed, boost::asio::any_io_executor ex)
      : engine_(engine), changed_(std::move(changed)), news_(ex) {}

  boost::asio::awaitable<void> answer(std::shared_ptr<rpc::Stream> stream);
  // There may be events.
  void wake() {
    if (!engine_.events().empty()) news_.set();
  }

 private:
  io::Task<boost::json::object> result_of(std::shared_ptr<rpc::Stream> stream);
  Result<boost::json::object> configure(const boost::json::object& params);
  Result<boost::json::object> publish(const boost::json::object& params);
  Result<boost::json::object> unpublish(const boost::json::object& params);
  boost::json::object info();
  io::Task<boost::json::object> take_events();

  net::Engine& engine_;
  std::function<void()> changed_;
  io::Event news_;
};

}  // namespace pyro::net_process
