// The first bytes are two values and a size, the rest is a stream. However it is cut, the same must
// come out, and nothing of a value that stands in it as a whole may be left.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/redact.h"

namespace {

void require(bool fine) {
  if (!fine) std::abort();
}

std::string redact(const std::map<std::string, std::string>& secrets, std::string_view text,
                   std::size_t step) {
  pyro::Redactor redactor(secrets);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += step) {
    out += redactor.feed(text.substr(at, step));
  }
  return out + redactor.flush();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(data[i]);
  if (bytes.size() < 16) return 0;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const std::size_t first = 4 + at(0) % 5;
  const std::size_t second = 4 + at(1) % 3;
  const std::size_t step = 1 + at(2) % 9;
  if (bytes.size() < 3 + first + second) return 0;
  // Names and values from different letters, so that a mark never holds a value.
  std::string a = bytes.substr(3, first);
  std::string b = bytes.substr(3 + first, second);
  std::string text = bytes.substr(3 + first + second);
  for (std::string* s : {&a, &b, &text}) {
    for (char& c : *s) c = static_cast<char>('0' + (static_cast<unsigned char>(c) & 3));
  }
  const std::map<std::string, std::string> secrets{{"A", a}, {"B", b}};
  const std::string whole = redact(secrets, text, text.size() + 1);
  require(whole == redact(secrets, text, 1));
  require(whole == redact(secrets, text, step));
  require(whole.find(a) == std::string::npos && whole.find(b) == std::string::npos);
  return 0;
}
