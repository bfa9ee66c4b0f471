// A service in a workspace: started, known to be ready, and used from the host through a port.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <pyro/pyro.hpp>
#include <string>

namespace {

constexpr const char* kServer = R"(use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die $!;
while (my $client = $listener->accept) {
  while (<$client>) { last if /^\r?$/ }
  print $client "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nready\n";
}
)";

// What a program of the host gets from the port; empty: nothing.
std::string get(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = "GET / HTTP/1.0\r\n\r\n";
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char buffer[4096];
    for (ssize_t n = 0; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<std::size_t>(n));
  }
  close(fd);
  return answer;
}

pyro::Result<void> serve(pyro::Workspaces& workspaces, const std::string& id) {
  pyro::FileWriteOptions file;
  file.path = "server.pl";
  file.content = kServer;
  auto written = workspaces.write_file(id, file);
  if (!written) return std::unexpected(written.error());

  pyro::ServiceOptions options;
  options.argv = {"perl", "server.pl"};
  options.readiness.emplace();
  options.readiness->type = "http";
  options.readiness->url = "http://localhost:8080/";
  options.published_ports.emplace_back().guest_port = 8080;  // on any free port of 127.0.0.1
  auto service = workspaces.services().start(id, "web", options, /*interrupt_fd=*/-1);
  if (!service) return std::unexpected(service.error());

  const int port = service->published_ports.at(0).host_port.value_or(0);
  const std::string answer = get(port);
  std::printf("the service is %s, and answers: %s", service->state.c_str(),
              answer.substr(answer.find("\r\n\r\n") + 4).c_str());
  auto stopped = workspaces.services().stop(id, "web", 10, -1);
  if (!stopped) return std::unexpected(stopped.error());
  return {};
}

}  // namespace

int main() {
  auto pyro = pyro::Pyro::open();
  if (!pyro) {
    std::fprintf(stderr, "%s\n", pyro.error().message.c_str());
    return 1;
  }
  pyro::WorkspaceOptions options;
  options.environment = "debian:12";
  options.mem_mib = 256;
  options.network.policy = "egress+published-ports";
  auto created = pyro->workspaces().create(options, {});
  if (!created) {
    std::fprintf(stderr, "%s\n", created.error().message.c_str());
    return 1;
  }
  const auto done = serve(pyro->workspaces(), created->workspace_id);
  if (!done)
    std::fprintf(stderr, "%s\n%s\n", done.error().message.c_str(), done.error().hint.c_str());
  const auto removed = pyro->workspaces().remove(created->workspace_id);
  return done && removed ? 0 : 1;
}
