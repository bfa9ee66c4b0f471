// A file that is read is a policy that passes every check, and one that its canonical text and the
// rules' own parser know.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/policy_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::policy;
  const auto policy = parse_policy_file({reinterpret_cast<const char*>(data), size});
  if (!policy) return 0;
  if (!check_policy(*policy)) std::abort();
  for (const Rule& rule : policy->allow) {
    const auto again = parse_rule(rule.text(), Verdict::kAllow);
    if (!again || *again != rule) std::abort();
  }
  return 0;
}
