// What a workspace is asked, by its users and of its guest.
#include "proto/workspace_requests.h"

#include "proto/message_fuzzing.h"
#include "proto/service_requests.h"
#include "proto/shell_requests.h"
#include "proto/workspace_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::proto;  // NOLINT(google-build-using-namespace)
  round_trip_one_of<CreateWorkspace, NewSecret, StartedWorkspace, OpenWorkspace, UpdateWorkspace,
                    ExecWorkspace, JournaledCommand, ExecWorkspaceResult, SignalWorkspace,
                    ForwardWorkspace, NoteWorkspace, SnapshotWorkspace, SnapshotTaken, DropSnapshot,
                    ResetWorkspace, WorkspaceMount, WorkspaceMountResult, TreeCounts, WorkspaceSync,
                    WorkspaceExport, WorkspaceDiff, WorkspaceHold, WorkspaceUsage, WorkspaceSecrets,
                    OpenShell, ShellOpened, ReadShell, ShellRead, AttachShell, ShellAt, WriteShell,
                    SignalShell, ResizeShell, CloseShell, ServiceDefinition, StartService,
                    StopService, RestartService, FollowService>(data, size);
  return 0;
}
