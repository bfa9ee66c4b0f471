// What a client and a server have said to each other, and what follows from the next message. Both
// eras of MCP on one connection: a request that carries its version is answered statelessly, and
// `initialize` begins a session of the older kind beside it.
//
// Only computes. The transport reads and writes, runs the jobs on threads of its own, and calls a
// session from one thread at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/protocol.h"

namespace pyro::mcp {

inline constexpr std::size_t kMostCalls = 1024;         // under way at once in a session
inline constexpr std::size_t kMostSubscriptions = 256;  // streams, and resources of each
inline constexpr int kMostRounds = 16;                  // of asking the client for one request

// Keeps what a client carries for us from being changed or used elsewhere.
class StateSeal {
 public:
  virtual ~StateSeal() = default;
  // `about`: the request that it belongs to.
  virtual std::string seal(std::string_view state, std::string_view about) const = 0;
  // nullopt: it is not what seal() gave for the same request lately.
  [[nodiscard]] virtual std::optional<std::string> open(std::string_view sealed,
                                                        std::string_view about) const = 0;
};

// A request that a handler works on. The handler's thread reads it; only the session changes it,
// and not while it runs.
struct Job {
  RequestId id;
  bool modern = false;
  std::string method;
  json::object params;
  std::size_t size = 0;  // bytes of the request's text
  Asked asked;

 private:
  friend class Session;
  std::optional<json::value> progress_token;
  double progress_so_far = -std::numeric_limits<double>::infinity();
  std::optional<LogLevel> log_level;
  std::set<RequestId> waits_for;  // requests of ours that the client has not answered
  int rounds = 0;
  bool running = true;
  bool given_up = false;

 public:
  Job(RequestId i, bool m, std::string name, json::object p)
      : id(std::move(i)), modern(m), method(std::move(name)), params(std::move(p)) {}
};
// Calls the handler: on a thread of the transport's, without its lock.
Outcome run(Provider& provider, const Job& job, Call& call);

struct Outgoing {
  enum class Kind : std::uint8_t {
    kAnswer,   // the last about its request
    kRequest,  // of ours
    kNotice,   // may be left out when the client does not keep up
    kEnd,      // no message: its request was cancelled, and nothing about it will come
  };
  Kind kind = Kind::kAnswer;
  std::string text;                // one line, without the newline; of kEnd none
  std::optional<RequestId> about;  // the client's request that it belongs to
  int error_code = 0;              // of an answer that is an error
};

// An error as the answer to a request.
Outgoing failure(const RequestId& id, const RpcError& error);

// What the transport does next, in this order.
struct Step {
  std::vector<Outgoing> send;
  std::vector<std::shared_ptr<Job>> start;
  std::vector<std::shared_ptr<Job>>
      stop;  // make their interrupt_fd readable; more than once is fine
};

class Session {
 public:
  enum class Eras : std::uint8_t { kBoth, kModern, kLegacy };
  // `provider` and `seal` are borrowed.
  Session(Provider& provider, const StateSeal& seal, Eras eras)
      : provider_(provider), seal_(seal), eras_(eras) {}

  Step receive(Message message);
  // A job that was started has ended.
  Step ended(const std::shared_ptr<Job>& job, Outcome outcome);
  // Of a job that runs; nullopt when nobody is to hear of it.
  std::optional<Outgoing> progress(Job& job, double value, std::optional<double> total,
                                   std::string_view text);
  std::optional<Outgoing> log(const Job& job, LogLevel level, const json::value& data) const;
  Step changed(const Change& change);
  // Ends in order: what runs is stopped and still answered, subscriptions are closed.
  Step close();
  // The client has gone: what runs is stopped, and nobody is answered.
  Step abandon();

  // Whether anybody still waits for it.
  [[nodiscard]] static bool is_wanted(const Job& job) { return !job.given_up; }
  // Whether its client asked for progress.
  [[nodiscard]] static bool tells_progress(const Job& job) {
    return job.progress_token.has_value();
  }
  [[nodiscard]] bool initialized() const { return initialized_; }
  [[nodiscard]] bool idle() const { return jobs_.empty() && listens_.empty(); }

 private:
  struct Filter {
    bool tools = false, prompts = false, resources = false;
    std::set<std::string> uris;
  };

  Step on_request(Request request);
  Step on_modern(Request request);
  Step on_legacy(Request request);
  Step on_common(Request request, bool modern);
  Step on_notification(const Notification& notification);
  Step on_response(Response response);
  Step initialize(const Request& request);
  Step subscribe(const Request& request, bool on);
  Step listen(const Request& request);
  Step begin(Request request, bool modern);
  Step give_up(const RequestId& id);
  std::optional<RpcError> take_answers(Job& job);
  Step ask(const std::shared_ptr<Job>& job, InputRequired wanted);
  Step input_required(const Job& job, InputRequired wanted);

  [[nodiscard]] std::string finish(json::object result, bool modern, std::string_view method) const;
  [[nodiscard]] Step answer_list(const Request& request, bool modern, std::string_view member,
                                 const std::string& list) const;

  Provider& provider_;
  const StateSeal& seal_;
  Eras eras_;

  std::map<RequestId, std::shared_ptr<Job>> jobs_;
  std::map<RequestId, Filter> listens_;

  // Until 2025-11-25 alone.
  bool initialized_ = false;
  json::object capabilities_;
  LogLevel log_level_ = LogLevel::kInfo;
  std::set<std::string> subscribed_;
  struct Question {
    std::shared_ptr<Job> job;
    std::string key;
  };
  std::map<RequestId, Question> questions_;
  std::int64_t next_question_ = 1;
};

}  // namespace pyro::mcp
