// What pyro adds to starting a program in a live guest.
//
//   pyro_bench_exec_latency --spawn-program FILE [--environment NAME] [--rounds N] [--warm-up N]
//
// One clone of the template; FILE (pyro_bench_guest_spawn) is sent into it and stays there as a
// process. Each round takes one sample of everything, so that all of them meet the same weather:
//   exec         /bin/true through the agent, from the request to the answer, on the host's clock
//   ping         an empty request to the agent and back, on the host's clock
//   spawn        the agent's own figure: from the request to a successful exec, on the guest's
//   clock guest_fork, guest_vfork, guest_posix_spawn   FILE starts /bin/true and waits, on the
//   guest's clock
//   static_exec, static_fork   exec and guest_fork of FILE, told to end at once, instead of
//   /bin/true
// `added` is exec minus guest_fork of the same round, `static_added` the same of the other two.
// Prints one JSON object: the samples in milliseconds, in order.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/guest.h"
#include "core/templates.h"
#include "rpc/session.h"
#include "sys/dirs.h"
#include "sys/file.h"
#include "vmm/host_facts.h"
#include "vmm/qemu.h"

namespace {

using namespace pyro;
namespace asio = boost::asio;
namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using StreamPtr = std::shared_ptr<rpc::Stream>;

constexpr const char* kGuestProgram = "/tmp/pyro-bench-spawn";
constexpr std::uint64_t kMostProgram = 16U << 20;

struct Options {
  std::string environment = "debian:12";
  std::string spawn_program;
  int rounds = 60;
  int warm_up = 20;
};

double ms_since(Clock::time_point from) {
  return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

// One line of samples for each thing that is measured.
struct Samples {
  std::vector<double> exec, ping, spawn, guest_fork, guest_vfork, guest_posix_spawn, added;
  std::vector<double> static_exec, static_fork, static_added;

  [[nodiscard]] json::object to_json() const {
    return {{"exec", json::value_from(exec)},
            {"ping", json::value_from(ping)},
            {"spawn", json::value_from(spawn)},
            {"guest_fork", json::value_from(guest_fork)},
            {"guest_vfork", json::value_from(guest_vfork)},
            {"guest_posix_spawn", json::value_from(guest_posix_spawn)},
            {"added", json::value_from(added)},
            {"static_exec", json::value_from(static_exec)},
            {"static_fork", json::value_from(static_fork)},
            {"static_added", json::value_from(static_added)}};
  }
};

io::Task<proto::ExecResult> result_of(StreamPtr stream, double* spawn_ms) {
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await stream->next());
    if (auto* response = std::get_if<rpc::Response>(&item)) {
      PYRO_CO_TRY(const auto result, proto::decode<proto::ExecResult>(response->result));
      if (spawn_ms != nullptr) *spawn_ms = static_cast<double>(result.spawn_us) / 1000.0;
      co_return result;
    }
  }
}

Result<void> succeeded(const proto::ExecResult& result, const char* what) {
  if (result.shell_code() == 0) return {};
  return fail(Errc::kInternal, fmt::format("{} ended with {}", what, result.shell_code()));
}

// The guest's helper: a process that starts /bin/true when told to.
class Spawner {
 public:
  explicit Spawner(StreamPtr stream) : stream_(std::move(stream)) {}

  io::Task<std::string> line() {
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        std::string found = text_.substr(0, end);
        text_.erase(0, end + 1);
        co_return found;
      }
      PYRO_CO_TRY(rpc::Incoming item, co_await stream_->next());
      if (auto* data = std::get_if<rpc::Data>(&item)) text_ += data->bytes;
      if (std::holds_alternative<rpc::Response>(item))
        co_return fail(Errc::kInternal, "the guest's helper ended");
    }
  }
  io::Task<double> time(char how) {
    PYRO_CO_CHECK(co_await stream_->send(wire::kStdin, std::string(1, how)));
    PYRO_CO_TRY(const std::string text, co_await line());
    long long ns = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), ns);
    if (parsed.ec != std::errc{})
      co_return fail(Errc::kInternal, "the guest's helper said: " + text);
    co_return static_cast<double>(ns) / 1e6;
  }

 private:
  StreamPtr stream_;
  std::string text_;
};

