#include "sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace pyro::sys {
std::vector<char*> exec_words(const std::vector<std::string>& in) {
  std::vector<char*> out;
  out.reserve(in.size() + 1);
  // exec takes char* for historical reasons and does not write through it (POSIX, exec, RATIONALE).
  for (const std::string& s : in) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

namespace {

// Everything between fork and exec: async-signal-safe calls only.
[[noreturn]] void child_main(const SpawnSpec& spec, char** argv, char** env, int* fds, int error_fd,
                             pid_t parent) {
  const auto give_up = [error_fd](int e) {
    (void)!::write(error_fd, &e, sizeof e);
    ::_exit(127);
  };
  // Before the death signal is asked for: other credentials end that (prctl(2)).
  if (spec.network != nullptr) {
    if (const int e = join(*spec.network); e != 0) give_up(e);
  }
  if (spec.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int s : {SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP}) ::signal(s, SIG_DFL);
  if (spec.new_session) ::setsid();
  if (!spec.cwd.empty() && ::chdir(spec.cwd.c_str()) != 0) give_up(errno);
  int highest = 2;
  for (const auto& [ours, its] : spec.fds) highest = std::max(highest, its);
  // First out of the way of every target number, then onto the targets.
  for (std::size_t i = 0; i < spec.fds.size(); ++i) {
    fds[i] = ::fcntl(spec.fds[i].first, F_DUPFD_CLOEXEC, highest + 1);
    if (fds[i] < 0) give_up(errno);
  }
  const int errors = ::fcntl(error_fd, F_DUPFD_CLOEXEC, highest + 1);
  if (errors < 0) give_up(errno);
  for (int n = 0; n < 3; ++n) {
    const int null = ::open("/dev/null", O_RDWR);
    if (null >= 0 && null != n) {
      ::dup2(null, n);
      ::close(null);
    }
  }
  for (std::size_t i = 0; i < spec.fds.size(); ++i) {
    if (::dup2(fds[i], spec.fds[i].second) < 0) give_up(errno);
  }
  for (int n = 3; n <= highest; ++n) {
    if (std::ranges::none_of(spec.fds, [n](const auto& p) { return p.second == n; })) ::close(n);
  }
  ::syscall(SYS_close_range, static_cast<unsigned>(highest + 1), ~0U, 1U << 2);  // CLOEXEC
  ::execve(spec.program.c_str(), argv, env);
  const int e = errno;
  (void)!::write(errors, &e, sizeof e);
  ::_exit(127);
}

}  // namespace

Result<ChildProcess> ChildProcess::spawn(const SpawnSpec& spec) {
  auto argv = exec_words(spec.argv);
  auto env = exec_words(spec.env);
  std::vector<int> fds(spec.fds.size() + 1);
  PYRO_TRY(Pipe errors, make_pipe());
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork", errno);
  if (pid == 0) {
    child_main(spec, argv.data(), env.data(), fds.data(), errors.write.get(), parent);
  }
  auto pidfd = retrying("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pid, 0); });
  if (!pidfd) {  // still our unreaped child, so the pid cannot have been reused
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(std::move(pidfd).error());
  }
  ChildProcess child(UniqueFd(*pidfd), pid);
  errors.write = UniqueFd();
  int e = 0;
  PYRO_TRY(const int n, retrying("read", [&] { return ::read(errors.read.get(), &e, sizeof e); }));
  if (n == static_cast<int>(sizeof e)) return fail_errno("run " + spec.program, e);
  return child;
}

Result<void> spawn_detached(const SpawnSpec& spec) {
  auto argv = exec_words(spec.argv);
  auto env = exec_words(spec.env);
  std::vector<int> fds(spec.fds.size() + 1);
  PYRO_TRY(Pipe errors, make_pipe());
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork", errno);
  if (pid == 0) {
    const pid_t self = ::getpid();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      child_main(spec, argv.data(), env.data(), fds.data(), errors.write.get(), self);
    }
    ::_exit(grandchild < 0 ? 1 : 0);
  }
  // ECHILD: a program that uses the library ignores SIGCHLD, and the kernel has waited for it.
  const auto waited = retrying("waitpid", [&] { return ::waitpid(pid, nullptr, 0); });
  if (!waited && waited.error().os_errno != ECHILD) return std::unexpected(waited.error());
  errors.write = UniqueFd();
  int e = 0;
  PYRO_TRY(const int n, retrying("read", [&] { return ::read(errors.read.get(), &e, sizeof e); }));
  if (n == static_cast<int>(sizeof e)) return fail_errno("run " + spec.program, e);
  return {};
}

ChildProcess::~ChildProcess() {
  if (!pidfd_) return;
  (void)signal(SIGKILL);
  (void)wait();
}

Result<void> ChildProcess::signal(int signo) const {
  PYRO_CHECK(retrying("pidfd_send_signal", [&] {
    return ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signo, nullptr, 0);
  }));
  return {};
}

