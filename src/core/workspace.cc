#include "core/workspace.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <cstdio>

#include "base/stopwatch.h"
#include "base/text.h"
#include "core/clock.h"
#include "core/exec_relay.h"
#include "core/workspace_names.h"
#include "net/link_addresses.h"
#include "proto/workspace_messages.h"
#include "sys/fault.h"
#include "sys/sparse.h"

namespace pyro::core {

namespace asio = io::asio;
using store::WorkspaceState;

namespace {

constexpr std::size_t kMostSecretBytes = 256U << 10;  // together: they travel in one request

Result<void> check_secrets(const Secrets& secrets) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : secrets) {
    PYRO_CHECK(check_secret(name, value));
    bytes += value.size();
  }
  if (secrets.size() > kMostSecrets || bytes > kMostSecretBytes) {
    return fail(Errc::kLimit, fmt::format("a workspace can have {} secrets of {} bytes together",
                                          kMostSecrets, kMostSecretBytes));
  }
  return {};
}

// What the user says of a workspace is shown to whoever asks for its status.
Result<void> check_shown(const Secrets& secrets, const std::string& name,
                         const std::map<std::string, std::string>& labels,
                         const std::map<std::string, std::string>& env) {
  std::string all = name;
  for (const auto* pairs : {&labels, &env}) {
    for (const auto& [key, value] : *pairs) all += "\n" + key + "\n" + value;
  }
  return check_recordable(secrets, all, "the workspace's name, labels or variables",
                          "workspace exec --secret-env");
}

// Everything of a new workspace but its machine. `folder` goes with what is in it on an error.
Result<store::WorkspaceStore> furnish(const SandboxFolder& folder, NewWorkspace& what,
                                      const WorkspaceDeps& deps) {
  store::WorkspaceRecord& r = what.record;
  if (!r.name.empty()) PYRO_CHECK(take_name(deps.dirs, r.name, r.id));
  sys::fault_point("create.named");
  const WorkspaceLayers layers(folder.path());
  PYRO_CHECK(sys::retrying("rename " + what.baseline, [&] {
    return ::rename(what.baseline.c_str(), layers.baseline_path().c_str());
  }));
  PYRO_CHECK(sys::sync_dir(folder.path()));
  PYRO_TRY(r.baseline, layer_stamp(layers.baseline_path()));
  PYRO_TRY(r.folder, folder_identity(folder.path()));
  PYRO_CHECK(write_secrets(folder.path(), what.secrets));
  PYRO_TRY(const WorkBase base, deps.disks.work_base());
  r.work_base = base.id;
  r.state = WorkspaceState::kCreating;
  sys::fault_point("create.furnished");
  PYRO_TRY(auto store, store::WorkspaceStore::create(folder.path(), r));
  sys::fault_point("create.recorded");
  PYRO_TRY(const std::int64_t id, store.next_layer_id());
  PYRO_TRY(const sys::UniqueFd layer, layers.create(id));
  PYRO_CHECK(store.add_first_layer(id));
  sys::fault_point("create.layered");
  return store;
}

// For the journal: the line that the client was given, or the words.
std::string shown_command(const Secrets& secrets, const proto::ExecWorkspace& request) {
  const bool line = !request.argv.empty() && to_utf8(request.argv.back().value) == request.command;
  if (line) return redacted(secrets, request.command);
  return to_utf8(redacted_line(secrets, proto::to_strings(request.argv)));
}

Result<sys::UniqueFd> make_dead_link() {
  PYRO_TRY(auto link, vmm::make_link());
  return std::move(link.theirs);
}

}  // namespace

Workspace::Workspace(std::string id, SandboxFolder folder, store::WorkspaceStore store,
                     Secrets secrets, WorkspaceDeps deps, asio::any_io_executor ex)
    : ex_(ex),
      id_(std::move(id)),
      folder_(std::move(folder)),
      store_(std::move(store)),
      layers_(folder_.path()),
      secrets_(std::move(secrets)),
      deps_(std::move(deps)),
      syncs_(ex),
      turns_(ex),
      changed_(ex),
      watches_(ex) {}

