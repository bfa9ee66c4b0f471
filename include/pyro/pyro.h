/* pyro for C, and for whatever can call C.
 *
 * Every function returns a status; what it gives comes through pointers. The last parameter of most
 * is `error`: NULL, or where a description of the failure is put, which pyro_error_free() frees; it
 * is set to NULL where there is none. Results are objects with the fields that `pyro ... --json`
 * has (docs/reference/cli.md), as JSON text or field by field; `result` may be NULL where nobody
 * wants it. Nothing throws.
 *
 * Texts are UTF-8 and end with a NUL; a list of texts (const char* const*) ends with NULL and may
 * be NULL instead of empty. Nothing that is passed in is kept after the call. A required pointer
 * that is NULL, and a handle that was freed before, are PYRO_INVALID.
 *
 * Threads: calls block. Any number of threads may use one pyro_client at once, and a call that is
 * under way when the client is closed goes on to its end. A pyro_result, pyro_error or
 * pyro_policy_builder is used by one thread at a time. Callbacks come on the thread of the call.
 * pyro_cancel_now() may be called by any thread. A child made by fork()
 * opens a client of its own: those of its parent are PYRO_CONFLICT there.
 *
 * Helper programs are started: a program that uses pyro must not ignore SIGCHLD or wait for
 * children that are not its own. They are looked for beside the library, and in PYRO_LIBEXEC.
 */
#ifndef PYRO_H
#define PYRO_H

#include <stddef.h>
#include <stdint.h>

#include "pyro/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers do not change; pyro_status_name() gives the names that JSON has. */
typedef enum pyro_status {
  PYRO_OK = 0,
  PYRO_INVALID = 1,     /* the request is wrong: fix it */
  PYRO_NOT_FOUND = 2,   /* the named thing does not exist */
  PYRO_DENIED = 3,      /* not permitted */
  PYRO_UNAVAILABLE = 4, /* the host or the guest cannot do it now */
  PYRO_DEADLINE = 5,    /* it took too long */
  PYRO_LIMIT = 6,       /* a stated bound was reached */
  PYRO_CONFLICT = 7,    /* the thing is in a state that does not allow it */
  PYRO_DAMAGED = 8,     /* stored data does not match its record */
  PYRO_INTERNAL = 9     /* a bug in pyro */
} pyro_status;

typedef struct pyro_client pyro_client;
typedef struct pyro_result pyro_result;
typedef struct pyro_error pyro_error;
typedef struct pyro_cancel pyro_cancel;
typedef struct pyro_policy_builder pyro_policy_builder;

/* "ok", "not_found", ...; "internal" for a number that is none. */
PYRO_API const char* pyro_status_name(pyro_status status);
/* Of the library that runs, for example "0.1.0". */
PYRO_API const char* pyro_version(void);
/* Frees what a function gave as char*. NULL is fine. */
PYRO_API void pyro_free(void* memory);

/* ---- errors */

/* Texts live as long as the error. The hint, a next step for a person, may be empty. */
PYRO_API pyro_status pyro_error_status(const pyro_error* error);
PYRO_API const char* pyro_error_message(const pyro_error* error);
PYRO_API const char* pyro_error_hint(const pyro_error* error);
/* Of a rule of a network policy: the character that is wrong, from 1; otherwise 0. */
PYRO_API size_t pyro_error_position(const pyro_error* error);
PYRO_API void pyro_error_free(pyro_error* error);

/* ---- results */

/* All of it, as one JSON object; lives as long as the result. NULL: there is no such result. */
PYRO_API const char* pyro_result_json(pyro_result* result);
/* One field, by its JSON pointer (RFC 6901): "/exit_code", "/published_ports/0/host_port".
 * PYRO_NOT_FOUND: there is none, or it is null. PYRO_INVALID: it is of another type. */
PYRO_API pyro_status pyro_result_integer(const pyro_result* result, const char* pointer,
                                         int64_t* value);
PYRO_API pyro_status pyro_result_number(const pyro_result* result, const char* pointer,
                                        double* value);
PYRO_API pyro_status pyro_result_boolean(const pyro_result* result, const char* pointer,
                                         int* value);
