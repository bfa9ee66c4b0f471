#include "escape/world.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "sys/file.h"

namespace pyro::escape {

namespace {
constexpr int kPatienceMs = 10'000;
constexpr std::size_t kMostAnswer = 4U << 20;
}  // namespace

Result<std::unique_ptr<NamespaceWorld>> NamespaceWorld::open(const std::string& program) {
  PYRO_TRY(auto pair, sys::make_socket_pair());
  PYRO_TRY(auto errors, sys::make_pipe());
  constexpr int kControl = 3;
  PYRO_TRY(auto process, sys::ChildProcess::spawn(
                             {.program = program,
                              .argv = {"pyro-world"},
                              .env = {},
                              .cwd = "/",
                              .fds = {{errors.write.get(), 2}, {pair.theirs.get(), kControl}},
                              .new_session = true,
                              .die_with_parent = true}));
  pair.theirs = sys::UniqueFd();
  errors.write = sys::UniqueFd();
  std::unique_ptr<NamespaceWorld> world(
      new NamespaceWorld(std::move(process), std::move(pair.ours)));
  const auto line = world->read_line();
  if (!line) {
    std::array<char, 1024> why{};
    const ssize_t n = ::read(errors.read.get(), why.data(), why.size());
    return fail_hint(Errc::kUnavailable,
                     "the world for the probes cannot be made: " +
                         (n > 0 ? std::string(why.data(), static_cast<std::size_t>(n) - 1)
                                : line.error().message),
                     "it needs user namespaces with networks of their own: pyro doctor says more");
  }
  PYRO_TRY(const auto object, proto::parse_object(*line));
  PYRO_TRY(const auto opened, proto::decode<world::Opened>(object));
  world->net_namespace_ = opened.net_namespace;
  return world;
}

Result<std::string> NamespaceWorld::read_line() {
  for (;;) {
    if (const auto end = held_.find('\n'); end != std::string::npos) {
      std::string line = held_.substr(0, end);
      held_.erase(0, end + 1);
      return line;
    }
    if (held_.size() > kMostAnswer) return fail(Errc::kLimit, "the world's answer is too long");
    pollfd wait{.fd = control_.get(), .events = POLLIN, .revents = 0};
    PYRO_TRY(const int ready, sys::retrying("poll", [&] { return ::poll(&wait, 1, kPatienceMs); }));
    if (ready == 0) return fail(Errc::kDeadline, "the world does not answer");
    std::array<char, 16384> part;
    PYRO_TRY(const int n, sys::retrying("recv", [&] {
               return ::recv(control_.get(), part.data(), part.size(), 0);
             }));
    if (n == 0) return fail(Errc::kUnavailable, "the world has ended");
    held_.append(part.data(), static_cast<std::size_t>(n));
  }
}

Result<world::Arrivals> NamespaceWorld::ask(char what) {
  PYRO_CHECK(sys::write_all(control_.get(), {&what, 1}));
  PYRO_TRY(const std::string line, read_line());
  PYRO_TRY(const auto object, proto::parse_object(line));
  return proto::decode<world::Arrivals>(object);
}

Result<std::vector<pid_t>> NamespaceWorld::engines() const {
  struct stat ours{};
  if (::stat(net_namespace_.c_str(), &ours) != 0) return sys::fail_errno(net_namespace_, errno);
  PYRO_TRY(const auto names, sys::list_dir("/proc"));
  std::vector<pid_t> out;
  for (const std::string& name : names) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    struct stat theirs{};
    if (::stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &theirs) != 0 ||
        theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
      continue;  // somebody else's, or gone by now
    const auto command = sys::read_file(fmt::format("/proc/{}/comm", pid));
    if (command && *command == "pyro-net\n") out.push_back(pid);
  }
  return out;
}

std::string text(const world::Arrival& a) {
  std::string out = (a.where == "host" ? "host " : "") + a.protocol + " " + a.address;
  if (a.port != 0) out += fmt::format(" {}", a.port);
  return out;
}

Result<std::int64_t> memory_of(pid_t process) {
  // Pages: all, resident, ... (proc(5), statm).
  PYRO_TRY(const std::string statm, sys::read_file(fmt::format("/proc/{}/statm", process)));
  const auto blank = statm.find(' ');
  std::int64_t pages = 0;
  if (blank == std::string::npos ||
      std::from_chars(statm.data() + blank + 1, statm.data() + statm.size(), pages).ec !=
          std::errc{})
    return fail(Errc::kInternal, "statm of the engine cannot be read");
  return pages * ::sysconf(_SC_PAGESIZE);
}

}  // namespace pyro::escape
