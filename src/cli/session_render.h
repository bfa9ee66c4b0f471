// Results of the calls of shells and services as text for people: fit for a terminal, whatever a
// guest or a person named.
#pragma once

#include <string>

#include "client/services.h"
#include "client/shells.h"

namespace pyro::cli {

// "[TAG] workspace_id=... shell_id=..." and a newline.
std::string render_shell(const std::string& tag, const client::ShellInfo& info);
std::string render_shell_read(const client::ShellReadResult& result);
std::string render_shells(const client::ShellList& list);

// "[TAG] workspace_id=... service=..." and a newline: after start and restart with all that says
// how it can be reached, after stop without.
std::string render_started(const std::string& tag, const client::ServiceInfo& info);
std::string render_stopped(const std::string& tag, const client::ServiceInfo& info);
std::string render_services(const client::ServiceList& list);
std::string render_service(const client::ServiceInfo& info);
// What stands before the log of a service.
std::string render_log_head(const client::ServiceInfo& info);

// "2026-01-01T00:00:00.000Z".
std::string iso_time(double seconds);

}  // namespace pyro::cli
