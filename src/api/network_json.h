// Network policies, what engines say and what they decided as JSON objects, exactly with the fields
// that the table of operations lists.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "api/json.h"
#include "client/workspaces.h"

namespace pyro::api {

boost::json::object to_json(const client::PolicyInfo& policy);
boost::json::object to_json(const client::NetworkInfo& info);
boost::json::object to_json(const client::WorkspaceNetwork& network);
boost::json::object to_json(const client::NetworkEvent& event);
boost::json::object events_json(const std::string& workspace_id, boost::json::array events);
boost::json::object to_json(const std::vector<client::Explanation>& list);

}  // namespace pyro::api
