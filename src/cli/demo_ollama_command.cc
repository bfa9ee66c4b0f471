#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <optional>

#include "api/api.h"
#include "base/terminal_text.h"
#include "base/text.h"
#include "chat/conversation.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/progress.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;

constexpr const char* kSystem =
    "You can run commands in a fresh Debian virtual machine with the tool vm_run. Use the tool for "
    "what you do not know for sure, and answer in one or two sentences when you have its result.";
constexpr const char* kQuestion =
    "Which version of git does the environment debian:12 have? Find out with vm_run: its "
    "environment is debian:12 and the command is git --version.";
// Of the operation's arguments the model is offered these. The others would let it open a network,
// name files of this host or ask for much of it, and a small model is drowned by them.
constexpr std::array<std::string_view, 2> kOffered{"environment", "command"};
constexpr std::size_t kMaxShown = 8U << 10;  // characters of each output that the model is told

bool offered(std::string_view name) {
  return std::ranges::find(kOffered, name) != kOffered.end();
}

json::object offered_schema(const proto::Operation& operation) {
  json::object schema = api::input_schema(operation);
  json::object properties;
  json::array required;
  if (const json::value* all = schema.if_contains("properties"); all && all->is_object()) {
    for (const std::string_view name : kOffered) {
      if (const json::value* one = all->get_object().if_contains(name)) properties[name] = *one;
      required.emplace_back(name);
    }
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

class OllamaDemo {
 public:
  OllamaDemo(const Invocation& call, Io& io, Backend& backend, Interrupts& interrupts,
             api::Api& tools)
      : io_(io),
        backend_(backend),
        interrupts_(interrupts),
        tools_(tools),
        operation_(*proto::find_operation("run")),
        model_(call.text("model")),
        base_url_(call.text("base_url")),
        verbose_(call.flag("verbose")) {}

  Result<int> run() {
    const auto started = io_.now();
    PYRO_TRY(const chat::BaseUrl url, chat::parse_base_url(base_url_));
    const std::unique_ptr<chat::Endpoint> endpoint = backend_.open_endpoint(url);
    const chat::Tool tool{
        .name = std::string(operation_.tool),
        .description = std::string(operation_.summary) + ". " + std::string(kToolHint),
        .parameters = offered_schema(operation_),
        .call = [this](const chat::ToolCall& call) { return make_call(call); }};
    const chat::Listener listener{
        .on_ask =
            [this](int round) {
              return line(fmt::format("phase=ask round={} model={}", round, shell_quote(model_)));
            },
        .on_answer = [this](const chat::Answer& answer) { return show_answer(answer); }};
    PYRO_CHECK(line("phase=start endpoint=" + url.text()));
    PYRO_CHECK(verbose("system", kSystem));
    PYRO_CHECK(verbose("user", kQuestion));
    PYRO_TRY(const chat::Outcome outcome,
             chat::converse(*endpoint, {.model = model_, .system = kSystem, .text = kQuestion},
                            tool, listener));
    return finish(outcome, started);
  }

 private:
  static constexpr std::string_view kToolHint =
      "The command is a list of words, or a line for /bin/sh; the guest has no network.";

  Result<void> line(const std::string& text) {
    return io_.out.write("[demo] " + one_line(text) + "\n");
  }
  // Text of several lines, each set apart from ours.
  Result<void> block(std::string_view who, std::string_view text) {
    while (!text.empty()) {
      const std::size_t newline = text.find('\n');
      PYRO_CHECK(line(fmt::format("{} | {}", who, text.substr(0, newline))));
      text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    }
    return {};
  }
  Result<void> verbose(std::string_view who, std::string_view text) {
    return verbose_ ? block(who, text) : Result<void>{};
  }

  Result<void> show_answer(const chat::Answer& answer) {
    PYRO_CHECK(block("model", answer.text));
    for (const chat::ToolCall& call : answer.calls) {
      PYRO_CHECK(line("phase=call tool=" + shell_quote(call.name) +
                      " arguments=" + shell_quote(call.arguments)));
    }
    return {};
  }

  // What the model can do something about is told to it; only the user's own end ends it all.
  Result<std::string> make_call(const chat::ToolCall& call) {
    Result<json::object> result = execute(call.arguments);
    if (interrupts_.received() != 0) return fail(Errc::kUnavailable, "interrupted");
    std::string text;
    if (!result) {
      PYRO_CHECK(line("phase=refused code=" + std::string(errc_name(result.error().code)) +
                      " message=" + shell_quote(result.error().message)));
      text = json::serialize(api::error_object(result.error()));
    } else {
      text = json::serialize(*result);
    }
    PYRO_CHECK(verbose("result", text));
    return text;
  }

  Result<json::object> execute(const std::string& written) {
    PYRO_TRY(const json::object arguments, chat::parse_arguments(written));
    for (const auto& pair : arguments) {
      if (offered(pair.key())) continue;
      return fail_hint(Errc::kInvalid, "unknown argument \"" + std::string(pair.key()) + "\"",
                       "the arguments are environment and command");
    }
    phase_.clear();
    interrupts_.set_mode(Interrupts::Mode::kForward);  // there is a VM to delete
    const auto started = io_.now();
    Result<json::object> done = tools_.call(operation_, arguments, observer());
    interrupts_.set_mode(Interrupts::Mode::kEnd);
    PYRO_TRY(const json::object result, std::move(done));
    ++executed_;
    exit_code_ = integer(result, "exit_code").value_or(kExitFailed);
    PYRO_CHECK(
        line(fmt::format("phase=result exit_code={} duration_ms={}", exit_code_, since(started))));
    json::object told{{"exit_code", exit_code_}};
    for (const char* name : {"stdout", "stderr"}) {
      const json::value* text = result.if_contains(name);
      const json::string* bytes = text == nullptr ? nullptr : text->if_string();
      if (bytes == nullptr) continue;
      const std::string_view all(*bytes);
      const std::size_t shown = whole_characters(all, kMaxShown);
      told[name] = all.substr(0, shown);
      if (shown < all.size()) told[std::string(name) + "_truncated"] = true;
    }
    return told;
  }

  static std::optional<std::int64_t> integer(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_int64()) return std::nullopt;
    return value->get_int64();
  }

  api::Observer observer() {
    return {.on_progress =
                [this](const api::Progress& progress) {
                  // A pull does not look at interrupt_fd, and leaves nothing to delete.
                  interrupts_.set_mode(progress.phase == "pull" ? Interrupts::Mode::kEnd
                                                                : Interrupts::Mode::kForward);
                  // Each phase once: a pull tells of itself many times.
                  if (progress.phase == phase_) return;
                  phase_ = progress.phase;
                  (void)line("phase=" + phase_);
                },
            .on_warning =
                [this](std::string_view warning) { (void)line("warning=" + shell_quote(warning)); },
            .interrupt_fd = interrupts_.fd()};
  }

  Result<int> finish(const chat::Outcome& outcome, std::chrono::steady_clock::time_point started) {
    if (executed_ == 0) {
      return fail_hint(Errc::kUnavailable,
                       "the model answered without a command having run in a guest",
                       "use a model that can use tools: --model NAME");
    }
    PYRO_CHECK(io_.out.write(fmt::format(
        "[summary] exit_code={} tool_calls={} rounds={} model={} duration_ms={}\n", exit_code_,
        outcome.calls, outcome.rounds, one_line(shell_quote(model_)), since(started))));
    return exit_code_ == 0 ? kExitOk : kExitFailed;
  }

  [[nodiscard]] std::int64_t since(std::chrono::steady_clock::time_point start) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(io_.now() - start).count();
  }

  Io& io_;
  Backend& backend_;
  Interrupts& interrupts_;
  api::Api& tools_;
  const proto::Operation& operation_;
  std::string model_, base_url_;
  bool verbose_;
  std::string phase_;
  int executed_ = 0;
  std::int64_t exit_code_ = 0;  // of the last command that ran
};

}  // namespace

Result<int> demo_ollama(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  // Lent: the backend outlives the call.
  const std::unique_ptr<api::Api> tools =
      api::over(std::shared_ptr<api::Backend>(std::shared_ptr<void>(), &backend));
  Result<int> code = OllamaDemo(call, io, backend, *interrupts, *tools).run();
  if (!code && interrupts->received() != 0) return 128 + interrupts->received();
  return code;
}

}  // namespace pyro::cli
