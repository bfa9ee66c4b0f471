#include "cli/workspace_commands.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <set>

#include "base/text.h"
#include "cli/exit_code.h"
#include "cli/policy_commands.h"
#include "cli/render.h"
#include "cli/smolfile_command.h"
#include "cli/workspace_render.h"

namespace pyro::cli {
namespace {

using client::WorkspaceInfo;
using client::WorkspaceObserver;

Result<int> print_workspace(const Invocation& call, Io& io, const WorkspaceInfo& info) {
  return print(call, io, info, render_workspace(info, BlockOf::kLater));
}

std::map<std::string, std::string> map_of(const Invocation& call, std::string_view name) {
  std::map<std::string, std::string> out;
  for (auto& [key, value] : call.pairs(name)) out.emplace(key, value);
  return out;
}

// The parser has seen to each option alone; a name given in both has to be found here.
Result<std::vector<client::SecretSource>> secrets(const Invocation& call) {
  std::vector<client::SecretSource> out;
  std::set<std::string> names;
  for (auto& [name, value] : call.pairs("secret")) {
    names.insert(name);
    out.push_back({.name = name, .value = value, .file_path = {}});
  }
  for (auto& [name, path] : call.pairs("secret_file")) {
    if (!names.insert(name).second) {
      return refuse(call, "the secret " + name + " is given by --secret and by --secret-file");
    }
    if (path.empty()) return refuse(call, "--secret-file " + name + " names no file");
    out.push_back({.name = name, .value = {}, .file_path = path});
  }
  return out;
}

Result<client::WorkspaceOptions> create_options(const Invocation& call,
                                                const std::optional<policy::Smolfile>& file) {
  if (call.flag("id_only") && call.flag("json")) {
    return refuse(call, "--id-only and --json cannot both be given");
  }
  if (call.flag("git_tracked") && !call.flag("seed_path")) {
    return refuse(call, "--git-tracked says what to take of a seed: --seed-path is missing");
  }
  if (call.flag("ttl_action") && !call.flag("ttl_seconds")) {
    return refuse(call, "--ttl-action says what happens after a TTL: --ttl-seconds is missing");
  }
  PYRO_TRY(std::vector<client::SecretSource> with_secrets, secrets(call));
  PYRO_TRY(client::NetworkOptions network, network_options(call));
  if (file) PYRO_CHECK(client::add_network(network, *file));
  client::WorkspaceOptions options{
      .environment = environment_of(call, file),
      .vcpu_count = number_of(call, "vcpu_count", file ? file->cpus : std::nullopt),
      .mem_mib = number_of(call, "mem_mib", file ? file->memory_mib : std::nullopt),
      .ttl_seconds = call.given_integer("ttl_seconds"),
      .ttl_action = call.text("ttl_action"),
      .network = std::move(network),
      .allow_host_compat = call.flag("allow_host_compat"),
      .seed_path = {},
      .git_tracked = call.flag("git_tracked"),
      .secrets = std::move(with_secrets),
      .name = call.text("name"),
      .labels = map_of(call, "label"),
      .env = map_of(call, "env")};
  if (file) options.env.insert(file->env.begin(), file->env.end());  // what is there stays
  if (call.flag("seed_path")) options.seed_path = call.text("seed_path");
  return options;
}

Result<client::WorkspaceUpdate> update_options(const Invocation& call) {
  if (call.flag("name") && call.flag("clear_name")) {
    return refuse(call, "--name and --clear-name cannot both be given");
  }
  if (call.flag("ttl_seconds") && call.flag("no_ttl")) {
    return refuse(call, "--ttl-seconds and --no-ttl cannot both be given");
  }
  if (call.flag("name") && call.text("name").empty()) {
    return fail_hint(Errc::kInvalid, "the new name is empty", "--clear-name takes a name away");
  }
  client::WorkspaceUpdate update;
  if (call.flag("name")) update.name = call.text("name");
  if (call.flag("clear_name")) update.name = "";
  for (auto& [name, value] : call.pairs("label")) update.labels[name] = value;
  for (const std::string& name : call.all("remove_label")) {
    if (!update.labels.emplace(name, std::nullopt).second) {
      return refuse(call, "the label " + quoted_name(name) + " is given twice");
    }
  }
  update.ttl_seconds = call.given_integer("ttl_seconds");
  if (call.flag("no_ttl")) update.ttl_seconds = 0;
  if (call.flag("ttl_action")) update.ttl_action = call.text("ttl_action");
  if (!update.name && update.labels.empty() && !update.ttl_seconds && !update.ttl_action) {
    return refuse(call, "there is nothing to change");
  }
  return update;
}

}  // namespace

CallView::Options view_options(const Invocation& call, const std::string& tag, Phases phases) {
  return {.tag = tag,
          .environment = call.text("environment"),
          .json = call.flag("json"),
          .phase_line = [tag, phases](std::string_view phase, std::string_view,
                                      std::string_view detail) {
            const bool waits = phase == "pull" || phase == "queue" || phase == "template";
            if (phase == "cleanup" || (phases == Phases::kWaiting && !waits)) return std::string();
            return "[" + tag + "] phase=" + std::string(phase) +
                   (detail.empty() ? "" : " detail=" + shell_quote(detail));
          }};
}

namespace {

// All of it or nothing.
Result<WorkspaceInfo> create_and_furnish(client::Workspaces& workspaces,
                                         const client::WorkspaceOptions& options,
                                         const std::optional<policy::Smolfile>& file,
                                         const WorkspaceObserver& observer) {
  PYRO_TRY(WorkspaceInfo info, workspaces.create(options, observer));
  if (!file) return info;
  if (auto done = client::furnish(workspaces, info.workspace_id, *file, observer); !done) {
    (void)workspaces.remove(info.workspace_id);
    return std::unexpected(std::move(done.error()));
  }
  return workspaces.status(info.workspace_id);
}

}  // namespace

Result<int> workspace_create(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const std::optional<policy::Smolfile> file, smolfile_of(call));
  PYRO_TRY(const client::WorkspaceOptions options, create_options(call, file));
  if (file && !file->ports.empty() && file->entrypoint.empty() && file->cmd.empty()) {
    return refuse(call, "ports: the Smolfile has no entrypoint and no cmd to publish them for");
  }
  return watched(
      call, io, "workspace-create", Phases::kAll,
      [&](const WorkspaceObserver& observer) {
        return create_and_furnish(backend.workspaces(), options, file, observer);
      },
      [&](const WorkspaceInfo& info) {
        return print(call, io, info,
                     call.flag("id_only") ? one_line(info.workspace_id) + "\n"
                                          : render_workspace(info, BlockOf::kCreated));
      });
}

