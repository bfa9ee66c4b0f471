// pyro-supervisor with QEMU's own user-mode network (`-netdev user`) in the place of pyro-net: what
// bench/net_guests.py compares with. The same machine, template, jail and agent; three calls of the
// jail are changed at link time (ld's --wrap), so that no product code knows of this program:
//   - QEMU keeps the host's network namespace, where the servers of the benchmark listen;
//   - its seccomp filter lets it connect and bind;
//   - its -netdev is `user`, with the addresses that the template's guest has.
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

extern "C" {

// The linker's names for what it wraps (ld(1), --wrap).
// NOLINTBEGIN(bugprone-reserved-identifier)

long __real_syscall(long number, ...);
int __real_execve(const char* path, char* const argv[], char* const envp[]);

// Of up to six arguments, as syscall(2) itself takes them.
long __wrap_syscall(long number, ...) {
  std::array<long, 6> arguments{};
  va_list list;
  va_start(list, number);
  for (long& one : arguments) one = va_arg(list, long);
  va_end(list);
  if (number == SYS_clone3) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): syscall(2) has pointers as numbers
    reinterpret_cast<clone_args*>(arguments[0])->flags &= ~std::uint64_t{CLONE_NEWNET};
  }
  return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}

int __wrap_seccomp_rule_add(scmp_filter_ctx filter, std::uint32_t action, int call,
                            unsigned int count, ...) {
  constexpr std::array kNeeded{SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen)};
  if (std::ranges::find(kNeeded, call) != kNeeded.end()) return 0;
  std::vector<scmp_arg_cmp> conditions(count);
  va_list list;
  va_start(list, count);
  for (scmp_arg_cmp& one : conditions) one = va_arg(list, scmp_arg_cmp);
  va_end(list);
  return ::seccomp_rule_add_array(filter, action, call, count, conditions.data());
}

int __wrap_execve(const char* path, char* const argv[], char* const envp[]) {
  static char user[] = "user,id=link,net=10.255.255.0/24,host=10.255.255.1,ipv6=off";
  // What only the datagrams need (add_link() of vmm/qemu_command.cc) is not to slow this one.
  constexpr std::string_view kOurs = ",x-txburst=1";
  std::string device;
  std::vector<char*> words;
  for (char* const* word = argv; *word != nullptr; ++word) {
    const std::string_view text = *word;
    const auto at = text.find(kOurs);
    if (text.starts_with("virtio-net-device,") && at != text.npos) {
      device = std::string(text).erase(at, kOurs.size());
      words.push_back(device.data());
    } else {
      words.push_back(text.starts_with("dgram,id=link") ? user : *word);
    }
  }
  words.push_back(nullptr);
  return __real_execve(path, words.data(), envp);
}

// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"