Result<std::unique_ptr<Workspace>> Workspace::create(NewWorkspace what, WorkspaceDeps deps,
                                                     asio::any_io_executor ex) {
  const std::string id = what.record.id;
  if (!is_workspace_id(id)) return fail(Errc::kInvalid, "not the id of a workspace");
  PYRO_CHECK(check_secrets(what.secrets));
  PYRO_CHECK(check_shown(what.secrets, what.record.name, what.record.labels, what.record.env));
  PYRO_TRY(auto folder, SandboxFolder::create(deps.dirs, id));
  sys::fault_point("create.folder");
  auto store = furnish(folder, what, deps);
  if (!store) {
    static_cast<void>(folder.remove());
    if (!what.record.name.empty())
      static_cast<void>(give_name_back(deps.dirs, what.record.name, id));
    return std::unexpected(std::move(store.error()));
  }
  return std::unique_ptr<Workspace>(new Workspace(id, std::move(folder), *std::move(store),
                                                  std::move(what.secrets), std::move(deps), ex));
}

Result<std::unique_ptr<Workspace>> Workspace::open(const std::string& id, WorkspaceDeps deps,
                                                   asio::any_io_executor ex) {
  if (!is_workspace_id(id)) return fail(Errc::kInvalid, "not the id of a workspace");
  PYRO_CHECK(settle_workspace(deps.dirs, id, now_seconds()));
  PYRO_TRY(auto folder, SandboxFolder::open(deps.dirs, id));
  PYRO_TRY(auto store,
           store::WorkspaceStore::open(folder.path(), store::Database::Mode::kReadWrite));
  PYRO_TRY(auto secrets, read_secrets(folder.path()));
  std::unique_ptr<Workspace> workspace(new Workspace(id, std::move(folder), std::move(store),
                                                     std::move(secrets), std::move(deps), ex));
  PYRO_CHECK(workspace->clear_up());
  return workspace;
}

Result<void> Workspace::clear_up() {
  // A crash between a new name and the record of it, or between that and the end of the old one,
  // leaves two.
  PYRO_TRY(const auto record, store_.record());
  PYRO_CHECK(settle_copy(folder_.path(), record, store_));
  PYRO_CHECK(give_names_back(deps_.dirs, id_, record.name));
  PYRO_CHECK(remove_unneeded());
  PYRO_TRY(const auto known, store_.layers());
  return layers_.sweep(known);
}

// ---- the machine

SandboxSpec Workspace::machine_spec(const store::WorkspaceRecord& r, bool keep) {
  MakeLink make_link;
  std::optional<vmm::MacAddress> mac;
  if (r.network.has_network()) {
    // A machine that only reads has the device as well, so that there is one template for both, but
    // nobody at the other end of it.
    make_link = make_dead_link;
    if (keep) make_link = [this] { return network_->guest_end(); };
    mac = net::kGuestMac;
  }
  return {.vm_id = r.name.empty() ? id_ : r.name,
          .environment = r.environment,
          .shape = {.accelerator = deps_.accelerator,
                    .mem_mib = static_cast<int>(r.mem_mib),
                    .vcpus = static_cast<int>(r.vcpu_count),
                    .disks = vmm::Disks::kWorkspace,
                    .mac = mac},
          .boot = deps_.boot,
          .make_disks = [this, keep](const Template& base) { return make_disks(base, keep); },
          .settle_in = [this, keep](Guest& guest) { return settle_in(&guest, keep); },
          .make_link = make_link};
}

Result<vmm::WorkspaceDisks> Workspace::make_disks(const Template& base, bool keep) {
  PYRO_TRY(const auto record, store_.record());
  PYRO_TRY(const auto all, store_.layers());
  PYRO_TRY(const auto chain, layer_chain(all, record.current_layer));
  vmm::WorkspaceDisks disks;
  PYRO_TRY(disks.baseline, layers_.open_baseline(record.baseline));
  PYRO_TRY(disks.work_layers, layers_.open(chain, keep));
  if (!keep) {
    PYRO_TRY(sys::UniqueFd top, layers_.create_nameless());
    disks.work_layers.push_back(std::move(top));
  }
  PYRO_TRY(WorkBase work, deps_.disks.work_base(record.work_base));
  disks.work_base = std::move(work.file);
  PYRO_TRY(disks.scratch, sys::nameless_copy(base.scratch.get(), folder_.path()));
  return disks;
}

