// For tests of this folder: a backend without a guest, an Io of strings, golden files.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/version.h"
#include "cli/main.h"
#include "cli/workspace_testing.h"

namespace pyro::cli::testing {

// Behaves like a host with debian:12 installed; what a test wants to be different it sets.
class FakeBackend : public Backend {
 public:
  std::optional<Error> fails;  // what every call answers
  std::vector<std::pair<std::string, std::string>> phases{
      {"create", ""}, {"start", "vm-1"}, {"execute", "vm-1"}};
  std::vector<image::PullProgress> pull_steps;
  std::string stdout_bytes = "git version 2.39.5\n", stderr_bytes;
  client::ExecResult result{.vm_id = "vm-1",
                            .environment = "debian:12",
                            .execution_mode = "guest_serial",
                            .duration_ms = 41,
                            .cleanup = {.deleted = true, .reason = "post_exec_cleanup"},
                            .timing = {{"spawn_ms", 12.5}, {"exec_ms", 41}}};
  client::DoctorReport report = healthy();
  client::PruneReport pruned;
  escape::Report tried{.backend = "qemu",
                       .environment = "debian:12",
                       .outcomes = {{.name = "lan",
                                     .attempt = "a machine of the LAN",
                                     .passed = true,
                                     .saw = "ECONNREFUSED",
                                     .why = "special-range",
                                     .control = "192.168.77.10 80"}},
                       .duration_ms = 1500};
  // What was asked for.
  client::CreateOptions create;
  client::ExecOptions exec;
  escape::SuiteOptions suite;
  std::vector<std::string> calls;
  bool fresh = false;
  int interrupt_fd = -1;
  FakeWorkspaces kept;

  static image::EnvironmentInfo environment(const std::string& name, bool installed) {
    image::EnvironmentInfo info;
    info.entry = {
        .name = name,
        .version = "1.0.0",
        .description = "Debian 12 environment with Git preinstalled for common agent workflows.",
        .default_packages = {"bash", "coreutils", "git"},
        .distribution = "debian",
        .distribution_version = "12"};
    info.installed = installed;
    info.cache_dir = "/home/you/.cache/pyro/environments";
    if (!installed) return info;
    info.install_dir = info.cache_dir + "/linux-x86_64/debian_12-1.0.0";
    info.install_manifest = info.install_dir + "/environment.json";
    info.kernel_image = info.install_dir + "/vmlinuz";
    info.rootfs_image = info.install_dir + "/rootfs.erofs";
    info.initramfs_image = info.install_dir + "/initramfs";
    info.source = "debian-mirror http://deb.debian.org/debian bookworm";
    info.size_bytes = 123456789;
    return info;
  }
  static client::DoctorReport healthy() {
    client::DoctorReport r;
    r.platform = "linux-x86_64";
    r.runtime_ok = r.vm_boot = r.guest_exec = true;
    r.qemu = {.path = "/usr/bin/qemu-system-x86_64", .version = "7.2.22", .supported = true};
    r.accelerator = {.in_force = "tcg", .reason = "KVM is not usable"};
    r.kvm = {.exists = true,
             .readable = true,
             .writable = true,
             .usable = false,
             .detail = "no answer in 300 ms"};
    r.environment_cache = "/home/you/.cache/pyro/environments";
    r.environments = {environment("debian:12", true), environment("debian:12-base", false)};
    r.isolation = {.boundary = "jail",
                   .detail = "",
                   .user_namespaces = true,
                   .seccomp = true,
                   .landlock = false};
    return r;
  }

  Result<std::vector<image::EnvironmentInfo>> list_environments() override {
    PYRO_CHECK(enter("list"));
    return std::vector{environment("debian:12", true), environment("debian:12-base", false)};
  }
  Result<image::EnvironmentInfo> pull_environment(const std::string& name,
                                                  const image::PullObserver& observer) override {
    PYRO_CHECK(enter("pull " + name));
    for (const image::PullProgress& step : pull_steps) observer(step);
    return environment(name, true);
  }
  Result<image::EnvironmentInfo> inspect_environment(const std::string& name) override {
    PYRO_CHECK(enter("inspect " + name));
    return environment(name, true);
  }
  Result<client::PruneReport> prune_environments() override {
    PYRO_CHECK(enter("prune"));
    return pruned;
  }
  Result<client::VmInfo> create_vm(const client::CreateOptions& options,
                                   const client::RunObserver&) override {
    PYRO_CHECK(enter("create " + options.environment));
    create = options;
    return client::VmInfo{.vm_id = "vm-1", .environment = options.environment, .state = "created"};
  }
  Result<client::VmInfo> start_vm(const std::string& vm_id, const client::RunObserver&) override {
    PYRO_CHECK(enter("start " + vm_id));
    return client::VmInfo{.vm_id = vm_id, .state = "started", .execution_mode = "guest_serial"};
  }
  Result<client::ExecResult> exec_vm(const std::string& vm_id, const client::ExecOptions& options,
                                     const client::RunObserver& observer) override {
    PYRO_CHECK(enter("exec " + vm_id));
    return execute(options, observer);
  }
  Result<client::VmInfo> delete_vm(const std::string& vm_id) override {
    calls.push_back("delete " + vm_id);
    return client::VmInfo{.vm_id = vm_id, .state = "deleted"};
  }
  Result<client::ExecResult> run_in_vm(const client::CreateOptions& options,
                                       const client::ExecOptions& command,
                                       const client::RunObserver& observer) override {
    create = options;
    interrupt_fd = observer.interrupt_fd;
    for (const std::string& warning : result.warnings) observer.on_warning(warning);
    PYRO_CHECK(enter("run " + options.environment));
    for (const image::PullProgress& step : pull_steps) observer.on_pull(step);
    for (const auto& [phase, detail] : phases) {
      const bool known = phase == "start" || phase == "execute";
      observer.on_phase(phase, known ? detail : "", known ? "" : detail);
    }
    return execute(command, observer);
  }
  client::Workspaces& workspaces() override { return kept; }
  Result<client::DoctorReport> doctor(bool again) override {
    PYRO_CHECK(enter("doctor"));
    fresh = again;
    return report;
  }
  Result<escape::Report> run_escape(const escape::SuiteOptions& options) override {
    PYRO_CHECK(enter("run_escape"));
    suite = options;
    return tried;
  }
  Result<escape::Report> run_smoke(const escape::SuiteOptions& options) override {
    PYRO_CHECK(enter("run_smoke"));
    suite = options;
    return tried;
  }

