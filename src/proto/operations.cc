#include "proto/operations.h"

#include <algorithm>
#include <array>

#include "proto/operations_demo.h"
#include "proto/operations_mcp.h"
#include "proto/operations_network.h"
#include "proto/operations_params.h"
#include "proto/operations_selftest.h"
#include "proto/operations_session.h"
#include "proto/operations_workspace.h"

namespace pyro::proto {
namespace {

using enum FieldType;

constexpr std::array kEnvironmentOnly{kEnvironmentParam};
constexpr std::array kVmIdOnly{kVmIdParam};
constexpr std::array kJsonOnly{kJson};
constexpr std::array kCreateOptions{kVcpuCount,     kMemMib,     kTtlSeconds,      kNetwork,
                                    kNetworkPolicy, kNetAllow,   kNetDeny,         kAllowUdp,
                                    kAllowIcmp,     kPolicyFile, kAllowHostCompat, kBoot};

// ---- environments

constexpr std::array<Field, 17> kEnvironmentFields{{
    {.name = "cache_dir", .doc = "Folder that holds all environments"},
    {.name = "damage", .doc = "Why an existing install is not used", .nullable = true},
    {.name = "default_packages", .type = kStringList, .doc = "Packages the description promises"},
    {.name = "description", .doc = "What the environment is for"},
    {.name = "distribution", .doc = "For example debian"},
    {.name = "distribution_version", .doc = "For example 12"},
    {.name = "initramfs_image", .doc = "Path of the initramfs", .nullable = true},
    {.name = "install_dir", .doc = "Folder of this environment", .nullable = true},
    {.name = "install_manifest", .doc = "Path of environment.json", .nullable = true},
    {.name = "installed", .type = kBoolean, .doc = "Whether it is complete and usable"},
    {.name = "kernel_image", .doc = "Path of the kernel", .nullable = true},
    {.name = "name", .doc = "Stable identifier, for example debian:12"},
    {.name = "platform", .doc = "For example linux-x86_64"},
    {.name = "rootfs_image", .doc = "Path of the root image", .nullable = true},
    {.name = "size_bytes", .type = kInteger, .doc = "Of all artefacts; 0 when not installed"},
    {.name = "source", .doc = "Where the artefacts came from", .nullable = true},
    {.name = "version", .doc = "Version of the catalogue entry"},
}};
constexpr std::array<Field, 2> kListFields{{
    {.name = "catalog_version", .doc = "Version of the catalogue"},
    {.name = "environments",
     .type = kObjectList,
     .doc = "Every entry of the catalogue",
     .fields = kEnvironmentFields},
}};
constexpr std::array<Field, 5> kPruneFields{{
    {.name = "count", .type = kInteger, .doc = "How many folders and templates were removed"},
    {.name = "deleted_environment_dirs", .type = kStringList, .doc = "Removed environment folders"},
    {.name = "deleted_templates", .type = kStringList, .doc = "Removed templates"},
    {.name = "freed_bytes", .type = kInteger, .doc = "Disk space that is free again"},
    {.name = "kept_in_use", .type = kStringList, .doc = "What stays because a sandbox uses it"},
}};

constexpr std::array<std::string_view, 2> kEnvListPath{"env", "list"};
constexpr std::array<std::string_view, 1> kEnvListText{
    "Prints the version of the catalogue and one line for each environment: its name, whether it "
    "is installed, and what it is for."};
constexpr std::array<Example, 1> kEnvListExamples{{{"pyro env list", "Show the catalogue"}}};
constexpr std::array kEnvListErrors{Errc::kDenied, Errc::kInternal};

constexpr std::array<std::string_view, 2> kEnvPullPath{"env", "pull"};
constexpr std::array<std::string_view, 3> kEnvPullText{
    "Installs an environment, or repairs a damaged one, and prints where its parts lie. When it "
    "is installed and intact, nothing is fetched.",
    "Phases go to standard error: one redrawn line with a progress bar on a terminal, plain lines "
    "otherwise.",
    "A pull may be interrupted and repeated; two pulls of the same environment at once do the "
    "work once."};
constexpr std::array<Example, 1> kEnvPullExamples{
    {{"pyro env pull debian:12", "Install the default environment"}}};
constexpr std::array kEnvPullErrors{Errc::kInvalid,     Errc::kNotFound, Errc::kDenied,
                                    Errc::kUnavailable, Errc::kDeadline, Errc::kLimit,
                                    Errc::kDamaged,     Errc::kInternal};

constexpr std::array<std::string_view, 2> kEnvInspectPath{"env", "inspect"};
constexpr std::array<std::string_view, 1> kEnvInspectText{
    "Prints what the catalogue and the installed manifest say about one environment. Every "
    "artefact is read and compared with the manifest; damage is reported and not repaired."};
constexpr std::array<Example, 1> kEnvInspectExamples{
    {{"pyro env inspect debian:12 --json", "Show every field of one environment"}}};
constexpr std::array kEnvInspectErrors{Errc::kInvalid, Errc::kNotFound, Errc::kDenied,
                                       Errc::kInternal};

constexpr std::array<std::string_view, 2> kEnvPrunePath{"env", "prune"};
constexpr std::array<std::string_view, 1> kEnvPruneText{
    "Removes installed environments that the catalogue no longer names, damaged ones, what an "
    "interrupted pull left behind, and templates. Nothing that a sandbox uses is removed."};
constexpr std::array<Example, 1> kEnvPruneExamples{{{"pyro env prune", "Free disk space"}}};
constexpr std::array kEnvPruneErrors{Errc::kDenied, Errc::kUnavailable, Errc::kInternal};

// ---- run

constexpr std::array<Field, 3> kCleanupFields{{
    {.name = "deleted", .type = kBoolean, .doc = "Whether the VM is gone"},
    {.name = "reason", .doc = "For example post_exec_cleanup"},
    {.name = "vm_id", .doc = "Id of the VM"},
}};
constexpr std::array<Field, 16> kExecFields{{
    {.name = "cleanup", .type = kObject, .doc = "What became of the VM", .fields = kCleanupFields},
    {.name = "command", .doc = "The command, quoted for a shell"},
    {.name = "duration_ms", .type = kInteger, .doc = "Time of the command alone"},
    {.name = "environment", .doc = "Name of the environment"},
    {.name = "execution_mode", .doc = "How the command was run, for example guest_serial"},
    {.name = "exit_code",
     .type = kInteger,
     .doc = "Of the command; 128+n for signal n, 124 for a timeout"},
    {.name = "signal", .type = kInteger, .doc = "Signal that ended the command", .nullable = true},
    {.name = "stderr", .doc = "Standard error as UTF-8, U+FFFD for what is not"},
    {.name = "stderr_base64",
     .doc = "Its exact bytes; only when stderr is not exact",
     .optional = true},
    {.name = "stderr_truncated", .type = kBoolean, .doc = kTruncatedDoc},
    {.name = "stdout", .doc = "Standard output as UTF-8, U+FFFD for what is not"},
    {.name = "stdout_base64",
     .doc = "Its exact bytes; only when stdout is not exact",
     .optional = true},
    {.name = "stdout_truncated", .type = kBoolean, .doc = kTruncatedDoc},
    {.name = "timed_out", .type = kBoolean, .doc = "Whether timeout_seconds ended the command"},
    {.name = "timing", .type = kNumberMap, .doc = "Milliseconds of each stage"},
    {.name = "vm_id", .doc = "Id of the VM"},
}};

constexpr std::array kRunPositionals{kEnvironmentOrFile, kCommandOrFile};
constexpr std::array kRunOptions{
    kVcpuCount,     kMemMib,   kTimeoutSeconds,  kTtlSeconds, kNetwork,
    kNetworkPolicy, kNetAllow, kNetDeny,         kAllowUdp,   kAllowIcmp,
    kPolicyFile,    kSmolfile, kAllowHostCompat, kBoot,       kJson};
constexpr std::array<Field, 7> kRefusedFields{{
    {.name = "address", .doc = "Empty for a question for a name"},
    {.name = "count", .type = kInteger, .doc = "How often"},
    {.name = "name", .doc = "Empty when none is known"},
    {.name = "port", .type = kInteger, .doc = "0 for echo"},
    {.name = "protocol", .doc = "tcp, udp, icmp, dns or other"},
    {.name = "reason", .doc = "For example not-listed, special-range"},
    {.name = "rule", .doc = "deny[0], or preset"},
}};
constexpr std::array<Field, 2> kRunOnlyFields{{
    {.name = "refused",
     .type = kObjectList,
     .doc = "What the network policy kept the command from: the first 32 endpoints",
     .fields = kRefusedFields},
    {.name = "warnings", .type = kStringList, .doc = "What to know about the options"},
}};
constexpr auto kRunFields = sorted_fields(kExecFields, kRunOnlyFields);
constexpr std::array<std::string_view, 1> kRunPath{"run"};
constexpr std::array<std::string_view, 6> kRunText{
    "Creates a microVM, runs one command in it and deletes it. An environment that is not "
    "installed is pulled first.",
    "Standard output, standard error and the exit code are those of the command, byte for byte "
    "and as they come. Standard input is passed on when it is not a terminal. Lines that begin "
    "with [run] go to standard error.",
    "Ctrl-C interrupts the command, then the VM goes. When more VMs are wanted than the host has "
    "memory or processors for, starts queue and say so; the timeout counts from the start of the "
    "command.",
    kNetworkText,
    kSmolfileText,
    "The words of the command must follow \"--\". For pipes and variables name a shell: "
    "pyro run debian:12 -- sh -c 'ls | wc -l'."};
constexpr std::array<Example, 3> kRunExamples{{
    {"pyro run debian:12 -- git --version", "One command in a fresh guest"},
    {"pyro run debian:12 -- sh -c 'cat > /tmp/in; sort /tmp/in' < words.txt",
     "Pass a file on standard input"},
    {"pyro run debian:12-build --mem-mib 4096 --timeout-seconds 600 --json -- make -C /src",
     "More memory, more time, one JSON object"},
}};
constexpr std::array kRunErrors{Errc::kInvalid,     Errc::kNotFound, Errc::kDenied,
                                Errc::kUnavailable, Errc::kDeadline, Errc::kLimit,
                                Errc::kDamaged,     Errc::kInternal};

// ---- doctor

constexpr std::array<Field, 2> kAcceleratorFields{{
    {.name = "in_force", .doc = "kvm or tcg"},
    {.name = "reason", .doc = "Why this one"},
}};
constexpr std::array<Field, 3> kCapabilityFields{{
    {.name = "guest_exec", .type = kBoolean, .doc = "A guest can run commands"},
    {.name = "guest_network", .type = kBoolean, .doc = "A guest can have a network"},
    {.name = "vm_boot", .type = kBoolean, .doc = "A guest can boot"},
}};
constexpr std::array<Field, 5> kIsolationFields{{
    {.name = "boundary", .doc = "What stands between guest and host: kvm+jail or jail"},
    {.name = "detail", .doc = "What is missing and why"},
    {.name = "landlock", .type = kBoolean, .doc = "The kernel has Landlock"},
    {.name = "seccomp", .type = kBoolean, .doc = "System calls can be filtered"},
    {.name = "user_namespaces", .type = kBoolean, .doc = "User namespaces work"},
}};
constexpr std::array<Field, 5> kKvmFields{{
    {.name = "detail", .doc = "Why KVM is not usable, or how fast the probe ran"},
    {.name = "exists", .type = kBoolean, .doc = "/dev/kvm exists"},
    {.name = "readable", .type = kBoolean, .doc = "This user may read it"},
    {.name = "usable", .type = kBoolean, .doc = "Guest code ran on it in time"},
    {.name = "writable", .type = kBoolean, .doc = "This user may write it"},
}};
constexpr std::array<Field, 1> kNetworkingFields{
    {{.name = "engine", .doc = "What carries guest traffic"}}};
constexpr std::array<Field, 3> kQemuFields{{
    {.name = "path", .doc = "Program in use; empty when none was found"},
    {.name = "supported", .type = kBoolean, .doc = "Whether this version will do"},
    {.name = "version", .doc = "Its version"},
}};
constexpr std::array<Field, 11> kDoctorFields{{
    {.name = "accelerator",
     .type = kObject,
     .doc = "What runs guest code",
     .fields = kAcceleratorFields},
    {.name = "capabilities",
     .type = kObject,
     .doc = "What works here",
     .fields = kCapabilityFields},
    {.name = "environment_cache", .doc = "Folder that holds all environments"},
    {.name = "environments",
     .type = kObjectList,
     .doc = "As in env list",
     .fields = kEnvironmentFields},
    {.name = "isolation",
     .type = kObject,
     .doc = "The boundary that holds",
     .fields = kIsolationFields},
    {.name = "issues", .type = kStringList, .doc = "What is wrong, each with its next step"},
    {.name = "kvm", .type = kObject, .doc = "State of /dev/kvm", .fields = kKvmFields},
    {.name = "networking", .type = kObject, .doc = "Guest network", .fields = kNetworkingFields},
    {.name = "platform", .doc = "For example linux-x86_64"},
    {.name = "qemu", .type = kObject, .doc = "The virtual machine monitor", .fields = kQemuFields},
    {.name = "runtime_ok", .type = kBoolean, .doc = "Whether a guest can run"},
}};
constexpr std::array kDoctorOptions{
    Param{.name = "fresh",
          .type = ParamType::kFlag,
          .help = "Measure again what is otherwise remembered until the host reboots"},
    kJson};
constexpr std::array<std::string_view, 1> kDoctorPath{"doctor"};
constexpr std::array<std::string_view, 2> kDoctorText{
    "Prints whether a guest can run here and what it would run on: QEMU, the accelerator in force "
    "and why, KVM, the environments, and the isolation boundary. Issues follow, each with the next "
    "step.",
    "KVM counts as usable only when guest code really ran on it in time. The exit code is 0 only "
    "when a guest can run."};
constexpr std::array<Example, 2> kDoctorExamples{{
    {"pyro doctor", "Is this host ready?"},
    {"pyro doctor --fresh", "Ask again after a change of the host"},
}};
constexpr std::array kDoctorErrors{Errc::kInvalid, Errc::kDenied, Errc::kInternal};

// ---- demo

constexpr std::array<Field, 3> kDemoStepFields{{
    {.name = "detail", .doc = "What happened"},
    {.name = "duration_ms", .type = kInteger, .doc = "How long it took"},
    {.name = "name", .doc = "create, start, exec or delete"},
}};
constexpr std::array<Field, 10> kDemoFields{{
    {.name = "command", .doc = "The command, quoted for a shell"},
    {.name = "deleted", .type = kBoolean, .doc = "Whether the VM is gone"},
    {.name = "duration_ms", .type = kInteger, .doc = "Of all steps together"},
    {.name = "environment", .doc = "Name of the environment"},
    {.name = "execution_mode", .doc = "How the command was run"},
    {.name = "exit_code", .type = kInteger, .doc = "Of the command"},
    {.name = "stderr", .doc = "Standard error of the command"},
    {.name = "stdout", .doc = "Standard output of the command"},
    {.name = "steps", .type = kObjectList, .doc = "In order", .fields = kDemoStepFields},
    {.name = "vm_id", .doc = "Id of the VM"},
}};
constexpr std::array kDemoOptions{kNetwork, kJson};
constexpr std::array<std::string_view, 1> kDemoPath{"demo"};
constexpr std::array<std::string_view, 2> kDemoText{
    "Creates a VM from debian:12, starts it, runs git --version in it and deletes it: the round "
    "trip that every command of pyro is made of, one step at a time and with the time of each.",
    "pyro demo ollama lets a model do it."};
constexpr std::array<Example, 1> kDemoExamples{{{"pyro demo", "Show the round trip"}}};

// ---- completion

constexpr std::array<std::string_view, 3> kShells{"bash", "zsh", "fish"};
constexpr std::array kCompletionPositionals{Param{.name = "shell",
                                                  .type = ParamType::kChoice,
                                                  .value_name = "SHELL",
                                                  .help = "Shell to write the script for",
                                                  .choices = kShells}};
constexpr std::array<std::string_view, 1> kCompletionPath{"completion"};
constexpr std::array<std::string_view, 1> kCompletionText{
    "Prints a completion script. Installed packages already put these scripts where the shells "
    "look for them."};
constexpr std::array<Example, 3> kCompletionExamples{{
    {"source <(pyro completion bash)", "For this bash session"},
    {"pyro completion zsh > ~/.zfunc/_pyro", "For zsh, with ~/.zfunc in fpath"},
    {"pyro completion fish > ~/.config/fish/completions/pyro.fish", "For fish"},
}};
constexpr std::array kCompletionErrors{Errc::kInvalid};

// ---- the VM lifecycle: library and MCP only

constexpr std::array<Field, 12> kVmFields{{
    {.name = "allow_host_compat", .type = kBoolean, .doc = "As asked for"},
    {.name = "created_at", .type = kNumber, .doc = "Seconds since the epoch"},
    {.name = "environment", .doc = "Name of the environment"},
    {.name = "execution_mode", .doc = "How commands are run, for example guest_serial"},
    {.name = "expires_at", .type = kNumber, .doc = "Seconds since the epoch"},
    {.name = "last_error", .doc = "What failed last", .nullable = true},
    {.name = "mem_mib", .type = kInteger, .doc = "Memory in MiB"},
    {.name = "network_enabled", .type = kBoolean, .doc = "Whether the guest has a network"},
    {.name = "state", .doc = "created, started, stopped, failed or deleted"},
    {.name = "ttl_seconds", .type = kInteger, .doc = "As asked for"},
    {.name = "vcpu_count", .type = kInteger, .doc = "Virtual CPUs"},
    {.name = "vm_id", .doc = "Id of the VM"},
}};
constexpr std::array<std::string_view, 2> kNetworkInfoPath{"network", "info"};
constexpr std::array<std::string_view, 1> kNetworkInfoText{
    "Prints what the network engine of a running VM says of itself: addresses, the policy that it "
    "decides by and its hash, flows, bytes, refusals and dropped frames. VMs are created by the "
    "library and over MCP; of a workspace, pyro workspace network show says the same. pyro run "
    "itself says what was refused: nobody else reaches its VM."};
constexpr std::array<Example, 1> kNetworkInfoExamples{
    {{"pyro network info vm-k4x2m9tq --json", "Show every field"}}};
constexpr std::array<Field, 4> kNetworkInfoFields{{
    {.name = "engine", .doc = "What carries guest traffic"},
    kLiveNetworkField,
    {.name = "network_enabled", .type = kBoolean, .doc = "Whether the guest has a network"},
    {.name = "vm_id", .doc = "Id of the VM"},
}};
constexpr std::array<Field, 2> kReapFields{{
    {.name = "count", .type = kInteger, .doc = "How many were deleted"},
    {.name = "vm_ids", .type = kStringList, .doc = "Their ids"},
}};
constexpr std::array kExecPositionals{kVmIdParam, kCommandParam};
constexpr std::array kExecOptions{kTimeoutSeconds};
constexpr std::array kVmErrors{Errc::kInvalid,     Errc::kNotFound, Errc::kConflict,
                               Errc::kUnavailable, Errc::kDeadline, Errc::kInternal};
constexpr std::array kReapErrors{Errc::kUnavailable, Errc::kInternal};

constexpr std::array<Operation, 5> kMainOperations{{
    {.name = "run",
     .method = "run_in_vm",
     .tool = "vm_run",
     .cli_path = kRunPath,
     .summary = "Run one command in a fresh microVM",
     .description = kRunText,
     .positionals = kRunPositionals,
     .options = kRunOptions,
     .result = kRunFields,
     .errors = kRunErrors,
     .examples = kRunExamples,
     .exit_codes = ExitCodes::kCommand,
     .effects = kRunsApart},
    {.name = "env.list",
     .method = "list_environments",
     .tool = "vm_list_environments",
     .cli_path = kEnvListPath,
     .summary = "List the environments of the catalogue",
     .description = kEnvListText,
     .options = kJsonOnly,
     .result = kListFields,
     .errors = kEnvListErrors,
     .examples = kEnvListExamples,
     .effects = kReads},
    {.name = "env.pull",
     .method = "pull_environment",
     .tool = "vm_pull_environment",
     .cli_path = kEnvPullPath,
     .summary = "Install or repair an environment",
     .description = kEnvPullText,
     .positionals = kEnvironmentOnly,
     .options = kJsonOnly,
     .result = kEnvironmentFields,
     .errors = kEnvPullErrors,
     .examples = kEnvPullExamples,
     .effects = {.idempotent = true, .open_world = true}},
    {.name = "env.inspect",
     .method = "inspect_environment",
     .tool = "vm_inspect_environment",
     .cli_path = kEnvInspectPath,
     .summary = "Show and check one environment",
     .description = kEnvInspectText,
     .positionals = kEnvironmentOnly,
     .options = kJsonOnly,
     .result = kEnvironmentFields,
     .errors = kEnvInspectErrors,
     .examples = kEnvInspectExamples,
     .effects = kReads},
    {.name = "env.prune",
     .method = "prune_environments",
     .tool = "vm_prune_environments",
     .cli_path = kEnvPrunePath,
     .summary = "Remove environments and templates that are not needed",
     .description = kEnvPruneText,
     .options = kJsonOnly,
     .result = kPruneFields,
     .errors = kEnvPruneErrors,
     .examples = kEnvPruneExamples,
     .effects = kReplaces},
}};
constexpr std::array<Operation, 12> kOtherOperations{{
    {.name = "doctor",
     .method = "doctor",
     .tool = "vm_doctor",
     .cli_path = kDoctorPath,
     .summary = "Check whether a guest can run on this host",
     .description = kDoctorText,
     .options = kDoctorOptions,
     .result = kDoctorFields,
     .errors = kDoctorErrors,
     .examples = kDoctorExamples,
     .effects = kReads},
    {.name = "demo",
     .cli_path = kDemoPath,
     .summary = "Show create, start, exec and delete step by step",
     .description = kDemoText,
     .options = kDemoOptions,
     .result = kDemoFields,
     .errors = kRunErrors,
     .examples = kDemoExamples},
    kOllama,
    {.name = "completion",
     .cli_path = kCompletionPath,
     .summary = "Print a completion script for bash, zsh or fish",
     .description = kCompletionText,
     .positionals = kCompletionPositionals,
     .errors = kCompletionErrors,
     .examples = kCompletionExamples},
    {.name = "create_vm",
     .method = "create_vm",
     .tool = "vm_create",
     .summary = "Make a VM ready to start",
     .positionals = kEnvironmentOnly,
     .options = kCreateOptions,
     .result = kVmFields,
     .errors = kRunErrors,
     .effects = kRunsApart},
    {.name = "start_vm",
     .method = "start_vm",
     .tool = "vm_start",
     .summary = "Start a created VM",
     .positionals = kVmIdOnly,
     .result = kVmFields,
     .errors = kVmErrors},
    {.name = "exec_vm",
     .method = "exec_vm",
     .tool = "vm_exec",
     .summary = "Run one command in a started VM, then delete the VM",
     .positionals = kExecPositionals,
     .options = kExecOptions,
     .result = kRunFields,
     .errors = kVmErrors,
     .effects = kRunsAnything},
    {.name = "stop_vm",
     .method = "stop_vm",
     .tool = "vm_stop",
     .summary = "Stop a VM and keep its record",
     .positionals = kVmIdOnly,
     .result = kVmFields,
     .errors = kVmErrors,
     .effects = kReplaces},
    {.name = "delete_vm",
     .method = "delete_vm",
     .tool = "vm_delete",
     .summary = "Delete a VM and all it holds",
     .positionals = kVmIdOnly,
     .result = kVmFields,
     .errors = kVmErrors,
     .effects = kReplaces},
    {.name = "status_vm",
     .method = "status_vm",
     .tool = "vm_status",
     .summary = "Show one VM",
     .positionals = kVmIdOnly,
     .result = kVmFields,
     .errors = kVmErrors,
     .effects = kReads},
    {.name = "network_info_vm",
     .method = "network_info_vm",
     .tool = "vm_network_info",
     .cli_path = kNetworkInfoPath,
     .summary = "Show the network of one VM",
     .description = kNetworkInfoText,
     .positionals = kVmIdOnly,
     .options = kJsonOnly,
     .result = kNetworkInfoFields,
     .errors = kVmErrors,
     .examples = kNetworkInfoExamples,
     .effects = kReads},
    {.name = "reap_expired",
     .method = "reap_expired",
     .tool = "vm_reap_expired",
     .summary = "Delete VMs that expired or lost their supervisor",
     .result = kReapFields,
     .errors = kReapErrors,
     .effects = kReplaces},
}};

constexpr std::array<std::string_view, 1> kEnvPath{"env"};
constexpr std::array<std::string_view, 1> kVmNetworkPath{"network"};
constexpr std::array<Group, 2> kMainGroups{
    {{kEnvPath, "Manage environments"}, {kVmNetworkPath, "See the network of a VM"}}};

template <class T, std::size_t N, std::size_t M>
constexpr std::array<T, N + M> joined(const std::array<T, N>& a, const std::array<T, M>& b) {
  std::array<T, N + M> out{};
  std::ranges::copy(a, out.begin());
  std::ranges::copy(b, out.begin() + N);
  return out;
}

// All of it in the order in which help lists it.
constexpr auto kOperations =
    joined(joined(kMainOperations, kWorkspaceOperations),
           joined(joined(kSessionOperations, kMcpOperations),
                  joined(joined(kPolicyOperations, kSelftestOperations), kOtherOperations)));
constexpr auto kGroups =
    joined(joined(kMainGroups, joined(kWorkspaceGroups, kSessionGroups)),
           joined(joined(kMcpGroups, kPolicyGroups), joined(kSelftestGroups, kDemoGroups)));

}  // namespace

std::span<const Operation> operations() {
  return kOperations;
}
std::span<const Group> groups() {
  return kGroups;
}

const Operation* find_operation(std::string_view name) {
  for (const Operation& op : kOperations) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

const Param* find_param(const Operation& operation, std::string_view name) {
  for (const std::span<const Param> list : {operation.positionals, operation.options}) {
    for (const Param& param : list) {
      if (param.name == name) return &param;
    }
  }
  return nullptr;
}

std::span<const Field> result_fields(const Operation& operation) {
  return operation.result.empty() ? operation.library_result : operation.result;
}

std::vector<Argument> library_arguments(const Operation& operation) {
  std::vector<Argument> out;
  const auto add = [&out](const Param& param, bool positional, bool required) {
    if (param.cli_only) return;
    const bool list = param.repeatable && param.type != ParamType::kPair && !param.one_in_library;
    out.push_back({.param = &param,
                   .name = param.library_name.empty() ? param.name : param.library_name,
                   .positional = positional,
                   .required = required,
                   .list = list});
  };
  for (const Param& param : operation.positionals) {
    // The command, which is the last, is an argument like any other where there is no "--".
    const bool positional = param.type != ParamType::kCommand;
    add(param, positional, !param.optional || param.one_in_library);
  }
  for (const Param& param : operation.options) add(param, false, param.required);
  for (const Param& param : operation.library_options) add(param, false, param.required);
  return out;
}

const Param* find_command(const Operation& operation) {
  for (const Param& param : operation.positionals) {
    if (param.type == ParamType::kCommand) return &param;
  }
  return nullptr;
}

}  // namespace pyro::proto
