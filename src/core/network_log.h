// What the network engine of a workspace has told, kept beside its record: a log of bounded size
// (store/service_log.h) whose records are one proto::NetEvent each, as JSON.
#pragma once

#include <memory>
#include <string>

#include "io/scope.h"
#include "proto/net_messages.h"
#include "rpc/stream.h"
#include "store/service_log.h"

namespace pyro::core {

// Of a workspace: below its sandbox's folder.
std::string network_log_folder(const std::string& sandbox_folder);

class NetworkLog {
 public:
  // Goes on after what there is.
  static Result<std::unique_ptr<NetworkLog>> open(const std::string& folder,
                                                  io::asio::any_io_executor ex);
  void add(const proto::NetEvents& news);
  // From `cursor` on, until the client goes or close() is called.
  io::Task<void> follow(std::int64_t cursor, std::shared_ptr<rpc::Stream> client);
  // Whoever follows gets what there is, and ends: before this returns, but for one who does not
  // read for a second.
  io::asio::awaitable<void> close();

 private:
  NetworkLog(std::string folder, store::ServiceLog log, io::asio::any_io_executor ex)
      : folder_(std::move(folder)), log_(std::move(log)), ex_(ex), changed_(ex) {}

  std::string folder_;
  store::ServiceLog log_;
  io::asio::any_io_executor ex_;
  io::Changes changed_;
  bool closed_ = false;
  int followers_ = 0;
};

}  // namespace pyro::core
