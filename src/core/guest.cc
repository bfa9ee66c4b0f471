#include "core/guest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <cerrno>

#include "base/text.h"
#include "image/initramfs.h"
#include "policy/special_ranges.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/random.h"
#include "vmm/qemu_command.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {

constexpr std::size_t kConsoleInError = 1500;
constexpr auto kSettle = std::chrono::milliseconds(100);
constexpr auto kPowerOff = std::chrono::milliseconds(1000);

// The end of the console, on lines of its own, for a person to read.
std::string console_lines(const std::string& console) {
  if (console.empty()) return " (its console printed nothing)";
  std::size_t from = console.size() - std::min(console.size(), kConsoleInError);
  // From the start of a line, unless there is only one.
  const std::size_t line = from > 0 ? console.find('\n', from) : std::string::npos;
  if (line != std::string::npos && line + 1 < console.size()) from = line + 1;
  return "\nlast lines of the guest's console:\n" +
         printable(std::string_view(console).substr(from));
}

asio::awaitable<void> abort_after(std::chrono::milliseconds limit, rpc::Session* session) {
  const auto slept = co_await io::sleep_for(limit);
  if (slept) session->abort({.code = Errc::kDeadline, .message = "no answer in time", .hint = {}});
}

asio::awaitable<void> abandon_after(std::chrono::milliseconds limit,
                                    std::shared_ptr<rpc::Stream> stream) {
  const auto slept = co_await io::sleep_for(limit);
  if (slept) stream->abandon({.code = Errc::kDeadline, .message = "no answer in time", .hint = {}});
}

// Everything until the answer, which does not matter either.
io::Task<void> drain(std::shared_ptr<rpc::Stream> stream) {
  for (;;) {
    PYRO_CO_TRY(const rpc::Incoming item, co_await stream->next());
    if (std::holds_alternative<rpc::Response>(item)) co_return Result<void>{};
  }
}

std::vector<proto::LinkAddress> link_addresses() {
  std::vector<proto::LinkAddress> all;
  for (const policy::Family family : {policy::Family::kIpv4, policy::Family::kIpv6}) {
    const policy::LinkAddresses& link = policy::link_of(family);
    all.push_back(
        {.guest = link.guest.text(), .length = link.length, .engine = link.engine.text()});
  }
  return all;
}

}  // namespace

Guest::Guest(std::unique_ptr<vmm::Vm> vm, asio::any_io_executor ex, BootConfig limits)
    : limits_(std::move(limits)), vm_(std::move(vm)) {
  sys::UniqueFd control = vm_->take_control_port();
  sys::UniqueFd data = vm_->take_data_port();
  for (const auto* port : {&control, &data}) {
    auto held = sys::duplicate(port->get());
    if (held) held_ports_.push_back(*std::move(held));
  }
  session_ = std::make_unique<rpc::Session>(ex, std::move(control), std::move(data),
                                            rpc::SessionOptions{.handler = {}, .software = "pyro"});
}

Guest::~Guest() = default;

io::Task<Error> Guest::explain(Error error) {
  const std::chrono::milliseconds limit =
      session_->is_cut() ? limits_.closed_limit : limits_.end_limit;
  const auto ended = co_await vm_->ended().wait_for(limit);
  if (!ended) co_return error;
  const vmm::VmEnd end = vm_->end();
  co_return Error{.code = Errc::kUnavailable,
                  .os_errno = end.killed_by_host ? ENOMEM : 0,
                  .message = end.detail + console_lines(vm_->console_tail()),
                  .hint = end.kind == vmm::VmEnd::Kind::kCrashed
                              ? "run the command again; if QEMU was killed, check the host's memory"
                              : ""};
}

io::Task<void> Guest::greet(std::chrono::milliseconds limit) {
  auto hello = co_await session_->handshake_as_initiator(limit);
  if (hello) co_return Result<void>{};
  if (hello.error().code != Errc::kDeadline) {
    PYRO_CO_TRY(Error why, co_await explain(std::move(hello.error())));
    co_return std::unexpected(std::move(why).context("the guest did not come up"));
  }
  co_return std::unexpected(
      Error{.code = Errc::kDeadline,
            .message = fmt::format("the guest did not answer within {:.1f} s{}",
                                   std::chrono::duration<double>(limit).count(),
                                   console_lines(vm_->console_tail())),
            .hint = "run: pyro doctor"});
}

io::Task<Error> Guest::failed(std::string what, Error error) {
  if (!session_->is_open()) {
    PYRO_CO_TRY(error, co_await explain(std::move(error)));
  }
  // A machine that ended has its console in the error already.
  if (error.code == Errc::kDeadline) error.message += console_lines(vm_->console_tail());
  co_return std::move(error).context(what);
}