/* How many elements a list, or fields an object, has. */
PYRO_API pyro_status pyro_result_count(const pyro_result* result, const char* pointer,
                                       size_t* count);
/* A text, which lives as long as the result and may have NUL inside; `length` may be NULL. NULL:
 * there is none. */
PYRO_API const char* pyro_result_text(const pyro_result* result, const char* pointer,
                                      size_t* length);
PYRO_API void pyro_result_free(pyro_result* result);

/* ---- clients */

/* `variables`: "NAME=VALUE", before those of the process; "NAME=" is one that is not set.
 * docs/reference/cli.md names those that pyro reads. */
PYRO_API pyro_status pyro_open(const char* const* variables, pyro_client** client,
                               pyro_error** error);
PYRO_API void pyro_close(pyro_client* client);

/* Ends the calls that it was given to, from outside, also before they begin. */
PYRO_API pyro_status pyro_cancel_new(pyro_cancel** cancel, pyro_error** error);
/* A command in the guest gets SIGINT, and two seconds later SIGTERM and SIGKILL; its result comes
 * all the same. Any other call is given up. A pull of an environment goes on to its end. */
PYRO_API void pyro_cancel_now(pyro_cancel* cancel);
PYRO_API void pyro_cancel_free(pyro_cancel* cancel);

/* What a call shows while it is under way. All zero: nothing. */
typedef struct pyro_callbacks {
  void* user; /* passed to all of them */
  /* Output of a command in the guest as it comes, byte for byte; it may block, which stops the
   * guest's writes in turn. Not 0: end the call. */
  int (*on_stdout)(void* user, const char* bytes, size_t length);
  int (*on_stderr)(void* user, const char* bytes, size_t length);
  /* phase: pull, queue, template, create, seed, start, execute, ...; detail is for people.
   * fraction: 0 to 1, or negative where it is not known. */
  void (*on_progress)(void* user, const char* phase, const char* detail, double fraction);
  void (*on_warning)(void* user, const char* warning);
  pyro_cancel* cancel; /* or NULL */
  const int* stdin_fd; /* of a command; read to its end and not closed. NULL: none */
} pyro_callbacks;

/* Any operation by its name in docs/reference/operations.md or its method ("run", "run_in_vm",
 * "workspace.status"), with its parameters as a JSON object; NULL: none. */
PYRO_API pyro_status pyro_call(pyro_client* client, const char* operation,
                               const char* arguments_json, const pyro_callbacks* callbacks,
                               pyro_result** result, pyro_error** error);

/* ---- network policies */

/* A policy is built rule by rule; a rule that is none is refused at once, pyro_error_position()
 * says where in it. Copied when a sandbox is made of it. */
PYRO_API pyro_status pyro_policy_builder_new(pyro_policy_builder** builder, pyro_error** error);
/* off, egress, egress+published-ports. Without: egress where there is a rule, else off. */
PYRO_API pyro_status pyro_policy_builder_policy(pyro_policy_builder* builder, const char* policy,
                                                pyro_error** error);
PYRO_API pyro_status pyro_policy_builder_net_allow(pyro_policy_builder* builder, const char* rule,
                                                   pyro_error** error);
PYRO_API pyro_status pyro_policy_builder_net_deny(pyro_policy_builder* builder, const char* rule,
                                                  pyro_error** error);
/* Allow rules without a scheme are about UDP, or echo, too. */
PYRO_API pyro_status pyro_policy_builder_allow_udp(pyro_policy_builder* builder, int allowed,
                                                   pyro_error** error);
PYRO_API pyro_status pyro_policy_builder_allow_icmp(pyro_policy_builder* builder, int allowed,
                                                    pyro_error** error);
/* Whether its parts go together, and the whole as it is shown: policy, allow, deny, allow_udp,
 * allow_icmp, hash, warnings. */
PYRO_API pyro_status pyro_policy_builder_check(const pyro_policy_builder* builder,
                                               pyro_result** result, pyro_error** error);
PYRO_API void pyro_policy_builder_free(pyro_policy_builder* builder);

/* ---- one command in a microVM that is gone afterwards */

