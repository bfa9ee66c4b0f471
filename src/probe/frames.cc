#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "probe/address.h"
#include "probe/commands.h"
#include "probe/report.h"

namespace pyro::probe {

namespace {

constexpr int kBadWords = 2;
constexpr const char* kDevice = "eth0";
constexpr std::uint16_t kSourcePort = 40123;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
// More than the engine takes (packet(7) gives four bytes to a VLAN tag, beyond the device's MTU).
constexpr std::size_t kTooLong = 65520 + ETH_HLEN + 4;
constexpr int kWaitMs = 700;  // for an answer: a refusal comes within a round trip

using Bytes = std::vector<unsigned char>;
using Mac = std::array<unsigned char, 6>;

void put16(Bytes& b, unsigned value) {
  b.push_back(static_cast<unsigned char>(value >> 8U));
  b.push_back(static_cast<unsigned char>(value));
}
void set16(Bytes& b, std::size_t at, unsigned value) {
  b[at] = static_cast<unsigned char>(value >> 8U);
  b[at + 1] = static_cast<unsigned char>(value);
}

unsigned add(const Bytes& b, unsigned sum) {
  for (std::size_t i = 0; i < b.size(); ++i)
    sum += i % 2 == 0 ? unsigned{b[i]} << 8U : unsigned{b[i]};
  return sum;
}
unsigned folded(unsigned sum) {
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return ~sum & 0xffffU;
}

// An address in network order, written in any family; ::ffff:1.2.3.4 stays 16 bytes.
Bytes address_bytes(const std::string& text) {
  Bytes v6(16);
  if (::inet_pton(AF_INET6, text.c_str(), v6.data()) == 1) return v6;
  Bytes v4(4);
  if (::inet_pton(AF_INET, text.c_str(), v4.data()) == 1) return v4;
  return {};
}

struct Spec {
  Mac from{}, to{};
  Bytes source, destination;
  std::uint8_t protocol = kTcp;
  std::uint16_t source_port = kSourcePort, port = 0;
  std::size_t payload = 0;
  bool vlan = false, fragment = false, options = false, extension = false, truncated = false;
};

Bytes transport(const Spec& s) {
  Bytes out;
  put16(out, s.source_port);
  put16(out, s.port);
  if (s.protocol == kUdp) {
    put16(out, static_cast<unsigned>(8 + s.payload));
    put16(out, 0);
  } else {
    for (const unsigned v : {0x1234U, 0x5678U, 0U, 0U, 0x5002U, 0xfff0U, 0U, 0U}) put16(out, v);
  }
  out.resize(out.size() + s.payload, 'x');
  // Pseudo header: RFC 9293, 3.1; RFC 8200, 8.1.
  Bytes pseudo = s.source;
  pseudo.insert(pseudo.end(), s.destination.begin(), s.destination.end());
  put16(pseudo, s.protocol);
  put16(pseudo, static_cast<unsigned>(out.size()));
  set16(out, s.protocol == kUdp ? 6 : 16, folded(add(out, add(pseudo, 0))));
  return out;
}

Bytes packet(const Spec& s) {
  const Bytes inner = transport(s);
  Bytes out;
  if (s.source.size() == 4) {
    const std::size_t options = s.options ? 4 : 0;
    put16(out, static_cast<unsigned>(0x4500U + ((options / 4) << 8U)));
    put16(out, static_cast<unsigned>(20 + options + inner.size()));
    put16(out, 0x7079);
    put16(out, s.fragment ? 0x2000U : 0x4000U);
    put16(out, 0x4000U | s.protocol);
    put16(out, 0);
    out.insert(out.end(), s.source.begin(), s.source.end());
    out.insert(out.end(), s.destination.begin(), s.destination.end());
    for (std::size_t i = 0; i < options; ++i) out.push_back(1);  // no operation
    set16(out, 10, folded(add(out, 0)));
  } else {
    const bool header = s.fragment || s.extension;
    put16(out, 0x6000);
    put16(out, 0);
    put16(out, static_cast<unsigned>(inner.size() + (header ? 8 : 0)));
    const unsigned next = s.fragment ? 44 : s.extension ? 60 : s.protocol;
    put16(out, (next << 8U) | 64U);
    out.insert(out.end(), s.source.begin(), s.source.end());
    out.insert(out.end(), s.destination.begin(), s.destination.end());
    if (header) {
      // Of a fragment: more of them follow. Of destination options: padding.
      for (const unsigned v : {unsigned{s.protocol} << 8U, s.fragment ? 1U : 0x0104U, 0U, 0U})
        put16(out, v);
    }
  }
  out.insert(out.end(), inner.begin(), inner.end());
  return out;
}

Bytes whole(const Spec& s) {
  Bytes out(s.to.begin(), s.to.end());
  out.insert(out.end(), s.from.begin(), s.from.end());
  if (s.vlan) {
    put16(out, ETH_P_8021Q);
    put16(out, 7);
  }
  put16(out, s.source.size() == 4 ? ETH_P_IP : ETH_P_IPV6);
  const Bytes p = packet(s);
  out.insert(out.end(), p.begin(), p.end());
  if (s.truncated) out.resize(out.size() - 6);
  return out;
}

bool read_mac(const std::string& text, Mac& out) {
  return std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &out[0], &out[1], &out[2],
                     &out[3], &out[4], &out[5]) == 6;
}

// A packet socket of the device, with its MAC address; -1 with errno.
int open_device(Mac& own) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (fd < 0) return -1;
  ifreq request{};
  std::strncpy(request.ifr_name, kDevice, IFNAMSIZ - 1);
  if (::ioctl(fd, SIOCGIFHWADDR, &request) != 0) return -1;
  std::memcpy(own.data(), request.ifr_hwaddr.sa_data, own.size());
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = static_cast<int>(::if_nametoindex(kDevice));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return -1;
  return fd;
}