io::Task<void> Workspace::settle_in(Guest* guest, bool keep) {
  sys::fault_point("start.greeted");
  PYRO_CO_TRY(const auto answer,
              co_await guest->call("mounting the workspace", proto::WorkspaceMount::kName,
                                   proto::encode(proto::WorkspaceMount{})));
  PYRO_CO_TRY(const auto mounted, proto::decode<proto::WorkspaceMountResult>(answer));
  if (!keep) co_return Result<void>{};
  const std::string& sync = mounted.interrupted_sync;
  if (sync == "completed" || sync == "undone") {
    PYRO_CO_CHECK(
        store_.add_event("interrupted_sync", "{\"outcome\":\"" + sync + "\"}", now_seconds()));
  }
  if (secrets_.empty()) co_return Result<void>{};
  proto::WorkspaceSecrets request;
  for (const auto& [name, value] : secrets_) request.secrets[name] = proto::Bytes(value);
  PYRO_CO_CHECK(co_await guest->call("giving the guest its secrets", proto::WorkspaceSecrets::kName,
                                     proto::encode(request)));
  co_return Result<void>{};
}

io::Task<std::vector<proto::Stage>> Workspace::bring_up(OnPhase on_phase) {
  PYRO_CO_TRY(const auto record, store_.record());
  Result<std::vector<proto::Stage>> stages;
  if (auto begun = co_await begin_network(record.network); begun) {
    sandbox_ = std::make_unique<Sandbox>(machine_spec(record, /*keep=*/true),
                                         SandboxDeps{.vmm = deps_.vmm,
                                                     .templates = deps_.templates,
                                                     .environments = deps_.environments,
                                                     .disks = &deps_.disks},
                                         ex_);
    stages = co_await deps_.start(*sandbox_, std::move(on_phase));
  } else {
    stages = std::unexpected(std::move(begun.error()));
  }
  sys::fault_point("start.machine");
  if (stages) {
    if (auto recorded = store_.set_state(WorkspaceState::kStarted, ""); !recorded)
      stages = std::unexpected(std::move(recorded.error()));
  }
  // Whoever finds `creating` clears it away: that it was usable must not hang on the log beside the
  // record, which may be damaged.
  if (stages && record.state == WorkspaceState::kCreating) {
    if (auto kept = store_.checkpoint(); !kept) stages = std::unexpected(std::move(kept.error()));
  }
  if (!stages) {
    Error error = safe(std::move(stages.error()), secrets_);
    if (sandbox_) co_await sandbox_->stop();
    sandbox_.reset();
    co_await end_network();
    static_cast<void>(store_.set_state(WorkspaceState::kStopped, error.message));
    co_return std::unexpected(std::move(error));
  }
  rest_ = std::make_unique<Rest>(*sandbox_->guest(), ex_);
  begin_sessions();
  watches_.spawn(watch(++life_));
  sys::fault_point("start.recorded");
  co_return stages;
}

// Until the machine ends. When nobody had it end, the record says so.
asio::awaitable<void> Workspace::watch(std::uint64_t life) {
  vmm::VmEnd end;
  {
    const Sandbox::Use use(*sandbox_);
    vmm::Vm& vm = sandbox_->guest()->vm();
    co_await vm.ended().wait_regardless();
    end = vm.end();
  }
  if (end.kind == vmm::VmEnd::Kind::kKilled) co_return;
  const auto turn = co_await turns_.take();
  if (!turn || life != life_ || !sandbox_) co_return;
  constexpr const char* kReason = "machine_lost";
  static_cast<void>(co_await put_down(/*flush=*/false, kReason));
  static_cast<void>(store_.set_state(
      WorkspaceState::kStopped, "its machine ended: " + printable(end.detail), ended(kReason)));
  changed_.set();
}

