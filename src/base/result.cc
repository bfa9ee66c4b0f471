#include "base/result.h"

#include <array>

namespace pyro {
namespace {
struct Named {
  Errc code;
  std::string_view name;
};
constexpr std::array<Named, 9> kNames{{{Errc::kInvalid, "invalid"},
                                       {Errc::kNotFound, "not_found"},
                                       {Errc::kDenied, "denied"},
                                       {Errc::kUnavailable, "unavailable"},
                                       {Errc::kDeadline, "deadline"},
                                       {Errc::kLimit, "limit"},
                                       {Errc::kConflict, "conflict"},
                                       {Errc::kDamaged, "damaged"},
                                       {Errc::kInternal, "internal"}}};
}  // namespace

std::string_view errc_name(Errc code) {
  for (const Named& n : kNames) {
    if (n.code == code) return n.name;
  }
  return "internal";
}

Errc errc_from_name(std::string_view name) {
  for (const Named& n : kNames) {
    if (n.name == name) return n.code;
  }
  return Errc::kInternal;
}

}  // namespace pyro
