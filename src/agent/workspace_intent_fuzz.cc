// What is read as a log must be encoded to the same bytes, and no path of it leads out of the tree.
// The checksum would keep the fuzzer out, so it is put right first.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/workspace_intent.h"
#include "wire/tree_stream.h"

namespace {
void require(bool fine) {
  if (!fine) std::abort();
}
std::uint64_t sum_of(const std::string& bytes) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : bytes) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return h;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(data[i]);
  (void)pyro::agent::decode_intent(bytes);
  const std::uint64_t sum = sum_of(bytes);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(sum >> shift);
  const auto intent = pyro::agent::decode_intent(bytes);
  if (!intent) {
    require(intent.error().code == pyro::Errc::kDamaged);
    return 0;
  }
  for (const auto& folder : intent->folders) {
    require(pyro::wire::check_tree_path(folder.path).has_value());
  }
  for (const auto& move : intent->moves) {
    require(pyro::wire::check_tree_path(move.path).has_value());
  }
  require(*pyro::agent::encode_intent(*intent) == bytes);
  return 0;
}
