#include "mcp_serve/http_sessions.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"
#include "sys/random.h"

namespace pyro::mcp_serve {

HttpSession::HttpSession(Parts parts, std::string id)
    : id_(std::move(id)),
      routes_(std::make_shared<Routes>()),
      conversation_(std::make_shared<Conversation>(
          parts, mcp::Session::Eras::kLegacy,
          [routes = routes_](mcp::Outgoing out) { deliver(*routes, std::move(out)); })) {}

void HttpSession::deliver(Routes& routes, mcp::Outgoing message) {
  std::shared_ptr<HttpStream> stream;
  {
    const std::scoped_lock lock(routes.mutex);
    if (!message.about) {
      stream = routes.others.lock();
    } else if (const auto found = routes.by_request.find(*message.about);
               found != routes.by_request.end()) {
      stream = found->second;
      const bool last =
          message.kind == mcp::Outgoing::Kind::kAnswer || message.kind == mcp::Outgoing::Kind::kEnd;
      if (last) routes.by_request.erase(found);
    }
  }
  if (stream) stream->push(std::move(message));
}

bool HttpSession::route(const mcp::RequestId& request, const std::shared_ptr<HttpStream>& stream) {
  const std::scoped_lock lock(routes_->mutex);
  return routes_->by_request.try_emplace(request, stream).second;
}

bool HttpSession::listen(const std::shared_ptr<HttpStream>& stream) {
  const std::scoped_lock lock(routes_->mutex);
  if (routes_->others.lock()) return false;
  routes_->others = stream;
  return true;
}

void HttpSession::unroute(const std::shared_ptr<HttpStream>& stream) {
  const std::scoped_lock lock(routes_->mutex);
  for (auto& [request, to] : routes_->by_request) {
    if (to == stream) to = nullptr;
  }
  if (routes_->others.lock() == stream) routes_->others.reset();
}

void HttpSession::end() {
  conversation_->abandon();
  std::vector<std::shared_ptr<HttpStream>> open;
  {
    const std::scoped_lock lock(routes_->mutex);
    for (auto& [request, stream] : routes_->by_request) open.push_back(std::move(stream));
    routes_->by_request.clear();
    if (auto others = routes_->others.lock()) open.push_back(std::move(others));
  }
  for (const auto& stream : open) {
    if (stream) stream->push({.kind = mcp::Outgoing::Kind::kEnd});
  }
}

Result<std::shared_ptr<HttpSession>> HttpSessions::make() {
  if (by_id_.size() >= kMostSessions) {
    auto oldest = by_id_.end();
    for (auto it = by_id_.begin(); it != by_id_.end(); ++it) {
      if (!it->second.session->conversation()->idle()) continue;
      if (oldest == by_id_.end() || it->second.used < oldest->second.used) oldest = it;
    }
    if (oldest == by_id_.end()) {
      return fail(Errc::kLimit,
                  fmt::format("{} sessions have calls under way: end some", kMostSessions));
    }
    oldest->second.session->end();
    by_id_.erase(oldest);
  }
  PYRO_TRY(const std::string bytes, sys::random_bytes(32));
  const std::string id = hex(bytes);
  auto session = std::make_shared<HttpSession>(parts_, id);
  by_id_[id] = {.session = session, .used = ++uses_};
  hub_.add(session->conversation());
  return session;
}

std::shared_ptr<HttpSession> HttpSessions::find(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  found->second.used = ++uses_;
  return found->second.session;
}

void HttpSessions::end(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  found->second.session->end();
  by_id_.erase(found);
}

void HttpSessions::end_all() {
  for (auto& [id, entry] : by_id_) entry.session->end();
  by_id_.clear();
}

}  // namespace pyro::mcp_serve
