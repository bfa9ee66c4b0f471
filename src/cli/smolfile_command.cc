#include "cli/smolfile_command.h"

#include "cli/exit_code.h"

namespace pyro::cli {

Result<std::optional<policy::Smolfile>> smolfile_of(const Invocation& call) {
  if (!call.flag("smolfile")) return std::nullopt;
  PYRO_TRY(policy::Smolfile file, client::read_smolfile(call.text("smolfile")));
  if (file.image.empty() && !call.flag("environment")) {
    return fail_hint(Errc::kInvalid, "the Smolfile has no image",
                     "name an environment: pyro env list shows them");
  }
  return file;
}

std::string environment_of(const Invocation& call, const std::optional<policy::Smolfile>& file) {
  return call.flag("environment") || !file ? call.text("environment") : file->image;
}

int number_of(const Invocation& call, std::string_view name,
              const std::optional<std::int64_t>& of_file) {
  return call.flag(name) || !of_file ? call.integer(name) : static_cast<int>(*of_file);
}

Result<int> smolfile_render(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::WorkspaceInfo info,
           backend.workspaces().status(call.text("workspace_id")));
  PYRO_TRY(const std::string text, client::render_smolfile(info));
  PYRO_CHECK(io.out.write(text));
  return kExitOk;
}

}  // namespace pyro::cli
