// For tests of this folder: a backend without a guest, an Io of strings.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "api/testing.h"
#include "chat/endpoint.h"
#include "cli/main.h"

namespace pyro::cli::testing {

using api::testing::FakeServices;
using api::testing::FakeShells;
using api::testing::FakeWorkspaces;

// A model that gives its answers in turn, the last one again and again; "" is nobody there.
class ScriptedEndpoint final : public chat::Endpoint {
 public:
  ScriptedEndpoint(const std::vector<std::string>& answers, std::vector<std::string>& requests)
      : answers_(answers), requests_(requests) {}
  Result<chat::Reply> post(std::string_view, const std::string& body) override {
    requests_.push_back(body);
    const std::string& answer = answers_.at(std::min(requests_.size(), answers_.size()) - 1);
    if (answer.empty()) return fail(Errc::kUnavailable, "no model answers");
    return chat::Reply{.status = 200, .body = answer};
  }

 private:
  const std::vector<std::string>& answers_;
  std::vector<std::string>& requests_;
};

class FakeBackend final : public api::testing::FakeBackend<Backend> {
 public:
  escape::Report tried{.backend = "qemu",
                       .environment = "debian:12",
                       .outcomes = {{.name = "lan",
                                     .attempt = "a machine of the LAN",
                                     .passed = true,
                                     .saw = "ECONNREFUSED",
                                     .why = "special-range",
                                     .control = "192.168.77.10 80"}},
                       .duration_ms = 1500};
  escape::SuiteOptions suite;  // what was asked for
  std::vector<std::string> model_answers{""};
  std::string model_url;
  std::vector<std::string> model_requests;

  std::unique_ptr<chat::Endpoint> open_endpoint(const chat::BaseUrl& url) override {
    model_url = url.text();
    return std::make_unique<ScriptedEndpoint>(model_answers, model_requests);
  }
  Result<escape::Report> run_escape(const escape::SuiteOptions& options) override {
    PYRO_CHECK(enter("run_escape"));
    suite = options;
    return tried;
  }
  Result<escape::Report> run_smoke(const escape::SuiteOptions& options) override {
    PYRO_CHECK(enter("run_smoke"));
    suite = options;
    return tried;
  }
};

class FakeInterrupts final : public Interrupts {
 public:
  struct State {
    int received = 0;
    std::vector<Mode> modes;
  };
  explicit FakeInterrupts(State& state) : state_(state) {}
  void set_mode(Mode mode) override { state_.modes.push_back(mode); }
  [[nodiscard]] int fd() const override { return 77; }
  [[nodiscard]] int received() const override { return state_.received; }

 private:
  State& state_;
};

// One call of pyro.
struct Call {
  FakeBackend backend;
  StringSink out, err;
  FakeInterrupts::State interrupts;
  bool tty = false;
  int columns = 80;
  std::chrono::milliseconds tick{0};  // how far the clock moves between two looks at it
  int opened = 0;
  std::optional<int> stdin_fd;
  std::optional<TerminalFds> terminal;

  int run(std::vector<std::string> words) { return run_with(std::move(words), out); }

  // The call and all that came of it, for golden files.
  std::string transcript(const std::vector<std::string>& words) {
    const int code = run(words);
    std::string text = "$ pyro";
    for (const std::string& word : words) text += " " + (word.empty() ? "''" : one_line(word));
    text += "\n" + out.text + (err.text.empty() ? "" : "(stderr)\n" + err.text);
    return text + "= " + std::to_string(code) + "\n\n";
  }

  int run_with(std::vector<std::string> words, Sink& sink) {
    auto time = std::chrono::steady_clock::time_point{} + std::chrono::hours(1);
    Io io{.out = sink,
          .err = err,
          .err_tty = tty,
          .err_columns = [this] { return columns; },
          .stdin_fd = stdin_fd,
          .terminal = terminal,
          .env = [](const std::string&) { return std::nullopt; },
          .now = [this, time]() mutable { return time += tick; },
          .watch_interrupts = [this]() -> Result<std::unique_ptr<Interrupts>> {
            return std::make_unique<FakeInterrupts>(interrupts);
          }};
    return main_with(words, io, library());
  }

 private:
  Library library() {
    return {
        .open = [this](const sys::Environment&) -> Result<std::shared_ptr<Backend>> {
          ++opened;
          // Lent, so that the test can look at it afterwards.
          return std::shared_ptr<Backend>(std::shared_ptr<void>(), &backend);
        },
        .environment_names = [] { return std::vector<std::string>{"debian:12", "debian:12-base"}; },
        .workspace_names =
            [](const sys::Environment&) { return std::vector<std::string>{"fix", "ws-1"}; },
        .shell_ids =
            [](const sys::Environment&, const std::string& workspace) {
              return std::vector<std::string>{"shell-1", "shell-of-" + workspace};
            },
        .service_names =
            [](const sys::Environment&, const std::string& workspace) {
              return std::vector<std::string>{"web", "service-of-" + workspace};
            }};
  }
};

using api::testing::expect_file;
using api::testing::read_whole;

inline void expect_golden(const std::string& name, const std::string& text) {
  expect_file(std::string(PYRO_SOURCE_DIR) + "/tests/golden/cli/" + name, text);
}

}  // namespace pyro::cli::testing
