// Takes secrets out of a stream of output: wherever a value appears, [redacted:NAME] stands in its
// place, also when the value comes in pieces.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pyro {

// Shorter ones would be found everywhere.
inline constexpr std::size_t kLeastSecret = 4;  // bytes

// Of a variable, [A-Za-z_][A-Za-z0-9_]*, at most kMostSecretName bytes. The agent, which makes a
// file of that name, has the same rule.
inline constexpr std::size_t kMostSecretName = 128;
bool is_secret_name(std::string_view name);

// What bytes went through on their way. A terminal writes a line's end as \r\n (termios(3), ONLCR),
// unless a program has told it not to.
enum class Through { kPipe, kTerminal };

// One for each stream of bytes. Of several values that begin at the same byte the longest counts.
class Redactor {
 public:
  // By name. Values shorter than kLeastSecret are not looked for.
  explicit Redactor(const std::map<std::string, std::string>& secrets,
                    Through through = Through::kPipe);

  // What can be shown now. Held back is only an end of the input that a value may begin with, so
  // less than the longest value.
  std::string feed(std::string_view bytes);
  [[nodiscard]] bool holds() const { return !held_.empty(); }
  // The end of the stream, or of the caller's patience: shows what was held back, but for whole
  // values in it. What comes later is not put together with it.
  std::string flush();

 private:
  struct Match {
    std::size_t secret = 0;
    bool whole = false;     // secrets_[secret] stands at the front
    bool possible = false;  // a longer one may, with more bytes
  };
  void look_for(const std::string& name, std::string value);
  [[nodiscard]] Match match(std::string_view at) const;
  std::string take(bool last);

  std::vector<std::pair<std::string, std::string>> secrets_;  // mark, value; longest value first
  std::array<bool, 256> starts_{};                            // first bytes of values
  std::string held_;
};

}  // namespace pyro
