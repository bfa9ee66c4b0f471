// Results of the calls of shells and services as JSON objects, exactly with the fields that the
// table of operations lists.
#pragma once

#include <boost/json/object.hpp>

#include "api/json.h"
#include "client/services.h"
#include "client/shells.h"

namespace pyro::api {

boost::json::object to_json(const client::ShellInfo& info);
boost::json::object to_json(const client::ShellReadResult& result);
boost::json::object to_json(const client::ShellList& list);
boost::json::object to_json(const client::ShellWriteResult& result, bool append_newline);
boost::json::object signalled_json(const client::ShellInfo& info, const std::string& signal);
boost::json::object closed_json(const client::ShellInfo& info);
// One part of a shell's output that is followed.
boost::json::object shell_part(std::int64_t cursor, std::int64_t missed_bytes,
                               std::string_view bytes);

boost::json::object to_json(const client::ServiceInfo& info);
boost::json::object to_json(const client::ServiceList& list);
boost::json::object to_json(const client::LogEntry& entry);
boost::json::object to_json(const client::ServiceLogs& logs);

}  // namespace pyro::api