io::Task<void> Workspace::put_down(bool flush, const char* reason) {
  if (!sandbox_) co_return Result<void>{};
  co_await end_sessions(/*politely=*/flush, reason);
  Result<void> flushed;
  if (flush) {
    const auto awake = co_await rest_->wake();
    co_await rest_->stop();
    if (awake) {
      flushed = co_await sandbox_->shut_down();
    } else {
      flushed = std::unexpected(awake.error());
    }
  }
  co_await rest_->stop();  // before the guest goes that it speaks to
  co_await sandbox_->stop();
  rest_.reset();
  sandbox_.reset();
  co_await end_network();
  ++life_;  // its watch has nothing to say any more
  co_return flushed;
}

Result<void> Workspace::check_time() {
  PYRO_TRY(const auto record, store_.record());
  if (!record.expires_at || *record.expires_at > now_seconds()) return {};
  return fail_hint(Errc::kConflict, fmt::format("the time of {} is over", id_),
                   "give it more: pyro workspace update " + id_ + " --ttl-seconds N");
}

io::Task<std::vector<proto::Stage>> Workspace::start(OnPhase on_phase) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (removed_) co_return fail(Errc::kNotFound, id_ + " was deleted");
  if (sandbox_) co_return std::vector<proto::Stage>{};
  PYRO_CO_CHECK(check_time());
  co_return co_await bring_up(std::move(on_phase));
}

io::Task<void> Workspace::do_stop() {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (!sandbox_) co_return Result<void>{};
  sys::fault_point("stop.begun");
  const auto flushed = co_await put_down(/*flush=*/true);
  sys::fault_point("stop.machine");
  std::string last_error;
  if (!flushed) {
    last_error = "it was stopped, but the guest did not say that everything was written: " +
                 safe(flushed.error(), secrets_).message;
  }
  PYRO_CO_CHECK(store_.set_state(WorkspaceState::kStopped, last_error, ended(kStoppedReason)));
  sys::fault_point("stop.recorded");
  if (!flushed) co_return fail(Errc::kUnavailable, last_error);
  co_return Result<void>{};
}

io::Task<void> Workspace::do_remove() {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (removed_) co_return Result<void>{};
  // From here on it goes, also when this process does not live to see it. A record that cannot be
  // written is no reason to keep it.
  static_cast<void>(store_.set_state(WorkspaceState::kDeleting, ""));
  sys::fault_point("delete.recorded");
  static_cast<void>(co_await put_down(/*flush=*/false));
  sys::fault_point("delete.machine");
  PYRO_CO_CHECK(remove_rest(deps_.dirs, id_, folder_));
  sys::fault_point("delete.folder");
  removed_ = true;
  co_return Result<void>{};
}

asio::awaitable<void> Workspace::close() {
  if (sandbox_ && !removed_) static_cast<void>(co_await stop());
  static_cast<void>(co_await watches_.close());
}

Result<void> Workspace::update(const proto::UpdateWorkspace& change, double now) {
  const std::map<std::string, std::string> none;
  PYRO_CHECK(
      check_shown(secrets_, change.name.value_or(""), change.labels ? *change.labels : none, none));
  PYRO_TRY(auto r, store_.record());
  const std::string old_name = r.name;
  if (change.name && *change.name != old_name) {
    r.name = *change.name;
    if (!r.name.empty()) PYRO_CHECK(take_name(deps_.dirs, r.name, id_));
  }
  if (change.labels) r.labels = *change.labels;
  if (change.ttl_action) r.ttl_action = *change.ttl_action;
  if (change.ttl_seconds && *change.ttl_seconds == 0) {
    r.ttl_seconds.reset();
    r.expires_at.reset();
  } else if (change.ttl_seconds) {
    r.ttl_seconds = change.ttl_seconds;
    r.expires_at = now + static_cast<double>(*change.ttl_seconds);
  }
  sys::fault_point("update.named");
  if (auto set = store_.set_settings(r); !set) {
    if (r.name != old_name && !r.name.empty())
      static_cast<void>(give_name_back(deps_.dirs, r.name, id_));
    return set;
  }
  if (r.name != old_name && !old_name.empty())
    PYRO_CHECK(give_name_back(deps_.dirs, old_name, id_));
  return {};
}

