/* A service in a workspace: started, known to be ready, and used from the host through a port. */
#include <arpa/inet.h>
#include <pyro/pyro.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char server[] =
    "use IO::Socket::INET;\n"
    "my $listener = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die "
    "$!;\n"
    "while (my $client = $listener->accept) {\n"
    "  while (<$client>) { last if /^\\r?$/ }\n"
    "  print $client \"HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nready\\n\";\n"
    "}\n";

/* What a program of the host gets from the port; empty: nothing. */
static void get(int port, char* answer, size_t size) {
  static const char request[] = "GET / HTTP/1.0\r\n\r\n";
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  size_t length = 0;
  if (connect(fd, (const struct sockaddr*)&address, sizeof address) == 0 &&
      send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0) {
    for (ssize_t n = 0; (n = recv(fd, answer + length, size - 1 - length, 0)) > 0;)
      length += (size_t)n;
  }
  answer[length] = '\0';
  close(fd);
}

static pyro_status serve(pyro_client* client, const char* id, pyro_error** error) {
  pyro_status status =
      pyro_file_write(client, id, "server.pl", server, sizeof server - 1, 0, error);
  if (status != PYRO_OK) return status;

  const char* argv[] = {"perl", "server.pl", NULL};
  const char* publish[] = {"8080", NULL}; /* on any free port of 127.0.0.1 */
  const pyro_service_options options = {
      .argv = argv, .ready_http = "http://localhost:8080/", .publish = publish};
  pyro_result* service = NULL;
  status = pyro_service_start(client, id, "web", &options, NULL, &service, error);
  if (status != PYRO_OK) return status;

  int64_t port = 0;
  pyro_result_integer(service, "/published_ports/0/host_port", &port);
  char answer[1024];
  get((int)port, answer, sizeof answer);
  const char* body = strstr(answer, "\r\n\r\n");
  printf("the service is %s, and answers: %s", pyro_result_text(service, "/state", NULL),
         body != NULL ? body + 4 : "nothing\n");
  pyro_result_free(service);
  return pyro_service_stop(client, id, "web", NULL, error);
}

int main(void) {
  pyro_error* error = NULL;
  pyro_client* client = NULL;
  pyro_policy_builder* policy = NULL;
  pyro_result* created = NULL;
  pyro_status status = pyro_open(NULL, &client, &error);
  if (status == PYRO_OK) status = pyro_policy_builder_new(&policy, &error);
  if (status == PYRO_OK)
    status = pyro_policy_builder_policy(policy, "egress+published-ports", &error);
  if (status == PYRO_OK) {
    const pyro_workspace_options options = {
        .environment = "debian:12", .mem_mib = 256, .policy = policy};
    status = pyro_workspace_create(client, &options, NULL, &created, &error);
  }
  if (status == PYRO_OK) {
    const char* id = pyro_result_text(created, "/workspace_id", NULL);
    status = serve(client, id, &error);
    const pyro_status deleted = pyro_workspace_delete(client, id, NULL, error ? NULL : &error);
    if (status == PYRO_OK) status = deleted;
  }
  if (status != PYRO_OK)
    fprintf(stderr, "%s: %s\n%s\n", pyro_status_name(status), pyro_error_message(error),
            pyro_error_hint(error));
  pyro_error_free(error);
  pyro_result_free(created);
  pyro_policy_builder_free(policy);
  pyro_close(client);
  return status == PYRO_OK ? 0 : 1;
}
