// The text that is read is the policy's own, and the policy passes every check.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::policy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policy = parse_policy_text(text);
  if (policy && (policy->text() != text || !check_policy(*policy))) std::abort();
  return 0;
}