/* In all options: 0 and NULL mean the default. One of argv (words, no shell) and command (for
 * /bin/sh -c) is given. */
typedef struct pyro_run_options {
  const char* environment; /* required: "debian:12" */
  const char* const* argv;
  const char* command;
  int vcpu_count;      /* 1 */
  int mem_mib;         /* 1024 */
  int timeout_seconds; /* 30 */
  int ttl_seconds;     /* 600 */
  const pyro_policy_builder* policy;
  int allow_host_compat; /* no weaker backend exists yet: it is a microVM all the same */
} pyro_run_options;
PYRO_API pyro_status pyro_run(pyro_client* client, const pyro_run_options* options,
                              const pyro_callbacks* callbacks, pyro_result** result,
                              pyro_error** error);

/* ---- workspaces: microVMs that stay. `workspace` is an id or a name */

typedef struct pyro_workspace_options {
  const char* environment; /* required */
  int vcpu_count;          /* 1 */
  int mem_mib;             /* 1024 */
  int ttl_seconds;         /* 0: no end */
  const char* ttl_action;  /* stop, delete */
  const pyro_policy_builder* policy;
  const char* seed_path; /* a folder or an archive of the host */
  int git_tracked;       /* of the seed, only what git tracks */
  const char* name;
  const char* const* env;          /* "NAME=VALUE", of every command */
  const char* const* labels;       /* "NAME=VALUE" */
  const char* const* secrets;      /* "NAME=VALUE" */
  const char* const* secret_files; /* "NAME=PATH" */
  int allow_host_compat;           /* no weaker backend exists yet: it is a microVM all the same */
} pyro_workspace_options;
typedef struct pyro_exec_options {
  const char* const* argv;
  const char* command;
  int timeout_seconds;           /* 30 */
  const char* cwd;               /* "/workspace" */
  const char* const* env;        /* "NAME=VALUE" */
  const char* const* secret_env; /* "SECRET=VARIABLE", or "SECRET" for a variable of that name */
} pyro_exec_options;

PYRO_API pyro_status pyro_workspace_create(pyro_client* client,
                                           const pyro_workspace_options* options,
                                           const pyro_callbacks* callbacks, pyro_result** result,
                                           pyro_error** error);
PYRO_API pyro_status pyro_workspace_exec(pyro_client* client, const char* workspace,
                                         const pyro_exec_options* options,
                                         const pyro_callbacks* callbacks, pyro_result** result,
                                         pyro_error** error);
PYRO_API pyro_status pyro_workspace_list(pyro_client* client, pyro_result** result,
                                         pyro_error** error);
