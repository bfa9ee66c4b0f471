// A provider, a seal and a client for tests of sessions.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <vector>

#include "mcp/session.h"

namespace pyro::mcp {

// What a test says of the tool "echo", and a tool "ask" that needs the client's user.
class TestProvider final : public Provider {
 public:
  [[nodiscard]] const ServerInfo& info() const override { return info_; }
  [[nodiscard]] Features features() const override { return offered; }
  std::string tools() override { return R"([{"name":"echo"}])"; }
  Outcome call_tool(const std::string& name, const json::object& arguments, Call& call) override {
    if (name == "echo") return json::object{{"content", json::array()}, {"echo", arguments}};
    if (name != "ask") return RpcError{kInvalidParams, "there is no such tool", {}};
    const json::object* answer = call.asked().input("who");
    if (answer != nullptr && call.asked().state == "asked") return json::object{{"who", *answer}};
    return InputRequired{.requests = {{.key = "who",
                                       .method = "elicitation/create",
                                       .params = {{"message", "who"}}}},
                         .state = "asked"};
  }
  void tell(const Change& change) const { changed(change); }

  Features offered{.resources = true,
                   .prompts = true,
                   .completions = true,
                   .lists_change = true,
                   .resources_subscribe = true};

 private:
  ServerInfo info_{.name = "test", .title = "", .version = "1", .instructions = "hello"};
};

class PlainSeal final : public StateSeal {
 public:
  std::string seal(std::string_view state, std::string_view about) const override {
    return std::string(about) + "|" + std::string(state);
  }
  [[nodiscard]] std::optional<std::string> open(std::string_view sealed,
                                                std::string_view about) const override {
    if (!sealed.starts_with(std::string(about) + "|")) return std::nullopt;
    return std::string(sealed.substr(about.size() + 1));
  }
};

// Of a handler that is called at once.
class TestCall final : public Call {
 public:
  explicit TestCall(const Job& job) : job_(job) {}
  [[nodiscard]] const Asked& asked() const override { return job_.asked; }
  void progress(double, std::optional<double>, std::string_view) override {}
  void log(LogLevel, const json::value&) override {}
  void on_beat(std::function<void()>) override {}
  [[nodiscard]] int interrupt_fd() const override { return -1; }

 private:
  const Job& job_;
};

// Says lines to a session and keeps what came back.
struct TestClient {
  TestProvider provider;
  PlainSeal seal;
  Session session{provider, seal, Session::Eras::kBoth};
  std::vector<std::shared_ptr<Job>> started, stopped;
  std::vector<json::object> sent;
  std::vector<RequestId> ended;  // without an answer

  void take(Step step) {
    for (const Outgoing& out : step.send) {
      if (out.kind == Outgoing::Kind::kEnd) {
        if (out.about) ended.push_back(*out.about);
      } else {
        sent.push_back(json::parse(out.text).get_object());
      }
    }
    for (auto& job : step.start) started.push_back(std::move(job));
    for (auto& job : step.stop) stopped.push_back(std::move(job));
  }
  // False: it was no message.
  bool say(std::string_view line) {
    auto message = parse_message(line);
    if (!message) return false;
    take(session.receive(*std::move(message)));
    return true;
  }
  // Runs what was started, as workers would.
  void work() {
    while (!started.empty()) {
      const std::shared_ptr<Job> job = started.front();
      started.erase(started.begin());
      TestCall call(*job);
      Outcome outcome = run(provider, *job, call);
      take(session.ended(job, std::move(outcome)));
    }
  }
  // The last message; an empty object when there is none.
  [[nodiscard]] json::object last() const { return sent.empty() ? json::object() : sent.back(); }
  [[nodiscard]] std::int64_t error() const {
    const json::object message = last();
    return message.contains("error") ? message.at("error").at("code").as_int64() : 0;
  }
};

}  // namespace pyro::mcp