 private:
  Result<void> enter(const std::string& call) {
    calls.push_back(call);
    if (fails && (fail_at.empty() || call.starts_with(fail_at))) return std::unexpected(*fails);
    return {};
  }
  Result<client::ExecResult> execute(const client::ExecOptions& command,
                                     const client::RunObserver& observer) {
    exec = command;
    for (const std::string& chunk : stdout_chunks) PYRO_CHECK(observer.on_stdout(chunk));
    for (int i = 0; stdout_chunks.empty() && i < repeat_output; ++i) {
      if (!stdout_bytes.empty()) PYRO_CHECK(observer.on_stdout(stdout_bytes));
      if (!stderr_bytes.empty()) PYRO_CHECK(observer.on_stderr(stderr_bytes));
    }
    result.command = shell_words(command.argv);
    return result;
  }
  static std::string shell_words(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& w : words) out += (out.empty() ? "" : " ") + w;
    return out;
  }

 public:
  std::string fail_at;  // only calls that begin so; empty: all
  int repeat_output = 1;
  std::vector<std::string> stdout_chunks;  // instead of stdout_bytes and stderr_bytes
};

class FakeInterrupts final : public Interrupts {
 public:
  struct State {
    int received = 0;
    std::vector<Mode> modes;
  };
  explicit FakeInterrupts(State& state) : state_(state) {}
  void set_mode(Mode mode) override { state_.modes.push_back(mode); }
  [[nodiscard]] int fd() const override { return 77; }
  [[nodiscard]] int received() const override { return state_.received; }

 private:
  State& state_;
};

// One call of pyro.
struct Call {
  FakeBackend backend;
  StringSink out, err;
  FakeInterrupts::State interrupts;
  bool tty = false;
  int columns = 80;
  std::chrono::milliseconds tick{0};  // how far the clock moves between two looks at it
  int opened = 0;
  std::optional<int> stdin_fd;
  std::optional<TerminalFds> terminal;

  int run(std::vector<std::string> words) { return run_with(std::move(words), out); }

  // The call and all that came of it, for golden files.
  std::string transcript(const std::vector<std::string>& words) {
    const int code = run(words);
    std::string text = "$ pyro";
    for (const std::string& word : words) text += " " + (word.empty() ? "''" : one_line(word));
    text += "\n" + out.text + (err.text.empty() ? "" : "(stderr)\n" + err.text);
    return text + "= " + std::to_string(code) + "\n\n";
  }

  int run_with(std::vector<std::string> words, Sink& sink) {
    auto time = std::chrono::steady_clock::time_point{} + std::chrono::hours(1);
    Io io{.out = sink,
          .err = err,
          .err_tty = tty,
          .err_columns = [this] { return columns; },
          .stdin_fd = stdin_fd,
          .terminal = terminal,
          .env = [](const std::string&) { return std::nullopt; },
          .now = [this, time]() mutable { return time += tick; },
          .watch_interrupts = [this]() -> Result<std::unique_ptr<Interrupts>> {
            return std::make_unique<FakeInterrupts>(interrupts);
          }};
    return main_with(words, io, library());
  }

 private:
  Library library() {
    return {
        .open = [this](const sys::Environment&) -> Result<std::shared_ptr<Backend>> {
          ++opened;
          // Lent, so that the test can look at it afterwards.
          return std::shared_ptr<Backend>(std::shared_ptr<void>(), &backend);
        },
        .environment_names = [] { return std::vector<std::string>{"debian:12", "debian:12-base"}; },
        .workspace_names =
            [](const sys::Environment&) { return std::vector<std::string>{"fix", "ws-1"}; },
        .shell_ids =
            [](const sys::Environment&, const std::string& workspace) {
              return std::vector<std::string>{"shell-1", "shell-of-" + workspace};
            },
        .service_names =
            [](const sys::Environment&, const std::string& workspace) {
              return std::vector<std::string>{"web", "service-of-" + workspace};
            }};
  }
};

inline std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Compares with the file; UPDATE_GOLDEN=1 writes it instead. The version stands as @VERSION@.
inline void expect_file(const std::string& path, std::string text) {
  const std::string version = kVersion;
  for (std::size_t at = 0; (at = text.find(version, at)) != std::string::npos;) {
    const bool inside = at > 0 && (std::isdigit(static_cast<unsigned char>(text[at - 1])) != 0 ||
                                   text[at - 1] == '.');
    if (!inside) text.replace(at, version.size(), "@VERSION@");
    at += version.size();
  }
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  EXPECT_EQ(text, read_whole(path)) << path << " (UPDATE_GOLDEN=1 writes it anew)";
}

inline void expect_golden(const std::string& name, const std::string& text) {
  expect_file(std::string(PYRO_SOURCE_DIR) + "/tests/golden/cli/" + name, text);
}

}  // namespace pyro::cli::testing
