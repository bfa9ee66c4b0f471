#include "api/api.h"

#include <algorithm>

#include "api/calls.h"
#include "base/text.h"

namespace pyro::api {
namespace {

namespace json = boost::json;

Call call_of(const proto::Operation& operation) {
  for (const std::span<const CallRow> rows :
       {workspace_calls(), session_calls(), vm_calls(), file_calls(), network_calls()}) {
    const auto row = std::ranges::find(rows, operation.name, &CallRow::operation);
    if (row != rows.end()) return row->call;
  }
  return nullptr;
}

class BackendApi final : public Api {
 public:
  explicit BackendApi(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  Result<json::object> call(const proto::Operation& operation, const json::object& arguments,
                            const Observer& observer) override {
    const Call function = call_of(operation);
    if (function == nullptr) {
      return fail(Errc::kInvalid, std::string(operation.name) + " is for the command line alone");
    }
    PYRO_TRY(const Arguments checked, Arguments::check(operation, arguments));
    Context context(*backend_, checked, observer);
    return function(context);
  }

 private:
  std::shared_ptr<Backend> backend_;
};

}  // namespace

client::RunObserver Context::run_observer() {
  const auto pass = [](Collected& into, const auto& sink) {
    return [&into, &sink](std::string_view bytes) -> Result<void> {
      into.add(bytes);
      return sink ? sink(bytes) : Result<void>();
    };
  };
  return {.on_phase =
              [this](std::string_view phase, std::string_view, std::string_view detail) {
                phase_ = phase;
                progress(phase, detail, std::nullopt);
              },
          .on_warning =
              [this](std::string_view warning) {
                if (observer.on_warning) observer.on_warning(warning);
              },
          .on_stdout = pass(out, observer.on_stdout),
          .on_stderr = pass(err, observer.on_stderr),
          .on_pull =
              [this](const image::PullProgress& pull) {
                const std::string detail =
                    pull.detail.empty() ? pull.phase : pull.phase + ": " + pull.detail;
                progress("pull", detail,
                         pull.fraction < 0 ? std::nullopt : std::optional(pull.fraction));
              },
          .interrupt_fd = observer.interrupt_fd,
          .interrupt_grace = kInterruptGrace};
}

client::WorkspaceObserver Context::workspace_observer() {
  return {.run = run_observer(), .on_progress = [this](std::int64_t entries, std::int64_t bytes) {
            progress(phase_.empty() ? "transfer" : phase_,
                     std::to_string(entries) + (entries == 1 ? " entry, " : " entries, ") +
                         human_bytes(static_cast<unsigned long long>(bytes)),
                     std::nullopt);
          }};
}

void Context::progress(std::string_view phase, std::string_view detail,
                       std::optional<double> of) const {
  if (observer.on_progress) observer.on_progress({.phase = phase, .detail = detail, .of = of});
}

std::unique_ptr<Api> over(std::shared_ptr<Backend> backend) {
  return std::make_unique<BackendApi>(std::move(backend));
}

Result<std::unique_ptr<Api>> open(const sys::Environment& env) {
  PYRO_TRY(client::Pyro pyro, client::Pyro::open(env));
  return over(std::make_shared<ClientBackend<Backend>>(std::move(pyro)));
}

bool is_callable(const proto::Operation& operation) {
  return call_of(operation) != nullptr;
}

json::object error_object(const Error& error) {
  return to_json(error);
}

}  // namespace pyro::api
