#include "sys/random.h"

#include <sys/random.h>

#include "sys/fd.h"

namespace pyro::sys {

Result<std::string> random_bytes(std::size_t count) {
  if (count > 256) return fail(Errc::kInvalid, "random_bytes: more than 256 bytes");
  std::string out(count, '\0');
  PYRO_CHECK(retrying("getrandom", [&] { return ::getrandom(out.data(), out.size(), 0); }));
  return out;
}

}  // namespace pyro::sys
