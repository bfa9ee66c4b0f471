// Requests that handlers work on: their beginning, what they ask of the client, their end.
#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "mcp/session.h"

namespace pyro::mcp {
namespace {

const json::string* text_in(const json::object& in, std::string_view name) {
  const json::value* found = in.if_contains(name);
  return found == nullptr ? nullptr : found->if_string();
}

const json::object& object_or_empty(const json::object& in, std::string_view name) {
  static const json::object kEmpty;
  const json::value* found = in.if_contains(name);
  return found == nullptr || !found->is_object() ? kEmpty : found->get_object();
}

bool is_object_or_missing(const json::object& in, std::string_view name) {
  const json::value* found = in.if_contains(name);
  return found == nullptr || found->is_object();
}

bool may_ask(std::string_view method) {
  return method == "tools/call" || method == "resources/read" || method == "prompts/get";
}

// What is wrong with the parameters of a request for a handler; empty when nothing is.
std::string_view problem(const Request& request) {
  const std::string_view method = request.method;
  if (method == "resources/list") {
    return request.params.contains("cursor") ? "there is one page: leave cursor out" : "";
  }
  if (method == "completion/complete") {
    const bool fine = request.params.contains("ref") && request.params.contains("argument") &&
                      is_object_or_missing(request.params, "ref") &&
                      is_object_or_missing(request.params, "argument");
    return fine ? "" : "ref and argument must be objects";
  }
  if (method == "resources/read") {
    return text_in(request.params, "uri") == nullptr ? "uri must be a text" : "";
  }
  if (text_in(request.params, "name") == nullptr) return "name must be a text";
  if (!is_object_or_missing(request.params, "arguments")) return "arguments must be an object";
  return "";
}

// What a sealed state belongs to.
std::string identity(const Job& job) {
  std::string out = job.method;
  for (const std::string_view name : {"name", "uri"}) {
    if (const json::string* text = text_in(job.params, name)) {
      out += '\n';
      out += *text;
    }
  }
  return out + '\n' + json::serialize(object_or_empty(job.params, "arguments"));
}

// Those of the capabilities that a handler's questions need and the client lacks.
json::object missing_capabilities(const InputRequired& wanted, const json::object& declared) {
  json::object missing;
  for (const InputRequest& request : wanted.requests) {
    const auto needed = capability_for(request.method);
    if (needed && !declared.contains(*needed)) missing[*needed] = json::object();
  }
  return missing;
}

Step fail_job(const Job& job, RpcError error) {
  if (error.code == kLegacyResourceNotFound && job.modern) error.code = kInvalidParams;
  Step step;
  step.send.push_back(failure(job.id, error));
  return step;
}

}  // namespace

Outcome run(Provider& provider, const Job& job, Call& call) {
  const auto text = [&](std::string_view name) {
    const json::string* found = text_in(job.params, name);
    return found == nullptr ? std::string() : std::string(*found);
  };
  const json::object& arguments = object_or_empty(job.params, "arguments");
  if (job.method == "tools/call") return provider.call_tool(text("name"), arguments, call);
  if (job.method == "resources/list") return provider.list_resources(call);
  if (job.method == "resources/read") return provider.read_resource(text("uri"), call);
  if (job.method == "prompts/get") return provider.get_prompt(text("name"), arguments, call);
  return provider.complete(job.params, call);
}

Step Session::begin(Request request, bool modern) {
  if (const std::string_view wrong = problem(request); !wrong.empty()) {
    return fail_job(Job(request.id, modern, {}, {}), {kInvalidParams, std::string(wrong), {}});
  }
  auto job = std::make_shared<Job>(request.id, modern, std::move(request.method),
                                   std::move(request.params));
  job->size = request.size;
  if (jobs_.size() >= kMostCalls) {
    return fail_job(
        *job, {kBusy, fmt::format("{} requests are under way: wait for some", kMostCalls), {}});
  }
  const json::object& meta = object_or_empty(job->params, "_meta");
  if (const json::value* token = meta.if_contains("progressToken")) {
    if (RequestId::from(*token)) job->progress_token = *token;
  }
  if (modern) {
    RequestMeta about = *read_meta(job->params);  // on_modern() has refused what has none
    job->asked.capabilities = std::move(about.capabilities);
    job->log_level = about.log_level;
    if (may_ask(job->method)) {
      if (auto wrong = take_answers(*job)) return fail_job(*job, *std::move(wrong));
    }
  } else {
    job->asked.capabilities = capabilities_;
  }
  jobs_[job->id] = job;
  Step step;
  step.start.push_back(std::move(job));
  return step;
}

// Of a client that was told input_required and comes again.
std::optional<RpcError> Session::take_answers(Job& job) {
  if (const json::value* given = job.params.if_contains("inputResponses")) {
    if (!given->is_object()) {
      return RpcError{kInvalidParams, "inputResponses must be an object", {}};
    }
    for (const auto& [key, value] : given->get_object()) {
      if (!value.is_object()) {
        return RpcError{kInvalidParams, "every one of inputResponses must be an object", {}};
      }
    }
    job.asked.inputs = given->get_object();
  }
  const json::value* state = job.params.if_contains("requestState");
  if (state == nullptr) return std::nullopt;
  if (state->is_string()) job.asked.state = seal_.open(state->get_string(), identity(job));
  if (!job.asked.state) {
    return RpcError{kInvalidParams,
                    "requestState is not what this server gave for this request, or too old: "
                    "begin again without it",
                    {}};
  }
  return std::nullopt;
}

Step Session::ended(const std::shared_ptr<Job>& job, Outcome outcome) {
  job->running = false;
  if (job->given_up) return {};
  if (auto* wanted = std::get_if<InputRequired>(&outcome)) {
    if (!may_ask(job->method)) {
      outcome = RpcError{kInternalError, "the handler asks where nobody may be asked", {}};
    } else if (json::object missing = missing_capabilities(*wanted, job->asked.capabilities);
               !missing.empty()) {
      outcome = RpcError{
          job->modern ? kMissingCapability : kInvalidRequest,
          "the client has not declared what this needs: " + json::serialize(json::value(missing)),
          json::object{{"requiredCapabilities", missing}}};
    } else if (job->modern) {
      jobs_.erase(job->id);
      return input_required(*job, std::move(*wanted));
    } else if (++job->rounds <= kMostRounds) {
      return ask(job, std::move(*wanted));
    } else {
      outcome = RpcError{kInternalError, "the client was asked too often for one request", {}};
    }
  }
  jobs_.erase(job->id);
  if (auto* error = std::get_if<RpcError>(&outcome)) return fail_job(*job, std::move(*error));
  Step step;
  step.send.push_back(
      {.kind = Outgoing::Kind::kAnswer,
       .text = result_text(
           job->id, finish(std::move(std::get<json::object>(outcome)), job->modern, job->method)),
       .about = job->id});
  return step;
}

Step Session::input_required(const Job& job, InputRequired wanted) {
  json::object requests;
  for (InputRequest& request : wanted.requests) {
    requests[request.key] = {{"method", request.method}, {"params", std::move(request.params)}};
  }
  json::object result{{"resultType", "input_required"}};
  if (!requests.empty()) result["inputRequests"] = std::move(requests);
  if (wanted.state) result["requestState"] = seal_.seal(*wanted.state, identity(job));
  Step step;
  step.send.push_back({.kind = Outgoing::Kind::kAnswer,
                       .text = result_text(job.id, finish(std::move(result), true, job.method)),
                       .about = job.id});
  return step;
}

// The older way: requests of our own, and the handler again when all are answered.
Step Session::ask(const std::shared_ptr<Job>& job, InputRequired wanted) {
  job->asked.state = std::move(wanted.state);
  job->asked.inputs.clear();
  Step step;
  for (InputRequest& request : wanted.requests) {
    const RequestId id(next_question_++);
    questions_[id] = {.job = job, .key = std::move(request.key)};
    job->waits_for.insert(id);
    step.send.push_back({.kind = Outgoing::Kind::kRequest,
                         .text = request_text(id, request.method, request.params),
                         .about = job->id});
  }
  if (job->waits_for.empty()) {
    job->running = true;
    step.start.push_back(job);
  }
  return step;
}

Step Session::on_response(Response response) {
  const auto found = questions_.find(response.id);
  if (found == questions_.end()) return {};  // of nothing that we asked, or given up meanwhile
  const Question question = std::move(found->second);
  questions_.erase(found);
  const std::shared_ptr<Job>& job = question.job;
  job->waits_for.erase(response.id);
  if (!response.result) {
    const std::string why =
        "the client did not answer what this needs: " + shown(response.result.error().message);
    Step step = give_up(job->id);
    Step answered = fail_job(*job, {kInternalError, why, {}});
    step.send.push_back(std::move(answered.send.front()));
    return step;
  }
  job->asked.inputs[question.key] = *std::move(response.result);
  if (!job->waits_for.empty()) return {};
  job->running = true;
  Step step;
  step.start.push_back(job);
  return step;
}

}  // namespace pyro::mcp
