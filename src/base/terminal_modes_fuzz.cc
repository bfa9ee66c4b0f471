// The first byte is a place to cut, the rest is what a program printed. Whatever it is: cuts change
// nothing, a new terminal that is told the modes has them, and what can be shown once more can be
// shown again and again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/terminal_modes.h"

namespace {

void require(bool fine) {
  if (!fine) std::abort();
}

pyro::TerminalModes modes_of(std::string_view first, std::string_view rest) {
  pyro::TerminalModesReader reader;
  reader.take(first);
  reader.take(rest);
  return reader.modes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(data[i]);
  if (bytes.empty()) return 0;
  const std::size_t number = static_cast<unsigned char>(bytes[0]);
  const std::string_view printed = std::string_view(bytes).substr(1);
  const std::size_t at = printed.size() * number / 255;
  const pyro::TerminalModes modes = modes_of(printed, "");
  require(modes == modes_of(printed.substr(0, at), printed.substr(at)));

  const std::string told = pyro::TerminalModes().change_to(modes);
  require(told.size() < 200);
  require(modes_of(told, "") == modes);
  require(modes_of(told, modes.change_to({})) == pyro::TerminalModes());

  const std::string once = pyro::replayable(printed);
  require(once.size() <= 3 * printed.size());
  require(pyro::replayable(once) == once);
  return 0;
}
