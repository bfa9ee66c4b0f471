// The commands of workspaces, each as in commands.h.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cli/call_view.h"
#include "cli/commands.h"
#include "cli/exit_code.h"

namespace pyro::cli {

Result<int> workspace_create(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_list(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_status(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_update(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_delete(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_stop(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_start(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_logs(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_exec(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_diff(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_reset(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_summary(const Invocation& call, Io& io, Backend& backend);
Result<int> snapshot_create(const Invocation& call, Io& io, Backend& backend);
Result<int> snapshot_list(const Invocation& call, Io& io, Backend& backend);
Result<int> snapshot_delete(const Invocation& call, Io& io, Backend& backend);

Result<int> sync_push(const Invocation& call, Io& io, Backend& backend);
Result<int> workspace_export(const Invocation& call, Io& io, Backend& backend);
Result<int> file_list(const Invocation& call, Io& io, Backend& backend);
Result<int> file_read(const Invocation& call, Io& io, Backend& backend);
Result<int> file_write(const Invocation& call, Io& io, Backend& backend);
Result<int> patch_apply(const Invocation& call, Io& io, Backend& backend);
Result<int> disk_export(const Invocation& call, Io& io, Backend& backend);
Result<int> disk_list(const Invocation& call, Io& io, Backend& backend);
Result<int> disk_read(const Invocation& call, Io& io, Backend& backend);

// ---- for these commands alone

// With --json the object, else `text`.
inline Result<int> print_object(const Invocation& call, Io& io, const boost::json::object& object,
                                const std::string& text) {
  PYRO_CHECK(io.out.write(call.flag("json") ? pretty(object) : text));
  return kExitOk;
}
// The same for the result of a call of a workspace.
template <class T>
Result<int> print(const Invocation& call, Io& io, const T& result, const std::string& text) {
  return print_object(call, io, to_json(result), text);
}

// Which phases of a call are worth a line: all, or those in which it waits for something else.
enum class Phases { kAll, kWaiting };

CallView::Options view_options(const Invocation& call, const std::string& tag, Phases phases);

// Runs `work`, which is given an observer, while Ctrl-C is watched; `show` gets what it gave, with
// the terminal clear, and gives the exit code.
template <class Work, class Show>
Result<int> watched(const Invocation& call, Io& io, const std::string& tag, Phases phases,
                    const Work& work, const Show& show) {
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  CallView view(io, *interrupts, view_options(call, tag, phases));
  const auto result = work(view.workspace_observer());
  view.clear();
  if (!result) return view.failed(result.error());
  return show(*result);
}

}  // namespace pyro::cli
