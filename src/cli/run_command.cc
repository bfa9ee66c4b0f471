#include "base/text.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/guest_output.h"
#include "cli/json.h"
#include "cli/progress.h"

namespace pyro::cli {
namespace {

class RunCommand {
 public:
  RunCommand(const Invocation& call, Io& io, Interrupts& interrupts)
      : io_(io),
        interrupts_(interrupts),
        environment_(call.text("environment")),
        json_(call.flag("json")),
        pull_(io, environment_, json_ ? PullDisplay::Lines::kHidden : PullDisplay::Lines::kShown) {}

  client::RunObserver observer() {
    return {.on_phase = [this](std::string_view phase, std::string_view vm_id,
                               std::string_view detail) { on_phase(phase, vm_id, detail); },
            .on_stdout = [this](std::string_view bytes) { return output(bytes, io_.out, out_); },
            .on_stderr = [this](std::string_view bytes) { return output(bytes, io_.err, err_); },
            .on_pull =
                [this](const image::PullProgress& progress) {
                  interrupts_.set_mode(Interrupts::Mode::kEnd);
                  pull_.update(progress);
                },
            .interrupt_fd = interrupts_.fd()};
  }

  Result<int> finish(const Result<client::ExecResult>& result, int timeout_seconds) {
    pull_.clear();
    if (!result) {
      // The person asked for it: the usual code of that signal, whatever the library made of it.
      if (interrupts_.received() != 0) {
        if (json_) PYRO_CHECK(io_.out.write(pretty(to_json(result.error()))));
        return 128 + interrupts_.received();
      }
      return std::unexpected(result.error());
    }
    if (result->timed_out) {
      (void)io_.err.write("pyro: the command was stopped after " + std::to_string(timeout_seconds) +
                          " s (--timeout-seconds)\n");
    }
    if (json_) {
      PYRO_CHECK(io_.out.write(pretty(to_json(*result, out_, err_))));
    } else {
      (void)io_.err.write(printable("[run] environment=" + environment_ +
                                    " execution_mode=" + result->execution_mode +
                                    " exit_code=" + std::to_string(result->exit_code) +
                                    " duration_ms=" + std::to_string(result->duration_ms)) +
                          "\n");
    }
    return result->timed_out ? kExitTimeout : result->exit_code;
  }

 private:
  void on_phase(std::string_view phase, std::string_view vm_id, std::string_view detail) {
    pull_.clear();
    interrupts_.set_mode(phase == "pull" ? Interrupts::Mode::kEnd : Interrupts::Mode::kForward);
    if (json_ || phase == "cleanup") return;
    std::string line = "[run] phase=" + std::string(phase);
    const bool of_vm = phase == "start" || phase == "execute";
    line += of_vm ? " vm_id=" + std::string(vm_id) : " environment=" + environment_;
    // The three lines of every run have a fixed form; the others say what is going on.
    if (!of_vm && phase != "create" && !detail.empty()) line += " detail=" + shell_quote(detail);
    (void)io_.err.write(printable(line) + "\n");
  }

  Result<void> output(std::string_view bytes, Sink& sink, Collected& collected) {
    if (!json_) return sink.write(bytes);
    collect(collected, bytes);
    return {};
  }

  Io& io_;
  Interrupts& interrupts_;
  std::string environment_;
  bool json_;
  PullDisplay pull_;
  Collected out_, err_;
};

}  // namespace

Result<int> run(const Invocation& call, Io& io, Backend& backend) {
  const client::CreateOptions create{
      .environment = call.text("environment"),
      .vcpu_count = call.integer("vcpu_count"),
      .mem_mib = call.integer("mem_mib"),
      .ttl_seconds = call.integer("ttl_seconds"),
      .network = call.flag("network"),
      .allow_host_compat = call.flag("allow_host_compat"),
      .boot = call.text("boot") == "cold" ? client::Boot::kCold : client::Boot::kTemplate};
  const client::ExecOptions exec{.argv = call.command,
                                 .command = {},
                                 .timeout_seconds = call.integer("timeout_seconds"),
                                 .stdin_fd = io.stdin_fd};
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  RunCommand command(call, io, *interrupts);
  return command.finish(backend.run_in_vm(create, exec, command.observer()), exec.timeout_seconds);
}

}  // namespace pyro::cli
