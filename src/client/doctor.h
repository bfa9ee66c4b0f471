// The examination behind Pyro::doctor().
#pragma once

#include <string>

#include "client/client.h"

namespace pyro::client {

struct DoctorInputs {
  sys::Dirs dirs;
  std::string qemu_override, search_path, accelerator;
};

// Never fails: what is wrong with the host is in the report's issues. Hashes the templates.
DoctorReport examine(const DoctorInputs& inputs, image::Environments& environments, bool fresh);

}  // namespace pyro::client
