// Parameters and texts of the operations of shells and services. Constant data for the table of
// operations alone.
#pragma once

#include <array>

#include "proto/operations_workspace_texts.h"

namespace pyro::proto {

inline constexpr Param kShellIdParam{.name = "shell_id",
                                     .type = ParamType::kShell,
                                     .value_name = "SHELL_ID",
                                     .help = "Id of a shell, for example shell-1"};
inline constexpr Param kServiceParam{.name = "service_name",
                                     .type = ParamType::kService,
                                     .value_name = "NAME",
                                     .help = "Name of a service"};
inline constexpr Param kCols{.name = "cols",
                             .type = ParamType::kInteger,
                             .value_name = "N",
                             .default_text = "120",
                             .help = "Columns of its terminal",
                             .min = kTerminalRange.low,
                             .max = kTerminalRange.high};
inline constexpr Param kRows{.name = "rows",
                             .type = ParamType::kInteger,
                             .value_name = "N",
                             .default_text = "30",
                             .help = "Rows of its terminal",
                             .min = kTerminalRange.low,
                             .max = kTerminalRange.high};
inline constexpr Param kStopTimeout{
    .name = "timeout_seconds",
    .type = ParamType::kInteger,
    .value_name = "N",
    .default_text = "10",
    .help = "How long it may take to end after SIGTERM; then comes SIGKILL",
    .min = kStopTimeoutRange.low,
    .max = kStopTimeoutRange.high};

inline constexpr std::array kWorkspaceAndShell{kWorkspaceParam, kShellIdParam};
inline constexpr std::array kWorkspaceAndService{kWorkspaceParam, kServiceParam};

// ---- workspace shell open

inline constexpr std::array<std::string_view, 3> kShellOpenPath{"workspace", "shell", "open"};
inline constexpr std::array<std::string_view, 3> kShellOpenText{
    "Opens a shell on a terminal of its own in a started workspace and leaves it open. Read it, "
    "write to it and attach to it by its id, from any number of processes. The line that begins "
    "with [workspace-shell-open] goes to standard error.",
    "Of what it prints the last 1 MiB is kept, and the value of a secret stands there as "
    "[redacted:NAME]. 32 shells may run at once in a workspace.",
    "It ends when its program does, when it is closed, and when the workspace is reset, stopped or "
    "deleted."};
inline constexpr std::array<Example, 2> kShellOpenExamples{
    {{"pyro workspace shell open fix", "Open a shell"},
     {"SH=$(pyro workspace shell open fix --cwd src --id-only)", "For scripts"}}};
inline constexpr std::array kShellOpenOptions{
    kCwd,
    kCols,
    kRows,
    kSecretEnv,
    Param{.name = "id_only",
          .type = ParamType::kFlag,
          .help = "Print nothing but the id of the new shell",
          .cli_only = true},
    kJson};

// ---- workspace shell read

inline constexpr std::array<std::string_view, 3> kShellReadPath{"workspace", "shell", "read"};
inline constexpr std::array<std::string_view, 4> kShellReadText{
    "Writes what a shell printed to standard output as it is; the line that begins with "
    "[workspace-shell-read] goes to standard error and says from which cursor the next read goes "
    "on. Nothing is taken away: any number of readers read at their own pace.",
    "--plain gives the lines as a terminal would show them, without colours and cursor moves. "
    "--wait-for-idle-ms waits until the shell was quiet for so long: after a command was written, "
    "one read gives what came of it.",
    "--follow goes on until the shell ends, or until Ctrl-C, which leaves the shell as it is. With "
    "--json it prints one object a line: cursor, next_cursor, missed_bytes and output for each "
    "part, and the shell itself at the end.",
    "What a program in the guest prints can move the cursor of your terminal and change its "
    "colours; --plain takes that away."};
inline constexpr std::array<Example, 3> kShellReadExamples{
    {{"pyro workspace shell read fix shell-1 --plain --wait-for-idle-ms 300",
      "What came of the last command"},
     {"pyro workspace shell read fix shell-1 --cursor 4096 --json", "Go on from a cursor"},
     {"pyro workspace shell read fix shell-1 --follow", "Watch it"}}};
inline constexpr std::array kShellReadOptions{
    Param{.name = "cursor",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "0",
          .help = "Where to begin: 0, or what an earlier read gave as next_cursor",
          .min = kCursorRange.low,
          .max = kCursorRange.high},
    Param{.name = "max_chars",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "65536",
          .help = "Read so many characters at most",
          .min = kShellCharsRange.low,
          .max = kShellCharsRange.high},
    Param{.name = "plain",
          .type = ParamType::kFlag,
          .help = "Give lines as a terminal would show them, without control sequences"},
    Param{.name = "wait_for_idle_ms",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "0",
          .help = "Wait first until nothing was printed for so many milliseconds",
          .min = kIdleRange.low,
          .max = kIdleRange.high},
    Param{.name = "wait_timeout_ms",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "30000",
          .help = "But not longer than this",
          .min = kIdleRange.low,
          .max = kIdleRange.high},
    Param{.name = "follow",
          .type = ParamType::kFlag,
          .help = "Go on with what is printed until the shell ends",
          .cli_only = true},
    kJson};

// ---- workspace shell write

inline constexpr std::array<std::string_view, 3> kShellWritePath{"workspace", "shell", "write"};
inline constexpr std::array<std::string_view, 1> kShellWriteText{
    "Types into a shell: the text and, without --no-newline, a newline. It has at most 512 KiB. "
    "What comes of it is for shell read."};
inline constexpr std::array<Example, 2> kShellWriteExamples{
    {{"pyro workspace shell write fix shell-1 --input 'make test'", "Run a command"},
     {"pyro workspace shell write fix shell-1 --input y --no-newline", "Press a key"}}};
inline constexpr std::array kShellWriteOptions{Param{.name = "input",
                                                     .value_name = "TEXT",
                                                     .help = "What to type",
                                                     .required = true,
                                                     .content = true},
                                               Param{.name = "no_newline",
                                                     .type = ParamType::kFlag,
                                                     .help = "Type no newline after it",
                                                     .cli_only = true},
                                               kJson};
inline constexpr std::array kShellWriteLibraryOptions{Param{.name = "append_newline",
                                                            .type = ParamType::kFlag,
                                                            .default_text = "true",
                                                            .help = "Type a newline after it"}};

// ---- workspace shell signal

inline constexpr std::array<std::string_view, 7> kShellSignals{"HUP",  "INT",  "TERM", "KILL",
                                                               "QUIT", "TSTP", "CONT"};
inline constexpr std::array<std::string_view, 3> kShellSignalPath{"workspace", "shell", "signal"};
inline constexpr std::array<std::string_view, 1> kShellSignalText{
    "Sends a signal to what runs in the foreground of a shell, as the keys of a terminal do; HUP "
    "and CONT go to everything that runs in it."};
inline constexpr std::array<Example, 1> kShellSignalExamples{
    {{"pyro workspace shell signal fix shell-1 --signal INT", "As Ctrl-C does"}}};
inline constexpr std::array kShellSignalOptions{Param{.name = "signal",
                                                      .type = ParamType::kChoice,
                                                      .value_name = "SIGNAL",
                                                      .default_text = "INT",
                                                      .help = "Which one",
                                                      .choices = kShellSignals,
                                                      .library_name = "signal_name"},
                                                kJson};

// ---- workspace shell resize, list, close

inline constexpr std::array<std::string_view, 3> kShellResizePath{"workspace", "shell", "resize"};
inline constexpr std::array<std::string_view, 1> kShellResizeText{
    "Gives the terminal of a shell another size; its programs are told by SIGWINCH."};
inline constexpr std::array<Example, 1> kShellResizeExamples{
    {{"pyro workspace shell resize fix shell-1 --cols 200 --rows 50", "A larger one"}}};
inline constexpr std::array kShellResizeOptions{
    Param{.name = "cols",
          .type = ParamType::kInteger,
          .value_name = "N",
          .help = "Columns of its terminal; without it they stay as they are",
          .min = kTerminalRange.low,
          .max = kTerminalRange.high},
    Param{.name = "rows",
          .type = ParamType::kInteger,
          .value_name = "N",
          .help = "Rows of its terminal; without it they stay as they are",
          .min = kTerminalRange.low,
          .max = kTerminalRange.high},
    kJson};

inline constexpr std::array<std::string_view, 3> kShellListPath{"workspace", "shell", "list"};
inline constexpr std::array<std::string_view, 1> kShellListText{
    "Prints one line for each shell of a workspace: those that run, and the last 64 that have "
    "ended "
    "or were closed, until the workspace is reset."};
inline constexpr std::array<Example, 1> kShellListExamples{
    {{"pyro workspace shell list fix", "Which shells are there?"}}};

inline constexpr std::array<std::string_view, 3> kShellClosePath{"workspace", "shell", "close"};
inline constexpr std::array<std::string_view, 1> kShellCloseText{
    "Ends a shell with all that runs in it and forgets what it printed. One that is closed already "
    "stays so."};
inline constexpr std::array<Example, 1> kShellCloseExamples{
    {{"pyro workspace shell close fix shell-1", "It is not needed any more"}}};

// ---- workspace shell attach

inline constexpr std::array<std::string_view, 3> kShellAttachPath{"workspace", "shell", "attach"};
inline constexpr std::array<std::string_view, 4> kShellAttachText{
    "Connects this terminal to a shell; without SHELL_ID it opens one first. Every key goes to the "
    "shell, Ctrl-C and Ctrl-Z too, and its terminal gets the size of this one. Programs that take "
    "the whole screen work.",
    "Ctrl-] detaches, or what --detach-key says: the shell goes on, and anybody may attach to it "
    "again. The exit code is 0 then; otherwise it is that of the shell, once it has ended.",
    "However it ends, this terminal is put back as it was. SIGHUP, SIGINT, SIGQUIT and SIGTERM "
    "from outside detach; SIGTSTP is ignored.",
    "Standard input and standard output must be a terminal; programs use shell read and shell "
    "write."};
inline constexpr std::array<Example, 2> kShellAttachExamples{
    {{"pyro workspace shell attach fix", "Open a shell and work in it"},
     {"pyro workspace shell attach fix shell-1", "Go on in one that is open"}}};
inline constexpr std::array kShellAttachPositionals{
    kWorkspaceParam, Param{.name = "shell_id",
                           .type = ParamType::kShell,
                           .value_name = "SHELL_ID",
                           .help = "Id of a shell; without it a new one is opened",
                           .optional = true}};
inline constexpr std::array kShellAttachOptions{
    kCwd, kSecretEnv,
    Param{
        .name = "detach_key",
        .value_name = "KEY",
        .default_text = "ctrl-]",
        .help = "ctrl- and one of a to z, [, \\, ], ^ and _; or none: every key goes to the shell",
        .cli_only = true}};

// ---- workspace service start

inline constexpr std::array<std::string_view, 3> kRestartChoices{"no", "on-failure", "always"};
inline constexpr std::array<std::string_view, 3> kServiceStartPath{"workspace", "service", "start"};
inline constexpr std::array<std::string_view, 4> kServiceStartText{
    "Runs a command on in a started workspace under a name and returns when it is ready. When it "
    "does not get ready in time, or ends, nothing of it is left running, and the error shows the "
    "last probe and its last lines.",
    "At most one of --ready-file, --ready-tcp, --ready-http and --ready-command says how to find "
    "out; they are tried inside the guest. One try takes 5 s at most, a command 30 s. Without any "
    "it is ready when it runs. A service that has ended may be started again under its name. At "
    "most 64 run in a workspace; those that have ended are forgotten, the oldest first, when there "
    "are more.",
    "What it prints is kept, with times, outside /workspace: pyro workspace service logs. The "
    "value of a secret stands there as [redacted:NAME]. The services of a workspace may print 4 "
    "MiB a second together; beyond that they are slowed down.",
    "Ctrl-C gives the start up and ends the service. The words of the command must follow \"--\"; "
    "for pipes and variables name a shell."};
inline constexpr std::array<Example, 3> kServiceStartExamples{
    {{"pyro workspace service start fix web --ready-http http://127.0.0.1:8080/ -- python3 -m "
      "http.server 8080",
      "Until it answers"},
     {"pyro workspace service start fix db --ready-tcp 5432 --restart on-failure -- ./db.sh",
      "Until its port takes connections; run it again when it fails"},
     {"pyro workspace service start fix worker --ready-file .ready -- ./worker",
      "Until a file is there"}}};
inline constexpr std::array kServiceStartPositionals{
    kWorkspaceParam,
    Param{.name = "service_name",
          .value_name = "NAME",
          .help = "1 to 63 letters, digits, '.', '_' and '-', a letter or digit first"},
    kCommandParam};
inline constexpr std::array kServiceStartOptions{
    kCwd,
    Param{.name = "ready_file",
          .value_name = "PATH",
          .help = "It is ready when this file was written or changed after the start; a relative "
                  "one lies below --cwd",
          .cli_only = true},
    Param{.name = "ready_tcp",
          .value_name = "ADDRESS",
          .help = "It is ready when PORT or HOST:PORT in the guest takes connections",
          .cli_only = true},
    Param{.name = "ready_http",
          .value_name = "URL",
          .help = "It is ready when http://HOST[:PORT][/PATH] in the guest answers with 200 to 399",
          .cli_only = true},
    Param{.name = "ready_command",
          .value_name = "COMMAND",
          .help = "It is ready when /bin/sh -c COMMAND exits with 0",
          .cli_only = true},
    Param{.name = "ready_timeout_seconds",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "30",
          .help = "How long it may take to get ready",
          .min = kReadyTimeoutRange.low,
          .max = kReadyTimeoutRange.high},
    Param{.name = "ready_interval_ms",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "500",
          .help = "Time between two tries",
          .min = kReadyIntervalRange.low,
          .max = kReadyIntervalRange.high},
    kSecretEnv,
    kCommandEnv,
    Param{.name = "restart",
          .type = ParamType::kChoice,
          .value_name = "WHEN",
          .default_text = "no",
          .help = "Run it again when it ends; one that was never ready is not tried again",
          .choices = kRestartChoices},
    Param{.name = "publish",
          .value_name = "PORTS",
          .help = "Publish a port of the guest on 127.0.0.1 of the host: GUEST or HOST:GUEST",
          .repeatable = true,
          .cli_only = true},
    kJson};
inline constexpr std::array<std::string_view, 4> kReadinessTypes{"file", "tcp", "http", "command"};
inline constexpr std::array kReadinessParams{
    Param{.name = "type",
          .type = ParamType::kChoice,
          .value_name = "TYPE",
          .help = "How to find out; the argument that goes with it says what to look at",
          .choices = kReadinessTypes,
          .required = true},
    Param{.name = "path",
          .value_name = "PATH",
          .help = "Of file: ready when it was written or changed after the start; a relative one "
                  "lies below cwd"},
    Param{.name = "address",
          .value_name = "ADDRESS",
          .help = "Of tcp: ready when PORT or HOST:PORT in the guest takes connections"},
    Param{.name = "url",
          .value_name = "URL",
          .help = "Of http: ready when http://HOST[:PORT][/PATH] in the guest answers with 200 to "
                  "399"},
    Param{.name = "command",
          .value_name = "COMMAND",
          .help = "Of command: ready when /bin/sh -c COMMAND exits with 0"}};
inline constexpr std::array kPublishedPortParams{
    Param{.name = "guest_port",
          .type = ParamType::kInteger,
          .value_name = "N",
          .help = "Port in the guest",
          .min = kPortRange.low,
          .max = kPortRange.high,
          .required = true},
    Param{.name = "host_port",
          .type = ParamType::kInteger,
          .value_name = "N",
          .help = "Port of 127.0.0.1 of the host; without it any free one",
          .min = kPortRange.low,
          .max = kPortRange.high}};
inline constexpr std::array kServiceStartLibraryOptions{
    Param{.name = "readiness",
          .type = ParamType::kObject,
          .value_name = "READINESS",
          .help = "How to find out that it can be used; without it, it is ready when it runs",
          .fields = kReadinessParams},
    Param{.name = "published_ports",
          .type = ParamType::kObjectList,
          .value_name = "PORTS",
          .help = "Ports of the guest to publish on 127.0.0.1 of the host, TCP; the network policy "
                  "must be egress+published-ports",
          .fields = kPublishedPortParams}};

// ---- workspace service list, status

inline constexpr std::array<std::string_view, 3> kServiceListPath{"workspace", "service", "list"};
inline constexpr std::array<std::string_view, 1> kServiceListText{
    "Prints how many services there are, and one line for each."};
inline constexpr std::array<Example, 1> kServiceListExamples{
    {{"pyro workspace service list fix", "Which services are there?"}}};

inline constexpr std::array<std::string_view, 3> kServiceStatusPath{"workspace", "service",
                                                                    "status"};
inline constexpr std::array<std::string_view, 1> kServiceStatusText{
    "Prints whether a service runs, since when, what it is and, if it does not run, why."};
inline constexpr std::array<Example, 1> kServiceStatusExamples{
    {{"pyro workspace service status fix web", "Is it up?"}}};

// ---- workspace service logs

inline constexpr std::array<std::string_view, 3> kServiceLogsPath{"workspace", "service", "logs"};
inline constexpr std::array<std::string_view, 3> kServiceLogsText{
    "Writes what a service printed: its standard output to standard output and its standard error "
    "to standard error, as they are. A header and remarks of pyro, which begin with [pyro], go to "
    "standard error.",
    "The log of a service is bounded; of a long one only the newer part is kept. It begins anew "
    "with service start. Where a follower is too slow for what is kept, a remark says how much it "
    "missed.",
    "--follow goes on until the service ends, or until Ctrl-C, which leaves the service as it is. "
    "With --json it prints one object a line: the entries, and the service itself at the end."};
inline constexpr std::array<Example, 2> kServiceLogsExamples{
    {{"pyro workspace service logs fix web --tail-lines 20", "Its last lines"},
     {"pyro workspace service logs fix web --follow --timestamps", "Watch it"}}};
inline constexpr std::array kServiceLogsOptions{
    Param{.name = "tail_lines",
          .type = ParamType::kInteger,
          .value_name = "N",
          .default_text = "200",
          .help = "Begin so many lines of its output before the end",
          .min = kTailLinesRange.low,
          .max = kTailLinesRange.high},
    Param{.name = "all", .type = ParamType::kFlag, .help = "Give all that is kept"},
    Param{.name = "follow",
          .type = ParamType::kFlag,
          .help = "Go on with what is printed until the service ends",
          .cli_only = true},
    Param{.name = "timestamps",
          .type = ParamType::kFlag,
          .help = "Begin each line with its time (UTC)",
          .cli_only = true},
    kJson};

// ---- workspace service stop, restart

inline constexpr std::array<std::string_view, 3> kServiceStopPath{"workspace", "service", "stop"};
inline constexpr std::array<std::string_view, 1> kServiceStopText{
    "Sends SIGTERM to all of a service, and SIGKILL to what is left after the timeout. One that "
    "does not run stays as it is."};
inline constexpr std::array<Example, 1> kServiceStopExamples{
    {{"pyro workspace service stop fix web", "End it"}}};
inline constexpr std::array kServiceStopOptions{kStopTimeout, kJson};

inline constexpr std::array<std::string_view, 3> kServiceRestartPath{"workspace", "service",
                                                                     "restart"};
inline constexpr std::array<std::string_view, 1> kServiceRestartText{
    "Stops a service if it runs and starts it as it was started, with the same command, readiness "
    "and ports; returns when it is ready."};
inline constexpr std::array<Example, 1> kServiceRestartExamples{
    {{"pyro workspace service restart fix web", "After a change of its code"}}};

}  // namespace pyro::proto
