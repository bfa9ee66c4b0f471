#include "cli/render.h"

#include "base/text.h"
#include "base/version.h"
#include "cli/io.h"

namespace pyro::cli {
namespace {

const char* yes(bool value) {
  return value ? "yes" : "no";
}

// "KEY: VALUE", nothing when there is no value.
std::string line(const std::string& key, const std::string& value) {
  return value.empty() ? "" : key + ": " + value + "\n";
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string in_brackets(const std::string& text) {
  return text.empty() ? "" : " (" + text + ")";
}

}  // namespace

std::string render_list(const std::vector<image::EnvironmentInfo>& list) {
  std::string out = line("Catalog version", kVersion);
  for (const image::EnvironmentInfo& info : list) {
    out += info.entry.name + (info.installed ? " [installed] " : " [not installed] ") +
           info.entry.description + "\n";
  }
  return printable(out);
}

std::string render_environment(const std::string& title, const image::EnvironmentInfo& info) {
  std::string out =
      line(title, info.entry.name) + line("Version", info.entry.version) +
      line("Distribution", info.entry.distribution + " " + info.entry.distribution_version) +
      line("Installed", yes(info.installed)) + line("Cache dir", info.cache_dir) +
      line("Default packages", join(info.entry.default_packages));
  out += line("Damage", info.damage);
  if (info.installed) {
    out += line("Install dir", info.install_dir) + line("Install manifest", info.install_manifest) +
           line("Kernel image", info.kernel_image) + line("Rootfs image", info.rootfs_image) +
           line("Source", info.source);
  }
  return printable(out);
}

std::string render_prune(const client::PruneReport& report) {
  std::string out;
  for (const std::string& dir : report.deleted_environment_dirs)
    out += line("Deleted environment", dir);
  for (const std::string& dir : report.deleted_templates) out += line("Deleted template", dir);
  for (const std::string& name : report.kept_in_use) out += line("Kept (in use)", name);
  const std::size_t count =
      report.deleted_environment_dirs.size() + report.deleted_templates.size();
  out += "Deleted: " + std::to_string(count) + "\nFreed: " + human_bytes(report.freed_bytes) + "\n";
  return printable(out);
}

std::string render_doctor(const client::DoctorReport& r) {
  std::string out = line("Platform", r.platform) + line("Runtime", r.runtime_ok ? "PASS" : "FAIL");
  out += std::string("KVM: exists=") + yes(r.kvm.exists) + " readable=" + yes(r.kvm.readable) +
         " writable=" + yes(r.kvm.writable) + " usable=" + yes(r.kvm.usable) + "\n";
  out += line("Environment cache", r.environment_cache);
  out += std::string("Capabilities: vm_boot=") + yes(r.vm_boot) +
         " guest_exec=" + yes(r.guest_exec) + " guest_network=" + yes(r.guest_network) + "\n";
  out += "Networking: engine=" + r.networking_engine + "\n";
  out += r.qemu.path.empty() ? "QEMU: not found\n"
                             : "QEMU: " + r.qemu.version + " supported=" + yes(r.qemu.supported) +
                                   in_brackets(r.qemu.path) + "\n";
  out += line("KVM probe", r.kvm.detail);
  out += "Accelerator: " + r.accelerator.in_force + in_brackets(r.accelerator.reason) + "\n";
  out += "Isolation: " + r.isolation.boundary +
         " user_namespaces=" + yes(r.isolation.user_namespaces) +
         " seccomp=" + yes(r.isolation.seccomp) + " landlock=" + yes(r.isolation.landlock) +
         in_brackets(r.isolation.detail) + "\n";
  std::vector<std::string> installed;
  for (const image::EnvironmentInfo& info : r.environments) {
    if (info.installed) installed.push_back(info.entry.name);
  }
  out += "Environments: " + (installed.empty() ? "none installed" : join(installed)) + "\n";
  if (!r.issues.empty()) out += "Issues:\n";
  for (const std::string& issue : r.issues) out += "- " + issue + "\n";
  return printable(out);
}

std::string render_error(const Error& error) {
  std::string out = "pyro: " + error.message + "\n";
  if (!error.hint.empty()) out += "hint: " + error.hint + "\n";
  return printable(out);
}

}  // namespace pyro::cli
