// The network engine with this kernel as its guest: a program runs in a network namespace whose
// only device is a TAP, and the engine is at its other end, as it is for a microVM. Real stacks on
// both sides of it, and no emulator.
//
//   tap_guest [--preset NAME] [--allow RULE]... [--deny RULE]... [--allow-udp] [--allow-icmp]
//             [--resolver ADDRESS[:PORT]]... [--publish HOST:GUEST]... [--stats FILE]
//             [--engine-netns PATH] [--mtu N] [--drop PERMILLE] [--seed N] [--policy FILE]
//             -- PROGRAM [ARGUMENT]...
//
// --drop loses so many frames of a thousand on their way, in each direction. FILE is a policy file;
// it is read again at SIGHUP, and "policy" is printed when it counts. At SIGUSR1 the engine goes
// and another one takes its place, as after its death: "engine" is printed then. PROGRAM is root of
// a user namespace of its own, with /etc/resolv.conf naming the engine. The exit status is its own.
// FILE gets a line of JSON with what the engine counted.
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "net/engine_loop.h"
#include "policy/policy_file.h"

extern "C" {
#include <sys/pidfd.h>
}

namespace {

using namespace pyro;

struct Options {
  net::Engine::Settings settings;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> published;
  std::string stats, engine_netns;
  int mtu = static_cast<int>(net::kMtu);
  unsigned drop = 0, seed = 1;
  std::string policy_file;
  std::vector<std::string> program;
};

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "tap_guest: {}\n", what);
  std::exit(125);
}
[[noreturn]] void die_errno(const char* what) {
  die(fmt::format("{}: {}", what, std::strerror(errno)));
}

template <class T>
T fine(Result<T> result) {
  if (!result) die(result.error().message);
  return *std::move(result);
}

std::uint16_t port_of(const std::string& text) {
  return static_cast<std::uint16_t>(std::atoi(text.c_str()));
}

net::Resolver resolver_of(const std::string& text) {
  const auto colon = text.find(':');
  const bool v4 = colon != std::string::npos && text.find(':', colon + 1) == std::string::npos;
  if (!v4) return {.address = fine(policy::Address::parse(text))};
  return {.address = fine(policy::Address::parse(text.substr(0, colon))),
          .port = port_of(text.substr(colon + 1))};
}

policy::Policy read_policy(const std::string& path) {
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return fine(policy::parse_policy_file(text));
}

Options parse(int argc, char** argv) {
  Options out;
  policy::Policy& policy = out.settings.policy;
  policy.preset = policy::Preset::kEgress;
  int i = 1;
  const auto value = [&]() -> std::string {
    if (i + 1 >= argc) die(fmt::format("{} needs a value", argv[i]));
    return argv[++i];
  };
  for (; i < argc && std::strcmp(argv[i], "--") != 0; ++i) {
    const std::string option = argv[i];
    if (option == "--preset") {
      policy.preset = fine(policy::parse_preset(value()));
    } else if (option == "--allow") {
      policy.allow.push_back(fine(policy::parse_rule(value(), policy::Verdict::kAllow)));
    } else if (option == "--deny") {
      policy.deny.push_back(fine(policy::parse_rule(value(), policy::Verdict::kDeny)));
    } else if (option == "--allow-udp") {
      policy.allow_udp = true;
    } else if (option == "--allow-icmp") {
      policy.allow_icmp = true;
    } else if (option == "--resolver") {
      out.settings.resolvers.push_back(resolver_of(value()));
    } else if (option == "--publish") {
      const std::string pair = value();
      const auto colon = pair.find(':');
      out.published.emplace_back(port_of(pair.substr(0, colon)), port_of(pair.substr(colon + 1)));
    } else if (option == "--stats") {
      out.stats = value();
    } else if (option == "--engine-netns") {
      out.engine_netns = value();
    } else if (option == "--mtu") {
      out.mtu = std::atoi(value().c_str());
    } else if (option == "--drop") {
      out.drop = static_cast<unsigned>(std::atoi(value().c_str()));
    } else if (option == "--seed") {
      out.seed = static_cast<unsigned>(std::atoi(value().c_str()));
    } else if (option == "--policy") {
      out.policy_file = value();
      policy = read_policy(out.policy_file);
    } else {
      die(fmt::format("what is {}?", option));
    }
  }
  for (++i; i < argc; ++i) out.program.emplace_back(argv[i]);
  if (out.program.empty()) die("no program");
  return out;
}

void write_file(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    die_errno(path);
  ::close(fd);
}

// Root of a user namespace, with a network and mounts of its own.
void enter_namespaces() {
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  if (::unshare((uid == 0 ? 0 : CLONE_NEWUSER) | CLONE_NEWNET | CLONE_NEWNS) != 0)
    die_errno("unshare");
  if (uid == 0) return;
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid));
  write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid));
}

