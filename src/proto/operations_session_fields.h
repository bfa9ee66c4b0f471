// What the JSON objects of shells and services hold. Constant data for the table of operations
// alone.
#pragma once

#include <array>

#include "proto/operations_workspace_fields.h"

namespace pyro::proto {

// ---- a shell

inline constexpr std::array<Field, 11> kShellFields{{
    {.name = "cols", .type = FieldType::kInteger, .doc = "Columns of its terminal"},
    {.name = "cwd", .doc = "Where it was opened"},
    {.name = "end_reason",
     .doc =
         "exited, closed, workspace_stopped, machine_lost or supervisor_lost; null while it runs",
     .nullable = true},
    {.name = "ended_at",
     .type = FieldType::kNumber,
     .doc = "Seconds since the epoch; null while it runs",
     .nullable = true},
    kExecutionModeField,
    {.name = "exit_code",
     .type = FieldType::kInteger,
     .doc = "Of its program; 128+n for signal n; null while it runs, and when nobody saw it end",
     .nullable = true},
    {.name = "rows", .type = FieldType::kInteger, .doc = "Rows of its terminal"},
    {.name = "shell_id", .doc = "shell-1, shell-2, ..."},
    {.name = "started_at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "state", .doc = "running or stopped"},
    kWorkspaceIdField,
}};

inline constexpr std::array<Field, 7> kShellOutputFields{{
    {.name = "cursor", .type = FieldType::kInteger, .doc = "Where output begins"},
    {.name = "idle",
     .type = FieldType::kBoolean,
     .doc = "Whether nothing was printed for wait_for_idle_ms; false without it"},
    {.name = "missed_bytes",
     .type = FieldType::kInteger,
     .doc = "Printed after the cursor asked for, and not kept any more"},
    {.name = "next_cursor", .type = FieldType::kInteger, .doc = "The cursor of the next read"},
    {.name = "output", .doc = "As UTF-8, U+FFFD for what is not; secrets redacted"},
    {.name = "output_base64",
     .doc = "Its exact bytes; only when output is not exact",
     .optional = true},
    {.name = "truncated",
     .type = FieldType::kBoolean,
     .doc = "Whether there is more to read at once"},
}};
inline constexpr auto kShellReadFields = sorted_fields(kShellFields, kShellOutputFields);

inline constexpr std::array<Field, 2> kShellInputFields{{
    {.name = "append_newline", .type = FieldType::kBoolean, .doc = "As asked for"},
    {.name = "input_length",
     .type = FieldType::kInteger,
     .doc = "Bytes that were written, with the newline"},
}};
inline constexpr auto kShellWriteFields = sorted_fields(kShellFields, kShellInputFields);
inline constexpr std::array<Field, 1> kSignalField{{{.name = "signal", .doc = "What was sent"}}};
inline constexpr auto kShellSignalFields = sorted_fields(kShellFields, kSignalField);
inline constexpr std::array<Field, 1> kClosedField{
    {{.name = "closed", .type = FieldType::kBoolean, .doc = "Whether it is closed"}}};
inline constexpr auto kShellCloseFields = sorted_fields(kShellFields, kClosedField);

inline constexpr std::array<Field, 4> kShellListFields{{
    {.name = "count", .type = FieldType::kInteger, .doc = "How many there are"},
    {.name = "running_count", .type = FieldType::kInteger, .doc = "How many of them run"},
    {.name = "shells",
     .type = FieldType::kObjectList,
     .doc = "The oldest first",
     .fields = kShellFields},
    kWorkspaceIdField,
}};

// ---- a service

inline constexpr std::array<Field, 5> kReadinessFields{{
    {.name = "address", .doc = "Of tcp: HOST:PORT in the guest", .optional = true},
    {.name = "command", .doc = "Of command: for /bin/sh -c", .optional = true},
    {.name = "path", .doc = "Of file: absolute", .optional = true},
    {.name = "type", .doc = "file, tcp, http or command"},
    {.name = "url", .doc = "Of http", .optional = true},
}};
inline constexpr std::array<Field, 4> kPublishedFields{{
    {.name = "guest_port", .type = FieldType::kInteger, .doc = "Port in the guest"},
    {.name = "host", .doc = "Always 127.0.0.1"},
    {.name = "host_port",
     .type = FieldType::kInteger,
     .doc = "Port of the host; null while it is not known",
     .nullable = true},
    {.name = "protocol", .doc = "Always tcp"},
}};
inline constexpr std::array<Field, 17> kServiceFields{{
    {.name = "command", .doc = "The command, quoted for a shell"},
    {.name = "cwd", .doc = "Where it runs"},
    {.name = "ended_at",
     .type = FieldType::kNumber,
     .doc = "Seconds since the epoch; null while it runs",
     .nullable = true},
    kExecutionModeField,
    {.name = "exit_code",
     .type = FieldType::kInteger,
     .doc = "128+n for signal n; null while it runs, and when nobody saw it end",
     .nullable = true},
    {.name = "last_error", .doc = "What failed last", .nullable = true},
    {.name = "pid", .type = FieldType::kInteger, .doc = "In the guest", .nullable = true},
    {.name = "published_ports",
     .type = FieldType::kObjectList,
     .doc = "In the order given",
     .fields = kPublishedFields},
    {.name = "readiness",
     .type = FieldType::kObject,
     .doc = "How one finds out that it can be used; null: it is ready when it runs",
     .nullable = true,
     .fields = kReadinessFields},
    {.name = "ready_at",
     .type = FieldType::kNumber,
     .doc = "Seconds since the epoch; null until it is ready",
     .nullable = true},
    {.name = "restart", .doc = "no, on-failure or always"},
    {.name = "restart_count", .type = FieldType::kInteger, .doc = "How often it was run again"},
    {.name = "service_name", .doc = "Its name"},
    {.name = "started_at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "state", .doc = "starting, running, stopped, exited or failed"},
    {.name = "stop_reason",
     .doc = "Why it does not run: sigterm, sigkill, stopped, exited, not_started, "
            "exited_before_ready, readiness_timeout, not_ended, workspace_stopped, machine_lost or "
            "supervisor_lost",
     .nullable = true},
    kWorkspaceIdField,
}};

inline constexpr std::array<Field, 4> kServiceListFields{{
    {.name = "count", .type = FieldType::kInteger, .doc = "How many there are"},
    {.name = "running_count",
     .type = FieldType::kInteger,
     .doc = "How many of them are running or starting"},
    {.name = "services",
     .type = FieldType::kObjectList,
     .doc = "In the order of their names",
     .fields = kServiceFields},
    kWorkspaceIdField,
}};

inline constexpr std::array<Field, 4> kServiceEntryFields{{
    {.name = "at", .type = FieldType::kNumber, .doc = "Seconds since the epoch"},
    {.name = "stream", .doc = "stdout, stderr, or pyro for a remark of pyro's own"},
    {.name = "text", .doc = "As UTF-8; may begin and end within a line"},
    {.name = "text_base64",
     .doc = "Its exact bytes; only when text is not exact",
     .optional = true},
}};
inline constexpr std::array<Field, 6> kServiceOutputFields{{
    {.name = "entries",
     .type = FieldType::kObjectList,
     .doc = "The oldest first",
     .fields = kServiceEntryFields},
    {.name = "stderr", .doc = "All of that stream in one, as UTF-8"},
    {.name = "stderr_base64",
     .doc = "Its exact bytes; only when stderr is not exact",
     .optional = true},
    {.name = "stdout", .doc = "All of that stream in one, as UTF-8"},
    {.name = "stdout_base64",
     .doc = "Its exact bytes; only when stdout is not exact",
     .optional = true},
    {.name = "truncated",
     .type = FieldType::kBoolean,
     .doc = "Whether there was more, which is not kept or was not asked for"},
}};
inline constexpr auto kServiceLogFields = sorted_fields(kServiceFields, kServiceOutputFields);

}  // namespace pyro::proto
