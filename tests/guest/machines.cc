#include "guest/machines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "base/stopwatch.h"
#include "net/link_addresses.h"
#include "sys/dirs.h"
#include "sys/file.h"
#include "sys/sparse.h"
#include "vmm/host_facts.h"
#include "vmm/qcow2.h"

namespace pyro::testing {
namespace {

// Prints the device of that serial name.
constexpr const char* kFind =
    "find_disk() { for d in /sys/block/*; do [ \"$(cat $d/serial 2>/dev/null)\" = \"$1\" ] && "
    "echo /dev/${d##*/}; done; }; ";

}  // namespace

Result<std::unique_ptr<Machines>> Machines::make() {
  ::signal(SIGPIPE, SIG_IGN);  // as in the supervisor: a machine that has ended is an error
  const sys::Environment env = sys::process_environment();
  PYRO_TRY(const sys::Dirs dirs, sys::resolve_dirs(env));
  PYRO_TRY(const auto facts,
           vmm::host_facts(dirs.cache, /*fresh=*/false, env("PYRO_ACCELERATOR").value_or("")));
  const std::string path = env("PATH").value_or("/usr/bin");
  PYRO_TRY(auto qemu, vmm::known_qemu(dirs.cache, env("PYRO_QEMU").value_or(""), path));
  image::Environments environments(dirs);
  PYRO_TRY(auto environment, environments.open(env("PYRO_TEST_ENVIRONMENT").value_or("debian:12")));
  auto made = std::make_unique<Machines>(dirs, std::move(qemu), path, std::move(environment));
  made->shape.accelerator = facts.accelerator;
  made->boot.tsc_khz = facts.tsc_khz;
  return made;
}

Machines::Machines(const sys::Dirs& dirs, vmm::QemuProgram qemu, const std::string& path,
                   image::InstalledEnvironment opened)
    : boot{.agent_path = dirs.libexec + "/pyro-agent"},
      environment(std::move(opened)),
      vmm(std::move(qemu)),
      disks(dirs.disks(), path),
      templates(dirs.templates(), vmm) {}

core::TemplateRequest Machines::request(vmm::Disks kind, bool network) {
  shape.disks = kind;
  shape.mac = network ? std::optional(net::kGuestMac) : std::nullopt;
  return {
      .environment = environment, .shape = shape, .boot = boot, .disks = &disks, .on_phase = {}};
}

Result<std::shared_ptr<rpc::Stream>> begin_shell(core::Guest& guest, const std::string& script) {
  proto::Exec request{.argv = proto::to_bytes({"/bin/sh", "-c", kFind + script + " 2>&1"}),
                      .tty = {}};
  return guest.session().open(proto::Exec::kName, proto::encode(request));
}

io::Task<std::string> finish_shell(std::shared_ptr<rpc::Stream> stream) {
  std::string text;
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await stream->next());
    if (auto* data = std::get_if<rpc::Data>(&item)) text += data->bytes;
    if (auto* response = std::get_if<rpc::Response>(&item)) {
      PYRO_CO_TRY(const auto result, proto::decode<proto::ExecResult>(response->result));
      if (result.shell_code() == 0) co_return text;
      co_return fail(Errc::kInternal,
                     fmt::format("it ended with {}: {}", result.shell_code(), text));
    }
  }
}

io::Task<std::string> shell(core::Guest& guest, std::string script) {
  PYRO_CO_TRY(auto stream, begin_shell(guest, script));
  auto said = co_await finish_shell(std::move(stream));
  if (!said) co_return std::unexpected(std::move(said.error()).context(script));
  co_return said;
}

io::Task<void> says(core::Guest& guest, std::string script, std::string expected) {
  PYRO_CO_TRY(const std::string said, co_await shell(guest, script));
  EXPECT_EQ(said, expected) << script;
  co_return Result<void>{};
}

void GuestTest::SetUpTestSuite() {
  auto made = Machines::make();
  ASSERT_TRUE(made) << made.error().message << "\nhint: " << made.error().hint;
  machines_ = *std::move(made);
}
void GuestTest::SetUp() {
  ASSERT_TRUE(machines_);
  std::string name = "/var/tmp/pyro-guest-XXXXXX";
  dir_ = ::mkdtemp(name.data());
}
void GuestTest::TearDown() {
  (void)sys::remove_tree(dir_);
}