std::string mac_text(const net::MacAddress& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3],
                     mac[4], mac[5]);
}

int open_tap(int mtu) {
  const int tap = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (tap < 0) die_errno("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, "eth0", IFNAMSIZ - 1);
  if (::ioctl(tap, TUNSETIFF, &request) != 0) die_errno("TUNSETIFF");
  const policy::LinkAddresses& v4 = policy::link_of(policy::Family::kIpv4);
  const policy::LinkAddresses& v6 = policy::link_of(policy::Family::kIpv6);
  const std::string script = fmt::format(
      "set -e\n"
      "ip link set lo up\n"
      "sysctl -qw net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.addr_gen_mode=1 2>/dev/null || "
      ":\n"
      "ip link set eth0 address {} mtu {} up\n"
      "ip addr add {}/{} dev eth0\n"
      "ip route add default via {}\n"
      "ip -6 addr add {}/{} dev eth0 nodad\n"
      "ip -6 route add default via {}\n",
      mac_text(net::kGuestMac), mtu, v4.guest.text(), v4.length, v4.engine.text(), v6.guest.text(),
      v6.length, v6.engine.text());
  if (std::system(script.c_str()) != 0) die("the device could not be set up");
  return tap;
}

void name_the_engine() {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) die_errno("mount");
  char path[] = "/tmp/tap-guest-XXXXXX";
  const int fd = ::mkstemp(path);
  if (fd < 0) die_errno("mkstemp");
  const std::string text =
      fmt::format("nameserver {}\n", policy::link_of(policy::Family::kIpv4).engine.text());
  if (::write(fd, text.data(), text.size()) < 0) die_errno("write");
  if (::mount(path, "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) die_errno("mount");
  ::unlink(path);
  ::close(fd);
}

// Frames between the TAP and the engine, until the process ends.
void pump(int from, int to, unsigned drop, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<unsigned> permille(0, 999);
  std::vector<char> frame(1U << 17U);
  for (;;) {
    const ssize_t n = ::read(from, frame.data(), frame.size());
    if (n <= 0) {
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) return;
      pollfd readable{.fd = from, .events = POLLIN, .revents = 0};
      ::poll(&readable, 1, -1);
      continue;
    }
    if (permille(random) < drop) continue;
    while (::write(to, frame.data(), static_cast<std::size_t>(n)) < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) break;
      pollfd writable{.fd = to, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, -1);
    }
  }
}

// A kernel that goes on says what a program that has ended left to be said; so does this one, for
// a while, and what the pump has of it at last.
void say_the_rest(int tap) {
  constexpr int kTries = 500;
  constexpr int kPauseMs = 20;
  for (int i = 0; i < kTries; ++i) {
    ::poll(nullptr, 0, kPauseMs);
    pollfd frames{.fd = tap, .events = POLLIN, .revents = 0};
    bool unsaid = ::poll(&frames, 1, 0) != 0;
    for (const char* path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
      std::ifstream table(path);
      std::string line;
      // The fourth word of a line is the state (proc(5)): FIN_WAIT1, LAST_ACK, CLOSING.
      while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string word;
        for (int at = 0; at < 4; ++at) words >> word;
        unsaid = unsaid || word == "04" || word == "09" || word == "0B";
      }
    }
    if (!unsaid) return;
  }
}

const sigset_t& orders() {
  static const sigset_t set = [] {
    sigset_t only{};
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGHUP);
    ::sigaddset(&only, SIGUSR1);
    return only;
  }();
  return set;
}

