// For tests of surfaces: a backend without a guest, golden files.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "api/backend.h"
#include "api/workspace_testing.h"
#include "base/version.h"

namespace pyro::api::testing {

// Behaves like a host with debian:12 installed; what a test wants to be different it sets.
template <class Interface>
class FakeBackend : public Interface {
 public:
  std::optional<Error> fails;  // what every call answers
  std::string fail_at;         // only calls that begin so; empty: all
  int repeat_output = 1;
  std::vector<std::string> stdout_chunks;  // instead of stdout_bytes and stderr_bytes
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
  // What was asked for.
  client::CreateOptions create;
  client::ExecOptions exec;
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
  Result<client::VmInfo> stop_vm(const std::string& vm_id) override {
    PYRO_CHECK(enter("stop " + vm_id));
    return client::VmInfo{.vm_id = vm_id, .state = "stopped"};
  }
  Result<client::VmInfo> status_vm(const std::string& vm_id) override {
    PYRO_CHECK(enter("status " + vm_id));
    return client::VmInfo{.vm_id = vm_id, .state = "failed", .last_error = "no supervisor"};
  }
  Result<client::NetworkInfo> network_info_vm(const std::string& vm_id) override {
    PYRO_CHECK(enter("network " + vm_id));
    return client::NetworkInfo{.vm_id = vm_id, .network_enabled = true, .network = live};
  }
  Result<std::vector<std::string>> reap_expired() override {
    PYRO_CHECK(enter("reap"));
    return std::vector<std::string>{"vm-1", "vm-2"};
  }
  client::LiveNetwork live{.running = true, .error = {}, .addresses = {}, .policy = {}};
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

 protected:
  Result<void> enter(const std::string& call) {
    calls.push_back(call);
    if (fails && (fail_at.empty() || call.starts_with(fail_at))) return std::unexpected(*fails);
    return {};
  }

 private:
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

}  // namespace pyro::api::testing
