// Which names an address was given to the guest for: what ties a flow to a name.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/address.h"

namespace pyro::net {

inline constexpr std::size_t kMostPins = 4096;
inline constexpr std::chrono::seconds kShortestPin{60};
inline constexpr std::chrono::seconds kLongestPin{3600};

// Time is the caller's. Bounded: what ends first goes first.
class Pins {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Of an address: the names that were asked for, and those that stood between them and it.
  struct Names {
    std::vector<std::string> asked, aliases;
  };

  // How long an answer with that TTL is pinned.
  static std::chrono::seconds lifetime(std::uint32_t ttl);
  // A pin that is there already lives longer, never shorter.
  void pin(const policy::Address& address, const std::string& name,
           const std::vector<std::string>& aliases, std::uint32_t ttl, Time now);
  [[nodiscard]] Names names(const policy::Address& address, Time now) const;
  [[nodiscard]] std::size_t size() const { return pins_.size(); }

 private:
  struct Key {
    policy::Address address;
    std::string name;
    bool alias = false;
    auto operator<=>(const Key&) const = default;
  };
  using ByKey = std::map<Key, Time>;
  void add(Key key, Time until);
  void drop(ByKey::iterator pin);
  void expire(Time now);

  ByKey pins_;
  std::set<std::pair<Time, Key>> by_end_;
};

}  // namespace pyro::net