Result<int> workspace_list(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(std::vector<WorkspaceInfo> list, backend.workspaces().list());
  api::sort_by_activity(list);
  return print(call, io, list, render_workspaces(list));
}

Result<int> workspace_status(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const WorkspaceInfo info, backend.workspaces().status(workspace(call)));
  return print_workspace(call, io, info);
}

Result<int> workspace_update(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::WorkspaceUpdate update, update_options(call));
  PYRO_TRY(const WorkspaceInfo info, backend.workspaces().update(workspace(call), update));
  return print_workspace(call, io, info);
}

namespace {

struct Deletion {
  std::string id;  // as given, once it is gone its own
  std::optional<Error> error;
};

Deletion delete_one(client::Workspaces& workspaces, const std::string& name) {
  const Result<WorkspaceInfo> gone = workspaces.remove(name);
  if (!gone) return {.id = name, .error = gone.error()};
  return {.id = gone->workspace_id, .error = {}};
}

boost::json::object deletions_object(const std::vector<Deletion>& list) {
  boost::json::array each;
  std::int64_t gone = 0;
  for (const Deletion& one : list) {
    boost::json::value error = nullptr;
    if (one.error) {
      error = to_json(*one.error).at("error");
    } else {
      ++gone;
    }
    each.push_back({{"deleted", !one.error},
                    {"error", std::move(error)},
                    {"workspace_id", json_text(one.id)}});
  }
  return {{"count", gone},
          {"deleted", gone == static_cast<std::int64_t>(list.size())},
          {"workspaces", std::move(each)}};
}

Result<std::vector<std::string>> to_delete(const Invocation& call, client::Workspaces& workspaces) {
  std::vector<std::string> given = call.all("workspace_id");
  if (call.flag("all") != given.empty()) {
    return call.flag("all")
               ? refuse(call, "--all cannot be given together with workspaces")
               : fail_hint(Errc::kInvalid, "WORKSPACE is missing after \"pyro workspace delete\"",
                           "pyro workspace list shows the workspaces; --all deletes them");
  }
  std::vector<std::string> names;
  if (call.flag("all")) {
    PYRO_TRY(const std::vector<WorkspaceInfo> list, workspaces.list());
    for (const WorkspaceInfo& info : list) names.push_back(info.workspace_id);
  }
  for (std::string& name : given) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Result<int> workspace_delete(const Invocation& call, Io& io, Backend& backend) {
  client::Workspaces& workspaces = backend.workspaces();
  PYRO_TRY(const std::vector<std::string> names, to_delete(call, workspaces));
  const bool json = call.flag("json");
  const bool single = names.size() == 1 && !call.flag("all");
  std::vector<Deletion> done;
  for (const std::string& name : names) {
    done.push_back(delete_one(workspaces, name));
    const Deletion& last = done.back();
    if (single && last.error) return std::unexpected(*last.error);
    if (json) continue;
    if (!last.error) {
      PYRO_CHECK(io.out.write("Deleted workspace: " + one_line(last.id) + "\n"));
    } else {
      Error error = *last.error;
      error.message.insert(0, last.id + ": ");
      (void)io.err.write(render_error(error));
    }
  }
  if (json && single) {
    PYRO_CHECK(io.out.write(pretty(
        boost::json::object{{"deleted", true}, {"workspace_id", json_text(done.front().id)}})));
  } else if (json) {
    PYRO_CHECK(io.out.write(pretty(deletions_object(done))));
  } else if (names.empty()) {
    PYRO_CHECK(io.out.write("There is no workspace.\n"));
  }
  const bool left =
      std::ranges::any_of(done, [](const Deletion& d) { return d.error.has_value(); });
  return left ? kExitFailed : kExitOk;
}

Result<int> workspace_stop(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const WorkspaceInfo info, backend.workspaces().stop(workspace(call)));
  return print_workspace(call, io, info);
}

Result<int> workspace_start(const Invocation& call, Io& io, Backend& backend) {
  return watched(
      call, io, "workspace-start", Phases::kAll,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().start(workspace(call), observer);
      },
      [&](const WorkspaceInfo& info) { return print_workspace(call, io, info); });
}

