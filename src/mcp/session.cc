#include "mcp/session.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace pyro::mcp {
namespace {

constexpr std::int64_t kFixedListMs = 3'600'000;

Outgoing answer(const RequestId& id, std::string_view result) {
  return {.kind = Outgoing::Kind::kAnswer, .text = result_text(id, result), .about = id};
}
Outgoing notice(std::string_view method, const json::object& params,
                std::optional<RequestId> about = {}) {
  return {.kind = Outgoing::Kind::kNotice,
          .text = notification_text(method, params),
          .about = std::move(about)};
}
Step only(Outgoing outgoing) {
  Step step;
  step.send.push_back(std::move(outgoing));
  return step;
}
Step refuse(const RequestId& id, int code, std::string message) {
  return only(failure(id, {code, std::move(message), {}}));
}

RpcError no_such_method(std::string_view method) {
  return {kMethodNotFound, fmt::format("there is no method {}", method), {}};
}

bool runs_handler(std::string_view method) {
  return method == "tools/call" || method == "resources/list" || method == "resources/read" ||
         method == "prompts/get" || method == "completion/complete";
}

// How long a result holds, and for whom (2026-07-28 wants to be told of these).
void add_cache_hints(json::object& result, std::string_view method, bool lists_change) {
  const bool list = method == "server/discover" || method == "tools/list" ||
                    method == "prompts/list" || method == "resources/templates/list";
  if (!list && method != "resources/list" && method != "resources/read") return;
  result["ttlMs"] = list && !lists_change ? kFixedListMs : 0;
  result["cacheScope"] = list ? "public" : "private";
}

const json::object* object_in(const json::object& in, std::string_view name) {
  const json::value* found = in.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}

}  // namespace

Outgoing failure(const RequestId& id, const RpcError& error) {
  return {.kind = Outgoing::Kind::kAnswer,
          .text = error_text(id, error),
          .about = id,
          .error_code = error.code};
}

std::string Session::finish(json::object result, bool modern, std::string_view method) const {
  if (modern) {
    if (!result.contains("resultType")) result["resultType"] = "complete";
    json::value& meta = result["_meta"];
    if (!meta.is_object()) meta = json::object();
    meta.get_object()[kMetaServerInfo] = server_info(provider_.info());
    if (result["resultType"] == "complete") {
      add_cache_hints(result, method, provider_.features().lists_change);
    }
  }
  return json::serialize(result);
}

Step Session::answer_list(const Request& request, bool modern, std::string_view member,
                          const std::string& list) const {
  if (request.params.contains("cursor")) {
    return refuse(request.id, kInvalidParams, "there is one page: leave cursor out");
  }
  // The list is text already: it is asked for often, and long.
  std::string text = finish({}, modern, request.method);
  text.pop_back();
  if (text.size() > 1) text += ',';
  text += fmt::format("\"{}\":{}}}", member, list);
  return only(answer(request.id, text));
}

Step Session::receive(Message message) {
  if (auto* request = std::get_if<Request>(&message)) return on_request(std::move(*request));
  if (auto* response = std::get_if<Response>(&message)) return on_response(std::move(*response));
  return on_notification(std::get<Notification>(message));
}

Step Session::on_request(Request request) {
  if (jobs_.contains(request.id) || listens_.contains(request.id)) {
    // With the id, the first request would seem to be answered.
    return only({.text = error_text(
                     {}, {kInvalidRequest, "a request with this id is under way already", {}}),
                 .about = {},
                 .error_code = kInvalidRequest});
  }
  const bool modern = eras_ == Eras::kModern ||
                      (eras_ == Eras::kBoth &&
                       (looks_modern(request.params) || request.method == "server/discover"));
  return modern ? on_modern(std::move(request)) : on_legacy(std::move(request));
}

Step Session::on_modern(Request request) {
  if (const auto meta = read_meta(request.params); !meta) {
    return only(failure(request.id, meta.error()));
  }
  if (request.method == "server/discover") {
    return only(answer(request.id, finish(discover_result(provider_), true, request.method)));
  }
  if (request.method == "subscriptions/listen") return listen(request);
  return on_common(std::move(request), true);
}

