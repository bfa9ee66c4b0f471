// What this host's apt says about where Debian packages come from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/dirs.h"

namespace pyro::image {

struct AptSetup {
  std::string mirror;                // for people, the first source's address
  std::vector<std::string> sources;  // sources.list lines
  std::vector<std::string> options;  // apt.conf lines: proxies and the like
};

// PYRO_DEBIAN_MIRROR ("URI" or "URI SECURITY-URI"; "-" for no security archive), else the Debian
// bookworm archives that the host's apt uses, else deb.debian.org. kInvalid for a bad override.
Result<AptSetup> host_apt_setup(const sys::Environment& env, const std::string& path);

// The parts, for tests. `indextargets`: lines "uri|release|component|origin|kind".
Result<std::vector<std::string>> sources_from_override(std::string_view value);
std::vector<std::string> sources_from_indextargets(std::string_view indextargets);
// The lines of `apt-config dump` that a download needs.
std::vector<std::string> options_from_dump(std::string_view dump);

}  // namespace pyro::image