// What the engine says to a frame of ours: the first that is about its port.
const char* answer_of(const Bytes& f, const Spec& sent) {
  constexpr std::size_t kEthernet = 14;
  if (f.size() < kEthernet + 40 || !std::equal(sent.from.begin(), sent.from.end(), f.begin()))
    return nullptr;
  const bool v4 = f[12] == 0x08 && f[13] == 0;
  const std::size_t at = kEthernet + (v4 ? 20 : 40);
  const std::uint8_t protocol = v4 ? f[kEthernet + 9] : f[kEthernet + 6];
  if (f.size() < at + 8) return nullptr;
  if (protocol == 1 || protocol == 58) return f[at] == 3 || f[at] == 1 ? "unreachable" : nullptr;
  const unsigned port = (unsigned{f[at + 2]} << 8U) | f[at + 3];
  if (port != sent.source_port) return nullptr;
  if (protocol == kUdp) return "udp";
  if (protocol != kTcp || f.size() < at + 14) return nullptr;
  if ((f[at + 13] & 4U) != 0) return "rst";
  return (f[at + 13] & 2U) != 0 ? "syn-ack" : nullptr;
}

const char* wait_for_answer(int fd, const Spec& sent) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kWaitMs);
  Bytes f(70000);
  for (auto now = std::chrono::steady_clock::now(); now < end;
       now = std::chrono::steady_clock::now()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now);
    if (!await(fd, POLLIN, static_cast<int>(left.count()) + 1)) break;
    f.resize(70000);
    const ssize_t n = ::recv(fd, f.data(), f.size(), 0);
    if (n <= 0) continue;
    f.resize(static_cast<std::size_t>(n));
    if (const char* const what = answer_of(f, sent); what != nullptr) return what;
  }
  return "none";
}

bool apply(const std::string& trick, Spec& s) {
  const auto value = trick.find('=');
  const std::string name = trick.substr(0, value);
  if (name == "source") {
    s.source = address_bytes(trick.substr(value + 1));
    return s.source.size() == s.destination.size();
  }
  if (name == "mac") s.from = {0x02, 0x66, 0x61, 0x6b, 0x65, 0x01};
  if (name == "vlan") s.vlan = true;
  if (name == "fragment") s.fragment = true;
  if (name == "options") s.options = true;
  if (name == "extension") s.extension = true;
  if (name == "truncated") s.truncated = true;
  if (name == "data") s.payload = 16;
  return name != trick || name == "mac" || name == "vlan" || name == "fragment" ||
         name == "options" || name == "extension" || name == "truncated" || name == "data" ||
         name == "oversized";
}

}  // namespace

