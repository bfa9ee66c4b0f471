#include "probe/report.h"

#include <cerrno>
#include <cstdio>

namespace pyro::probe {

void Report::key(std::string_view name) {
  if (line_.size() > 1) line_ += ',';
  line_ += '"';
  line_ += name;
  line_ += "\":";
}

Report& Report::text(std::string_view name, std::string_view value) {
  constexpr char kFirstPrintable = 0x20;
  key(name);
  line_ += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line_ += '\\';
    line_ += c >= kFirstPrintable && c < 0x7f ? c : ' ';
  }
  line_ += '"';
  return *this;
}

Report& Report::number(std::string_view name, std::int64_t value) {
  key(name);
  line_ += std::to_string(value);
  return *this;
}

Report& Report::flag(std::string_view name, bool value) {
  key(name);
  line_ += value ? "true" : "false";
  return *this;
}

int Report::ended(bool ok, int error) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began_);
  if (error != 0) text("error", errno_name(error));
  flag("ok", ok).number("ms", took.count());
  std::printf("%s}\n", line_.c_str());
  std::fflush(stdout);
  return 0;
}

std::string errno_name(int error) {
  struct Name {
    int error;
    const char* name;
  };
  static constexpr Name kNames[] = {
      {ECONNREFUSED, "ECONNREFUSED"},
      {ECONNRESET, "ECONNRESET"},
      {EHOSTUNREACH, "EHOSTUNREACH"},
      {ENETUNREACH, "ENETUNREACH"},
      {ETIMEDOUT, "ETIMEDOUT"},
      {EACCES, "EACCES"},
      {EPERM, "EPERM"},
      {ENOPROTOOPT, "ENOPROTOOPT"},
      {EINVAL, "EINVAL"},
      {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
      {EPIPE, "EPIPE"},
      {EMSGSIZE, "EMSGSIZE"},
      {ENODEV, "ENODEV"},
      {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
  };
  for (const Name& n : kNames) {
    if (n.error == error) return n.name;
  }
  return "errno " + std::to_string(error);
}

}  // namespace pyro::probe