Result<int> workspace_logs(const Invocation& call, Io& io, Backend& backend) {
  client::JournalOptions options{.tail = call.given_integer("tail"), .sequence = {}};
  if (call.flag("sequence")) options.sequence = call.integer64("sequence");
  PYRO_TRY(const client::Journal journal, backend.workspaces().logs(workspace(call), options));
  if (call.flag("json")) return print(call, io, journal, "");
  // Both streams as they were kept, each ending with its line.
  const auto ended = [](const std::string& bytes) {
    return bytes.empty() || bytes.ends_with('\n') ? bytes : bytes + "\n";
  };
  for (const client::JournalEntry& entry : journal.entries) {
    PYRO_CHECK(io.out.write(render_log_header(entry) + ended(entry.out)));
    if (!entry.err.empty()) PYRO_CHECK(io.err.write(ended(entry.err)));
  }
  return kExitOk;
}

Result<int> workspace_diff(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::DiffResult diff,
           backend.workspaces().diff(workspace(call), /*interrupt_fd=*/-1));
  // What `git apply` reads has nothing but the patch.
  if (!call.flag("json")) PYRO_CHECK(io.err.write(render_diff(diff)));
  return print(call, io, diff, diff.patch);
}

Result<int> workspace_reset(const Invocation& call, Io& io, Backend& backend) {
  return watched(
      call, io, "workspace-reset", Phases::kAll,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().reset(workspace(call), call.text("snapshot"), observer);
      },
      [&](const client::ResetResult& result) {
        return print(call, io, result, render_reset(result));
      });
}

Result<int> workspace_summary(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::WorkspaceSummary summary,
           backend.workspaces().summary(workspace(call), /*interrupt_fd=*/-1));
  return print(call, io, summary, render_summary(summary));
}

Result<int> snapshot_create(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::SnapshotInfo info,
           backend.workspaces().create_snapshot(workspace(call), call.text("snapshot_name")));
  return print(call, io, info, render_snapshot("workspace-snapshot-create", info));
}

Result<int> snapshot_list(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::SnapshotList list, backend.workspaces().list_snapshots(workspace(call)));
  return print(call, io, list, render_snapshots(list));
}

Result<int> snapshot_delete(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::SnapshotInfo info,
           backend.workspaces().delete_snapshot(workspace(call), call.text("snapshot_name")));
  return print_object(call, io, deleted_json(info),
                      "Deleted snapshot: " + one_line(info.snapshot_name) + "\n");
}

}  // namespace pyro::cli
