// Shells and services of a workspace: from the start of its machine to its end.
#include "core/clock.h"
#include "core/workspace.h"

namespace pyro::core {

namespace {
// Between SIGTERM to the services of a workspace that is stopped and SIGKILL.
constexpr std::chrono::seconds kStopGrace{10};
}  // namespace

void Workspace::begin_sessions() {
  const SessionDeps deps{.store = store_,
                         .secrets = secrets_,
                         .guest = *sandbox_->guest(),
                         .rest = *rest_,
                         .network = network_.get(),
                         .limits = deps_.sessions};
  shells_ = std::make_shared<Shells>(deps, ex_);
  services_ = std::make_shared<Services>(
      deps, folder_.path(),
      [this](const proto::ServiceDefinition& d) {
        proto::ExecWorkspace request{.argv = d.argv,
                                     .command = d.command,
                                     .cwd = d.cwd,
                                     .env = d.env,
                                     .secret_env = d.secret_env};
        return guest_command(request);
      },
      ex_);
}

io::asio::awaitable<void> Workspace::end_sessions(bool politely, const char* reason) {
  if (!shells_) co_return;
  if (politely) co_await services_->stop_all(kStopGrace);
  co_await services_->close();
  co_await shells_->close(reason);
  services_.reset();
  shells_.reset();
}

store::SessionsEnd Workspace::ended(const char* reason) {
  return {.reason = reason, .at = now_seconds()};
}

Result<std::shared_ptr<Shells>> Workspace::shells() {
  PYRO_CHECK(check_started());
  if (!shells_) return fail(Errc::kConflict, "the workspace " + id_ + " is being stopped");
  return shells_;
}

Result<std::shared_ptr<Services>> Workspace::services() {
  PYRO_CHECK(check_started());
  if (!services_) return fail(Errc::kConflict, "the workspace " + id_ + " is being stopped");
  return services_;
}

io::Task<std::int64_t> Workspace::open_shell(proto::OpenShell request) {
  PYRO_CO_TRY(const auto shells, this->shells());
  proto::ExecWorkspace command{
      .argv = {}, .command = {}, .cwd = request.cwd, .env = {}, .secret_env = request.secret_env};
  PYRO_CO_TRY(auto exec, guest_command(command));
  const Sandbox::Use use(*sandbox_);  // until the machine is not kept awake for this any more
  auto opened =
      co_await shells->open(std::move(exec), redacted(secrets_, request.cwd), request.size);
  if (!opened) co_return std::unexpected(safe(std::move(opened.error()), secrets_));
  co_return opened;
}

}  // namespace pyro::core
