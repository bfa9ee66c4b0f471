#include "cli/commands.h"

#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/render.h"

namespace pyro::cli {

Result<int> env_list(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const std::vector<image::EnvironmentInfo> list, backend.list_environments());
  PYRO_CHECK(io.out.write(call.flag("json") ? pretty(to_json(list)) : render_list(list)));
  return kExitOk;
}

Result<int> env_pull(const Invocation& call, Io& io, Backend& backend) {
  const std::string name = call.text("environment");
  const bool json = call.flag("json");
  // Keeps Ctrl-C from leaving half a progress line behind.
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  PullDisplay display(io, name, json ? PullDisplay::Lines::kHidden : PullDisplay::Lines::kShown);
  display.phase("install");
  PYRO_TRY(
      const image::EnvironmentInfo info,
      backend.pull_environment(name, [&](const image::PullProgress& p) { display.update(p); }));
  display.phase("ready");
  display.clear();
  PYRO_CHECK(io.out.write(json ? pretty(to_json(info)) : render_environment("Pulled", info)));
  return kExitOk;
}

Result<int> env_inspect(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const image::EnvironmentInfo info,
           backend.inspect_environment(call.text("environment")));
  PYRO_CHECK(io.out.write(call.flag("json") ? pretty(to_json(info))
                                            : render_environment("Environment", info)));
  return kExitOk;
}

Result<int> env_prune(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::PruneReport report, backend.prune_environments());
  PYRO_CHECK(io.out.write(call.flag("json") ? pretty(to_json(report)) : render_prune(report)));
  return kExitOk;
}

Result<int> doctor(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::DoctorReport report, backend.doctor(call.flag("fresh")));
  PYRO_CHECK(io.out.write(call.flag("json") ? pretty(to_json(report)) : render_doctor(report)));
  return report.runtime_ok ? kExitOk : kExitFailed;
}

}  // namespace pyro::cli
