#include "isolate/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "sys/fd.h"
#include "sys/process.h"

namespace pyro::isolate {

namespace {

struct FilterDeleter {
  void operator()(void* ctx) const { seccomp_release(ctx); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

constexpr int kAllowed[] = {
    // Sockets that are there.
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    // The loop.
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(restart_syscall),
    // Memory, random numbers, the C library's own.
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
#if __has_feature(address_sanitizer)
    // What the sanitizers of a test build ask the kernel with: is this address readable?
    SCMP_SYS(pipe2),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
#endif
};

// Of an argument, or of those of its bits that `mask` has.
scmp_arg_cmp is(unsigned argument, std::int64_t value, std::uint64_t mask = ~0ULL) {
  return {.arg = argument,
          .op = SCMP_CMP_MASKED_EQ,
          .datum_a = mask,
          .datum_b = static_cast<scmp_datum_t>(value)};
}

Result<Filter> make_filter() {
  Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return fail(Errc::kInternal, "seccomp_init failed");
  int rc = 0;
  const auto allow = [&](int call, std::vector<scmp_arg_cmp> conditions = {}) {
    if (rc != 0) return;
    rc = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call,
                                static_cast<unsigned>(conditions.size()), conditions.data());
  };
  for (const int call : kAllowed) allow(call);
  constexpr std::uint64_t kTypeMask = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK
  for (const int domain : {AF_INET, AF_INET6}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      allow(SCMP_SYS(socket), {is(0, domain), is(1, type, kTypeMask)});
    }
  }
  for (const int what : {F_GETFL, F_SETFL}) allow(SCMP_SYS(fcntl), {is(1, what)});
  for (const int what : {FIONREAD, FIONBIO}) allow(SCMP_SYS(ioctl), {is(1, what)});
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) allow(call, {is(2, 0, PROT_EXEC)});
  allow(SCMP_SYS(tgkill), {is(0, ::getpid())});  // abort(3)
  if (rc != 0) return fail(Errc::kInternal, "building the seccomp filter failed");
  return filter;
}

// Not a single path. Where the kernel has no Landlock, the filter alone keeps files shut.
Result<void> close_file_system() {
  constexpr std::uint64_t kAllOfVersionOne = (1ULL << 13U) - 1;  // landlock(7)
  const landlock_ruleset_attr rules{.handled_access_fs = kAllOfVersionOne};
  const sys::UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0)));
  if (!ruleset) {
    if (errno == ENOSYS || errno == EOPNOTSUPP) return {};
    return sys::fail_errno("landlock_create_ruleset", errno);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return sys::fail_errno("landlock_restrict_self", errno);
  return {};
}

Result<void> drop_capabilities() {
  constexpr std::uint32_t kKept = 1U << CAP_NET_BIND_SERVICE;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return sys::fail_errno("capget", errno);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const std::uint32_t kept = i == 0 ? kKept : 0;
    sets[i].effective &= kept;
    sets[i].permitted &= kept;
    sets[i].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, sets.data()) != 0) return sys::fail_errno("capset", errno);
  return {};
}

}  // namespace

Result<void> confine_relay() {
  PYRO_TRY(const Filter filter, make_filter());
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return sys::fail_errno("setrlimit", errno);
  PYRO_CHECK(drop_capabilities());
  PYRO_CHECK(sys::no_new_privileges());
  PYRO_CHECK(close_file_system());
  // Its own setting of no_new_privs is not wanted: it is set.
  if (seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0) != 0 ||
      seccomp_load(filter.get()) != 0)
    return fail(Errc::kUnavailable, "the seccomp filter could not be set");
  return {};
}

}  // namespace pyro::isolate