int frame(const Words& words) {
  if (words.size() < 5) return kBadWords;
  Spec s;
  s.source = address_bytes(words[1]);
  s.protocol = words[2] == "udp" ? kUdp : kTcp;
  s.destination = address_bytes(words[3]);
  s.port = port_of(words[4]);
  Report report;
  const int fd = open_device(s.from);
  if (fd < 0) return report.ended(false, errno);
  if (!read_mac(words[0], s.to) || s.destination.empty() || s.source.size() != s.destination.size())
    return kBadWords;
  // The port of one probe is not that of the one before: late answers are somebody else's.
  s.source_port = static_cast<std::uint16_t>(kSourcePort + (::getpid() % 8192));
  bool oversized = false;
  for (std::size_t i = 5; i < words.size(); ++i) {
    if (!apply(words[i], s)) return kBadWords;
    oversized = oversized || words[i] == "oversized";
    s.vlan = s.vlan || oversized;
  }
  Bytes bytes = whole(s);
  if (oversized) bytes.resize(kTooLong, 'x');
  const bool sent = ::send(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  const int error = sent ? 0 : errno;
  const std::string answer = sent ? wait_for_answer(fd, s) : "not sent";
  ::close(fd);
  return report.number("size", static_cast<std::int64_t>(bytes.size()))
      .text("said", answer)
      .ended(answer == "syn-ack" || answer == "udp", error);
}

int flood(const Words& words) {
  if (words.size() < 5) return kBadWords;
  Spec s;
  s.source = address_bytes(words[1]);
  s.destination = address_bytes(words[2]);
  s.port = port_of(words[3]);
  Report report;
  const int fd = open_device(s.from);
  if (fd < 0) return report.ended(false, errno);
  if (!read_mac(words[0], s.to) || s.destination.empty() || s.source.size() != s.destination.size())
    return kBadWords;
  int sent = 0;
  const unsigned count = port_of(words[4]);
  constexpr unsigned kFirstPort = 1024;
  for (unsigned i = 0; i < count; ++i) {
    s.source_port = static_cast<std::uint16_t>(kFirstPort + (i % (65536 - kFirstPort)));
    const Bytes bytes = whole(s);
    if (::send(fd, bytes.data(), bytes.size(), 0) > 0) ++sent;
  }
  ::close(fd);
  return report.number("sent", sent).ended(sent > 0);
}

int scan(const Words& words) {
  if (words.size() < 3) return kBadWords;
  Spec s;
  s.source = address_bytes(words[1]);
  s.destination = address_bytes(words[2]);
  Report report;
  const int fd = open_device(s.from);
  if (fd < 0) return report.ended(false, errno);
  if (!read_mac(words[0], s.to) || s.destination.size() != 4 || s.source.size() != 4)
    return kBadWords;
  constexpr unsigned kPorts = 65536;
  constexpr unsigned kUnderWay = 64;
  enum State : char { kSilent, kRefused, kOpen };
  std::vector<State> states(kPorts, kSilent);
  unsigned answers = 0;
  Bytes f(2048);
  const auto take = [&](int milliseconds) {
    if (!await(fd, POLLIN, milliseconds)) return false;
    const ssize_t n = ::recv(fd, f.data(), f.size(), 0);
    // IPv4, TCP, from there to our port.
    constexpr ssize_t kLeast = 14 + 20 + 14;
    if (n < kLeast || f[23] != kTcp || !std::equal(s.from.begin(), s.from.end(), f.begin()) ||
        !std::equal(s.destination.begin(), s.destination.end(), f.begin() + 26) ||
        ((unsigned{f[36]} << 8U) | f[37]) != s.source_port)
      return true;
    State& state = states[(unsigned{f[34]} << 8U) | f[35]];
    if (state == kSilent) ++answers;
    state = (f[47] & 4U) != 0 ? (state == kOpen ? kOpen : kRefused) : kOpen;
    return true;
  };
  for (unsigned port = 1; port < kPorts; ++port) {
    s.port = static_cast<std::uint16_t>(port);
    const Bytes bytes = whole(s);
    if (::send(fd, bytes.data(), bytes.size(), 0) < 0) return report.ended(false, errno);
    while (port - answers >= kUnderWay && take(kWaitMs)) {
    }
  }
  while (answers < kPorts - 1 && take(kWaitMs)) {
  }
  ::close(fd);
  std::string open;
  for (unsigned port = 1; port < kPorts; ++port) {
    if (states[port] == kOpen) open += (open.empty() ? "" : " ") + std::to_string(port);
  }
  return report.number("answers", answers).text("said", open).ended(answers == kPorts - 1);
}

}  // namespace pyro::probe
