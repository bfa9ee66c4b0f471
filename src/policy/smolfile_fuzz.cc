// A Smolfile that is read, written and read again is the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/smolfile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::policy;
  const auto file = parse_smolfile({reinterpret_cast<const char*>(data), size});
  if (!file) return 0;
  const auto again = parse_smolfile(file->text());
  if (!again || *again != *file) std::abort();
  return 0;
}
