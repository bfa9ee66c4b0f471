// What passes as the header of a layer must name nothing and have the one geometry: read here a
// second time, at fixed places and without the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmm/qcow2.h"

namespace {

std::uint64_t number_at(std::string_view bytes, std::size_t offset, std::size_t count) {
  std::uint64_t value = 0;
  for (const char c : bytes.substr(offset, count))
    value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

void require(bool fine) {
  if (!fine) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t kFileBytes = 1ULL << 30;
  if (!pyro::vmm::check_layer_header(bytes, kFileBytes)) return 0;
  require(size >= 120);
  require(number_at(bytes, 8, 8) == 0 && number_at(bytes, 16, 4) == 0);  // backing name
  require(number_at(bytes, 20, 4) == 16 && number_at(bytes, 24, 8) == 16ULL << 30);
  require(number_at(bytes, 36, 4) == 32 && number_at(bytes, 60, 4) == 0);
  require(number_at(bytes, 40, 8) < kFileBytes && number_at(bytes, 48, 8) < kFileBytes);
  require(number_at(bytes, 72, 8) == 0);  // incompatible features
  return 0;
}
