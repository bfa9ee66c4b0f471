#include "agent/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include "base/text.h"
#include "sys/fd.h"
#include "sys/process.h"

#ifndef __x86_64__
#error "spawn_program starts its child with x86-64 instructions"
#endif

namespace pyro::agent {
namespace {

enum class Step : std::uint8_t { kNone, kSetup, kCwd, kExec };

// Shared with the child, which borrows our memory until it has called exec (CLONE_VM, CLONE_VFORK).
struct Child {
  const ProgramSpec* spec;
  char** argv;
  char** env;
  const char* const* paths;
  std::size_t path_count;
  volatile Step failed = Step::kNone;
  volatile int error = 0;
};

// Not instrumented: the address sanitizer does not know the child's stack, and what it says about
// it would come out of the program's standard error.
[[noreturn, gnu::no_sanitize_address]] void give_up(Child* child, Step step) {
  child->error = errno;
  child->failed = step;
  ::_exit(127);
}

// In the child, on its own stack: system calls only.
[[noreturn, gnu::no_sanitize_address]] void child_main(void* raw) {
  auto* child = static_cast<Child*>(raw);
  const ProgramSpec& spec = *child->spec;
  if (::setsid() < 0) give_up(child, Step::kSetup);
  for (int i = 0; i < 3; ++i) {  // none of them is below 3: see spawn_program()
    if (::dup2(spec.fds[i], i) < 0) give_up(child, Step::kSetup);
  }
  if (spec.terminal && ::ioctl(0, TIOCSCTTY, 0) < 0) give_up(child, Step::kSetup);
  if (::chdir(spec.cwd.c_str()) != 0) give_up(child, Step::kCwd);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  bool denied = false;
  for (std::size_t i = 0; i < child->path_count; ++i) {
    ::execve(child->paths[i], child->argv, child->env);
    if (errno == EACCES) {
      denied = true;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      give_up(child, Step::kExec);
    }
  }
  if (denied) errno = EACCES;
  give_up(child, Step::kExec);
}

// clone3(2) with a stack for the child. glibc has no wrapper for it, and its clone() knows nothing
// of CLONE_INTO_CGROUP; moving a process afterwards waits for an RCU grace period.
long clone_onto(clone_args* args, void (*entry)(void*), void* arg) {
  long result = SYS_clone3;
  register void (*fn)(void*) asm("r12") = entry;
  register void* parameter asm("r13") = arg;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(args), "S"(sizeof *args), "r"(fn), "r"(parameter)
      : "rcx", "r11", "memory");
  return result;
}

std::unexpected<Error> failure_of(const ProgramSpec& spec, Step step, int error) {
  if (step == Step::kCwd) {
    auto e = sys::fail_errno("folder " + to_utf8(spec.cwd), error);
    e.error().code = Errc::kInvalid;
    return e;
  }
  auto e = sys::fail_errno(to_utf8(spec.argv.front()), error);
  if (step == Step::kSetup) {
    e.error().message.insert(0, "starting ");
  } else if (error == ENOENT || error == ENOTDIR) {
    e.error().code = Errc::kNotFound;
  } else if (error == EACCES || error == EPERM || error == ENOEXEC || error == EISDIR ||
             error == ELOOP || error == ETXTBSY) {
    e.error().code = Errc::kDenied;
  }
  return e;
}

}  // namespace

Result<pid_t> spawn_program(const ProgramSpec& spec) {
  for (const int fd : spec.fds) {
    if (fd < 3) return fail(Errc::kInternal, "spawn: a descriptor is where stdio will be");
  }
  auto argv = sys::exec_words(spec.argv);
  auto env = sys::exec_words(spec.env);
  auto paths = sys::exec_words(spec.paths);
  Child child{.spec = &spec,
              .argv = argv.data(),
              .env = env.data(),
              .paths = paths.data(),
              .path_count = spec.paths.size()};
  constexpr std::size_t kStackSize = 64U << 10;
  struct alignas(16) Stack {
    std::array<std::byte, kStackSize> bytes;
  };
  static Stack stack;  // one child at a time: we are suspended until it is done with it

  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND;
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack.bytes.data());
  args.stack_size = kStackSize;
  if (spec.cgroup_dir >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(spec.cgroup_dir);
  }
  // No signal may run a handler of ours in the child, on memory that is ours.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const long pid = clone_onto(&args, child_main, &child);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return failure_of(spec, Step::kSetup, static_cast<int>(-pid));
  if (child.failed == Step::kNone) return static_cast<pid_t>(pid);
  while (::waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
  }
  return failure_of(spec, child.failed, child.error);
}

}  // namespace pyro::agent