Step Session::on_legacy(Request request) {
  if (request.method == "initialize") return initialize(request);
  if (request.method == "ping") return only(answer(request.id, "{}"));
  if (!initialized_) {
    return refuse(request.id, kInvalidRequest,
                  fmt::format("send initialize first, or say {} and {} in params._meta ({})",
                              kMetaVersion, kMetaCapabilities, kModernVersion));
  }
  if (request.method == "logging/setLevel") {
    const json::value* level = request.params.if_contains("level");
    std::optional<LogLevel> read;
    if (level != nullptr && level->is_string()) read = log_level_from(level->get_string());
    if (!read) return refuse(request.id, kInvalidParams, "level must be debug to emergency");
    log_level_ = *read;
    return only(answer(request.id, "{}"));
  }
  if (request.method == "resources/subscribe") return subscribe(request, true);
  if (request.method == "resources/unsubscribe") return subscribe(request, false);
  return on_common(std::move(request), false);
}

Step Session::initialize(const Request& request) {
  const json::value* version = request.params.if_contains("protocolVersion");
  if (version == nullptr || !version->is_string()) {
    return refuse(request.id, kInvalidParams, "initialize needs protocolVersion, a text");
  }
  const std::string_view agreed = agreed_version(version->get_string());
  const json::object* client = object_in(request.params, "capabilities");
  capabilities_ = client == nullptr ? json::object() : *client;
  initialized_ = true;
  return only(
      answer(request.id, finish(initialize_result(provider_, agreed), false, request.method)));
}

Step Session::subscribe(const Request& request, bool on) {
  if (!provider_.features().resources_subscribe) {
    return only(failure(request.id, no_such_method(request.method)));
  }
  const json::value* uri = request.params.if_contains("uri");
  if (uri == nullptr || !uri->is_string()) {
    return refuse(request.id, kInvalidParams, "uri must be a text");
  }
  std::string name(uri->get_string());
  if (!on) {
    subscribed_.erase(name);
  } else if (subscribed_.size() >= kMostSubscriptions) {
    return refuse(request.id, kBusy,
                  fmt::format("{} subscriptions are the most: end some", kMostSubscriptions));
  } else {
    subscribed_.insert(std::move(name));
  }
  return only(answer(request.id, "{}"));
}

Step Session::on_common(Request request, bool modern) {
  const Features features = provider_.features();
  const std::string_view method = request.method;
  if (method == "tools/list") return answer_list(request, modern, "tools", provider_.tools());
  if (features.resources && method == "resources/templates/list") {
    return answer_list(request, modern, "resourceTemplates", provider_.resource_templates());
  }
  if (features.prompts && method == "prompts/list") {
    return answer_list(request, modern, "prompts", provider_.prompts());
  }
  const bool offered = !((!features.resources && method.starts_with("resources/")) ||
                         (!features.prompts && method.starts_with("prompts/")) ||
                         (!features.completions && method.starts_with("completion/")));
  if (!offered || !runs_handler(method)) {
    return only(failure(request.id, no_such_method(method)));
  }
  return begin(std::move(request), modern);
}

Step Session::listen(const Request& request) {
  const json::object* wanted = object_in(request.params, "notifications");
  if (wanted == nullptr) {
    return refuse(request.id, kInvalidParams, "notifications must be an object");
  }
  if (listens_.size() >= kMostSubscriptions) {
    return refuse(request.id, kBusy,
                  fmt::format("{} subscriptions are the most: end some", kMostSubscriptions));
  }
  const Features features = provider_.features();
  Filter filter;
  json::object honoured;
  const auto flag = [&](std::string_view name, bool offered, bool& out) {
    const json::value* value = wanted->if_contains(name);
    if (!offered || value == nullptr || *value != true) return;
    out = true;
    honoured[name] = true;
  };
  flag("toolsListChanged", features.lists_change, filter.tools);
  flag("promptsListChanged", features.lists_change && features.prompts, filter.prompts);
  flag("resourcesListChanged", features.lists_change && features.resources, filter.resources);
  const json::value* uris = wanted->if_contains("resourceSubscriptions");
  if (uris != nullptr && uris->is_array() && features.resources_subscribe) {
    json::array& list = honoured["resourceSubscriptions"].emplace_array();
    for (const json::value& uri : uris->get_array()) {
      if (!uri.is_string() || filter.uris.size() >= kMostSubscriptions) continue;
      if (filter.uris.emplace(uri.get_string()).second) list.push_back(uri);
    }
  }
  listens_[request.id] = std::move(filter);
  Outgoing first = notice("notifications/subscriptions/acknowledged",
                          {{"_meta", {{kMetaSubscription, request.id.to_json()}}},
                           {"notifications", std::move(honoured)}},
                          request.id);
  first.kind = Outgoing::Kind::kRequest;  // never left out: it must come first
  return only(std::move(first));
}