PYRO_API pyro_status pyro_workspace_status(pyro_client* client, const char* workspace,
                                           pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_workspace_start(pyro_client* client, const char* workspace,
                                          const pyro_callbacks* callbacks, pyro_result** result,
                                          pyro_error** error);
PYRO_API pyro_status pyro_workspace_stop(pyro_client* client, const char* workspace,
                                         pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_workspace_delete(pyro_client* client, const char* workspace,
                                           pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_workspace_diff(pyro_client* client, const char* workspace,
                                         pyro_result** result, pyro_error** error);
/* snapshot: a name, or NULL for the baseline. */
PYRO_API pyro_status pyro_workspace_reset(pyro_client* client, const char* workspace,
                                          const char* snapshot, const pyro_callbacks* callbacks,
                                          pyro_result** result, pyro_error** error);
/* dest: below /workspace, or NULL for /workspace itself. */
PYRO_API pyro_status pyro_workspace_sync_push(pyro_client* client, const char* workspace,
                                              const char* source_path, const char* dest,
                                              const pyro_callbacks* callbacks, pyro_result** result,
                                              pyro_error** error);
PYRO_API pyro_status pyro_workspace_export(pyro_client* client, const char* workspace,
                                           const char* path, const char* output_path,
                                           const pyro_callbacks* callbacks, pyro_result** result,
                                           pyro_error** error);
PYRO_API pyro_status pyro_snapshot_create(pyro_client* client, const char* workspace,
                                          const char* name, pyro_result** result,
                                          pyro_error** error);
PYRO_API pyro_status pyro_snapshot_list(pyro_client* client, const char* workspace,
                                        pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_snapshot_delete(pyro_client* client, const char* workspace,
                                          const char* name, pyro_result** result,
                                          pyro_error** error);
/* A file of a workspace, byte for byte. `bytes` is freed with pyro_free() and has a NUL after
 * `length` of them. PYRO_LIMIT: it has more than max_bytes (0: 64 MiB). */
PYRO_API pyro_status pyro_file_read(pyro_client* client, const char* workspace, const char* path,
                                    size_t max_bytes, char** bytes, size_t* length,
                                    pyro_error** error);
/* mode: permission bits; 0: 0644. Parents are made. */
PYRO_API pyro_status pyro_file_write(pyro_client* client, const char* workspace, const char* path,
                                     const char* bytes, size_t length, int mode,
                                     pyro_error** error);

/* ---- services: named programs that run on in a workspace */

typedef struct pyro_service_options {
  const char* const* argv;
  const char* command;
  const char* cwd;
  /* One of: a file that appears, "PORT" or "HOST:PORT" that takes connections, a URL that answers,
   * a command that exits with 0. */
  const char* ready_file;
  const char* ready_tcp;
  const char* ready_http;
  const char* ready_command;
  int ready_timeout_seconds; /* 30 */
  int ready_interval_ms;     /* 500 */
  const char* const* env;
  const char* const* secret_env;
  const char* const* publish; /* "GUEST_PORT" or "HOST_PORT:GUEST_PORT" */
  const char* restart;        /* no, on-failure, always */
} pyro_service_options;
/* Returns when the service is ready. */
PYRO_API pyro_status pyro_service_start(pyro_client* client, const char* workspace,
                                        const char* name, const pyro_service_options* options,
                                        const pyro_callbacks* callbacks, pyro_result** result,
                                        pyro_error** error);
PYRO_API pyro_status pyro_service_list(pyro_client* client, const char* workspace,
                                       pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_service_status(pyro_client* client, const char* workspace,
                                         const char* name, pyro_result** result,
                                         pyro_error** error);
/* tail_lines: 0: 200; negative: all that is kept. */
PYRO_API pyro_status pyro_service_logs(pyro_client* client, const char* workspace, const char* name,
                                       int tail_lines, pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_service_stop(pyro_client* client, const char* workspace, const char* name,
                                       pyro_result** result, pyro_error** error);

/* ---- shells: programs on a terminal in a workspace */

typedef struct pyro_shell_options {
  const char* cwd;
  int cols; /* 120 */
  int rows; /* 30 */
  const char* const* secret_env;
} pyro_shell_options;
typedef struct pyro_shell_read_options {
  int64_t cursor;       /* 0, or next_cursor of an earlier read */
  int64_t max_chars;    /* 65536 */
  int plain;            /* as a terminal would show it, without control sequences */
  int wait_for_idle_ms; /* first wait until nothing was printed for so long */
  int wait_timeout_ms;  /* but not longer; 30000 */
} pyro_shell_read_options;
/* options: may be NULL. The result has shell_id. */
PYRO_API pyro_status pyro_shell_open(pyro_client* client, const char* workspace,
                                     const pyro_shell_options* options, pyro_result** result,
                                     pyro_error** error);
PYRO_API pyro_status pyro_shell_read(pyro_client* client, const char* workspace, const char* shell,
                                     const pyro_shell_read_options* options, pyro_result** result,
                                     pyro_error** error);
/* newline: not 0: one after the input. */
PYRO_API pyro_status pyro_shell_write(pyro_client* client, const char* workspace, const char* shell,
                                      const char* input, int newline, pyro_result** result,
                                      pyro_error** error);
/* HUP, INT, TERM, KILL, QUIT, TSTP, CONT. */
PYRO_API pyro_status pyro_shell_signal(pyro_client* client, const char* workspace,
                                       const char* shell, const char* signal_name,
                                       pyro_result** result, pyro_error** error);
PYRO_API pyro_status pyro_shell_close(pyro_client* client, const char* workspace, const char* shell,
                                      pyro_result** result, pyro_error** error);

#ifdef __cplusplus
}
#endif

#endif
