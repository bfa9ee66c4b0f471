#include "cli/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/fd.h"

namespace pyro::cli {

Result<void> Sink::write(std::string_view bytes) {
  if (error_) return std::unexpected(*error_);
  Result<void> done = do_write(bytes);
  if (!done) error_ = done.error();
  return done;
}

Result<void> FdSink::do_write(std::string_view bytes) {
  while (!bytes.empty()) {
    const Result<int> n = sys::retrying("writing " + name_, [&] {
      return ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), 1U << 20));
    });
    if (n) {
      bytes.remove_prefix(static_cast<std::size_t>(*n));
    } else if (n.error().os_errno == EAGAIN) {
      pollfd wait{.fd = fd_, .events = POLLOUT, .revents = 0};
      PYRO_CHECK(sys::retrying("poll", [&] { return ::poll(&wait, 1, -1); }));
    } else {
      return std::unexpected(n.error());
    }
  }
  return {};
}

ProcessIo::ProcessIo() {
  for (int fd = 0; fd <= 2; ++fd) {
    // The lowest free number is given out, so this opens just fd. Not for writing: output to a
    // closed stream stays an error.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) return;
  }
}

Io ProcessIo::io() {
  std::optional<int> input;
  if (::isatty(0) == 0) input = 0;
  std::optional<TerminalFds> terminal;
  if (!input && ::isatty(1) != 0) terminal = TerminalFds{.input = 0, .output = 1};
  sys::Environment env = sys::process_environment();
  const bool dumb = env("TERM").value_or("dumb") == "dumb";
  return {.out = out,
          .err = err,
          .err_tty = !dumb && ::isatty(2) != 0,
          .err_columns =
              [] {
                winsize size{};
                return ::ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
              },
          .stdin_fd = input,
          .terminal = terminal,
          .env = std::move(env),
          .now = [] { return std::chrono::steady_clock::now(); },
          .watch_interrupts = [] { return watch_interrupts(); }};
}

namespace {

std::string escaped(std::string_view text, std::string_view kept) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : to_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && !kept.contains(c)) || byte == 0x7F) {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 0xF];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, "\n\t");
}

std::string one_line(std::string_view text) {
  return escaped(text, "");
}

}  // namespace pyro::cli