namespace {
ExitStatus status_of(const siginfo_t& info) {
  return {.signaled = info.si_code != CLD_EXITED, .value = info.si_status};
}
}  // namespace

Result<ExitStatus> ChildProcess::wait() {
  siginfo_t info{};
  PYRO_CHECK(retrying("waitid", [&] {
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
  }));
  pidfd_ = UniqueFd();
  return status_of(info);
}

Result<std::optional<ExitStatus>> ChildProcess::try_wait() {
  siginfo_t info{};
  PYRO_CHECK(retrying("waitid", [&] {
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
  }));
  if (info.si_pid == 0) return std::nullopt;
  pidfd_ = UniqueFd();
  return status_of(info);
}

Result<void> no_new_privileges() {
  PYRO_CHECK(
      retrying("PR_SET_NO_NEW_PRIVS", [] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }));
  return {};
}

Result<Captured> run_captured(const SpawnSpec& spec, std::size_t max_bytes) {
  PYRO_TRY(Pipe out, make_pipe());
  PYRO_TRY(Pipe err, make_pipe());
  SpawnSpec piped = spec;
  piped.fds.emplace_back(out.write.get(), 1);
  piped.fds.emplace_back(err.write.get(), 2);
  PYRO_TRY(ChildProcess child, ChildProcess::spawn(piped));
  out.write = UniqueFd();
  err.write = UniqueFd();
  Captured result;
  pollfd fds[2] = {{.fd = out.read.get(), .events = POLLIN, .revents = 0},
                   {.fd = err.read.get(), .events = POLLIN, .revents = 0}};
  std::string* texts[2] = {&result.out, &result.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    PYRO_CHECK(retrying("poll", [&] { return ::poll(fds, 2, -1); }));
    for (std::size_t i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[16384];
      PYRO_TRY(const int n,
               retrying("read", [&] { return ::read(fds[i].fd, buffer, sizeof buffer); }));
      if (n == 0) fds[i].fd = -1;
      const std::size_t room = max_bytes - std::min(max_bytes, texts[i]->size());
      texts[i]->append(buffer, std::min(room, static_cast<std::size_t>(n)));
    }
  }
  PYRO_TRY(result.status, child.wait());
  return result;
}

Result<std::string> find_program(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return fail_errno(name, errno);
  }
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const std::string_view dir = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    if (dir.empty() || dir.front() != '/') continue;  // never the current folder
    std::string candidate = std::string(dir) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(Errc::kNotFound, name + " is not installed (not found in PATH)");
}

Result<void> kill_and_wait(pid_t pid) {
  PYRO_TRY(const auto fd, retrying("pidfd_open", [&] {
             return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
           }));
  const UniqueFd pidfd(fd);
  PYRO_CHECK(retrying("pidfd_send_signal", [&] {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }));
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  PYRO_CHECK(retrying("poll", [&] { return ::poll(&ended, 1, -1); }));
  return {};
}

}  // namespace pyro::sys
