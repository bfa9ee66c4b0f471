// The library behind every surface: pyro/pyro.hpp, by the names of this folder.
#pragma once

#include "base/result.h"
#include "client/network.h"
#include "image/environments.h"
#include "pyro/pyro.hpp"
#include "sys/dirs.h"

namespace pyro::client {

using pyro::Boot;
using pyro::Cleanup;
using pyro::CreateOptions;
using pyro::DoctorReport;
using pyro::ExecOptions;
using pyro::ExecResult;
using pyro::kDefaultMemMib;
using pyro::kDefaultTimeoutSeconds;
using pyro::kDefaultTtlSeconds;
using pyro::kDefaultVcpuCount;
using pyro::NetworkInfo;
using pyro::PruneReport;
using pyro::Pyro;
using pyro::RunObserver;
using pyro::Timing;
using pyro::VmInfo;

}  // namespace pyro::client
