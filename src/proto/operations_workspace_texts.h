// Parameters and texts of the workspace operations. Constant data for the table of operations
// alone.
#pragma once

#include <array>

#include "proto/operations_network.h"
#include "proto/operations_params.h"

namespace pyro::proto {

inline constexpr Param kWorkspaceParam{.name = "workspace_id",
                                       .type = ParamType::kWorkspace,
                                       .value_name = "WORKSPACE",
                                       .help = "Id or name of a workspace"};
inline constexpr Param kWorkspaceTtl{.name = "ttl_seconds",
                                     .type = ParamType::kInteger,
                                     .value_name = "N",
                                     .help =
                                         "Let the workspace expire after this many seconds; "
                                         "without it, it stays until it is deleted",
                                     .min = kTtlSecondsRange.low,
                                     .max = kTtlSecondsRange.high};
inline constexpr std::array<std::string_view, 2> kTtlActions{"stop", "delete"};
inline constexpr Param kTtlAction{
    .name = "ttl_action",
    .type = ParamType::kChoice,
    .value_name = "ACTION",
    .default_text = "stop",
    .help = "What happens then: stop it and delete it a day later, or delete it at once",
    .choices = kTtlActions};
inline constexpr Param kName{
    .name = "name", .value_name = "NAME", .help = "A name that stands wherever the id can stand"};
inline constexpr Param kLabel{.name = "label",
                              .type = ParamType::kPair,
                              .value_name = "NAME=VALUE",
                              .help = "Keep a label with the workspace",
                              .repeatable = true,
                              .library_name = "labels"};
inline constexpr Param kEnv{.name = "env",
                            .type = ParamType::kPair,
                            .value_name = "NAME=VALUE",
                            .help = "Set a variable for every command in the workspace",
                            .repeatable = true,
                            .identifier = true};
inline constexpr Param kGitTracked{.name = "git_tracked",
                                   .type = ParamType::kFlag,
                                   .help = "Take only what git tracks in the folder"};
inline constexpr Param kPathParam{.name = "path",
                                  .value_name = "PATH",
                                  .help = "Path in the workspace, absolute or below /workspace"};
inline constexpr Param kListPath{.name = "path",
                                 .value_name = "PATH",
                                 .default_text = "/workspace",
                                 .help = "Folder in the workspace, absolute or below /workspace",
                                 .optional = true};
inline constexpr Param kOutput{.name = "output",
                               .type = ParamType::kHostPath,
                               .value_name = "HOST_PATH",
                               .help = "Where to put it on the host",
                               .required = true,
                               .library_name = "output_path"};
inline constexpr Param kRecursive{
    .name = "recursive", .type = ParamType::kFlag, .help = "Go into folders"};
inline constexpr Param kMaxBytes{.name = "max_bytes",
                                 .type = ParamType::kInteger,
                                 .value_name = "N",
                                 .help = "Refuse a file of more bytes",
                                 .min = kReadBytesRange.low,
                                 .max = kReadBytesRange.high};
inline constexpr Param kSnapshotName{
    .name = "snapshot_name", .value_name = "NAME", .help = "Name of the snapshot"};
inline constexpr Param kSecretEnv{
    .name = "secret_env",
    .type = ParamType::kPair,
    .value_name = "NAME[=VARIABLE]",
    .help = "Give the command a secret of the workspace in a variable, by default of the same name",
    .repeatable = true,
    .identifier = true,
    .value_optional = true,
    .secret = true};
inline constexpr Param kCwd{.name = "cwd",
                            .value_name = "PATH",
                            .default_text = "/workspace",
                            .help = "Folder to run in, absolute or below /workspace"};
inline constexpr Param kCommandEnv{.name = "env",
                                   .type = ParamType::kPair,
                                   .value_name = "NAME=VALUE",
                                   .help = "Set a variable for this command",
                                   .repeatable = true,
                                   .identifier = true};

inline constexpr std::array kWorkspaceOnly{kWorkspaceParam};
inline constexpr std::array kWorkspaceAndPath{kWorkspaceParam, kPathParam};
inline constexpr std::array kWorkspaceAndListPath{kWorkspaceParam, kListPath};
inline constexpr std::array kWorkspaceAndSnapshot{kWorkspaceParam, kSnapshotName};
inline constexpr std::array kWorkspaceJson{kJson};
inline constexpr std::array kListOptions{kRecursive, kJson};
inline constexpr std::array kOutputOptions{kOutput, kJson};
inline constexpr std::array kReadOptions{kMaxBytes, kJson};
// What can go wrong with any workspace, and what only with those that need their guest.
inline constexpr std::array kRecordErrors{Errc::kInvalid,     Errc::kNotFound, Errc::kDenied,
                                          Errc::kUnavailable, Errc::kConflict, Errc::kDamaged,
                                          Errc::kInternal};
inline constexpr std::array kGuestErrors{Errc::kInvalid,     Errc::kNotFound, Errc::kDenied,
                                         Errc::kUnavailable, Errc::kDeadline, Errc::kLimit,
                                         Errc::kConflict,    Errc::kDamaged,  Errc::kInternal};
inline constexpr std::array kListErrors{Errc::kDenied, Errc::kUnavailable, Errc::kInternal};

// The numbers of src/seed/seed.h.
inline constexpr std::string_view kSeedLimitsText =
    "It has at most 1,000,000 entries, 8 GiB in files, 256 MiB in names and targets of links, and "
    "paths of 256 components.";

// ---- workspace create

inline constexpr std::array<std::string_view, 2> kCreatePath{"workspace", "create"};
inline constexpr std::array<std::string_view, 7> kCreateText{
    "Creates a microVM that stays, with /workspace as its durable part, and returns when it can be "
    "used. Any number of processes may then work in it by its id or its name.",
    "--seed-path puts the content of a folder or of a .tar, .tar.gz, .tgz or .tar.zst archive into "
    "/workspace; what it then holds is the baseline that diff compares with and reset goes back "
    "to. A seed that cannot be taken whole is refused and leaves no workspace behind.",
    kSeedLimitsText,
    "Secrets lie in /run/pyro-secrets in the guest and in no image, log or record; workspace exec "
    "--secret-env gives one to a command. What --secret NAME=VALUE says can be read in the list of "
    "processes by every user of this host while pyro runs: prefer --secret-file.",
    kNetworkText,
    kSmolfileText,
    "Phases, and what there is to know about the network policy, go to standard error."};
inline constexpr std::array<Example, 4> kCreateExamples{
    {{"pyro workspace create debian:12", "An empty workspace"},
     {"pyro workspace create debian:12 --seed-path ./repo --git-tracked --name fix",
      "A repository, without what git does not track"},
     {"pyro workspace create debian:12 --secret-file API_TOKEN=./token.txt --ttl-seconds 3600",
      "A secret, and an hour to live"},
     {"WS=$(pyro workspace create debian:12 --id-only)", "For scripts"}}};
inline constexpr std::array kCreatePositionals{kEnvironmentOrFile};
inline constexpr std::array kCreateOptions{
    kVcpuCount,
    kMemMib,
    kWorkspaceTtl,
    kTtlAction,
    kNetworkPolicy,
    kNetAllow,
    kNetDeny,
    kAllowUdp,
    kAllowIcmp,
    kPolicyFile,
    kSmolfile,
    kAllowHostCompat,
    Param{.name = "seed_path",
          .type = ParamType::kHostPath,
          .value_name = "PATH",
          .help = "Folder or archive of the host that /workspace begins with"},
    kGitTracked,
    Param{.name = "secret",
          .type = ParamType::kPair,
          .value_name = "NAME=VALUE",
          .help = "Give the guest a secret; other users of this host can see the value in the list "
                  "of processes, so prefer --secret-file",
          .repeatable = true,
          .identifier = true,
          .secret = true,
          .cli_only = true},
    Param{.name = "secret_file",
          .type = ParamType::kPair,
          .value_name = "NAME=PATH",
          .help = "Give the guest the content of a file as a secret",
          .repeatable = true,
          .identifier = true,
          .secret = true,
          .cli_only = true},
    kName,
    kLabel,
    kEnv,
    Param{.name = "id_only",
          .type = ParamType::kFlag,
          .help = "Print the id and nothing else",
          .cli_only = true},
    kJson};

inline constexpr std::array kSecretFieldParams{
    Param{.name = "name",
          .value_name = "NAME",
          .help = "Letters, digits and _, no digit first",
          .required = true,
          .identifier = true},
    Param{.name = "value",
          .value_name = "VALUE",
          .help = "The secret itself, unless file_path is given",
          .secret = true},
    Param{.name = "file_path",
          .type = ParamType::kHostPath,
          .value_name = "PATH",
          .help = "File of the host that holds it, unless value is given"}};
inline constexpr std::array kCreateLibraryOptions{
    Param{.name = "secrets",
          .type = ParamType::kObjectList,
          .value_name = "SECRETS",
          .help = "What the guest can be given in variables and nobody is shown",
          .secret = true,
          .fields = kSecretFieldParams}};

// ---- workspace list

inline constexpr std::array<std::string_view, 2> kWorkspaceListPath{"workspace", "list"};
inline constexpr std::array<std::string_view, 1> kWorkspaceListText{
    "Prints one line for each workspace, the one used last first. None is started or woken for "
    "it."};
inline constexpr std::array<Example, 2> kWorkspaceListExamples{
    {{"pyro workspace list", "What there is"}, {"pyro workspace list --json", "With every field"}}};

// ---- workspace status

inline constexpr std::array<std::string_view, 2> kStatusPath{"workspace", "status"};
inline constexpr std::array<std::string_view, 1> kStatusText{
    "Prints what is known of a workspace: its state, resources, seed, secrets by name, labels, "
    "TTL, last command and last error."};
inline constexpr std::array<Example, 1> kStatusExamples{
    {{"pyro workspace status fix", "By its name"}}};

// ---- workspace update

inline constexpr std::array<std::string_view, 2> kUpdatePath{"workspace", "update"};
inline constexpr std::array<std::string_view, 1> kUpdateText{
    "Changes what is given and nothing else. A new TTL counts from now on."};
inline constexpr std::array<Example, 3> kUpdateExamples{
    {{"pyro workspace update fix --label ticket=42 --remove-label draft", "Labels"},
     {"pyro workspace update fix --ttl-seconds 86400 --ttl-action delete", "Delete it tomorrow"},
     {"pyro workspace update fix --no-ttl --clear-name", "Keep it, without a name"}}};
inline constexpr std::array kUpdateOptions{
    Param{.name = "name", .value_name = "NAME", .help = "Give it this name"},
    Param{.name = "clear_name", .type = ParamType::kFlag, .help = "Take its name away"},
    Param{.name = "label",
          .type = ParamType::kPair,
          .value_name = "NAME=VALUE",
          .help = "Add or replace a label",
          .repeatable = true,
          .library_name = "labels"},
    Param{.name = "remove_label",
          .value_name = "NAME",
          .help = "Remove a label",
          .repeatable = true,
          .library_name = "remove_labels"},
    Param{.name = "ttl_seconds",
          .type = ParamType::kInteger,
          .value_name = "N",
          .help = "Let it expire after this many seconds, from now on",
          .min = kTtlSecondsRange.low,
          .max = kTtlSecondsRange.high},
    Param{.name = "no_ttl", .type = ParamType::kFlag, .help = "Let it stay until it is deleted"},
    Param{.name = "ttl_action",
          .type = ParamType::kChoice,
          .value_name = "ACTION",
          .help = "What happens when it expires",
          .choices = kTtlActions},
    kJson};

// ---- workspace delete

inline constexpr std::array<std::string_view, 2> kDeletePath{"workspace", "delete"};
inline constexpr std::array<std::string_view, 1> kDeleteText{
    "Stops and deletes each of them, with its disks, snapshots, secrets and log. Every one is "
    "tried; the exit code is 1 when one is left."};
inline constexpr std::array<Example, 2> kDeleteExamples{
    {{"pyro workspace delete fix", "One"}, {"pyro workspace delete --all", "All of them"}}};
inline constexpr std::array kDeletePositionals{Param{.name = "workspace_id",
                                                     .type = ParamType::kWorkspace,
                                                     .value_name = "WORKSPACE",
                                                     .help = "Id or name of a workspace",
                                                     .repeatable = true,
                                                     .optional = true,
                                                     .one_in_library = true}};
inline constexpr std::array kDeleteOptions{Param{.name = "all",
                                                 .type = ParamType::kFlag,
                                                 .help = "Delete every workspace there is",
                                                 .cli_only = true},
                                           kJson};

// ---- workspace stop

inline constexpr std::array<std::string_view, 2> kStopPath{"workspace", "stop"};
inline constexpr std::array<std::string_view, 1> kStopText{
    "Flushes /workspace to the disk and ends the guest. Commands that run are ended; memory and "
    "everything outside /workspace are lost."};
inline constexpr std::array<Example, 1> kStopExamples{
    {{"pyro workspace stop fix", "Free its memory"}}};

// ---- workspace start

inline constexpr std::array<std::string_view, 2> kStartPath{"workspace", "start"};
inline constexpr std::array<std::string_view, 1> kStartText{
    "Gives the workspace a new guest with /workspace as it was. One that is started already stays "
    "as it is. Phases go to standard error."};
inline constexpr std::array<Example, 1> kStartExamples{
    {{"pyro workspace start fix", "Go on where stop left it"}}};

// ---- workspace logs

inline constexpr std::array<std::string_view, 2> kLogsPath{"workspace", "logs"};
inline constexpr std::array<std::string_view, 2> kLogsText{
    "Prints for each command a line with its number, exit code, duration, folder and words, then "
    "its standard output; its standard error goes to standard error. The log outlives stop and "
    "start; reset clears it.",
    "Of each output of a command 64 KiB are kept: of a longer one the first 32 KiB and the last, "
    "with a mark between them that says how much is missing."};
inline constexpr std::array<Example, 3> kLogsExamples{
    {{"pyro workspace logs fix", "What ran"},
     {"pyro workspace logs fix --tail 1", "What ran last"},
     {"pyro workspace logs fix 2>/dev/null", "Standard output alone"}}};

// ---- workspace exec

inline constexpr std::array<std::string_view, 2> kExecPath{"workspace", "exec"};
inline constexpr std::array<std::string_view, 3> kExecText{
    "Runs a command in /workspace of a started workspace and leaves the workspace alive. Several "
    "commands may run at once; each is kept in the log.",
    "Standard output, standard error and the exit code are those of the command, as they come; the "
    "value of a secret stands there as [redacted:NAME]. Standard input is passed on when it is not "
    "a terminal. The line that begins with [workspace-exec] goes to standard error.",
    "Ctrl-C interrupts the command. The words of the command must follow \"--\"; for pipes and "
    "variables name a shell."};
inline constexpr std::array<Example, 3> kExecExamples{
    {{"pyro workspace exec fix -- make test", "One command"},
     {"pyro workspace exec fix --secret-env API_TOKEN=TOKEN -- sh -c 'curl -H \"Authorization: "
      "$TOKEN\" localhost'",
      "With a secret"},
     {"pyro workspace exec fix --cwd src --timeout-seconds 600 --json -- ./build.sh",
      "In a folder, with more time, as JSON"}}};
inline constexpr std::array kExecPositionals{kWorkspaceParam, kCommandParam};
inline constexpr std::array kExecOptions{kTimeoutSeconds, kSecretEnv, kCwd, kCommandEnv, kJson};

// ---- workspace sync push

inline constexpr std::array<std::string_view, 3> kSyncPushPath{"workspace", "sync", "push"};
inline constexpr std::array<std::string_view, 2> kSyncPushText{
    "Adds the content of a folder or of a .tar, .tar.gz, .tgz or .tar.zst archive to a started "
    "workspace. What it has is added or replaced, what it has not stays, and either all of it "
    "arrives or nothing.",
    kSeedLimitsText};
inline constexpr std::array<Example, 2> kSyncPushExamples{
    {{"pyro workspace sync push fix ./changes --dest src", "Into /workspace/src"},
     {"pyro workspace sync push fix . --git-tracked", "What git tracks here"}}};
inline constexpr std::array kSyncPushPositionals{kWorkspaceParam,
                                                 Param{.name = "source_path",
                                                       .type = ParamType::kHostPath,
                                                       .value_name = "SOURCE_PATH",
                                                       .help = "Folder or archive of the host"}};
inline constexpr std::array kSyncPushOptions{
    Param{.name = "dest",
          .value_name = "PATH",
          .default_text = "/workspace",
          .help = "Folder in the workspace, absolute or below /workspace"},
    kGitTracked, kJson};

// ---- workspace export

inline constexpr std::array<std::string_view, 2> kExportPath{"workspace", "export"};
inline constexpr std::array<std::string_view, 1> kExportText{
    "Copies one file, folder or link of /workspace to the host. It appears under its name only "
    "when it is complete. Devices, sockets and pipes are named and left out. At most 2,000,000 "
    "entries, 64 GiB in files and 256 MiB in names are taken."};
inline constexpr std::array<Example, 2> kExportExamples{
    {{"pyro workspace export fix src/note.txt --output ./note.txt", "One file"},
     {"pyro workspace export fix . --output ./result", "All of /workspace"}}};

// ---- workspace diff

inline constexpr std::array<std::string_view, 2> kDiffPath{"workspace", "diff"};
inline constexpr std::array<std::string_view, 3> kDiffText{
    "Compares /workspace with what it was when create returned. A patch of the text files goes to "
    "standard output, fit for git apply and patch -p1; a line of counts that begins with "
    "[workspace-diff] and the entries that the patch cannot have go to standard error.",
    "A link is in it as git has it, and so is what became a file, a folder or a link: one entry "
    "goes, another comes. Of a file that became a folder, and the other way round, git apply and "
    "workspace patch apply make the other; patch cannot, whoever made the patch.",
    "At most 1,000,000 paths may differ. The patch has at most 64 MiB, and only files of at most "
    "1 MiB before and after; others are entries alone."};
inline constexpr std::array<Example, 2> kDiffExamples{
    {{"pyro workspace diff fix", "What changed"},
     {"pyro workspace diff fix | git apply", "Take the changes over"}}};

// ---- workspace snapshot create

inline constexpr std::array<std::string_view, 3> kSnapshotCreatePath{"workspace", "snapshot",
                                                                     "create"};
inline constexpr std::array<std::string_view, 1> kSnapshotCreateText{
    "Keeps the present content of /workspace for reset. It takes the same short time for any "
    "amount of data."};
inline constexpr std::array<Example, 1> kSnapshotCreateExamples{
    {{"pyro workspace snapshot create fix checkpoint", "Before trying something"}}};

// ---- workspace snapshot list

inline constexpr std::array<std::string_view, 3> kSnapshotListPath{"workspace", "snapshot", "list"};
inline constexpr std::array<std::string_view, 1> kSnapshotListText{
    "Prints one line for each, the baseline first."};
inline constexpr std::array<Example, 1> kSnapshotListExamples{
    {{"pyro workspace snapshot list fix", "What reset can go back to"}}};

// ---- workspace snapshot delete

inline constexpr std::array<std::string_view, 3> kSnapshotDeletePath{"workspace", "snapshot",
                                                                     "delete"};
inline constexpr std::array<std::string_view, 1> kSnapshotDeleteText{
    "Deletes a named snapshot. The others, the baseline and /workspace stay as they are; the "
    "baseline cannot be deleted."};
inline constexpr std::array<Example, 1> kSnapshotDeleteExamples{
    {{"pyro workspace snapshot delete fix checkpoint", "It is not needed any more"}}};

// ---- workspace reset

inline constexpr std::array<std::string_view, 2> kResetPath{"workspace", "reset"};
inline constexpr std::array<std::string_view, 1> kResetText{
    "Gives the workspace a fresh guest and the /workspace of the baseline or of a snapshot. Its "
    "log, shells and services are cleared; id, name, labels, secrets and snapshots stay. Phases go "
    "to standard error."};
inline constexpr std::array<Example, 2> kResetExamples{
    {{"pyro workspace reset fix", "As it was created"},
     {"pyro workspace reset fix --snapshot checkpoint", "As it was at the snapshot"}}};
inline constexpr std::array kResetOptions{Param{.name = "snapshot",
                                                .value_name = "NAME",
                                                .default_text = "baseline",
                                                .help = "Snapshot to go back to"},
                                          kJson};

// ---- workspace file list

inline constexpr std::array<std::string_view, 3> kFileListPath{"workspace", "file", "list"};
inline constexpr std::array<std::string_view, 1> kFileListText{
    "Prints for each entry its kind, mode, size and path."};
inline constexpr std::array<Example, 2> kFileListExamples{
    {{"pyro workspace file list fix", "What is in /workspace"},
     {"pyro workspace file list fix src --recursive", "All below a folder"}}};

// ---- workspace file read

inline constexpr std::array<std::string_view, 3> kFileReadPath{"workspace", "file", "read"};
inline constexpr std::array<std::string_view, 1> kFileReadText{
    "Writes the bytes of a file to standard output as they are; a line that begins with "
    "[workspace-file-read] goes to standard error. With --json a file has at most 64 MiB."};
inline constexpr std::array<Example, 2> kFileReadExamples{
    {{"pyro workspace file read fix src/note.txt", "Show a file"},
     {"pyro workspace file read fix out.bin > out.bin", "Keep a file"}}};

// ---- workspace file write

inline constexpr std::array<std::string_view, 3> kFileWritePath{"workspace", "file", "write"};
inline constexpr std::array<std::string_view, 1> kFileWriteText{
    "Writes standard input, or the file of --input, to a file of the workspace, 64 MiB at most. It "
    "is replaced as a whole; missing folders are made."};
inline constexpr std::array<Example, 2> kFileWriteExamples{
    {{"pyro workspace file write fix src/note.txt --input ./note.txt", "From a file"},
     {"echo hello | pyro workspace file write fix note.txt", "From standard input"}}};
inline constexpr std::array kFileWriteOptions{
    Param{.name = "input",
          .type = ParamType::kHostPath,
          .value_name = "HOST_PATH",
          .help = "File of the host with the content; otherwise standard input",
          .cli_only = true},
    Param{.name = "mode",
          .value_name = "OCTAL",
          .help = "Permission bits, for example 0755; without it 0644"},
    kJson};

inline constexpr std::array kFileWriteLibraryOptions{
    Param{.name = "text",
          .value_name = "TEXT",
          .help = "The content, unless content_base64 is given",
          .content = true},
    Param{.name = "content_base64",
          .value_name = "BASE64",
          .help = "The content as base64, for bytes that are no text",
          .content = true}};

// ---- workspace patch apply

inline constexpr std::array<std::string_view, 3> kPatchApplyPath{"workspace", "patch", "apply"};
inline constexpr std::array<std::string_view, 1> kPatchApplyText{
    "Applies a unified patch, as diff -u, git diff and workspace diff make it, to /workspace: all "
    "of it or nothing. Without a file it is read from standard input. It has at most 64 MiB."};
inline constexpr std::array<Example, 2> kPatchApplyExamples{
    {{"pyro workspace patch apply fix ./fix.patch", "From a file"},
     {"git diff | pyro workspace patch apply fix", "From standard input"}}};
inline constexpr std::array kPatchApplyPositionals{
    kWorkspaceParam, Param{.name = "patch",
                           .type = ParamType::kHostPath,
                           .value_name = "PATCH_FILE",
                           .help = "File of the host; without it standard input",
                           .optional = true,
                           .cli_only = true}};
inline constexpr std::array kPatchApplyLibraryOptions{
    Param{.name = "patch",
          .value_name = "TEXT",
          .help = "A unified diff with paths below /workspace",
          .required = true,
          .content = true}};

// ---- workspace network show

inline constexpr std::array<std::string_view, 3> kNetworkShowPath{"workspace", "network", "show"};
inline constexpr std::array<std::string_view, 2> kNetworkShowText{
    "Prints the network policy of a workspace: its rules, its hash and what there is to know about "
    "it.",
    "Of one that is started also its engine: addresses, flows, counters, and the hash of the "
    "policy "
    "that it decides by."};
inline constexpr std::array<Example, 1> kNetworkShowExamples{
    {{"pyro workspace network show fix", "What may it reach?"}}};

// ---- workspace network set

inline constexpr std::array<std::string_view, 3> kNetworkSetPath{"workspace", "network", "set"};
inline constexpr std::array<std::string_view, 2> kNetworkSetText{
    "Replaces the network policy of a workspace by what the options say: all of it, so that rules "
    "that are to stay must be given again. In a workspace that is started it is in force when the "
    "command ends: flows that it does not allow are closed.",
    "A machine keeps its network device, or has none, as long as it runs: from off and to off only "
    "a stopped workspace can be changed."};
inline constexpr std::array<Example, 2> kNetworkSetExamples{
    {{"pyro workspace network set fix --net-allow github.com:443", "This, and nothing else"},
     {"pyro workspace network set fix --network-policy off",
      "No network; the workspace is stopped"}}};
inline constexpr std::array kNetworkSetOptions{kNetworkPolicySaid, kNetAllow,   kNetDeny, kAllowUdp,
                                               kAllowIcmp,         kPolicyFile, kJson};

// ---- workspace network events

inline constexpr std::array<std::string_view, 3> kNetworkEventsPath{"workspace", "network",
                                                                    "events"};
inline constexpr std::array<std::string_view, 3> kNetworkEventsText{
    "Prints what the network engine of a workspace decided: a line for each decision, and one for "
    "the end of each flow that was allowed, with its bytes.",
    "The log is bounded: of a long one only the newer part is kept. It stays through stop, start "
    "and reset.",
    "--follow goes on until the workspace is stopped, or until Ctrl-C. With --json it prints one "
    "object a line."};
inline constexpr std::array<Example, 2> kNetworkEventsExamples{
    {{"pyro workspace network events fix --tail 20", "What was it kept from lately?"},
     {"pyro workspace network events fix --follow", "Watch it"}}};
inline constexpr std::array kNetworkEventsOptions{
    Param{.name = "tail",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "200",
          .help = "Begin so many events before the end",
          .min = kTailLinesRange.low,
          .max = kTailLinesRange.high},
    Param{.name = "all", .type = ParamType::kFlag, .help = "Give all that is kept"},
    Param{.name = "follow",
          .type = ParamType::kFlag,
          .help = "Go on with what is decided until the workspace is stopped",
          .cli_only = true},
    kJson};

// ---- workspace disk export

inline constexpr std::array<std::string_view, 3> kDiskExportPath{"workspace", "disk", "export"};
inline constexpr std::array<std::string_view, 1> kDiskExportText{
    "As workspace export, for a stopped workspace: a guest of its own, without a network, reads a "
    "clone of the disk."};
inline constexpr std::array<Example, 1> kDiskExportExamples{
    {{"pyro workspace disk export fix . --output ./rescued", "All of /workspace"}}};

// ---- workspace disk list

inline constexpr std::array<std::string_view, 3> kDiskListPath{"workspace", "disk", "list"};
inline constexpr std::array<std::string_view, 1> kDiskListText{
    "As workspace file list, for a stopped workspace: a guest of its own, without a network, reads "
    "a clone of the disk."};
inline constexpr std::array<Example, 1> kDiskListExamples{
    {{"pyro workspace disk list fix --recursive", "All there is"}}};

// ---- workspace disk read

inline constexpr std::array<std::string_view, 3> kDiskReadPath{"workspace", "disk", "read"};
inline constexpr std::array<std::string_view, 1> kDiskReadText{
    "As workspace file read, for a stopped workspace: a guest of its own, without a network, reads "
    "a clone of the disk."};
inline constexpr std::array<Example, 1> kDiskReadExamples{
    {{"pyro workspace disk read fix src/note.txt", "Show a file"}}};

// ---- workspace summary

inline constexpr std::array<std::string_view, 2> kSummaryPath{"workspace", "summary"};
inline constexpr std::array<std::string_view, 1> kSummaryText{
    "Prints which commands ran, what was pushed, written, exported and kept, and what differs from "
    "the baseline, since the last reset or, without one, since create."};
inline constexpr std::array<Example, 1> kSummaryExamples{
    {{"pyro workspace summary fix", "Before the changes are taken over"}}};

}  // namespace pyro::proto
