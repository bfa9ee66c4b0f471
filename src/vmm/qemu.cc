#include "vmm/qemu.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <cstdio>

#include "isolate/jail.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/sparse.h"
#include "vmm/qemu_command.h"
#include "vmm/qmp.h"
#include "vmm/work_disk.h"

namespace pyro::vmm {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kConsoleTail = 64U << 10;
constexpr const char* kStateName = "state";
constexpr const char* kStateUri = "fd:state";
constexpr auto kRestoreLimit = std::chrono::seconds(30);
constexpr auto kSaveLimit = std::chrono::seconds(60);
// Everything QEMU needs from the host: its libraries and its firmware (qboot, SeaBIOS).
const std::vector<std::string> kFolders{"/usr", "/lib", "/lib64", "/bin", "/sbin"};

class QemuVm final : public Vm {
 public:
  QemuVm(asio::any_io_executor ex, isolate::Jailed jailed, sys::UniqueFd qmp, sys::UniqueFd console,
         sys::UniqueFd control, sys::UniqueFd data, int work_layers)
      : jailed_(std::move(jailed)),
        qmp_(ex, std::move(qmp),
             [this](const std::string& name, const json::object& event) { on_event(name, event); }),
        console_(ex, console.release()),
        control_(std::move(control)),
        data_(std::move(data)),
        work_disk_(work_layers),
        migration_over_(ex),
        ended_(ex),
        scope_(ex) {}

  // Starts the tasks; `grants` and the descriptors behind them live as long as the machine.
  void start_tasks(std::vector<isolate::OpenGrant> grants, sys::UniqueFd memory, sys::UniqueFd kvm,
                   sys::UniqueFd state) {
    memory_ = std::move(memory);
    kvm_ = std::move(kvm);
    state_ = std::move(state);
    scope_.spawn(broker(std::move(grants)));
    scope_.spawn(qmp_.read_loop());
    scope_.spawn(read_console());
    scope_.spawn(watch_process());
  }
  // Returns once the CPUs run.
  io::Task<void> wait_running(bool restore);

  sys::UniqueFd take_control_port() override { return std::move(control_); }
  sys::UniqueFd take_data_port() override { return std::move(data_); }
  io::Event& ended() override { return ended_; }
  [[nodiscard]] VmEnd end() const override { return end_; }
  [[nodiscard]] std::string console_tail() const override { return console_tail_; }
  [[nodiscard]] StartTimes start_times() const override { return times_; }
  [[nodiscard]] int host_pid() const override { return jailed_.process.pid(); }

  io::Task<void> save() override;
  io::Task<void> add_work_layer(sys::UniqueFd layer) override {
    co_return co_await work_disk_.add_layer(qmp_, std::move(layer));
  }
  [[nodiscard]] bool must_end() const override { return work_disk_.must_end(); }
  io::Task<void> pause() override {
    PYRO_CO_CHECK(co_await qmp_.execute("stop"));
    co_return Result<void>{};
  }
  io::Task<void> resume() override {
    PYRO_CO_CHECK(co_await qmp_.execute("cont"));
    co_return Result<void>{};
  }
  io::Task<void> kill() override;

 private:
  asio::awaitable<void> broker(std::vector<isolate::OpenGrant> grants) {
    static_cast<void>(co_await isolate::serve_opens(jailed_.open_requests, std::move(grants)));
  }
  io::Task<void> prepare_migration();
  io::Task<void> migrated(std::chrono::milliseconds limit);
  asio::awaitable<void> read_console();
  asio::awaitable<void> watch_process();
  void on_event(const std::string& name, const json::object& event);
  void finish(const sys::ExitStatus& status);