// ---- commands and data

Result<void> Workspace::check_started() const {
  if (removed_) return fail(Errc::kNotFound, id_ + " was deleted");
  if (sandbox_ && sandbox_->state() == SandboxState::kStarted) return {};
  return fail_hint(Errc::kConflict, fmt::format("the workspace {} is not started", id_),
                   "run: pyro workspace start " + id_);
}

Result<proto::Exec> Workspace::guest_command(proto::ExecWorkspace& request) {
  PYRO_TRY(const auto record, store_.record());
  proto::Exec exec{.argv = std::move(request.argv),
                   .env = {},
                   .cwd = proto::Bytes(request.cwd),
                   .stdin_open = request.stdin_open,
                   .tty = {},
                   .timeout_ms = request.timeout_ms};
  for (const auto& [name, value] : record.env) exec.env[name] = proto::Bytes(value);
  for (auto& [name, value] : request.env) exec.env[name] = std::move(value);
  for (const auto& [secret, variable] : request.secret_env) {
    const auto found = secrets_.find(secret);
    if (found == secrets_.end()) {
      return fail_hint(Errc::kNotFound,
                       fmt::format("the workspace {} has no secret {}", id_, quoted_name(secret)),
                       "secrets are given when a workspace is created: --secret, --secret-file");
    }
    exec.env[variable] = proto::Bytes(found->second);
  }
  return exec;
}

io::Task<proto::ExecWorkspaceResult> Workspace::exec(proto::ExecWorkspace request,
                                                     std::shared_ptr<rpc::Stream> client) {
  PYRO_CO_CHECK(check_started());
  const std::string command = shown_command(secrets_, request);
  PYRO_CO_TRY(proto::Exec exec, guest_command(request));
  const Sandbox::Use use(*sandbox_);
  Stopwatch watch;
  PYRO_CO_TRY(const auto awake, co_await rest_->wake());
  const proto::Stage wake_stage{.name = "wake", .ms = watch.lap()};
  const std::string cwd = redacted(secrets_, request.cwd);
  PYRO_CO_TRY(const std::int64_t sequence, store_.begin_command(command, cwd, now_seconds()));
  sys::fault_point("exec.journaled");
  static_cast<void>(
      client->send_event(proto::JournaledCommand::kName,
                         proto::encode(proto::JournaledCommand{.sequence = sequence})));
  const proto::Stage journal_stage{.name = "journal", .ms = watch.lap()};
  ExecOutput output(secrets_);
  const std::function<void(std::shared_ptr<rpc::Stream>)> on_open =
      [this, sequence](std::shared_ptr<rpc::Stream> s) { running_[sequence] = s; };
  auto result = co_await relay_exec(*sandbox_->guest(), std::move(exec), std::move(client),
                                    {.on_open = on_open, .output = &output});
  const proto::Stage agent_stage{.name = "agent", .ms = watch.lap()};
  running_.erase(sequence);
  sys::fault_point("exec.ended");
  store::CommandRecord entry{.sequence = sequence,
                             .command = command,
                             .cwd = cwd,
                             .ended_at = now_seconds(),
                             .exit_code = {},
                             .out = output.kept(0).text(),
                             .err = output.kept(1).text(),
                             .out_bytes = output.kept(0).bytes(),
                             .err_bytes = output.kept(1).bytes()};
  if (result) {
    entry.exit_code = result->exit_code;
    entry.timed_out = result->timed_out;
    entry.duration_ms = (result->duration_us + 500) / 1000;
  }
  PYRO_CO_CHECK(store_.end_command(entry));
  sys::fault_point("exec.recorded");
  if (!result) co_return std::unexpected(safe(std::move(result.error()), secrets_));
  auto& timing = result->timing;
  timing.insert(timing.begin(), {wake_stage, journal_stage, agent_stage});
  timing.push_back({.name = "record", .ms = watch.lap()});
  co_return proto::ExecWorkspaceResult{
      .sequence = sequence, .command = command, .cwd = cwd, .result = *std::move(result)};
}

