#include "cli/call_view.h"

#include "base/text.h"
#include "cli/exit_code.h"

namespace pyro::cli {

CallView::CallView(Io& io, Interrupts& interrupts, Options options)
    : io_(io),
      interrupts_(interrupts),
      options_(std::move(options)),
      pull_(io, options_.environment,
            options_.json ? PullDisplay::Lines::kHidden : PullDisplay::Lines::kShown),
      progress_(io, std::chrono::milliseconds(100)) {}

client::RunObserver CallView::run_observer() {
  return {.on_phase = [this](std::string_view phase, std::string_view id,
                             std::string_view detail) { on_phase(phase, id, detail); },
          .on_warning =
              [this](std::string_view warning) {
                if (options_.json) return;
                clear();
                (void)io_.err.write("pyro: warning: " + one_line(warning) + "\n");
              },
          .on_stdout = [this](std::string_view bytes) { return output(bytes, io_.out, out_); },
          .on_stderr = [this](std::string_view bytes) { return output(bytes, io_.err, err_); },
          .on_pull =
              [this](const image::PullProgress& progress) {
                interrupts_.set_mode(Interrupts::Mode::kEnd);
                pull_.update(progress);
              },
          .interrupt_fd = interrupts_.fd()};
}

client::WorkspaceObserver CallView::workspace_observer() {
  interrupts_.set_mode(Interrupts::Mode::kForward);
  return {.run = run_observer(), .on_progress = [this](std::int64_t entries, std::int64_t bytes) {
            if (options_.json) return;
            progress_.draw(
                [&](int columns) {
                  return fit_line("[" + options_.tag + "] " + std::to_string(entries) +
                                      (entries == 1 ? " entry, " : " entries, ") +
                                      human_bytes(static_cast<unsigned long long>(bytes)),
                                  columns);
                },
                false);
          }};
}

void CallView::clear() {
  pull_.clear();
  progress_.clear();
}

Result<int> CallView::failed(const Error& error) {
  clear();
  if (interrupts_.received() == 0) return std::unexpected(error);
  if (options_.json) PYRO_CHECK(io_.out.write(pretty(to_json(error))));
  return 128 + interrupts_.received();
}

Result<int> CallView::ended(const Ended& end) {
  clear();
  if (end.timed_out) {
    (void)io_.err.write("pyro: the command was stopped after " +
                        std::to_string(end.timeout_seconds) + " s (--timeout-seconds)\n");
  }
  if (options_.json) {
    PYRO_CHECK(io_.out.write(pretty(end.object())));
  } else {
    (void)io_.err.write(printable(end.summary) + "\n");
  }
  return end.timed_out ? kExitTimeout : end.exit_code;
}

void CallView::on_phase(std::string_view phase, std::string_view id, std::string_view detail) {
  clear();
  interrupts_.set_mode(phase == "pull" ? Interrupts::Mode::kEnd : Interrupts::Mode::kForward);
  if (options_.json || !options_.phase_line) return;
  const std::string line = options_.phase_line(phase, id, detail);
  if (!line.empty()) (void)io_.err.write(printable(line) + "\n");
}

Result<void> CallView::output(std::string_view bytes, Sink& sink, Collected& collected) {
  if (options_.json) {
    collected.add(bytes);
    return {};
  }
  clear();
  return sink.write(bytes);
}

}  // namespace pyro::cli
