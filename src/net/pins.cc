#include "net/pins.h"

#include <algorithm>

namespace pyro::net {

std::chrono::seconds Pins::lifetime(std::uint32_t ttl) {
  return std::clamp(std::chrono::seconds(ttl), kShortestPin, kLongestPin);
}

void Pins::pin(const policy::Address& address, const std::string& name,
               const std::vector<std::string>& aliases, std::uint32_t ttl, Time now) {
  expire(now);
  const Time until = now + lifetime(ttl);
  add({.address = address, .name = name}, until);
  for (const std::string& alias : aliases)
    add({.address = address, .name = alias, .alias = true}, until);
}

void Pins::add(Key key, Time until) {
  const auto [pin, is_new] = pins_.try_emplace(key, until);
  if (!is_new) {
    if (pin->second >= until) return;
    by_end_.erase({pin->second, key});
    pin->second = until;
  }
  by_end_.emplace(until, std::move(key));
  if (pins_.size() > kMostPins) drop(pins_.find(by_end_.begin()->second));
}

void Pins::drop(ByKey::iterator pin) {
  by_end_.erase({pin->second, pin->first});
  pins_.erase(pin);
}

void Pins::expire(Time now) {
  while (!by_end_.empty() && by_end_.begin()->first <= now)
    drop(pins_.find(by_end_.begin()->second));
}

Pins::Names Pins::names(const policy::Address& address, Time now) const {
  Names out;
  const Key first{.address = address, .name = {}};
  for (auto pin = pins_.lower_bound(first); pin != pins_.end() && pin->first.address == address;
       ++pin) {
    if (pin->second <= now) continue;
    (pin->first.alias ? out.aliases : out.asked).push_back(pin->first.name);
  }
  return out;
}

}  // namespace pyro::net
