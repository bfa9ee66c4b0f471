// State that a client carries for us, with a code that only this process can make.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mcp/session.h"

namespace pyro::mcp_serve {

inline constexpr std::chrono::seconds kStateLife{3600};

// HMAC-SHA-256 over the state, the request that it belongs to and when it ends, with a key of this
// process. The state can be read by whoever carries it: nothing secret goes in.
class HmacSeal final : public mcp::StateSeal {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;
  static Result<HmacSeal> make(Clock now = std::chrono::system_clock::now);
  std::string seal(std::string_view state, std::string_view about) const override;
  [[nodiscard]] std::optional<std::string> open(std::string_view sealed,
                                                std::string_view about) const override;

 private:
  HmacSeal(std::string key, Clock now) : key_(std::move(key)), now_(std::move(now)) {}
  [[nodiscard]] std::string code(std::string_view state, std::string_view end,
                                 std::string_view about) const;
  std::string key_;
  Clock now_;
};

// Takes as long whatever the texts are, but for their lengths. What is of another length is not
// equal.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace pyro::mcp_serve
