// A descriptor that says one thing, once, to whoever polls it.
#pragma once

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::mcp_serve {

// Any number of threads may raise() and wait; it stays raised.
class Wake {
 public:
  static Result<Wake> make();
  void raise() const;
  [[nodiscard]] bool raised() const;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Wake(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  sys::UniqueFd fd_;
};

}  // namespace pyro::mcp_serve
