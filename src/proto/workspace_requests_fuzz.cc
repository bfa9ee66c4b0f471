// Any text either fails to decode or decodes to a message that survives a round trip. The first
// byte picks the message.
#include "proto/workspace_requests.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proto/service_requests.h"
#include "proto/shell_requests.h"
#include "proto/workspace_messages.h"

namespace {

using namespace pyro::proto;

template <class T>
void round_trip(const std::string& text) {
  auto message = decode_text<T>(text);
  if (!message) return;
  const std::string once = to_text(encode(*message));
  auto again = decode_text<T>(once);
  if (!again || to_text(encode(*again)) != once) std::abort();
}

template <class... T>
void pick(std::size_t number, const std::string& text) {
  constexpr std::array<void (*)(const std::string&), sizeof...(T)> kAll{round_trip<T>...};
  kAll[number % kAll.size()](text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text;
  for (std::size_t i = 1; i < size; ++i) text += static_cast<char>(data[i]);
  pick<CreateWorkspace, NewSecret, StartedWorkspace, OpenWorkspace, UpdateWorkspace, ExecWorkspace,
       JournaledCommand, ExecWorkspaceResult, SignalWorkspace, ForwardWorkspace, NoteWorkspace,
       SnapshotWorkspace, SnapshotTaken, DropSnapshot, ResetWorkspace, WorkspaceMount,
       WorkspaceMountResult, TreeCounts, WorkspaceSync, WorkspaceExport, WorkspaceDiff,
       WorkspaceHold, WorkspaceUsage, WorkspaceSecrets, OpenShell, ShellOpened, ReadShell,
       ShellRead, AttachShell, ShellAt, WriteShell, SignalShell, ResizeShell, CloseShell,
       ServiceDefinition, StartService, StopService, RestartService, FollowService>(data[0], text);
  return 0;
}
