#include "core/readiness.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/redact.h"
#include "base/text.h"

namespace pyro::core {

using std::chrono::milliseconds;

namespace {

// Of one look by the agent; of one run of a command.
constexpr milliseconds kMostProbe{5'000};
constexpr milliseconds kMostCommand{30'000};
constexpr milliseconds kCommandGrace{500};
constexpr std::size_t kMostDetail = 200;  // bytes

// The last line of what a command printed.
std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const std::size_t newline = text.rfind('\n');
  if (newline != std::string::npos) text.erase(0, newline + 1);
  return text.substr(0, kMostDetail);
}

std::string outcome_text(const proto::ExecResult& r) {
  if (r.timed_out) return "the readiness command did not end in time";
  if (r.signal) return fmt::format("the readiness command was ended by signal {}", *r.signal);
  return fmt::format("the readiness command exited with {}", r.exit_code.value_or(-1));
}

io::Task<ProbeOutcome> run_command(Guest& guest, const Secrets& secrets, proto::Exec exec,
                                   milliseconds limit) {
  exec.timeout_ms = std::clamp(limit, milliseconds(1), kMostCommand).count();
  exec.kill_grace_ms = kCommandGrace.count();
  const milliseconds patience =
      milliseconds(exec.timeout_ms) + kCommandGrace + guest.limits().silence_limit;
  const auto until = std::chrono::steady_clock::now() + patience;
  PYRO_CO_TRY(const auto stream,
              guest.session().open(proto::Exec::kName, proto::encode(std::move(exec))));
  // Before anything is cut off: of a part of a value nobody can tell what it is.
  std::array<Redactor, 2> redactors{Redactor(secrets), Redactor(secrets)};
  std::string tail;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
    PYRO_CO_TRY(auto item, co_await stream->next_within(std::max(left, milliseconds(0))));
    if (!item) co_return fail(Errc::kUnavailable, "the guest stopped answering");
    if (const auto* data = std::get_if<rpc::Data>(&*item)) {
      tail += redactors[data->channel == wire::kStdout ? 0 : 1].feed(data->bytes);
      if (tail.size() > 2 * kMostDetail) tail.erase(0, tail.size() - kMostDetail);
    } else if (const auto* response = std::get_if<rpc::Response>(&*item)) {
      PYRO_CO_TRY(const auto result, proto::decode<proto::ExecResult>(response->result));
      if (result.exit_code == 0 && !result.timed_out)
        co_return ProbeOutcome{.ready = true, .detail = {}};
      tail += redactors[0].flush() + redactors[1].flush();
      const std::string line = last_line(std::move(tail));
      co_return ProbeOutcome{.detail = outcome_text(result) + (line.empty() ? "" : ": " + line)};
    }
  }
}

// The agent's answer comes from the guest.
io::Task<proto::ProbeResult> ask(Guest& guest, proto::Probe request) {
  const auto limit = milliseconds(request.timeout_ms) + guest.limits().silence_limit;
  PYRO_CO_TRY(const auto answer,
              co_await guest.session().call(proto::Probe::kName, proto::encode(request), limit));
  PYRO_CO_TRY(auto result, proto::decode<proto::ProbeResult>(answer));
  result.detail.resize(std::min(result.detail.size(), kMostDetail));
  co_return result;
}

}  // namespace

Result<void> check(const proto::Readiness& r) {
  const auto has_nul = [](const std::string& s) { return s.find('\0') != std::string::npos; };
  bool fine = !has_nul(r.path) && !has_nul(r.host) && !has_nul(r.command);
  if (r.type == "file") {
    fine = fine && r.path.starts_with('/');
  } else if (r.type == "tcp") {
    fine = fine && r.port != 0 && !r.host.empty();
  } else if (r.type == "http") {
    fine = fine && r.port != 0 && !r.host.empty() && r.path.starts_with('/');
  } else {
    fine = fine && r.type == "command" && !r.command.empty();
  }
  if (fine) return {};
  return fail(Errc::kInvalid, "the readiness of the service is not described as it must be");
}

io::Task<std::int64_t> guest_clock(Guest& guest) {
  PYRO_CO_TRY(const auto result, co_await ask(guest, {.kind = "file", .path = {"/"}, .host = {}}));
  co_return result.clock_ns;
}

io::Task<ProbeOutcome> probe(Guest& guest, const Secrets& secrets, proto::Readiness r,
                             std::int64_t since_ns, proto::Exec exec, milliseconds limit) {
  if (r.type == "command") {
    exec.argv = {{"/bin/sh"}, {"-c"}, {r.command}};
    co_return co_await run_command(guest, secrets, std::move(exec), limit);
  }
  proto::Probe request{.kind = r.type,
                       .path = proto::Bytes(r.path),
                       .host = r.host,
                       .port = r.port,
                       .timeout_ms = std::clamp(limit, milliseconds(1), kMostProbe).count(),
                       .since_ns = r.type == "file" ? since_ns : 0};
  PYRO_CO_TRY(auto result, co_await ask(guest, std::move(request)));
  co_return ProbeOutcome{.ready = result.ready, .detail = std::move(result.detail)};
}

}  // namespace pyro::core
