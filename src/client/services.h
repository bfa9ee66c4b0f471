// Services: pyro/services.hpp, by the names of this folder.
#pragma once

#include "pyro/services.hpp"

namespace pyro::client {

using pyro::LogEntry;
using pyro::PublishedPortInfo;
using pyro::ServiceInfo;
using pyro::ServiceList;
using pyro::ServiceLogOptions;
using pyro::ServiceLogs;
using pyro::ServiceOptions;
using pyro::ServicePort;
using pyro::ServiceReadiness;
using pyro::Services;

}  // namespace pyro::client
