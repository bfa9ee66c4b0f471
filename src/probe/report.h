// What a probe prints: one line of JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace pyro::probe {

class Report {
 public:
  Report& text(std::string_view key, std::string_view value);
  Report& number(std::string_view key, std::int64_t value);
  Report& flag(std::string_view key, bool value);
  // "ok", and with an errno its name.
  int ended(bool ok, int error = 0);

 private:
  void key(std::string_view name);
  std::string line_ = "{";
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// ECONNREFUSED and the like; a number for what is not a matter of networks.
std::string errno_name(int error);

}  // namespace pyro::probe