Result<void> Workspace::signal(std::int64_t sequence, int signo) {
  constexpr int kLastSignal = 64;
  if (signo < 1 || signo > kLastSignal)
    return fail(Errc::kInvalid, fmt::format("{} is no signal", signo));
  const auto found = running_.find(sequence);
  const auto command = found == running_.end() ? nullptr : found->second.lock();
  if (!command) return fail(Errc::kConflict, fmt::format("{} runs no command {}", id_, sequence));
  return command->send_event(proto::Signal::kName, proto::encode(proto::Signal{.signo = signo}));
}

io::Task<io::Turns::Turn> Workspace::turn_to_sync(std::shared_ptr<rpc::Stream> client) {
  return syncs_.take_while(
      [client = std::move(client)] { return !client || !client->cancelled(); });
}

io::Task<boost::json::object> Workspace::forward(proto::ForwardWorkspace request,
                                                 std::shared_ptr<rpc::Stream> client,
                                                 OnPhase on_phase) {
  constexpr std::array kMethods{proto::WorkspaceSync::kName, proto::WorkspaceExport::kName,
                                proto::WorkspaceDiff::kName};
  const std::string& method = request.method;
  if (std::ranges::none_of(kMethods, [&](const char* m) { return method == m; }))
    co_return fail(Errc::kInvalid, "the agent is not asked for " + quoted_name(method));
  if (request.offline) {
    co_return co_await forward_offline(std::move(request), std::move(client), std::move(on_phase));
  }
  std::optional<io::Turns::Turn> turn;
  if (method == proto::WorkspaceSync::kName) {
    PYRO_CO_TRY(auto taken, co_await turn_to_sync(client));
    turn.emplace(std::move(taken));
  }
  PYRO_CO_CHECK(check_started());
  const Sandbox::Use use(*sandbox_);
  PYRO_CO_TRY(const auto awake, co_await rest_->wake());
  auto answer = co_await relay_request(*sandbox_->guest(), method, std::move(request.params),
                                       std::move(client));
  sys::fault_point("forward.done");
  if (!answer) co_return std::unexpected(safe(std::move(answer.error()), secrets_));
  // The guest has done it by now, for good: that the summary cannot say so does not undo it.
  if (!request.event.empty())
    static_cast<void>(note({.event = request.event, .detail = std::move(request.detail)}));
  sys::fault_point("forward.recorded");
  co_return answer;
}

Result<void> Workspace::note(const proto::NoteWorkspace& note) {
  return store_.add_event(note.event, proto::to_text(redacted(secrets_, note.detail)),
                          now_seconds());
}

// In turn with whatever would give the workspace a machine of its own.
io::Task<boost::json::object> Workspace::forward_offline(proto::ForwardWorkspace request,
                                                         std::shared_ptr<rpc::Stream> client,
                                                         OnPhase on_phase) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (removed_) co_return fail(Errc::kNotFound, id_ + " was deleted");
  if (sandbox_) {
    co_return fail_hint(Errc::kConflict, fmt::format("the workspace {} is started", id_),
                        "stop it first, or use: pyro workspace export, file list, file read");
  }
  PYRO_CO_TRY(const auto record, store_.record());
  Sandbox reader(machine_spec(record, /*keep=*/false),
                 SandboxDeps{.vmm = deps_.vmm,
                             .templates = deps_.templates,
                             .environments = deps_.environments,
                             .disks = &deps_.disks},
                 ex_);
  auto started = co_await deps_.start(reader, std::move(on_phase));
  Result<boost::json::object> answer = boost::json::object{};
  if (started) {
    const Sandbox::Use use(reader);
    answer = co_await relay_request(*reader.guest(), request.method, std::move(request.params),
                                    std::move(client));
  } else {
    answer = std::unexpected(std::move(started.error()));
  }
  co_await reader.stop();
  if (!answer) co_return std::unexpected(safe(std::move(answer.error()), secrets_));
  co_return answer;
}

}  // namespace pyro::core
