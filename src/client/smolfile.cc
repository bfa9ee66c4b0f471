#include "client/smolfile.h"

#include <fmt/format.h>

#include "base/text.h"
#include "proto/limits.h"
#include "sys/file.h"

namespace pyro::client {

namespace {

Result<policy::Smolfile> checked(const std::string& text) {
  PYRO_TRY(policy::Smolfile file, policy::parse_smolfile(text));
  if (file.cpus) PYRO_CHECK(proto::in_range("cpus", *file.cpus, proto::kVcpuCountRange));
  if (file.memory_mib) PYRO_CHECK(proto::in_range("memory", *file.memory_mib, proto::kMemMibRange));
  return file;
}

std::vector<std::string> workload(const policy::Smolfile& file,
                                  const std::vector<std::string>& given) {
  std::vector<std::string> words = file.entrypoint;
  const std::vector<std::string>& rest = given.empty() ? file.cmd : given;
  words.insert(words.end(), rest.begin(), rest.end());
  return words;
}

}  // namespace

Result<policy::Smolfile> read_smolfile(const std::string& path) {
  PYRO_TRY(const std::string text, sys::read_file(path, policy::kMostSmolfile));
  auto file = checked(text);
  if (!file) return std::unexpected(std::move(file.error()).context(quoted_name(path)));
  return file;
}

Result<void> add_network(NetworkOptions& options, const policy::Smolfile& file) {
  const bool says = file.net.has_value() || file.has_network();
  if (!says) return {};
  if (options.policy_file)
    return fail(Errc::kInvalid, "both the Smolfile and the policy file say what the network is");
  for (const policy::Rule& rule : file.allow) options.allow.push_back(rule.text());
  if (options.policy) return {};
  if (!file.ports.empty()) {
    options.policy = policy::preset_name(policy::Preset::kEgressAndPublish);
  } else if (file.net == true) {
    options.policy = policy::preset_name(policy::Preset::kEgress);
  } else if (file.net == false && !options.has_rules()) {
    options.policy = policy::preset_name(policy::Preset::kOff);
  }
  return {};
}

Result<std::vector<std::string>> words_of_run(const policy::Smolfile& file,
                                              const std::vector<std::string>& given) {
  if (!file.ports.empty()) {
    return fail_hint(Errc::kInvalid, "ports: a run publishes none",
                     "pyro workspace create --smolfile does");
  }
  std::vector<std::string> words = workload(file, given);
  if (words.empty()) {
    return fail_hint(Errc::kInvalid, "the Smolfile has neither entrypoint nor cmd",
                     "write a command after \"--\"");
  }
  if (file.workdir.empty() && file.env.empty() && file.init.empty()) return words;
  // Of env(1), what follows the variables is the program: a word with "=" would be one more of
  // them.
  std::vector<std::string> out{"/usr/bin/env"};
  if (!file.workdir.empty()) out.insert(out.end(), {"-C", file.workdir});
  for (const auto& [name, value] : file.env) out.push_back(fmt::format("{}={}", name, value));
  std::string script;
  for (const std::string& line : file.init) script += "(" + line + "\n) || exit\n";
  out.insert(out.end(), {"/bin/sh", "-c", script + "exec \"$@\"", "sh"});
  out.insert(out.end(), words.begin(), words.end());
  return out;
}

Result<void> furnish(Workspaces& workspaces, const std::string& id, const policy::Smolfile& file,
                     const WorkspaceObserver& observer) {
  const std::string cwd = file.workdir.empty() ? "/workspace" : file.workdir;
  const auto tell = [&](const char* phase, const std::string& detail) {
    if (observer.run.on_phase) observer.run.on_phase(phase, id, detail);
  };
  WorkspaceObserver quiet = observer;
  quiet.run.on_phase = {};
  quiet.run.on_stdout = observer.run.on_stderr;  // standard output is for what was created
  for (const std::string& line : file.init) {
    tell("init", line);
    WorkspaceExecOptions options;
    options.command = line;
    options.cwd = cwd;
    options.timeout_seconds = static_cast<int>(proto::kTimeoutSecondsRange.high);
    PYRO_TRY(const auto done, workspaces.exec(id, options, quiet));
    if (done.exit_code == 0) continue;
    return fail(Errc::kUnavailable,
                fmt::format("init: {} ended with exit code {}", quoted_name(line), done.exit_code));
  }
  ServiceOptions service;
  service.argv = workload(file, {});
  service.cwd = cwd;
  for (const policy::SmolfilePort& port : file.ports)
    service.published_ports.push_back({.guest_port = port.guest, .host_port = port.host});
  if (service.argv.empty()) return {};
  tell("service", kSmolfileService);
  PYRO_CHECK(workspaces.services().start(id, kSmolfileService, service, observer.run.interrupt_fd));
  return {};
}

}  // namespace pyro::client

namespace pyro {

Result<std::string> render_smolfile(const WorkspaceInfo& w) {
  PYRO_TRY(const policy::Policy policy, client::policy_of(client::options_of(w.network)));
  policy::Smolfile values;
  values.image = w.environment;
  values.env = w.env;
  values.cpus = w.vcpu_count;
  values.memory_mib = w.mem_mib;
  PYRO_TRY(const policy::Smolfile file, policy::smolfile_of(std::move(values), policy));
  return file.text();
}

}  // namespace pyro
