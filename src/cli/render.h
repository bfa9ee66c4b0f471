// Results as text for people. The layouts are a public contract: scripts read them.
#pragma once

#include <string>
#include <vector>

#include "client/client.h"

namespace pyro::cli {

std::string render_list(const std::vector<image::EnvironmentInfo>& list);
// `title` is "Pulled" or "Environment".
std::string render_environment(const std::string& title, const image::EnvironmentInfo& info);
std::string render_prune(const client::PruneReport& report);
std::string render_doctor(const client::DoctorReport& report);
// "pyro: MESSAGE" and "hint: ..." when there is one.
std::string render_error(const Error& error);

}  // namespace pyro::cli
