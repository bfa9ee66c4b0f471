// What `pyro doctor` reports.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "client/client.h"
#include "client/doctor.h"
#include "core/templates.h"
#include "isolate/jail.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "vmm/host_facts.h"

namespace pyro::client {

namespace {

std::string with_hint(const Error& e) {
  return e.hint.empty() ? e.message : e.message + "; " + e.hint;
}

void check_qemu(DoctorReport& report, const DoctorInputs& in) {
  const auto qemu = vmm::find_qemu(in.qemu_override, in.search_path);
  if (!qemu) {
    report.issues.push_back(with_hint(qemu.error()));
    return;
  }
  report.qemu.path = qemu->path;
  report.qemu.version = qemu->version;
  report.qemu.supported = true;
}

void check_accelerator(DoctorReport& report, const DoctorInputs& in, bool fresh) {
  const auto facts = vmm::host_facts(in.dirs.cache, fresh, in.accelerator);
  if (!facts) {
    report.issues.push_back(with_hint(facts.error()));
    return;
  }
  report.kvm.exists = facts->kvm.exists;
  report.kvm.readable = facts->kvm.readable;
  report.kvm.writable = facts->kvm.writable;
  report.kvm.usable = facts->kvm.usable;
  report.kvm.detail = facts->kvm.detail;
  report.accelerator.in_force = vmm::accelerator_name(facts->accelerator);
  report.accelerator.reason = facts->accelerator_reason;
  if (facts->kvm.exists && (!facts->kvm.readable || !facts->kvm.writable)) {
    report.issues.emplace_back(
        "/dev/kvm is there but this user may not use it; guests run many times faster with it: add "
        "the user to "
        "the group that owns it (often kvm) and log in again");
  }
}

void check_isolation(DoctorReport& report) {
  const isolate::JailSupport jail = isolate::probe_jail_support();
  report.isolation.user_namespaces = jail.user_namespaces;
  report.isolation.seccomp = jail.seccomp_notify;
  report.isolation.landlock = jail.landlock;
  const bool kvm = report.accelerator.in_force == "kvm";
  report.isolation.boundary = kvm ? "kvm+jail" : "jail";
  report.isolation.detail =
      kvm ? "the CPU's virtualization separates the guest; QEMU itself is jailed"
          : "emulation is no boundary: the jail is the one";
  if (!jail.user_namespaces) {
    report.issues.emplace_back(
        "user namespaces are not available, and the jail around QEMU needs them: check "
        "/proc/sys/user/max_user_namespaces and /proc/sys/kernel/unprivileged_userns_clone");
  }
  if (!jail.seccomp_notify) {
    report.issues.emplace_back(
        "the kernel has no seccomp user notification (Linux 5.5 or newer has it)");
  }
  if (!jail.landlock) {
    report.isolation.detail += "; Landlock is not available on this kernel";
  }
}

void check_helpers(DoctorReport& report, const DoctorInputs& in) {
  for (const char* name : {"pyro-supervisor", "pyro-agent", "pyro-net"}) {
    const std::string path = in.dirs.libexec + "/" + name;
    if (!sys::exists(path)) report.issues.push_back(path + " is missing; reinstall pyro");
  }
}

// icmp(7): as the engine opens one for each guest that pings.
void check_echo(DoctorReport& report) {
  const sys::UniqueFd ping(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP));
  if (ping || errno != EACCES) return;
  report.issues.emplace_back(
      "guests cannot ping: the kernel gives this user no sockets for it, which are for groups "
      "within "
      "net.ipv4.ping_group_range: sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'");
}

void check_environments(DoctorReport& report, const DoctorInputs& in,
                        image::Environments& environments) {
  report.environment_cache = in.dirs.environments();
  auto list = environments.list();
  if (!list) {
    report.issues.push_back(with_hint(list.error()));
    return;
  }
  report.environments = std::move(*list);
  for (const image::EnvironmentInfo& e : report.environments) {
    if (!e.damage.empty()) {
      report.issues.push_back(fmt::format("{} is damaged ({}); run: pyro env pull {}", e.entry.name,
                                          e.damage, e.entry.name));
    }
  }
  const auto damaged = core::Templates::verify(in.dirs.templates());
  if (damaged && !damaged->empty()) {
    report.issues.push_back(fmt::format("{} template(s) in {} are damaged; run: pyro env prune",
                                        damaged->size(), in.dirs.templates()));
  }
}

}  // namespace

DoctorReport examine(const DoctorInputs& in, image::Environments& environments, bool fresh) {
  DoctorReport report;
  report.platform = "linux-x86_64";
  check_qemu(report, in);
  check_accelerator(report, in, fresh);
  check_isolation(report);
  check_helpers(report, in);
  check_echo(report);
  const bool helpers = sys::exists(in.dirs.libexec + "/pyro-supervisor") &&
                       sys::exists(in.dirs.libexec + "/pyro-agent");
  report.runtime_ok = report.qemu.supported && helpers && report.isolation.user_namespaces &&
                      report.isolation.seccomp && !report.accelerator.in_force.empty();
  check_environments(report, in, environments);
  report.vm_boot = report.runtime_ok;
  report.guest_exec = report.runtime_ok;
  report.guest_network = report.runtime_ok && sys::exists(in.dirs.libexec + "/pyro-net");
  return report;
}

}  // namespace pyro::client
