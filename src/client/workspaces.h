// Workspaces: pyro/workspaces.hpp, by the names of this folder.
#pragma once

#include "client/client.h"
#include "client/services.h"
#include "client/shells.h"
#include "pyro/workspaces.hpp"

namespace pyro::client {

using pyro::DiffEntry;
using pyro::DiffResult;
using pyro::ExportResult;
using pyro::FileInfo;
using pyro::FileList;
using pyro::FileListOptions;
using pyro::FileReadResult;
using pyro::FileWriteOptions;
using pyro::FileWriteResult;
using pyro::Journal;
using pyro::JournalEntry;
using pyro::JournalOptions;
using pyro::LastCommand;
using pyro::NetworkEvent;
using pyro::NetworkEventOptions;
using pyro::PatchResult;
using pyro::ResetResult;
using pyro::SecretInfo;
using pyro::SecretSource;
using pyro::SnapshotInfo;
using pyro::SnapshotList;
using pyro::SummaryEvent;
using pyro::SyncOptions;
using pyro::SyncResult;
using pyro::WorkspaceExecOptions;
using pyro::WorkspaceExecResult;
using pyro::WorkspaceInfo;
using pyro::WorkspaceNetwork;
using pyro::WorkspaceObserver;
using pyro::WorkspaceOptions;
using pyro::Workspaces;
using pyro::WorkspaceSeedInfo;
using pyro::WorkspaceSummary;
using pyro::WorkspaceUpdate;

}  // namespace pyro::client