io::Task<boost::json::object> Guest::call(std::string what, std::string method,
                                          boost::json::object params) {
  auto done = co_await session_->call(std::move(method), std::move(params), limits_.call_limit);
  if (done) co_return done;
  PYRO_CO_TRY(Error why, co_await failed(std::move(what), std::move(done.error())));
  co_return std::unexpected(std::move(why));
}

io::Task<void> Guest::prepare(vmm::Shape shape) {
  proto::Prepare request{.root = "pyro-root"};
  if (shape.disks == vmm::Disks::kWorkspace) request.scratch = vmm::kScratchSerial;
  if (shape.mac) request.link = link_addresses();
  PYRO_CO_CHECK(
      co_await call("preparing the guest's root", proto::Prepare::kName, proto::encode(request)));
  co_return Result<void>{};
}

io::Task<void> Guest::rejuvenate(Identity identity) {
  PYRO_CO_TRY(std::string entropy, sys::random_bytes(64));
  PYRO_CO_TRY(const std::string machine_id, sys::random_bytes(16));
  proto::Rejuvenate request{.entropy = std::move(entropy),
                            .wall_clock_ns = sys::wall_clock_ns(),
                            .hostname = std::move(identity.hostname),
                            .machine_id = hex(machine_id)};
  PYRO_CO_CHECK(
      co_await call("rejuvenating the guest", proto::Rejuvenate::kName, proto::encode(request)));
  co_return Result<void>{};
}

io::Task<void> Guest::warm_up(std::vector<std::string> argv) {
  proto::Exec request{.argv = proto::to_bytes(std::move(argv)),
                      .timeout_ms = limits_.warm_up_limit.count()};
  PYRO_CO_TRY(const auto stream, session_->open(proto::Exec::kName, proto::encode(request)));
  io::TaskScope scope(co_await asio::this_coro::executor);
  scope.spawn(abandon_after(limits_.warm_up_limit + limits_.silence_limit, stream));
  auto done = co_await drain(stream);
  static_cast<void>(co_await scope.close());
  // A command that is not there warms nothing up, and that is all.
  if (done || done.error().code == Errc::kNotFound || done.error().code == Errc::kDenied) {
    co_return Result<void>{};
  }
  PYRO_CO_TRY(Error why, co_await failed("warming up the template", std::move(done.error())));
  co_return std::unexpected(std::move(why));
}

io::Task<void> Guest::freeze_and_save() {
  PYRO_CO_CHECK(
      co_await call("freezing the guest", proto::Freeze::kName, proto::encode(proto::Freeze{})));
  // The agent ends the session once it has nothing more to send, so nothing is in flight when the
  // machine stops.
  io::TaskScope scope(co_await asio::this_coro::executor);
  scope.spawn(abort_after(limits_.call_limit, session_.get()));
  Error why = co_await session_->closed();
  static_cast<void>(co_await scope.close());
  if (why.code == Errc::kDeadline) {
    held_ports_.clear();  // it is given up, and may notice
    PYRO_CO_TRY(why, co_await failed("freezing the guest", std::move(why)));
    co_return std::unexpected(std::move(why));
  }
  // A moment for the agent to make its next session and wait for it: what it has not done yet would
  // be translated and run in every clone.
  PYRO_CO_CHECK(co_await io::sleep_for(kSettle));
  co_return co_await vm_->save();
}

io::Task<void> Guest::shut_down() {
  PYRO_CO_CHECK(co_await call("shutting the guest down", proto::Shutdown::kName, {}));
  static_cast<void>(co_await vm_->ended().wait_for(kPowerOff));
  co_return Result<void>{};
}

asio::awaitable<void> Guest::end() {
  static_cast<void>(co_await vm_->kill());
  co_await session_->close();
}

Result<vmm::FreshBoot> make_fresh_boot(const image::InstalledEnvironment& environment,
                                       const BootConfig& config, vmm::Accelerator accelerator) {
  vmm::FreshBoot boot;
  PYRO_TRY(boot.kernel, sys::open_file(environment.kernel, O_RDONLY));
  // Two archives behind each other are one initramfs to the kernel, so the agent of this build goes
  // with the modules of any installed environment.
  constexpr std::uint64_t kMostModules = 256U << 20;
  PYRO_TRY(const std::string modules, sys::read_file(environment.initramfs, kMostModules));
  PYRO_TRY(const std::string agent, sys::read_file(config.agent_path, kMostAgent));
  image::CpioWriter archive;
  archive.add_program("init", agent);
  const int fd = ::memfd_create("initramfs", MFD_CLOEXEC);
  if (fd < 0) return sys::fail_errno("memfd_create", errno);
  boot.initramfs = sys::UniqueFd(fd);
  PYRO_CHECK(sys::write_all(fd, modules));
  PYRO_CHECK(sys::write_all(fd, archive.finish()));
  boot.command_line = vmm::kernel_command_line(accelerator, config.tsc_khz);
  return boot;
}

}  // namespace pyro::core
