// Sends a log to whoever follows it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "rpc/stream.h"

namespace pyro::core {

// Of the log in `folder` (store/service_log.h) what it has from `*cursor` on, as data on stdout:
// whole records, some of them at a time. Where the log has lost what stood there, a remark says so
// instead. False: there was nothing.
io::Task<bool> send_log(std::string folder, std::uint64_t* cursor,
                        std::shared_ptr<rpc::Stream> client);

// Until the client of a request is gone, or wants it to end. For a task beside the request's own.
io::asio::awaitable<void> until_client_goes(std::shared_ptr<rpc::Stream> client);

}  // namespace pyro::core
