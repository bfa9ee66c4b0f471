// What pyro says of the host, and of what it removed from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pyro/environments.hpp"

namespace pyro {

struct PruneReport {
  std::vector<std::string> deleted_environment_dirs;
  std::vector<std::string> deleted_templates;
  std::vector<std::string> kept_in_use;
  std::uint64_t freed_bytes = 0;
};

struct DoctorReport {
  std::string platform;     // linux-x86_64
  bool runtime_ok = false;  // a guest can run
  struct {
    std::string path, version;
    bool supported = false;
  } qemu;
  struct {
    std::string in_force;  // kvm, tcg
    std::string reason;
  } accelerator;
  struct {
    bool exists = false, readable = false, writable = false, usable = false;
    std::string detail;  // why it is not usable; how fast the probe ran
  } kvm;
  std::string environment_cache;
  std::vector<EnvironmentInfo> environments;
  bool vm_boot = false, guest_exec = false, guest_network = false;
  std::string networking_engine = "userspace";
  struct {
    std::string boundary;  // kvm+jail, jail
    std::string detail;
    bool user_namespaces = false, seccomp = false, landlock = false;
  } isolation;
  std::vector<std::string> issues;  // each with its next step
};

}  // namespace pyro
