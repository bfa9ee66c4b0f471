#include "cli/selftest_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "cli/exit_code.h"
#include "cli/json.h"

namespace pyro::cli {

namespace {

using escape::Outcome;
using escape::Report;
using Run = Result<Report> (Backend::*)(const escape::SuiteOptions&);

std::string reason(const Outcome& o) {
  return o.why.empty() ? o.saw : o.saw + ", " + o.why;
}

// A cell of a table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

Result<Report> run_with_progress(const Invocation& call, Io& io, Backend& backend, Run run) {
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  // There are workspaces and a world to take away.
  interrupts->set_mode(Interrupts::Mode::kForward);
  escape::SuiteOptions options{.backend = call.text("backend")};
  if (proto::find_param(*call.operation, "probe") != nullptr) options.only = call.all("probe");
  options.observer.interrupt_fd = interrupts->fd();
  options.interrupted = [&interrupts] { return interrupts->received() != 0; };
  const auto say = [&io](const std::string& line) {
    static_cast<void>(io.err.write(printable("[selftest] " + line) + "\n"));
  };
  options.observer.on_phase = [&](std::string_view phase, std::string_view /*vm_id*/,
                                  std::string_view detail) {
    // Those of single commands would be a line for each.
    if (phase == "pull" || phase == "queue" || phase == "template")
      say(fmt::format("{} {}", phase, detail));
  };
  options.on_probe = [&](const std::string& name, std::size_t number, std::size_t total) {
    say(fmt::format("{}/{} {}", number, total, name));
  };
  return (backend.*run)(options);
}

Result<int> show(const Invocation& call, Io& io, const Report& report) {
  std::string text;
  if (call.flag("json")) {
    text = pretty(to_json(report));
  } else if (proto::find_param(*call.operation, "markdown") != nullptr && call.flag("markdown")) {
    text = markdown_report(report);
  } else {
    text = render_report(report);
  }
  PYRO_CHECK(io.out.write(text));
  return report.passed() ? kExitOk : kExitFailed;
}

}  // namespace

std::string render_report(const Report& report) {
  std::size_t name = 0;
  std::size_t why = 0;
  for (const Outcome& o : report.outcomes) {
    name = std::max(name, o.name.size());
    why = std::max(why, reason(o).size());
  }
  std::string out;
  for (const Outcome& o : report.outcomes) {
    const std::string tries = o.tries > 1 ? fmt::format(" (try {})", o.tries) : "";
    out += fmt::format("{} {:{}}  {:{}}  control: {}{}\n", o.passed ? "PASS" : "FAIL", o.name, name,
                       one_line(reason(o)), why, one_line(o.control), tries);
    for (const std::string& problem : o.problems) out += "     " + one_line(problem) + "\n";
  }
  const auto passed = std::ranges::count_if(report.outcomes, &Outcome::passed);
  out += fmt::format("{} of {} passed in {:.1f} s (backend {}, {})\n", passed,
                     report.outcomes.size(), static_cast<double>(report.duration_ms) / 1000,
                     report.backend, report.environment);
  return printable(out);
}

std::string markdown_report(const Report& report) {
  std::string out =
      "| probe | attempt | the guest saw | why | control |\n| --- | --- | --- | --- | --- |\n";
  for (const Outcome& o : report.outcomes) {
    out += fmt::format("| {}`{}` | {} | {} | {} | {} |\n", o.passed ? "" : "FAIL ", o.name,
                       cell(o.attempt), cell(o.saw), cell(o.why), cell(o.control));
  }
  return printable(out);
}

boost::json::object to_json(const Report& report) {
  boost::json::array probes;
  for (const Outcome& o : report.outcomes) {
    probes.push_back(boost::json::object{{"attempt", o.attempt},
                                         {"control", json_text(o.control)},
                                         {"name", o.name},
                                         {"passed", o.passed},
                                         {"problems", json_texts(o.problems)},
                                         {"refused_ms", o.refused_ms},
                                         {"saw", json_text(o.saw)},
                                         {"tries", o.tries},
                                         {"why", json_text(o.why)}});
  }
  return {{"backend", report.backend},
          {"duration_ms", report.duration_ms},
          {"environment", report.environment},
          {"passed", report.passed()},
          {"probes", std::move(probes)}};
}

Result<int> selftest_escape(const Invocation& call, Io& io, Backend& backend) {
  if (call.flag("json") && call.flag("markdown"))
    return fail(Errc::kInvalid, "--json and --markdown cannot both be given");
  PYRO_TRY(const Report report, run_with_progress(call, io, backend, &Backend::run_escape));
  return show(call, io, report);
}

Result<int> selftest_smoke(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const Report report, run_with_progress(call, io, backend, &Backend::run_smoke));
  return show(call, io, report);
}

}  // namespace pyro::cli