  isolate::Jailed jailed_;
  Qmp qmp_;
  asio::posix::stream_descriptor console_;
  sys::UniqueFd control_, data_, memory_, kvm_, state_;
  WorkDisk work_disk_;
  std::string console_tail_;
  StartTimes times_;
  std::chrono::steady_clock::time_point born_ = std::chrono::steady_clock::now();
  io::Event migration_over_;
  bool migration_failed_ = false;
  std::string shutdown_reason_;  // of the SHUTDOWN event (QEMU, qapi/run-state.json)
  bool killed_ = false, reaped_ = false;
  VmEnd end_;
  io::Event ended_;
  io::TaskScope scope_;
};

asio::awaitable<void> QemuVm::read_console() {
  for (;;) {
    char chunk[4096];
    const auto r = co_await console_.async_read_some(asio::buffer(chunk), kTuple);
    const auto& [ec, n] = r;
    if (ec) co_return;
    console_tail_.append(chunk, n);
    if (console_tail_.size() > kConsoleTail) {
      console_tail_.erase(0, console_tail_.size() - kConsoleTail);
    }
  }
}

void QemuVm::on_event(const std::string& name, const json::object& event) {
  if (name == "MIGRATION") {
    const auto* status = event.if_contains("status");
    const std::string text =
        status != nullptr && status->is_string() ? std::string(status->get_string()) : "";
    migration_failed_ = text == "failed" || text == "cancelled";
    if (migration_failed_ || text == "completed") migration_over_.set();
  }
  if (name != "SHUTDOWN") return;
  const auto* reason = event.if_contains("reason");
  shutdown_reason_ =
      reason != nullptr && reason->is_string() ? std::string(reason->get_string()) : "";
}

asio::awaitable<void> QemuVm::watch_process() {
  const auto gone = co_await io::wait_readable(jailed_.process.pidfd().get());
  if (!gone) co_return;  // cancelled: kill() reaps
  // The guest's last words and QEMU's last event may still be in their sockets.
  for (int turn = 0; turn < 3; ++turn) static_cast<void>(co_await io::sleep_for({}));
  if (reaped_) co_return;
  const auto status = jailed_.process.wait();
  reaped_ = true;
  finish(status.value_or(sys::ExitStatus{}));
}

// The guest's memory is in a file of its own; only device state travels.
io::Task<void> QemuVm::prepare_migration() {
  const json::object no_memory{{"capability", "x-ignore-shared"}, {"state", true}};
  const json::object events{{"capability", "events"}, {"state", true}};
  json::object arguments{{"capabilities", json::array{no_memory, events}}};
  PYRO_CO_TRY(const auto ignored,
              co_await qmp_.execute("migrate-set-capabilities", std::move(arguments)));
  static_cast<void>(ignored);
  co_return Result<void>{};
}

io::Task<void> QemuVm::wait_running(bool restore) {
  const auto since = [](auto start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  PYRO_CO_CHECK(co_await qmp_.negotiate());
  times_.spawn_ms = since(born_);
  const auto negotiated = std::chrono::steady_clock::now();
  if (restore) {
    PYRO_CO_CHECK(co_await prepare_migration());
    PYRO_CO_CHECK(co_await qmp_.pass_fd(kStateName, state_.get()));
    json::object source{{"uri", kStateUri}};
    PYRO_CO_TRY(const auto ignored, co_await qmp_.execute("migrate-incoming", std::move(source)));
    static_cast<void>(ignored);
    PYRO_CO_CHECK(co_await migrated(kRestoreLimit));
    PYRO_CO_TRY(const auto started, co_await qmp_.execute("cont"));
    static_cast<void>(started);
  }
  times_.restore_ms = since(negotiated);
  co_return Result<void>{};
}

void QemuVm::finish(const sys::ExitStatus& status) {
  using Kind = VmEnd::Kind;
  if (killed_) {
    end_ = {.kind = Kind::kKilled, .detail = "the virtual machine was stopped"};
  } else if (console_tail_.find("Kernel panic") != std::string::npos) {
    end_ = {.kind = Kind::kPanic, .detail = "the guest's kernel panicked"};
  } else if (shutdown_reason_ == "guest-reset") {
    end_ = {.kind = Kind::kReset, .detail = "the guest rebooted"};
  } else if (shutdown_reason_ == "guest-shutdown") {
    end_ = {.kind = Kind::kPowerOff, .detail = "the guest powered off"};
  } else if (status.signaled) {
    end_ = {.kind = Kind::kCrashed,
            .detail = fmt::format("QEMU was killed by signal {}", status.value),
            .killed_by_host = status.value == SIGKILL};
  } else {
    end_ = {.kind = Kind::kCrashed,
            .detail = fmt::format("QEMU ended with exit code {}", status.value)};
  }
  ended_.set();
  migration_over_.set();  // nobody waits for it any longer
}

io::Task<void> QemuVm::kill() {
  killed_ = true;
  if (!reaped_) {
    (void)jailed_.process.signal(SIGKILL);
    const auto status = jailed_.process.wait();  // a few milliseconds: it was just killed
    reaped_ = true;
    finish(status.value_or(sys::ExitStatus{}));
  }
  const auto failure = co_await scope_.close();
  if (failure) co_return fail(Errc::kInternal, "a task of the virtual machine failed");
  co_return Result<void>{};
}

io::Task<void> QemuVm::save() {
  PYRO_CO_TRY(auto ignored, co_await qmp_.execute("stop"));
  PYRO_CO_CHECK(co_await prepare_migration());
  PYRO_CO_CHECK(co_await qmp_.pass_fd(kStateName, state_.get()));
  json::object target{{"uri", kStateUri}};
  PYRO_CO_TRY(ignored, co_await qmp_.execute("migrate", std::move(target)));
  co_return co_await migrated(kSaveLimit);
}

// Waits for the end of a migration in either direction.
io::Task<void> QemuVm::migrated(std::chrono::milliseconds limit) {
  auto over = co_await migration_over_.wait_for(limit);
  if (!over) co_return std::unexpected(std::move(over.error()).context("device state"));
  if (ended_.is_set()) co_return fail(Errc::kUnavailable, end_.detail);
  if (migration_failed_)
    co_return fail(Errc::kUnavailable, "QEMU could not save or load the device state");
  co_return Result<void>{};
}

// The last lines of what QEMU and the guest printed, for an error.
std::string last_lines(const std::string& text) {
  constexpr std::size_t kMost = 2000;
  return text.size() <= kMost ? text : text.substr(text.size() - kMost);
}

int layers_of(const LaunchSpec& spec) {
  return spec.disks ? static_cast<int>(spec.disks->work_layers.size()) : 0;
}

struct Sockets {
  sys::SocketPair qmp, console, control, data;
};
Result<Sockets> make_sockets() {
  Sockets s;
  PYRO_TRY(s.qmp, sys::make_socket_pair());
  PYRO_TRY(s.console, sys::make_socket_pair());
  PYRO_TRY(s.control, sys::make_socket_pair());
  PYRO_TRY(s.data, sys::make_socket_pair());
  return s;
}

// What to start: the command line and every descriptor QEMU gets.
isolate::JailSpec jail_spec(const QemuProgram& program, const LaunchSpec& spec, const Sockets& s,
                            const sys::UniqueFd& top_layer_read_only) {
  QemuCommand command{.program = program.path,
                      .shape = spec.shape,
                      .memory_mode = spec.memory_mode,
                      .restore = std::holds_alternative<Restore>(spec.start),
                      .work_layers = layers_of(spec),
                      .command_line = {}};
  isolate::JailSpec jail{.program = program.path,
                         .argv = {},
                         .env = {},
                         .folders = kFolders,
                         .files = {},
                         .fds = {{spec.root_image.get(), kRootImageFd},
                                 {s.qmp.theirs.get(), kQmpFd},
                                 {s.console.theirs.get(), kConsoleFd},
                                 {s.console.theirs.get(), 2},
                                 {s.control.theirs.get(), kControlPortFd},
                                 {s.data.theirs.get(), kDataPortFd}}};
  if (const auto* fresh = std::get_if<FreshBoot>(&spec.start)) {
    command.command_line = fresh->command_line;
    jail.files = {{kKernelName, fresh->kernel.get()}, {kInitramfsName, fresh->initramfs.get()}};
  }
  if (spec.disks) {
    const auto fds = disk_fds(*spec.disks, top_layer_read_only);
    jail.fds.insert(jail.fds.end(), fds.begin(), fds.end());
  }
  if (spec.link) jail.fds.emplace_back(spec.link.get(), kLinkFd);
  jail.argv = qemu_argv(command);
  return jail;
}

}  // namespace

std::string QemuVmm::machine_id(const Shape& shape, const std::string& command_line) const {
  QemuCommand command{
      .program = program_.path, .shape = shape, .restore = true, .command_line = {}};
  std::string id = program_.build_id + "\n" + command_line;
  for (const std::string& word : qemu_argv(command)) id += "\n" + word;
  return id;
}

io::Task<std::unique_ptr<Vm>> QemuVmm::launch(LaunchSpec spec) {
  const bool restores = std::holds_alternative<Restore>(spec.start);
  if (spec.disks.has_value() != (spec.shape.disks == Disks::kWorkspace))
    co_return fail(Errc::kInternal, "the machine's disks are not those of its shape");
  if (static_cast<bool>(spec.link) != spec.shape.mac.has_value())
    co_return fail(Errc::kInternal, "the machine's link is not that of its shape");
  sys::UniqueFd top_layer_read_only;
  if (spec.disks) {
    PYRO_CO_CHECK(check_disks(*spec.disks));
    PYRO_CO_TRY(top_layer_read_only, sys::reopen(spec.disks->work_layers.back().get(), O_RDONLY));
  }
  PYRO_CO_TRY(Sockets sockets, make_sockets());
  std::vector<isolate::OpenGrant> grants{{.path = kMemoryPath, .fd = spec.memory.get()}};
  sys::UniqueFd kvm;
  if (spec.shape.accelerator == Accelerator::kKvm) {
    auto opened = sys::open_file("/dev/kvm", O_RDWR);
    if (!opened) {  // whatever the reason: this machine cannot be had with KVM now
      opened.error().code = Errc::kUnavailable;
      co_return std::unexpected(std::move(opened.error()));
    }
    kvm = *std::move(opened);
    grants.push_back({.path = "/dev/kvm", .fd = kvm.get()});
  }
  auto started = isolate::start_jailed(jail_spec(program_, spec, sockets, top_layer_read_only));
  if (!started) {
    Error error = std::move(started.error()).context("QEMU did not start");
    if (error.hint.empty()) {
      error.hint =
          "QEMU and its libraries must lie below /usr or /lib: its jail holds nothing else of the "
          "host";
    }
    co_return std::unexpected(std::move(error));
  }
  isolate::Jailed jailed = *std::move(started);
  auto vm = std::make_unique<QemuVm>(co_await asio::this_coro::executor, std::move(jailed),
                                     std::move(sockets.qmp.ours), std::move(sockets.console.ours),
                                     std::move(sockets.control.ours), std::move(sockets.data.ours),
                                     layers_of(spec));
  spec.disks.reset();  // QEMU alone holds them: the layers may be given away
  spec.link = {};
  sockets = Sockets{};  // QEMU's ends live in QEMU only, so that its death closes them
  sys::UniqueFd state = restores ? std::move(std::get<Restore>(spec.start).state)
                                 : std::move(std::get<FreshBoot>(spec.start).state_out);
  vm->start_tasks(std::move(grants), std::move(spec.memory), std::move(kvm), std::move(state));
  auto ready = co_await vm->wait_running(restores);
  if (!ready) {
    const bool by_itself = vm->ended().is_set();
    static_cast<void>(co_await vm->kill());
    Error error = std::move(ready.error());
    error.code = Errc::kUnavailable;
    if (by_itself && vm->end().killed_by_host) error.os_errno = ENOMEM;
    error.message = "QEMU did not start: " + (by_itself ? vm->end().detail : error.message) + "\n" +
                    last_lines(vm->console_tail());
    co_return std::unexpected(std::move(error));
  }
  co_return std::unique_ptr<Vm>(std::move(vm));
}

}  // namespace pyro::vmm