// `go`: readable when the engine is there.
[[noreturn]] void guest(const Options& options, int link, int go) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  enter_namespaces();
  const int tap = open_tap(options.mtu);
  name_the_engine();
  const auto [drop, seed] = std::pair(options.drop, options.seed);
  std::thread([=] { pump(tap, link, drop, seed); }).detach();
  std::thread([=] { pump(link, tap, drop, seed + 1); }).detach();
  char byte = 0;
  while (::read(go, &byte, 1) < 0 && errno == EINTR) {
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::sigprocmask(SIG_UNBLOCK, &orders(), nullptr);
    std::vector<char*> words;
    words.reserve(options.program.size() + 1);
    for (const std::string& word : options.program)
      words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    die_errno(words[0]);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  say_the_rest(tap);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

auto start_engine(const Options& options, int link) {
  const int its = ::fcntl(link, F_DUPFD_CLOEXEC, 0);
  if (its < 0) die_errno("fcntl");
  auto loop = fine(net::EngineLoop::create(sys::UniqueFd(its)));
  loop->engine().configure(options.settings, net::EngineLoop::now());
  for (const auto& [host, guest_port] : options.published) {
    if (const auto port = loop->engine().publish(host, guest_port); !port)
      die(fmt::format("publishing {}: {}", host, std::strerror(port.error())));
  }
  return loop;
}

// What the guest has said before it ended.
void hear_the_rest(net::EngineLoop& loop) {
  constexpr int kMostTurns = 1000;
  pollfd events{.fd = loop.fd(), .events = POLLIN, .revents = 0};
  for (int i = 0; i < kMostTurns && (loop.turn() || ::poll(&events, 1, 0) == 1); ++i) {
  }
}

void write_stats(const std::string& path, net::Engine& engine, std::uint64_t largest_turn_us) {
  const net::Counters& c = engine.counters();
  const net::Engine::Sizes sizes = engine.sizes();
  std::string drops;
  for (int i = 0; i < net::kDrops; ++i)
    drops +=
        fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", net::drop_name(static_cast<net::Drop>(i)),
                    c.drops[static_cast<std::size_t>(i)]);
  std::string events;
  for (const net::NetEvent& e : engine.events().take(net::NetEvents::kMost).events)
    events += fmt::format(
        R"({}{{"end":{},"protocol":"{}","name":"{}","address":"{}","port":{},"allow":{},"rule":"{}","reason":"{}","to_host":{},"to_guest":{}}})",
        events.empty() ? "" : ",", e.kind == net::NetEvent::Kind::kEnd, e.protocol, e.name,
        e.address ? e.address->text() : "", e.port, e.allow, e.rule.text(), e.reason, e.to_host,
        e.to_guest);
  std::ofstream(path) << fmt::format(
      R"({{"frames_from_guest":{},"frames_to_guest":{},"bytes_from_guest":{},"bytes_to_guest":{},"allowed":{},"refused":{},"replies_lost":{},"other_icmp":{},"tcp":{},"udp":{},"echo":{},"pins":{},"largest_turn_us":{},"drops":{{{}}},"events":[{}]}})"
      "\n",
      c.frames_from_guest, c.frames_to_guest, c.bytes_from_guest, c.bytes_to_guest, c.allowed,
      c.refused, c.replies_lost, c.other_icmp, sizes.tcp, sizes.udp, sizes.echo, sizes.pins,
      largest_turn_us, drops, events);
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  std::array<int, 2> link{};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, link.data()) != 0)
    die_errno("socketpair");
  std::array<int, 2> go{};
  if (::pipe2(go.data(), O_CLOEXEC) != 0) die_errno("pipe2");
  ::sigprocmask(SIG_BLOCK, &orders(), nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(go[1]);
    guest(options, link[1], go[0]);
  }
  ::close(link[1]);
  ::close(go[0]);
  if (!options.engine_netns.empty()) {
    const int there = ::open(options.engine_netns.c_str(), O_RDONLY | O_CLOEXEC);
    if (there < 0 || ::setns(there, CLONE_NEWNET) != 0) die_errno(options.engine_netns.c_str());
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  auto loop = start_engine(options, link[0]);
  ::close(go[1]);
  const int ended = ::pidfd_open(pid, 0);
  const int signals = ::signalfd(-1, &orders(), SFD_CLOEXEC);
  std::uint64_t largest = 0;
  for (;;) {
    const auto before = net::EngineLoop::now();
    const bool more = loop->turn();
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(net::EngineLoop::now() - before);
    largest = std::max(largest, static_cast<std::uint64_t>(took.count()));
    std::array<pollfd, 3> wait{{{.fd = loop->fd(), .events = POLLIN, .revents = 0},
                                {.fd = ended, .events = POLLIN, .revents = 0},
                                {.fd = signals, .events = POLLIN, .revents = 0}}};
    ::poll(wait.data(), wait.size(), more ? 0 : -1);
    if ((wait[1].revents & POLLIN) != 0) {
      hear_the_rest(*loop);
      break;
    }
    if ((wait[2].revents & POLLIN) == 0) continue;
    signalfd_siginfo which{};
    if (::read(signals, &which, sizeof(which)) < 0) die_errno("signalfd");
    if (which.ssi_signo == SIGUSR1) {
      loop.reset();
      loop = start_engine(options, link[0]);
      fmt::print("engine\n");
      std::fflush(stdout);
      continue;
    }
    options.settings.policy = read_policy(options.policy_file);
    loop->engine().configure(options.settings, net::EngineLoop::now());
    loop->turn();
    fmt::print("policy\n");
    std::fflush(stdout);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!options.stats.empty()) write_stats(options.stats, loop->engine(), largest);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
