#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "probe/address.h"
#include "probe/commands.h"
#include "probe/report.h"

namespace pyro::probe {

int connect_and_talk(const std::string& address, const std::string& port, const std::string& text);

namespace {

constexpr int kPatienceMs = 4000;
constexpr int kBadWords = 2;
constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAaaa = 28;

using Message = std::vector<unsigned char>;

void put16(Message& m, unsigned value) {
  m.push_back(static_cast<unsigned char>(value >> 8U));
  m.push_back(static_cast<unsigned char>(value));
}

Message query(const std::string& name, std::uint16_t type, std::uint16_t id) {
  Message m;
  for (const unsigned v : {unsigned{id}, 0x0100U, 1U, 0U, 0U, 0U}) put16(m, v);
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    m.push_back(static_cast<unsigned char>(end - at));
    m.insert(m.end(), name.begin() + static_cast<std::ptrdiff_t>(at),
             name.begin() + static_cast<std::ptrdiff_t>(end));
    at = end + 1;
  }
  m.push_back(0);
  put16(m, type);
  put16(m, 1);
  return m;
}

// The addresses of an answer whose names are all short; a broken one has none.
std::vector<std::string> addresses(const Message& m) {
  std::vector<std::string> out;
  std::size_t at = kHeader;
  const auto skip_name = [&] {
    while (at < m.size() && m[at] != 0 && m[at] < 0xc0) at += 1U + m[at];
    at += at < m.size() && m[at] >= 0xc0 ? 2 : 1;
  };
  skip_name();
  at += 4;
  const unsigned answers = m.size() > 7 ? (unsigned{m[6]} << 8U) | m[7] : 0;
  for (unsigned i = 0; i < answers; ++i) {
    skip_name();
    if (at + 10 > m.size()) break;
    const unsigned type = (unsigned{m[at]} << 8U) | m[at + 1];
    const std::size_t size = (std::size_t{m[at + 8]} << 8U) | m[at + 9];
    at += 10;
    if (at + size > m.size()) break;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if ((type == kTypeA && size == 4) || (type == kTypeAaaa && size == 16))
      out.emplace_back(
          ::inet_ntop(size == 4 ? AF_INET : AF_INET6, m.data() + at, text.data(), text.size()));
    at += size;
  }
  return out;
}

// Whole, or empty with errno.
Message ask(int fd, const Message& question, bool stream) {
  Message out = question;
  if (stream)
    out.insert(out.begin(), {static_cast<unsigned char>(question.size() >> 8U),
                             static_cast<unsigned char>(question.size())});
  if (::send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0) return {};
  Message in;
  const std::size_t head = stream ? 2 : 0;
  for (;;) {
    if (!await(fd, POLLIN, kPatienceMs)) {
      errno = ETIMEDOUT;
      return {};
    }
    std::array<unsigned char, 4096> part{};
    const ssize_t n = ::recv(fd, part.data(), part.size(), 0);
    if (n == 0) errno = ECONNRESET;
    if (n <= 0) return {};
    in.insert(in.end(), part.begin(), part.begin() + n);
    if (!stream) return in;
    if (in.size() >= head && in.size() >= head + ((std::size_t{in[0]} << 8U) | in[1]))
      return {in.begin() + 2, in.end()};
  }
}

int open_to(const std::string& server, bool stream) {
  const auto to = place_of(server, kDnsPort);
  if (!to) {
    errno = EINVAL;
    return -1;
  }
  const int fd = ::socket(to->family(), (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, to->get(), to->size) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

const char* rcode_name(const Message& m) {
  static constexpr std::array<const char*, 6> kNames{"NOERROR",  "FORMERR", "SERVFAIL",
                                                     "NXDOMAIN", "NOTIMP",  "REFUSED"};
  const unsigned code = m.size() >= kHeader ? m[3] & 15U : 1U;
  return code < kNames.size() ? kNames[code] : "other";
}

}  // namespace

int dns(const Words& words) {
  if (words.size() < 3) return kBadWords;
  Report report;
  const bool stream = words[0] == "tcp";
  const int fd = open_to(words[1], stream);
  if (fd < 0) return report.ended(false, errno);
  const std::uint16_t type = words.size() > 3 ? port_of(words[3]) : kTypeA;
  const Message answer = ask(fd, query(words[2], type, 0x7079), stream);
  const int error = errno;
  ::close(fd);
  if (answer.empty()) return report.ended(false, error);
  std::string said;
  for (const std::string& a : addresses(answer)) said += (said.empty() ? "" : " ") + a;
  return report.text("rcode", rcode_name(answer)).text("said", said).ended(!said.empty());
}

int tunnel(const Words& words) {
  if (words.size() < 3) return kBadWords;
  Report report;
  const int fd = open_to(words[0], false);
  if (fd < 0) return report.ended(false, errno);
  constexpr int kLastMs = 500;
  int answered = 0;
  int refused = 0;
  int lost = 0;
  const auto take = [&](int milliseconds) {
    std::array<unsigned char, 4096> part{};
    if (!await(fd, POLLIN, milliseconds)) return false;
    const ssize_t n = ::recv(fd, part.data(), part.size(), 0);
    if (n <= 0) return false;
    ++(addresses({part.begin(), part.begin() + n}).empty() ? refused : answered);
    return true;
  };
  const unsigned count = port_of(words[2]);
  for (unsigned i = 0; i < count; ++i) {
    const Message question =
        query("secret" + std::to_string(i) + "." + words[1], kTypeA, static_cast<std::uint16_t>(i));
    static_cast<void>(::send(fd, question.data(), question.size(), 0));
    // No faster than answers come, for the queues on the way are short; but one may be lost.
    constexpr unsigned kUnderWay = 16;
    constexpr int kSoonMs = 50;
    while (i + 1 - static_cast<unsigned>(answered + refused + lost) >= kUnderWay) {
      if (!take(kSoonMs)) ++lost;
    }
  }
  while (answered + refused < static_cast<int>(count) && take(kLastMs)) {
  }
  ::close(fd);
  return report.number("answered", answered).number("refused", refused).ended(answered > 0);
}

int by_name(const Words& words) {
  if (words.size() < 3) return kBadWords;
  const int fd = open_to(words[0], false);
  if (fd < 0) return Report().ended(false, errno);
  const Message answer = ask(fd, query(words[1], kTypeA, 0x7079), false);
  const int error = errno;
  ::close(fd);
  if (answer.empty()) return Report().ended(false, error);
  const auto found = addresses(answer);
  if (found.empty()) return Report().text("rcode", rcode_name(answer)).ended(false);
  return connect_and_talk(words.size() > 3 ? words[3] : found.front(), words[2], "");
}

}  // namespace pyro::probe