io::Task<void> send_program(rpc::Session& session, std::string bytes) {
  const std::string script = fmt::format("cat >{0} && chmod +x {0}", kGuestProgram);
  proto::Exec request{
      .argv = proto::to_bytes({"/bin/sh", "-c", script}), .stdin_open = true, .tty = {}};
  PYRO_CO_TRY(const auto stream, session.open(proto::Exec::kName, proto::encode(request)));
  PYRO_CO_CHECK(co_await stream->send(wire::kStdin, std::move(bytes), /*end=*/true));
  PYRO_CO_TRY(const auto result, co_await result_of(stream, nullptr));
  co_return succeeded(result, "storing the helper in the guest");
}

io::Task<double> time_exec(rpc::Session& session, std::vector<std::string> argv, double* spawn_ms) {
  const auto start = Clock::now();
  proto::Exec request{.argv = proto::to_bytes(std::move(argv)), .tty = {}};
  PYRO_CO_TRY(const auto stream, session.open(proto::Exec::kName, proto::encode(request)));
  PYRO_CO_TRY(const auto result, co_await result_of(stream, spawn_ms));
  const double ms = ms_since(start);
  PYRO_CO_CHECK(succeeded(result, "the program"));
  co_return ms;
}

io::Task<void> take_round(rpc::Session& session, Spawner& spawner, Samples* into) {
  double spawn_ms = 0;
  PYRO_CO_TRY(const double exec_ms, co_await time_exec(session, {"/bin/true"}, &spawn_ms));
  PYRO_CO_TRY(const double fork_ms, co_await spawner.time('f'));
  const auto ping_start = Clock::now();
  PYRO_CO_CHECK(co_await session.call(proto::Ping::kName, {}, std::chrono::seconds(10)));
  const double ping_ms = ms_since(ping_start);
  PYRO_CO_TRY(const double vfork_ms, co_await spawner.time('v'));
  PYRO_CO_TRY(const double posix_spawn_ms, co_await spawner.time('s'));
  PYRO_CO_TRY(const double static_exec_ms,
              co_await time_exec(session, {kGuestProgram, "end"}, nullptr));
  PYRO_CO_TRY(const double static_fork_ms, co_await spawner.time('t'));
  into->exec.push_back(exec_ms);
  into->ping.push_back(ping_ms);
  into->spawn.push_back(spawn_ms);
  into->guest_fork.push_back(fork_ms);
  into->guest_vfork.push_back(vfork_ms);
  into->guest_posix_spawn.push_back(posix_spawn_ms);
  into->added.push_back(exec_ms - fork_ms);
  into->static_exec.push_back(static_exec_ms);
  into->static_fork.push_back(static_fork_ms);
  into->static_added.push_back(static_exec_ms - static_fork_ms);
  co_return Result<void>{};
}

io::Task<Samples> measure(core::Guest& guest, const Options& options, std::string program) {
  PYRO_CO_CHECK(co_await guest.greet(std::chrono::seconds(20)));
  PYRO_CO_CHECK(co_await guest.rejuvenate({.hostname = "bench"}));
  rpc::Session& session = guest.session();
  PYRO_CO_CHECK(co_await send_program(session, std::move(program)));
  proto::Exec request{.argv = proto::to_bytes({kGuestProgram}), .stdin_open = true, .tty = {}};
  PYRO_CO_TRY(const auto stream, session.open(proto::Exec::kName, proto::encode(request)));
  Spawner spawner(stream);
  PYRO_CO_TRY(const std::string hello, co_await spawner.line());
  if (hello != "ready") co_return fail(Errc::kInternal, "the guest's helper said: " + hello);
  Samples warm_up;
  Samples samples;
  for (int i = 0; i < options.warm_up; ++i)
    PYRO_CO_CHECK(co_await take_round(session, spawner, &warm_up));
  for (int i = 0; i < options.rounds; ++i)
    PYRO_CO_CHECK(co_await take_round(session, spawner, &samples));
  co_return samples;
}

