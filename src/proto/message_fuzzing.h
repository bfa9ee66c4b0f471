// What the fuzz targets of messages have in common.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proto/json.h"

namespace pyro::proto {

// Whether two values are the same, but for the last digits of numbers: the library reads one that
// is no 64-bit integer only nearly right, so it may change them each time.
inline bool nearly_same(const boost::json::value& a, const boost::json::value& b) {
  constexpr double kNearly = 1e-12;
  if (a.is_double() && b.is_double()) {
    const double x = a.get_double();
    const double y = b.get_double();
    return x == y || std::abs(x - y) <= kNearly * std::max(std::abs(x), std::abs(y));
  }
  if (const auto* array = a.if_array()) {
    return b.is_array() && std::ranges::equal(*array, b.get_array(), nearly_same);
  }
  if (const auto* object = a.if_object()) {
    return b.is_object() &&
           std::ranges::equal(*object, b.get_object(), [](const auto& x, const auto& y) {
             return x.key() == y.key() && nearly_same(x.value(), y.value());
           });
  }
  return a == b;
}

// Any text either fails to decode or decodes to a message that survives a round trip.
template <class T>
void round_trip(const std::string& text) {
  auto message = decode_text<T>(text);
  if (!message) return;
  const auto once = encode(*message);
  auto again = decode_text<T>(to_text(once));
  if (!again || !nearly_same(encode(*again), once)) std::abort();
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