io::Task<std::unique_ptr<core::Guest>> GuestTest::start(Clone clone) {
  Machines& m = *machines_;
  PYRO_CO_TRY(core::Template base, co_await m.templates.ensure(
                                       m.request(clone.kind, static_cast<bool>(clone.make_link))));
  Stopwatch watch;
  vmm::LaunchSpec spec{.shape = m.shape,
                       .start = vmm::Restore{.state = std::move(base.state)},
                       .memory = std::move(base.memory)};
  PYRO_CO_TRY(spec.root_image, sys::open_file(m.environment.rootfs, O_RDONLY));
  if (clone.kind == vmm::Disks::kWorkspace) {
    PYRO_CO_TRY(spec.disks, disks(base, clone));
  }
  if (clone.make_link) {
    PYRO_CO_TRY(spec.link, clone.make_link());
  }
  const double disks_ms = watch.lap();
  PYRO_CO_TRY(auto vm, co_await m.vmm.launch(std::move(spec)));
  const auto times = vm->start_times();
  (void)watch.lap();
  auto guest =
      std::make_unique<core::Guest>(std::move(vm), co_await io::asio::this_coro::executor, m.boot);
  auto up = co_await guest->greet(m.boot.answer_limit);
  const double reply_ms = watch.lap();
  if (up) up = co_await guest->rejuvenate({.hostname = "disks"});
  std::printf("%s clone: disks %.1f ms, spawn %.1f, restore %.1f, first reply %.1f\n",
              clone.kind == vmm::Disks::kNone ? "run" : "workspace", disks_ms, times.spawn_ms,
              times.restore_ms, reply_ms);
  if (!up) {
    co_await guest->end();
    co_return std::unexpected(std::move(up.error()));
  }
  co_return guest;
}

Result<vmm::WorkspaceDisks> GuestTest::disks(const core::Template& base, const Clone& clone) {
  vmm::WorkspaceDisks out;
  PYRO_TRY(out.scratch, sys::nameless_copy(base.scratch.get(), dir_));
  if (clone.baseline.empty()) {
    PYRO_TRY(out.baseline, core::empty_baseline(dir_));
  } else {
    PYRO_TRY(out.baseline, sys::open_file(clone.baseline, O_RDONLY));
  }
  PYRO_TRY(core::WorkBase work, machines_->disks.work_base());
  out.work_base = std::move(work.file);
  for (const std::string& layer : clone.layers) {
    PYRO_TRY(sys::UniqueFd fd,
             sys::open_file(layer, &layer == &clone.layers.back() ? O_RDWR : O_RDONLY));
    out.work_layers.push_back(std::move(fd));
  }
  return out;
}

std::string GuestTest::layer(const std::string& name) {
  std::string path = dir_ + "/" + name;
  EXPECT_TRUE(vmm::create_layer(path));
  return path;
}

io::Task<double> GuestTest::add(core::Guest& guest, std::string path) {
  PYRO_CO_TRY(sys::UniqueFd fd, sys::open_file(path, O_RDWR));
  Stopwatch watch;
  PYRO_CO_CHECK(co_await guest.vm().add_work_layer(std::move(fd)));
  co_return watch.lap();
}

io::Task<void> GuestTest::with_guest(Clone clone, Work work) {
  using GuestPtr = std::unique_ptr<core::Guest>;
  PYRO_CO_TRY(const GuestPtr guest, co_await start(std::move(clone)));
  auto done = co_await work(*guest);
  // Of a guest that is silent: does it wait or work, and what did it say?
  if (!done && done.error().code == Errc::kDeadline) {
    const std::string stat = fmt::format("/proc/{}/stat", guest->vm().host_pid());
    done.error().message += "\n" + sys::read_file(stat).value_or("");
    const auto slept = co_await io::sleep_for(std::chrono::seconds(2));  // lint: sleep, to compare
    static_cast<void>(slept);
    done.error().message += sys::read_file(stat).value_or("");
    done.error().message += guest->vm().console_tail();
  }
  co_await guest->end();
  co_return done;
}
awaitable<void> GuestTest::into(Clone clone, Work work, Result<void>* out) {
  *out = co_await with_guest(std::move(clone), std::move(work));
}
void GuestTest::expect_in_clone(Clone clone, Work work) {
  Result<void> done = fail(Errc::kInternal, "did not run");
  run_loop([&](any_io_executor) { return into(clone, work, &done); });
  EXPECT_TRUE(done) << done.error().message;
}

void GuestTest::expect_said(std::vector<std::string> layers, std::string script,
                            std::string expected) {
  expect_in_clone({.layers = std::move(layers), .baseline = {}},
                  [&](core::Guest& guest) { return says(guest, script, expected); });
}
}  // namespace pyro::testing
