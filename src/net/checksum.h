// The Internet checksum (RFC 1071).
#pragma once

#include <cstdint>
#include <span>

namespace pyro::net {

// Of parts one after another. Each part but the last must have an even length.
class Checksum {
 public:
  Checksum& add(std::span<const std::uint8_t> bytes);
  Checksum& add(std::uint16_t word) {
    sum_ += word;
    return *this;
  }
  // What goes into the header. Over a whole message with its checksum in it: 0 if it is right.
  [[nodiscard]] std::uint16_t value() const;

 private:
  std::uint64_t sum_ = 0;  // of 16-bit words as they are read from network order
};

}  // namespace pyro::net
