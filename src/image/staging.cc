#include "image/staging.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "image/debian_mirror.h"
#include "sys/file.h"
#include "sys/process.h"

namespace pyro::image {

Result<void> remove_build_tree(const std::string& path) {
  auto removed = sys::remove_tree(path);
  if (removed || ::geteuid() == 0) return removed;
  const std::string search = "/usr/bin:/bin:/usr/sbin:/sbin";
  DebianTools tools;
  tools.path = search;
  auto unshare = sys::find_program("unshare", search);
  if (!unshare) return removed;
  tools.unshare = *std::move(unshare);
  std::vector<std::string> words = namespace_words(tools);
  words.insert(words.end(), {"rm", "-rf", "--", path});
  PYRO_TRY(const sys::Captured run, sys::run_captured({.program = tools.unshare,
                                                       .argv = std::move(words),
                                                       .env = {"PATH=" + search},
                                                       .cwd = "/",
                                                       .die_with_parent = true}));
  if (run.status.shell_code() == 0) return {};
  return fail(Errc::kUnavailable,
              fmt::format("remove {}: {}", path, to_utf8(run.err.substr(0, 300))));
}

}  // namespace pyro::image
