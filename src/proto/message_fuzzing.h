// What the fuzz targets of messages have in common.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proto/json.h"

namespace pyro::proto {

// Any text either fails to decode or decodes to a message that survives a round trip.
template <class T>
void round_trip(const std::string& text) {
  auto message = decode_text<T>(text);
  if (!message) return;
  const std::string once = to_text(encode(*message));
  auto again = decode_text<T>(once);
  if (!again || to_text(encode(*again)) != once) std::abort();
}

// The first byte picks the message, the others are its text.
template <class... T>
void round_trip_one_of(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<void (*)(const std::string&), sizeof...(T)> kAll{round_trip<T>...};
  if (size == 0) return;
  std::string text;
  for (std::size_t i = 1; i < size; ++i) text += static_cast<char>(data[i]);
  kAll[data[0] % kAll.size()](text);
}

}  // namespace pyro::proto
