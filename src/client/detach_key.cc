#include "client/detach_key.h"

#include <charconv>
#include <vector>

namespace pyro::client {
namespace {

constexpr std::string_view kParameters = "0123456789;:";
constexpr std::size_t kMostParameters = 64;
constexpr int kControl = 4;
constexpr int kLocks = 64 + 128;  // caps lock and num lock
constexpr int kReleased = 3;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t end = text.find(separator);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

// -1 where there is none.
int number(std::string_view text) {
  int out = -1;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// "5" or, with the kind of the event, "5:1".
bool is_control(std::string_view modifiers) {
  const std::vector<std::string_view> parts = split(modifiers, ':');
  const bool released = parts.size() > 1 && number(parts[1]) == kReleased;
  return ((number(parts[0]) - 1) & ~kLocks) == kControl && !released;
}

// The key that gives the control character together with Ctrl: "93", or "93:125:93" with what it
// gives with Shift and on another keyboard.
bool gives(std::string_view code, char key) {
  const int given = number(split(code, ':')[0]);
  const int upper = key | 0x40;
  return given == upper || (upper >= 'A' && upper <= 'Z' && given == (key | 0x60));
}

bool is_key(std::string_view parameters, char final_byte, char key) {
  const std::vector<std::string_view> parts = split(parameters, ';');
  if (final_byte == 'u') return parts.size() >= 2 && gives(parts[0], key) && is_control(parts[1]);
  return final_byte == '~' && parts.size() == 3 && parts[0] == "27" && is_control(parts[1]) &&
         gives(parts[2], key);
}

}  // namespace

DetachKeyAt find_detach_key(std::string_view keys, char key) {
  for (std::size_t at = 0; at < keys.size(); ++at) {
    if (keys[at] == key) return {.begin = at, .pressed = true};
    if (keys[at] != '\x1b') continue;
    const std::string_view rest = keys.substr(at + 1);
    if (rest.empty()) return {.begin = at};
    if (rest[0] != '[') continue;
    const std::size_t size = rest.substr(1).find_first_not_of(kParameters);
    const std::string_view parameters = rest.substr(1, size);
    if (parameters.size() > kMostParameters) continue;
    if (size == std::string_view::npos) return {.begin = at};
    if (is_key(parameters, rest[1 + size], key)) return {.begin = at, .pressed = true};
  }
  return {.begin = keys.size()};
}

}  // namespace pyro::client
