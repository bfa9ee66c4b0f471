// Shells: pyro/shells.hpp, by the names of this folder.
#pragma once

#include "pyro/shells.hpp"

namespace pyro::client {

using pyro::ShellAttachResult;
using pyro::ShellInfo;
using pyro::ShellKeys;
using pyro::ShellList;
using pyro::ShellOptions;
using pyro::ShellPosition;
using pyro::ShellReadOptions;
using pyro::ShellReadResult;
using pyro::Shells;
using pyro::ShellSink;
using pyro::ShellWriteResult;

}  // namespace pyro::client