Step Session::on_notification(const Notification& notification) {
  if (notification.method != "notifications/cancelled") return {};
  const json::value* given = notification.params.if_contains("requestId");
  const std::optional<RequestId> id = given == nullptr ? std::nullopt : RequestId::from(*given);
  if (!id) return {};
  listens_.erase(*id);
  if (!jobs_.contains(*id)) return {};  // ended meanwhile, or given up before
  Step step = give_up(*id);
  // Without it a transport would keep the response open for an answer that never comes.
  step.send.push_back({.kind = Outgoing::Kind::kEnd, .about = id});
  return step;
}

Step Session::give_up(const RequestId& id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return {};
  const std::shared_ptr<Job> job = found->second;
  jobs_.erase(found);
  job->given_up = true;
  Step step;
  for (const RequestId& question : job->waits_for) {
    questions_.erase(question);
    step.send.push_back(notice("notifications/cancelled", {{"requestId", question.to_json()}}, id));
  }
  job->waits_for.clear();
  if (job->running) step.stop.push_back(job);
  return step;
}

Step Session::changed(const Change& change) {
  using What = Change::What;
  const std::string_view method =
      change.what == What::kTools       ? "notifications/tools/list_changed"
      : change.what == What::kPrompts   ? "notifications/prompts/list_changed"
      : change.what == What::kResources ? "notifications/resources/list_changed"
                                        : "notifications/resources/updated";
  json::object params;
  if (change.what == What::kResource) params["uri"] = change.uri;
  Step step;
  for (const auto& [id, filter] : listens_) {
    const bool wanted = (change.what == What::kTools && filter.tools) ||
                        (change.what == What::kPrompts && filter.prompts) ||
                        (change.what == What::kResources && filter.resources) ||
                        (change.what == What::kResource && filter.uris.contains(change.uri));
    if (!wanted) continue;
    json::object tagged = params;
    tagged["_meta"] = {{kMetaSubscription, id.to_json()}};
    step.send.push_back(notice(method, tagged, id));
  }
  const bool legacy =
      initialized_ && (change.what == What::kResource ? subscribed_.contains(change.uri)
                                                      : provider_.features().lists_change);
  if (legacy) step.send.push_back(notice(method, params));
  return step;
}

Step Session::close() {
  Step step;
  for (const auto& [id, filter] : listens_) {
    step.send.push_back(answer(id, finish({{"_meta", {{kMetaSubscription, id.to_json()}}}}, true,
                                          "subscriptions/listen")));
  }
  listens_.clear();
  std::vector<RequestId> waiting;
  for (const auto& [id, job] : jobs_) {
    if (job->running) {
      step.stop.push_back(job);
    } else {
      waiting.push_back(id);
    }
  }
  for (const RequestId& id : waiting) give_up(id);  // nobody is left to answer our questions
  return step;
}

Step Session::abandon() {
  Step step;
  listens_.clear();
  while (!jobs_.empty()) {
    Step one = give_up(jobs_.begin()->first);
    for (auto& job : one.stop) step.stop.push_back(std::move(job));
  }
  return step;
}

std::optional<Outgoing> Session::progress(Job& job, double value, std::optional<double> total,
                                          std::string_view text) {
  if (job.given_up || !job.progress_token || !(value > job.progress_so_far)) return std::nullopt;
  job.progress_so_far = value;
  json::object params{{"progress", value}, {"progressToken", *job.progress_token}};
  if (total) params["total"] = *total;
  if (!text.empty()) params["message"] = text;
  return notice("notifications/progress", params, job.id);
}

std::optional<Outgoing> Session::log(const Job& job, LogLevel level,
                                     const json::value& data) const {
  const std::optional<LogLevel> wanted = job.modern ? job.log_level : std::optional(log_level_);
  if (job.given_up || !wanted || level < *wanted) return std::nullopt;
  return notice("notifications/message", {{"data", data}, {"level", log_level_name(level)}},
                job.id);
}

}  // namespace pyro::mcp
