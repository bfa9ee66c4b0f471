/* One command in a microVM that is gone afterwards; its output as it comes. */
#include <pyro/pyro.h>
#include <stdio.h>

static int to_stdout(void* user, const char* bytes, size_t length) {
  (void)user;
  return fwrite(bytes, 1, length, stdout) == length ? 0 : 1;
}

static int to_stderr(void* user, const char* bytes, size_t length) {
  (void)user;
  return fwrite(bytes, 1, length, stderr) == length ? 0 : 1;
}

/* Says what failed, and frees it. */
static int failed(pyro_error* error) {
  fprintf(stderr, "%s: %s\n%s\n", pyro_status_name(pyro_error_status(error)),
          pyro_error_message(error), pyro_error_hint(error));
  pyro_error_free(error);
  return 1;
}

int main(void) {
  pyro_error* error = NULL;
  pyro_client* client = NULL;
  if (pyro_open(NULL, &client, &error) != PYRO_OK) return failed(error);

  /* That name, that port, and nothing else. A rule that is none is refused here. */
  pyro_policy_builder* policy = NULL;
  if (pyro_policy_builder_new(&policy, &error) != PYRO_OK ||
      pyro_policy_builder_net_allow(policy, "deb.debian.org:80", &error) != PYRO_OK) {
    pyro_policy_builder_free(policy);
    pyro_close(client);
    return failed(error);
  }

  const char* argv[] = {"sh", "-c", "uname -s; echo to stderr >&2; exit 3", NULL};
  const pyro_run_options options = {.environment = "debian:12", .argv = argv, .policy = policy};
  const pyro_callbacks callbacks = {.on_stdout = to_stdout, .on_stderr = to_stderr};
  pyro_result* result = NULL;
  const pyro_status status = pyro_run(client, &options, &callbacks, &result, &error);
  pyro_policy_builder_free(policy);
  pyro_close(client);
  if (status != PYRO_OK) return failed(error);

  int64_t exit_code = 0;
  pyro_result_integer(result, "/exit_code", &exit_code);
  printf("exit code %d in %s\n", (int)exit_code, pyro_result_text(result, "/vm_id", NULL));
  pyro_result_free(result);
  return 0;
}
