// An endpoint that is read, written and read again is the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/endpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::policy;
  const auto asked = parse_endpoint({reinterpret_cast<const char*>(data), size});
  if (!asked) return 0;
  const auto again = parse_endpoint(asked->text());
  if (!again || *again != *asked) std::abort();
  const RuleSet rules({.preset = Preset::kEgress});
  const auto is_own = [](const Address& a) { return a.bytes().back() % 2 == 0; };
  if (decide(rules, *asked, is_own) != decide(rules, *again, is_own)) std::abort();
  return 0;
}
