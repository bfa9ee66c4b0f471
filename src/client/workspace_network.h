// The network policy in a workspace's record.
#pragma once

#include <string>

#include "policy/policy.h"
#include "sys/dirs.h"

namespace pyro::client {

// Of a workspace that nobody has open. kConflict: somebody has, or it is started; kNotFound.
Result<void> put_policy(const sys::Dirs& dirs, const std::string& id, const policy::Policy& policy);

}  // namespace pyro::client
