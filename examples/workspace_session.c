/* A workspace: files in, commands, what they changed, a shell, back to a snapshot, and gone. */
#include <pyro/pyro.h>
#include <stdio.h>
#include <string.h>

/* The first error ends the session. */
static pyro_status session(pyro_client* client, const char* id, pyro_error** error) {
  static const char script[] = "echo hello $1\n";
  pyro_result* result = NULL;
  pyro_status status = pyro_file_write(client, id, "hello.sh", script, sizeof script - 1, 0, error);
  if (status == PYRO_OK) status = pyro_snapshot_create(client, id, "before", NULL, error);
  if (status != PYRO_OK) return status;

  const pyro_exec_options exec = {.command = "sh hello.sh world | tee greeting"};
  status = pyro_workspace_exec(client, id, &exec, NULL, &result, error);
  if (status != PYRO_OK) return status;
  int64_t exit_code = 0;
  pyro_result_integer(result, "/exit_code", &exit_code);
  printf("exit code %d: %s", (int)exit_code, pyro_result_text(result, "/stdout", NULL));
  pyro_result_free(result);

  status = pyro_workspace_diff(client, id, &result, error);
  if (status != PYRO_OK) return status;
  size_t count = 0;
  pyro_result_count(result, "/entries", &count);
  for (size_t i = 0; i < count; ++i) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/entries/%zu/status", i);
    printf("%s ", pyro_result_text(result, pointer, NULL));
    snprintf(pointer, sizeof pointer, "/entries/%zu/path", i);
    printf("%s\n", pyro_result_text(result, pointer, NULL));
  }
  pyro_result_free(result);

  status = pyro_shell_open(client, id, NULL, &result, error);
  if (status != PYRO_OK) return status;
  char shell[32];
  snprintf(shell, sizeof shell, "%s", pyro_result_text(result, "/shell_id", NULL));
  pyro_result_free(result);
  status = pyro_shell_write(client, id, shell, "sh hello.sh shell", 1, NULL, error);
  if (status != PYRO_OK) return status;
  const pyro_shell_read_options read = {.plain = 1, .wait_for_idle_ms = 2000};
  status = pyro_shell_read(client, id, shell, &read, &result, error);
  if (status != PYRO_OK) return status;
  printf("the shell says hello: %s\n",
         strstr(pyro_result_text(result, "/output", NULL), "hello shell") != NULL ? "yes" : "no");
  pyro_result_free(result);
  status = pyro_shell_close(client, id, shell, NULL, error);
  if (status == PYRO_OK) status = pyro_workspace_reset(client, id, "before", NULL, NULL, error);
  if (status != PYRO_OK) return status;

  /* Any operation, by its name. */
  char arguments[128];
  snprintf(arguments, sizeof arguments, "{\"workspace_id\": \"%s\", \"path\": \"/workspace\"}", id);
  status = pyro_call(client, "workspace.file.list", arguments, NULL, &result, error);
  if (status != PYRO_OK) return status;
  pyro_result_count(result, "/entries", &count);
  printf("after the reset there are %zu files\n", count);
  pyro_result_free(result);
  return PYRO_OK;
}

int main(void) {
  pyro_error* error = NULL;
  pyro_client* client = NULL;
  pyro_result* created = NULL;
  const pyro_workspace_options options = {.environment = "debian:12", .mem_mib = 256};
  pyro_status status = pyro_open(NULL, &client, &error);
  if (status == PYRO_OK) status = pyro_workspace_create(client, &options, NULL, &created, &error);
  if (status == PYRO_OK) {
    const char* id = pyro_result_text(created, "/workspace_id", NULL);
    status = session(client, id, &error);
    const pyro_status deleted = pyro_workspace_delete(client, id, NULL, error ? NULL : &error);
    if (status == PYRO_OK) status = deleted;
  }
  if (status != PYRO_OK)
    fprintf(stderr, "%s: %s\n", pyro_status_name(status), pyro_error_message(error));
  pyro_error_free(error);
  pyro_result_free(created);
  pyro_close(client);
  return status == PYRO_OK ? 0 : 1;
}
