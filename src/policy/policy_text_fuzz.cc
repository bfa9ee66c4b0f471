// The text of a policy that was read is the text that was read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policy = pyro::policy::parse_policy_text(text);
  if (policy && policy->text() != text) std::abort();
  return 0;
}
