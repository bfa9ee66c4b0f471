// What is asked about the shells, services and network of a workspace.
#include "supervisor/workspace_service.h"

namespace pyro::supervisor {

using boost::json::object;

io::Task<object> WorkspaceService::about_shells(StreamPtr stream) {
  const std::string& method = stream->method();
  if (method == proto::OpenShell::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::OpenShell>(stream->params()));
    PYRO_CO_TRY(const std::int64_t shell, co_await workspace_->open_shell(std::move(request)));
    co_return proto::encode(proto::ShellOpened{.shell = shell});
  }
  PYRO_CO_TRY(const auto shells, workspace_->shells());
  if (method == proto::ReadShell::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::ReadShell>(stream->params()));
    PYRO_CO_TRY(const auto read, co_await shells->read(request, stream));
    co_return proto::encode(read);
  }
  if (method == proto::AttachShell::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::AttachShell>(stream->params()));
    PYRO_CO_TRY(const auto left, co_await shells->attach(request, stream));
    co_return proto::encode(left);
  }
  if (method == proto::WriteShell::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::WriteShell>(stream->params()));
    PYRO_CO_CHECK(co_await shells->write(std::move(request)));
  } else if (method == proto::SignalShell::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::SignalShell>(stream->params()));
    PYRO_CO_CHECK(shells->signal(request));
  } else if (method == proto::ResizeShell::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::ResizeShell>(stream->params()));
    PYRO_CO_CHECK(shells->resize(request));
  } else if (method == proto::CloseShell::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::CloseShell>(stream->params()));
    PYRO_CO_CHECK(co_await shells->close_one(request.shell));
  } else {
    co_return fail(Errc::kInvalid, "unknown request " + method);
  }
  co_return object{};
}

io::Task<object> WorkspaceService::about_services(StreamPtr stream) {
  const std::string& method = stream->method();
  PYRO_CO_TRY(const auto services, workspace_->services());
  if (method == proto::StartService::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::StartService>(stream->params()));
    PYRO_CO_CHECK(co_await services->start(std::move(request), stream));
  } else if (method == proto::StopService::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::StopService>(stream->params()));
    PYRO_CO_CHECK(co_await services->stop(std::move(request)));
  } else if (method == proto::RestartService::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::RestartService>(stream->params()));
    PYRO_CO_CHECK(co_await services->restart(std::move(request), stream));
  } else if (method == proto::FollowService::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::FollowService>(stream->params()));
    PYRO_CO_CHECK(co_await services->follow(std::move(request), stream));
  } else {
    co_return fail(Errc::kInvalid, "unknown request " + method);
  }
  co_return object{};
}

io::Task<object> WorkspaceService::about_network(StreamPtr stream) {
  const std::string& method = stream->method();
  if (method == proto::AskNetwork::kName) {
    PYRO_CO_TRY(const auto state, co_await workspace_->network_state());
    co_return proto::encode(state);
  }
  if (method == proto::SetNetwork::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::SetNetwork>(stream->params()));
    PYRO_CO_TRY(auto policy, policy::parse_policy_text(request.policy));
    PYRO_CO_CHECK(co_await workspace_->set_network(std::move(policy)));
  } else if (method == proto::FollowNetwork::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::FollowNetwork>(stream->params()));
    PYRO_CO_CHECK(co_await workspace_->follow_network(request.cursor, stream));
  } else {
    co_return fail(Errc::kInvalid, "unknown request " + method);
  }
  co_return object{};
}

}  // namespace pyro::supervisor
