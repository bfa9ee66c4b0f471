// Where frames for the guest go.
#pragma once

#include "net/packet_writer.h"

namespace pyro::net {

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // A place for the next frame, of kMostFrame bytes; empty when the link takes nothing now.
  virtual Buffer place() = 0;
  // What was written there.
  virtual void send(std::size_t size) = 0;
};

}  // namespace pyro::net
