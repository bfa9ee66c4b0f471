#include "core/budget.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "sys/file.h"

namespace pyro::core {
namespace {

constexpr int kUnitMib = 64;
constexpr int kVcpusPerCpu = 16;
constexpr int kPollMs = 20;  // lock releases cannot be waited for together with cancel_fd

struct flock byte_lock(off_t byte, short type) {
  struct flock l{};
  l.l_type = type;
  l.l_whence = SEEK_SET;
  l.l_start = byte;
  l.l_len = 1;
  return l;
}

void release_all(int fd) {
  struct flock l{};
  l.l_type = F_UNLCK;
  l.l_whence = SEEK_SET;
  (void)::fcntl(fd, F_OFD_SETLK, &l);
}

// Locks `want` of the first `total` bytes, or none.
bool take_all(int fd, int total, int want) {
  int held = 0;
  for (int i = 0; i < total && held < want; ++i) {
    struct flock l = byte_lock(i, F_WRLCK);
    if (::fcntl(fd, F_OFD_SETLK, &l) == 0) ++held;
  }
  if (held == want) return true;
  release_all(fd);
  return false;
}

// False when cancelled.
bool pause_unless_cancelled(int cancel_fd) {
  pollfd p{.fd = cancel_fd, .events = POLLIN, .revents = 0};
  return ::poll(&p, cancel_fd >= 0 ? 1 : 0, kPollMs) <=
         0;  // a signal that was handled is no cancel
}

class Waiter {
 public:
  explicit Waiter(const BudgetRequest& r) : request_(r) {}
  Result<void> pause(const std::string& why) {
    if (!told_ && request_.on_wait) request_.on_wait(why);
    told_ = true;
    if (!pause_unless_cancelled(request_.cancel_fd)) {
      return fail(Errc::kUnavailable, "interrupted while waiting for a free sandbox");
    }
    return {};
  }

 private:
  const BudgetRequest& request_;
  bool told_ = false;
};

}  // namespace

Result<BudgetTotals> host_budget(int mem_override_mib) {
  struct sysinfo info{};
  if (::sysinfo(&info) != 0) return sys::fail_errno("sysinfo", errno);
  const std::uint64_t total_mib = info.totalram * std::uint64_t{info.mem_unit} >> 20;
  const long cpus = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  return BudgetTotals{
      .mem_mib = mem_override_mib > 0 ? mem_override_mib : static_cast<int>(total_mib * 4 / 5),
      .vcpus = static_cast<int>(cpus) * kVcpusPerCpu};
}

Result<Reservation> reserve(const BudgetRequest& r) {
  const int want = (r.mem_mib + kUnitMib - 1) / kUnitMib;
  const int total = r.totals.mem_mib / kUnitMib;
  if (want > total || r.vcpus > r.totals.vcpus) {
    return fail_hint(
        Errc::kLimit,
        fmt::format("{} MiB and {} vCPU were asked for; this host's budget is {} MiB and {} vCPU",
                    r.mem_mib, r.vcpus, r.totals.mem_mib, r.totals.vcpus),
        "use smaller --mem-mib or --vcpu-count");
  }
  Reservation reservation;
  PYRO_TRY(reservation.memory, sys::open_file(r.runtime_dir + "/budget.memory", O_RDWR | O_CREAT));
  PYRO_TRY(reservation.vcpus, sys::open_file(r.runtime_dir + "/budget.vcpus", O_RDWR | O_CREAT));
  Waiter waiter(r);
  std::optional<sys::FileLock> turn;
  while (!turn) {
    auto lock =
        sys::FileLock::try_acquire(r.runtime_dir + "/budget.turn", sys::FileLock::Mode::kExclusive);
    if (lock) {
      turn = std::move(*lock);
    } else if (lock.error().code == Errc::kConflict) {
      PYRO_CHECK(waiter.pause("other sandboxes are waiting to start"));
    } else {
      return std::unexpected(std::move(lock.error()));
    }
  }
  while (!take_all(reservation.memory.get(), total, want)) {
    PYRO_CHECK(waiter.pause(fmt::format("less than {} of the memory budget of {} MiB is free",
                                        r.mem_mib, r.totals.mem_mib)));
  }
  while (!take_all(reservation.vcpus.get(), r.totals.vcpus, r.vcpus)) {
    PYRO_CHECK(waiter.pause(
        fmt::format("less than {} of the budget of {} vCPU is free", r.vcpus, r.totals.vcpus)));
  }
  return reservation;
}

}  // namespace pyro::core
