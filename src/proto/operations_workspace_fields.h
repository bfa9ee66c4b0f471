// What the JSON objects of the workspace operations hold. Constant data for the table of operations
// alone.
#pragma once

#include <algorithm>
#include <array>

#include "proto/operations_network.h"

namespace pyro::proto {

inline constexpr Field kWorkspaceIdField{.name = "workspace_id", .doc = "Id of the workspace"};
inline constexpr Field kExecutionModeField{.name = "execution_mode",
                                           .doc =
                                               "How work reaches the guest, for example "
                                               "guest_serial"};
inline constexpr Field kEntryCountField{
    .name = "entry_count", .type = FieldType::kInteger, .doc = "Files, folders and links"};
inline constexpr Field kBytesWrittenField{
    .name = "bytes_written", .type = FieldType::kInteger, .doc = "Bytes of the files among them"};

// ---- a workspace

inline constexpr std::array<Field, 2> kSecretFields{{
    {.name = "name", .doc = "Name of the secret; its value is never shown"},
    {.name = "source_kind", .doc = "literal or file"},
}};
inline constexpr std::array<Field, 2> kLastCommandFields{{
    {.name = "command", .doc = "The command, quoted for a shell"},
    {.name = "exit_code",
     .type = FieldType::kInteger,
     .doc = "Null while it runs, and when it was cut off",
     .nullable = true},
}};
inline constexpr std::array<Field, 5> kSeedFields{{
    kBytesWrittenField,
    kEntryCountField,
    {.name = "mode", .doc = "empty, directory or archive"},
    {.name = "seed_path", .doc = "As it was given to create", .nullable = true},
    {.name = "source", .doc = "The same", .nullable = true},
}};
inline constexpr std::array<Field, 26> kWorkspaceFields{{
    {.name = "allow_host_compat", .type = FieldType::kBoolean, .doc = "As asked for"},
    {.name = "command_count",
     .type = FieldType::kInteger,
     .doc = "Commands since create or the last reset"},
    {.name = "created_at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "env", .type = FieldType::kStringMap, .doc = "Variables of every command"},
    {.name = "environment", .doc = "Name of the environment"},
    kExecutionModeField,
    {.name = "expires_at",
     .type = FieldType::kNumber,
     .doc = "Seconds since the epoch; null without a TTL",
     .nullable = true},
    {.name = "labels", .type = FieldType::kStringMap, .doc = "As given to create and update"},
    {.name = "last_activity_at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "last_command",
     .type = FieldType::kObject,
     .doc = "The newest of the commands",
     .nullable = true,
     .fields = kLastCommandFields},
    {.name = "last_error", .doc = "What failed last", .nullable = true},
    {.name = "last_reset_at",
     .type = FieldType::kNumber,
     .doc = "Seconds since the epoch",
     .nullable = true},
    {.name = "mem_mib", .type = FieldType::kInteger, .doc = "Memory in MiB"},
    {.name = "name", .doc = "Stands wherever the id can stand", .nullable = true},
    kNetworkField,
    {.name = "network_policy", .doc = "off, egress or egress+published-ports"},
    {.name = "reset_count", .type = FieldType::kInteger, .doc = "How often it was reset"},
    {.name = "running_service_count",
     .type = FieldType::kInteger,
     .doc = "Services that are running or starting"},
    {.name = "secrets",
     .type = FieldType::kObjectList,
     .doc = "Names only",
     .fields = kSecretFields},
    {.name = "service_count", .type = FieldType::kInteger, .doc = "Services there are"},
    {.name = "state", .doc = "creating, started, stopped, deleting or damaged"},
    {.name = "ttl_action", .doc = "At the end of the TTL: stop or delete"},
    {.name = "ttl_seconds",
     .type = FieldType::kInteger,
     .doc = "As asked for; null: it stays until it is deleted",
     .nullable = true},
    {.name = "vcpu_count", .type = FieldType::kInteger, .doc = "Virtual CPUs"},
    kWorkspaceIdField,
    {.name = "workspace_path", .doc = "Always /workspace"},
}};
inline constexpr std::array<Field, 4> kNetworkStateFields{{
    kLiveNetworkField,
    kNetworkField,
    {.name = "state", .doc = "As in workspace status"},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 11> kNetworkEventFields{{
    {.name = "address", .doc = "Empty for a question for a name"},
    {.name = "allow", .type = FieldType::kBoolean, .doc = "The decision"},
    {.name = "at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "bytes_to_guest", .type = FieldType::kInteger, .doc = "Of a flow that has ended"},
    {.name = "bytes_to_host", .type = FieldType::kInteger, .doc = "Of a flow that has ended"},
    {.name = "kind", .doc = "decision, or end: of a flow that was allowed"},
    {.name = "name", .doc = "Empty when none is known"},
    {.name = "port", .type = FieldType::kInteger, .doc = "0 for echo"},
    {.name = "protocol", .doc = "tcp, udp, icmp, dns, published or other"},
    {.name = "reason", .doc = "For example rule, not-listed, special-range, closed"},
    {.name = "rule", .doc = "allow[2], deny[0] or preset"},
}};
inline constexpr std::array<Field, 2> kNetworkEventsFields{{
    {.name = "events",
     .type = FieldType::kObjectList,
     .doc = "The oldest first",
     .fields = kNetworkEventFields},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 1> kSeedField{{
    {.name = "workspace_seed",
     .type = FieldType::kObject,
     .doc = "What /workspace began with",
     .fields = kSeedFields},
}};
inline constexpr auto kStatusFields = sorted_fields(kWorkspaceFields, kSeedField);

inline constexpr std::array<Field, 5> kResetInfoFields{{
    kBytesWrittenField,
    {.name = "destination", .doc = "Always /workspace"},
    kEntryCountField,
    {.name = "kind", .doc = "baseline or named"},
    {.name = "snapshot_name", .doc = "What it was reset to"},
}};
inline constexpr std::array<Field, 1> kResetField{{
    {.name = "workspace_reset",
     .type = FieldType::kObject,
     .doc = "What was restored",
     .fields = kResetInfoFields},
}};
inline constexpr auto kResetFields = sorted_fields(kStatusFields, kResetField);

inline constexpr std::array<Field, 2> kWorkspaceListFields{{
    {.name = "count", .type = FieldType::kInteger, .doc = "How many there are"},
    {.name = "workspaces",
     .type = FieldType::kObjectList,
     .doc = "Each as in workspace status",
     .fields = kStatusFields},
}};

inline constexpr std::array<Field, 3> kErrorFields{{
    {.name = "code", .doc = "As in error.code"},
    {.name = "hint", .doc = "The next step"},
    {.name = "message", .doc = "What failed and why"},
}};
inline constexpr std::array<Field, 3> kDeletedFields{{
    {.name = "deleted", .type = FieldType::kBoolean, .doc = "Whether it is gone"},
    {.name = "error",
     .type = FieldType::kObject,
     .doc = "Why it is not",
     .nullable = true,
     .fields = kErrorFields},
    {.name = "workspace_id", .doc = "Its id, or what was given when it is not gone"},
}};
inline constexpr std::array<Field, 4> kDeleteFields{{
    {.name = "count",
     .type = FieldType::kInteger,
     .doc = "How many are gone; of several or --all",
     .optional = true},
    {.name = "deleted", .type = FieldType::kBoolean, .doc = "Whether all of them are gone"},
    {.name = "workspace_id", .doc = "Of a single one", .optional = true},
    {.name = "workspaces",
     .type = FieldType::kObjectList,
     .doc = "One for each of several, or of --all",
     .optional = true,
     .fields = kDeletedFields},
}};

// ---- commands

inline constexpr std::array<Field, 15> kWorkspaceExecFields{{
    {.name = "command", .doc = "The command, quoted for a shell"},
    {.name = "cwd", .doc = "Where it ran"},
    {.name = "duration_ms", .type = FieldType::kInteger, .doc = "Time of the command alone"},
    kExecutionModeField,
    {.name = "exit_code",
     .type = FieldType::kInteger,
     .doc = "Of the command; 128+n for signal n, 124 for a timeout"},
    {.name = "sequence", .type = FieldType::kInteger, .doc = "Its number in the log, from 1"},
    {.name = "signal",
     .type = FieldType::kInteger,
     .doc = "Signal that ended the command",
     .nullable = true},
    {.name = "stderr", .doc = "Standard error as UTF-8, U+FFFD for what is not"},
    {.name = "stderr_base64",
     .doc = "Its exact bytes; only when stderr is not exact",
     .optional = true},
    {.name = "stderr_truncated", .type = FieldType::kBoolean, .doc = kTruncatedDoc},
    {.name = "stdout", .doc = "Standard output as UTF-8, U+FFFD for what is not"},
    {.name = "stdout_base64",
     .doc = "Its exact bytes; only when stdout is not exact",
     .optional = true},
    {.name = "stdout_truncated", .type = FieldType::kBoolean, .doc = kTruncatedDoc},
    {.name = "timed_out",
     .type = FieldType::kBoolean,
     .doc = "Whether timeout_seconds ended the command"},
    {.name = "timing", .type = FieldType::kNumberMap, .doc = "Milliseconds of each stage"},
}};
inline constexpr std::array<Field, 1> kWorkspaceIdOnlyField{kWorkspaceIdField};
inline constexpr auto kExecResultFields =
    sorted_fields(kWorkspaceExecFields, kWorkspaceIdOnlyField);

inline constexpr std::array<Field, 8> kCommandFields{{
    {.name = "command", .doc = "The command, quoted for a shell"},
    {.name = "cwd", .doc = "Where it ran"},
    {.name = "duration_ms", .type = FieldType::kInteger, .doc = "Time of the command alone"},
    {.name = "ended_at",
     .type = FieldType::kNumber,
     .doc = "Seconds since the epoch; null while it runs, and when it was cut off",
     .nullable = true},
    {.name = "exit_code",
     .type = FieldType::kInteger,
     .doc = "Null as ended_at is",
     .nullable = true},
    {.name = "sequence", .type = FieldType::kInteger, .doc = "Its number, from 1"},
    {.name = "started_at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "timed_out",
     .type = FieldType::kBoolean,
     .doc = "Whether its timeout ended the command"},
}};
inline constexpr std::array<Field, 8> kKeptOutputFields{{
    {.name = "stderr", .doc = "What is kept of it, as UTF-8"},
    {.name = "stderr_base64",
     .doc = "The kept bytes; only when stderr is not exact",
     .optional = true},
    {.name = "stderr_bytes", .type = FieldType::kInteger, .doc = "How much there was"},
    {.name = "stderr_truncated",
     .type = FieldType::kBoolean,
     .doc = "Whether something is left out"},
    {.name = "stdout", .doc = "What is kept of it, as UTF-8"},
    {.name = "stdout_base64",
     .doc = "The kept bytes; only when stdout is not exact",
     .optional = true},
    {.name = "stdout_bytes", .type = FieldType::kInteger, .doc = "How much there was"},
    {.name = "stdout_truncated",
     .type = FieldType::kBoolean,
     .doc = "Whether something is left out"},
}};
inline constexpr auto kLogEntryFields = sorted_fields(kCommandFields, kKeptOutputFields);
inline constexpr std::array<Field, 3> kLogFields{{
    {.name = "count", .type = FieldType::kInteger, .doc = "How many commands these are"},
    {.name = "entries",
     .type = FieldType::kObjectList,
     .doc = "One for each command, the oldest first",
     .fields = kLogEntryFields},
    kWorkspaceIdField,
}};

// ---- sync and export

inline constexpr std::array<Field, 5> kSyncInfoFields{{
    kBytesWrittenField,
    {.name = "destination", .doc = "Where it went, absolute"},
    kEntryCountField,
    {.name = "mode", .doc = "directory or archive"},
    {.name = "source_path", .doc = "As given"},
}};
inline constexpr std::array<Field, 3> kSyncFields{{
    kExecutionModeField,
    kWorkspaceIdField,
    {.name = "workspace_sync",
     .type = FieldType::kObject,
     .doc = "What was pushed",
     .fields = kSyncInfoFields},
}};
inline constexpr std::array<Field, 8> kExportFields{{
    {.name = "artifact_type", .doc = "file, directory or symlink"},
    kBytesWrittenField,
    kEntryCountField,
    kExecutionModeField,
    {.name = "output_path", .doc = "Where it is now on the host"},
    {.name = "skipped",
     .type = FieldType::kStringList,
     .doc = "Devices, sockets and pipes, which are never carried"},
    kWorkspaceIdField,
    {.name = "workspace_path", .doc = "What was exported, absolute"},
}};

// ---- diff and patch

inline constexpr std::array<Field, 8> kDiffEntryFields{{
    {.name = "artifact_type", .doc = "file, directory, symlink or other; of a deleted one: it was"},
    {.name = "new_mode", .doc = "Octal, where the modes differ", .nullable = true},
    {.name = "old_artifact_type", .doc = "Of type_changed", .nullable = true},
    {.name = "old_mode", .doc = "Octal, where the modes differ", .nullable = true},
    {.name = "path", .doc = "Below /workspace, as UTF-8"},
    {.name = "path_base64",
     .doc = "Its exact bytes; only when path is not exact",
     .optional = true},
    {.name = "status", .doc = "added, modified, deleted, type_changed or mode_changed"},
    {.name = "text_patched", .type = FieldType::kBoolean, .doc = "Whether the patch has it"},
}};
inline constexpr std::array<Field, 8> kDiffSummaryFields{{
    {.name = "added", .type = FieldType::kInteger, .doc = "New entries"},
    {.name = "deleted", .type = FieldType::kInteger, .doc = "Entries that are gone"},
    {.name = "mode_changed", .type = FieldType::kInteger, .doc = "Only the mode differs"},
    {.name = "modified", .type = FieldType::kInteger, .doc = "Other content"},
    {.name = "non_text", .type = FieldType::kInteger, .doc = "Entries the patch has not"},
    {.name = "text_patched", .type = FieldType::kInteger, .doc = "Entries the patch has"},
    {.name = "total", .type = FieldType::kInteger, .doc = "All entries"},
    {.name = "type_changed", .type = FieldType::kInteger, .doc = "For example a file, now a link"},
}};
inline constexpr std::array<Field, 7> kDiffFields{{
    {.name = "changed", .type = FieldType::kBoolean, .doc = "Whether anything differs"},
    {.name = "entries",
     .type = FieldType::kObjectList,
     .doc = "In the order of their paths",
     .fields = kDiffEntryFields},
    {.name = "patch", .doc = "For git apply and patch -p1, as UTF-8"},
    {.name = "patch_base64",
     .doc = "Its exact bytes; only when patch is not exact",
     .optional = true},
    {.name = "patch_truncated",
     .type = FieldType::kBoolean,
     .doc = "True where patch was cut; only then, over MCP",
     .optional = true},
    {.name = "summary",
     .type = FieldType::kObject,
     .doc = "How many of each",
     .fields = kDiffSummaryFields},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 4> kPatchSummaryFields{{
    {.name = "added", .type = FieldType::kInteger, .doc = "New files"},
    {.name = "deleted", .type = FieldType::kInteger, .doc = "Files that are gone"},
    {.name = "modified", .type = FieldType::kInteger, .doc = "Files with other content"},
    {.name = "total", .type = FieldType::kInteger, .doc = "All of them"},
}};
inline constexpr std::array<Field, 4> kPatchFields{{
    {.name = "changed", .type = FieldType::kBoolean, .doc = "Whether the patch changed anything"},
    {.name = "entries",
     .type = FieldType::kObjectList,
     .doc = "In the order of their paths",
     .fields = kDiffEntryFields},
    {.name = "summary",
     .type = FieldType::kObject,
     .doc = "How many of each",
     .fields = kPatchSummaryFields},
    kWorkspaceIdField,
}};

// ---- snapshots

inline constexpr std::array<Field, 5> kSnapshotInfoFields{{
    kBytesWrittenField,
    {.name = "created_at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    kEntryCountField,
    {.name = "kind", .doc = "baseline or named"},
    {.name = "snapshot_name", .doc = "Its name"},
}};
inline constexpr std::array<Field, 2> kSnapshotFields{{
    {.name = "snapshot",
     .type = FieldType::kObject,
     .doc = "The new snapshot",
     .fields = kSnapshotInfoFields},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 3> kSnapshotListFields{{
    {.name = "count", .type = FieldType::kInteger, .doc = "How many there are"},
    {.name = "snapshots",
     .type = FieldType::kObjectList,
     .doc = "The baseline first",
     .fields = kSnapshotInfoFields},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 3> kSnapshotDeleteFields{{
    {.name = "deleted", .type = FieldType::kBoolean, .doc = "Whether it is gone"},
    {.name = "snapshot_name", .doc = "Its name"},
    kWorkspaceIdField,
}};

// ---- files

inline constexpr std::array<Field, 8> kFileFields{{
    {.name = "artifact_type", .doc = "file, directory, symlink or other"},
    {.name = "link_target", .doc = "Of symlinks, as UTF-8", .nullable = true},
    {.name = "link_target_base64",
     .doc = "Its exact bytes; only when link_target is not exact",
     .optional = true},
    {.name = "mode", .doc = "Permission bits, octal, for example 0644"},
    {.name = "mtime", .type = FieldType::kNumber, .doc = "Last change, in seconds since the epoch"},
    {.name = "path", .doc = "Absolute, as UTF-8"},
    {.name = "path_base64",
     .doc = "Its exact bytes; only when path is not exact",
     .optional = true},
    {.name = "size_bytes", .type = FieldType::kInteger, .doc = "Of files", .nullable = true},
}};
inline constexpr std::array<Field, 4> kFileListFields{{
    {.name = "count", .type = FieldType::kInteger, .doc = "How many entries there are"},
    {.name = "entries",
     .type = FieldType::kObjectList,
     .doc = "In the order of their paths",
     .fields = kFileFields},
    {.name = "path", .doc = "What was listed"},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 6> kFileReadFields{{
    {.name = "content", .doc = "As UTF-8, U+FFFD for what is not"},
    {.name = "content_base64",
     .doc = "Its exact bytes; only when content is not exact",
     .optional = true},
    {.name = "content_truncated",
     .type = FieldType::kBoolean,
     .doc = "True where content was cut; only then, over MCP",
     .optional = true},
    {.name = "path", .doc = "What was read"},
    {.name = "size_bytes", .type = FieldType::kInteger, .doc = "Of the file"},
    kWorkspaceIdField,
}};
inline constexpr std::array<Field, 3> kFileWriteFields{{
    {.name = "bytes_written", .type = FieldType::kInteger, .doc = "Of the file"},
    {.name = "path", .doc = "What was written"},
    kWorkspaceIdField,
}};

// ---- summary

inline constexpr std::array<Field, 3> kEventFields{{
    {.name = "at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "detail", .type = FieldType::kFreeObject, .doc = "By kind"},
    {.name = "kind", .doc = "For example sync, file_write, patch, export or snapshot"},
}};
inline constexpr std::array<Field, 6> kSummaryFields{{
    {.name = "commands",
     .type = FieldType::kObjectList,
     .doc = "What ran, without its output",
     .fields = kCommandFields},
    {.name = "diff",
     .type = FieldType::kObject,
     .doc = "What differs from the baseline; null when the workspace is not started",
     .nullable = true,
     .fields = kDiffFields},
    {.name = "events",
     .type = FieldType::kObjectList,
     .doc = "What else happened",
     .fields = kEventFields},
    {.name = "since",
     .type = FieldType::kNumber,
     .doc = "The last reset, or create, in seconds since the epoch"},
    {.name = "workspace",
     .type = FieldType::kObject,
     .doc = "As in workspace status",
     .fields = kStatusFields},
    kWorkspaceIdField,
}};

}  // namespace pyro::proto
