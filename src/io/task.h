// Coroutines: what every header that only names tasks includes. One loop and one thread in each
// process; parameters by value; one co_await in a statement (research on GCC 12, see docs/adr).
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/result.h"

namespace pyro::io {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<Result<T>>;

}  // namespace pyro::io