io::Task<Samples> run(const Options& options, sys::Dirs dirs) {
  const sys::Environment env = sys::process_environment();
  PYRO_CO_TRY(std::string program, sys::read_file(options.spawn_program, kMostProgram));
  PYRO_CO_TRY(const auto facts,
              vmm::host_facts(dirs.cache, /*fresh=*/false, env("PYRO_ACCELERATOR").value_or("")));
  PYRO_CO_TRY(auto qemu, vmm::known_qemu(dirs.cache, env("PYRO_QEMU").value_or(""),
                                         env("PATH").value_or("/usr/bin")));
  vmm::QemuVmm vmm(std::move(qemu));
  image::Environments environments(dirs);
  PYRO_CO_TRY(const image::InstalledEnvironment environment,
              environments.open(options.environment));
  core::Templates templates(dirs.templates(), vmm);
  const vmm::Shape shape{.accelerator = facts.accelerator};
  const core::BootConfig boot{.agent_path = dirs.libexec + "/pyro-agent", .tsc_khz = facts.tsc_khz};
  core::TemplateRequest request{
      .environment = environment, .shape = shape, .boot = boot, .on_phase = {}};
  PYRO_CO_TRY(core::Template base, co_await templates.ensure(std::move(request)));
  vmm::LaunchSpec spec{.shape = shape,
                       .start = vmm::Restore{.state = std::move(base.state)},
                       .memory = std::move(base.memory)};
  PYRO_CO_TRY(spec.root_image, sys::open_file(environment.rootfs, O_RDONLY));
  PYRO_CO_TRY(auto vm, co_await vmm.launch(std::move(spec)));
  core::Guest guest(std::move(vm), co_await asio::this_coro::executor, boot);
  auto samples = co_await measure(guest, options, std::move(program));
  co_await guest.end();
  co_return samples;
}

Result<int> number(const char* text) {
  int value = 0;
  const auto parsed = std::from_chars(text, text + std::strlen(text), value);
  if (parsed.ec != std::errc{} || *parsed.ptr != '\0' || value < 1 || value > 100'000) {
    return fail(Errc::kInvalid, fmt::format("{} is not a number from 1 to 100000", text));
  }
  return value;
}

Result<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) return fail(Errc::kInvalid, name + " needs a value");
    const char* value = argv[i + 1];
    if (name == "--environment") {
      options.environment = value;
    } else if (name == "--spawn-program") {
      options.spawn_program = value;
    } else if (name == "--rounds") {
      PYRO_TRY(options.rounds, number(value));
    } else if (name == "--warm-up") {
      PYRO_TRY(options.warm_up, number(value));
    } else {
      return fail(Errc::kInvalid, "unknown option " + name);
    }
  }
  if (options.spawn_program.empty()) return fail(Errc::kInvalid, "--spawn-program is missing");
  return options;
}

Result<Samples> measured(int argc, char** argv) {
  PYRO_TRY(const Options options, parse(argc, argv));
  PYRO_TRY(sys::Dirs dirs, sys::resolve_dirs(sys::process_environment()));
  asio::io_context loop(1);
  Result<Samples> result = fail(Errc::kInternal, "nothing was measured");
  asio::co_spawn(loop, run(options, std::move(dirs)),
                 [&](std::exception_ptr failure, Result<Samples> r) {
                   if (!failure) result = std::move(r);
                 });
  loop.run();
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // as a supervisor does: a machine that goes breaks its pipes
  const auto samples = measured(argc, argv);
  if (!samples) {
    std::fprintf(stderr, "pyro_bench_exec_latency: %s%s%s\n", samples.error().message.c_str(),
                 samples.error().hint.empty() ? "" : "\nhint: ", samples.error().hint.c_str());
    return 1;
  }
  std::puts(json::serialize(samples->to_json()).c_str());
  return 0;
}
