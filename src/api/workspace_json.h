// Results of the workspace calls as JSON objects, exactly with the fields that the table of
// operations lists.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/json.h"
#include "client/workspaces.h"

namespace pyro::api {

boost::json::object to_json(const client::WorkspaceInfo& info);
boost::json::object to_json(const std::vector<client::WorkspaceInfo>& list);
boost::json::object to_json(const client::Journal& journal);
boost::json::object to_json(const client::WorkspaceExecResult& result, const Collected& out,
                            const Collected& err);
boost::json::object to_json(const client::SyncResult& result);
boost::json::object to_json(const client::ExportResult& result);
boost::json::object to_json(const client::DiffResult& diff);
boost::json::object to_json(const client::PatchResult& patch);
boost::json::object to_json(const client::SnapshotInfo& created);
boost::json::object to_json(const client::SnapshotList& list);
// The one used last first.
void sort_by_activity(std::vector<client::WorkspaceInfo>& list);
// Of one that is gone.
boost::json::object deleted_json(const client::SnapshotInfo& gone);
boost::json::object deleted_json(const client::WorkspaceInfo& gone);
boost::json::object to_json(const client::ResetResult& result);
boost::json::object to_json(const client::FileList& list);
boost::json::object to_json(const client::FileReadResult& result, const std::string& content);
boost::json::object to_json(const client::FileWriteResult& result);
boost::json::object to_json(const client::WorkspaceSummary& summary);

// Permission bits, "0644".
std::string octal_mode(int mode);
// The other way round, of 0 to 777; nullopt for anything else.
std::optional<int> parse_mode(const std::string& text);
// "src/x" -> "/workspace/src/x", "." -> "/workspace"; an absolute path stays.
std::string absolute_path(const std::string& path);

}  // namespace pyro::api
