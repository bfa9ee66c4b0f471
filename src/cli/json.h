// Results as JSON objects, exactly with the fields that the table of operations lists.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "client/client.h"

namespace pyro::cli {

// Indented by two, keys sorted, ends with a newline.
std::string pretty(const boost::json::value& value);

// The bytes of one stream that were kept.
struct Collected {
  std::string bytes;
  bool truncated = false;
};

boost::json::object to_json(const Error& error);
boost::json::object to_json(const image::EnvironmentInfo& info);
boost::json::object to_json(const std::vector<image::EnvironmentInfo>& list);
boost::json::object to_json(const client::PruneReport& report);
boost::json::object to_json(const client::DoctorReport& report);
boost::json::object to_json(const client::ExecResult& result, const Collected& out,
                            const Collected& err);

}  // namespace pyro::cli
