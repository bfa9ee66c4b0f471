#include <boost/json/array.hpp>

#include "base/text.h"
#include "cli/call_view.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/progress.h"

namespace pyro::cli {
namespace {

constexpr const char* kEnvironment = "debian:12";
constexpr std::size_t kSteps = 4;

class Demo {
 public:
  Demo(const Invocation& call, Io& io, Backend& backend, Interrupts& interrupts)
      : io_(io),
        backend_(backend),
        interrupts_(interrupts),
        network_(call.flag("network") ? std::optional<std::string>("egress") : std::nullopt),
        json_(call.flag("json")),
        pull_(io, kEnvironment, json_ ? PullDisplay::Lines::kHidden : PullDisplay::Lines::kShown) {}

  Result<int> run() {
    begin("create", std::string("a VM from ") + kEnvironment);
    const auto started = io_.now();
    PYRO_TRY(const client::VmInfo vm,
             backend_.create_vm({.environment = kEnvironment, .network = {.policy = network_}},
                                observer()));
    Result<int> code = use(vm, started);
    // What went wrong is the error to show, not what becomes of a VM that may be gone already.
    if (!code) (void)backend_.delete_vm(vm.vm_id);
    return code;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;

  Result<int> use(const client::VmInfo& vm, Time started) {
    interrupts_.set_mode(Interrupts::Mode::kForward);  // from here on there is a VM to delete
    PYRO_CHECK(end("vm_id=" + vm.vm_id, since(started)));

    begin("start", "the guest");
    const auto starting = io_.now();
    PYRO_TRY(const client::VmInfo up, backend_.start_vm(vm.vm_id, observer()));
    PYRO_CHECK(end("execution_mode=" + up.execution_mode, since(starting)));

    const client::ExecOptions exec{.argv = {"git", "--version"}};
    begin("exec", shell_join(exec.argv));
    const auto executing = io_.now();
    PYRO_TRY(const client::ExecResult done, backend_.exec_vm(vm.vm_id, exec, observer()));
    PYRO_CHECK(end("exit_code=" + std::to_string(done.exit_code), done.duration_ms));
    PYRO_CHECK(show_output());

    // exec_vm deletes the VM: what it took beyond the command is that.
    begin("delete", "the VM and all it held");
    PYRO_CHECK(
        end(done.cleanup.reason, std::max<std::int64_t>(0, since(executing) - done.duration_ms)));
    return finish(done, since(started));
  }

  [[nodiscard]] std::int64_t since(Time start) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(io_.now() - start).count();
  }

  client::RunObserver observer() {
    return {.on_phase =
                [this](std::string_view phase, std::string_view, std::string_view detail) {
                  pull_.clear();
                  interrupts_.set_mode(phase == "pull" ? Interrupts::Mode::kEnd
                                                       : Interrupts::Mode::kForward);
                  const bool waits = phase == "pull" || phase == "queue" || phase == "template";
                  if (!waits || json_) return;
                  (void)io_.err.write(
                      printable("[demo] phase=" + std::string(phase) +
                                (detail.empty() ? "" : " detail=" + shell_quote(detail))) +
                      "\n");
                },
            .on_stdout = [this](std::string_view bytes) { return keep(bytes, out_); },
            .on_stderr = [this](std::string_view bytes) { return keep(bytes, err_); },
            .on_pull =
                [this](const image::PullProgress& progress) {
                  interrupts_.set_mode(Interrupts::Mode::kEnd);
                  pull_.update(progress);
                },
            .interrupt_fd = interrupts_.fd()};
  }

  static Result<void> keep(std::string_view bytes, Collected& into) {
    into.add(bytes);
    return {};
  }

  void begin(std::string name, std::string what) {
    name_ = std::move(name);
    what_ = std::move(what);
  }

  Result<void> end(const std::string& detail, std::int64_t ms) {
    pull_.clear();
    if (interrupts_.received() != 0) return fail(Errc::kUnavailable, "interrupted");
    steps_.push_back({{"name", name_}, {"duration_ms", ms}, {"detail", to_utf8(detail)}});
    if (json_) return {};
    std::string head =
        "[" + std::to_string(steps_.size()) + "/" + std::to_string(kSteps) + "] " + name_;
    head.resize(std::max<std::size_t>(head.size(), 13), ' ');
    return io_.out.write(
        printable(head + what_ + ": " + detail + " (" + std::to_string(ms) + " ms)") + "\n");
  }

  // The guest's own lines, set apart from ours.
  Result<void> show_output() {
    if (json_) return {};
    std::string text;
    std::string_view rest = out_.bytes;
    while (!rest.empty()) {
      const std::size_t newline = rest.find('\n');
      text += "      | " + printable(rest.substr(0, newline)) + "\n";
      rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    }
    PYRO_CHECK(io_.out.write(text));
    return io_.err.write(printable(err_.bytes));
  }

  Result<int> finish(const client::ExecResult& result, std::int64_t ms) {
    if (json_) {
      PYRO_CHECK(io_.out.write(
          pretty(boost::json::object{{"command", to_utf8(result.command)},
                                     {"deleted", result.cleanup.deleted},
                                     {"duration_ms", ms},
                                     {"environment", to_utf8(result.environment)},
                                     {"execution_mode", to_utf8(result.execution_mode)},
                                     {"exit_code", result.exit_code},
                                     {"stderr", to_utf8(err_.bytes)},
                                     {"stdout", to_utf8(out_.bytes)},
                                     {"steps", steps_},
                                     {"vm_id", to_utf8(result.vm_id)}})));
    } else {
      PYRO_CHECK(io_.out.write("Done in " + std::to_string(ms) + " ms" +
                               (result.cleanup.deleted ? "; nothing is left behind" : "") +
                               ". Next: pyro run " + kEnvironment + " -- COMMAND\n"));
    }
    return result.exit_code == 0 ? kExitOk : kExitFailed;
  }

  Io& io_;
  Backend& backend_;
  Interrupts& interrupts_;
  std::optional<std::string> network_;  // the policy
  bool json_;
  PullDisplay pull_;
  Collected out_, err_;
  std::string name_, what_;
  boost::json::array steps_;
};

}  // namespace

Result<int> demo(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  Result<int> code = Demo(call, io, backend, *interrupts).run();
  if (!code && interrupts->received() != 0) {
    if (call.flag("json")) PYRO_CHECK(io.out.write(pretty(to_json(code.error()))));
    return 128 + interrupts->received();
  }
  return code;
}

}  // namespace pyro::cli
