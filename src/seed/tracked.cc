#include "seed/tracked.h"

#include <algorithm>

#include "base/text.h"
#include "seed/checks.h"
#include "sys/process.h"
#include "wire/tree_stream.h"

namespace pyro::seed {
namespace {

constexpr const char* kSearch = "/usr/local/bin:/usr/bin:/bin";
constexpr std::size_t kMaxListing = 512U << 20;  // bytes: kMaxNameBytes and what git adds
constexpr std::string_view kSubmodule = "160000 ";

}  // namespace

Result<TrackedFiles> TrackedFiles::list(const std::string& folder) {
  auto git = sys::find_program("git", kSearch);
  if (!git) {
    return fail_hint(Errc::kNotFound, "git is not installed, and says what is tracked",
                     "run: sudo apt-get install git, or take the whole folder");
  }
  // Nothing that a checkout configures is run: of what ls-files reads, only fsmonitor names a
  // program.
  PYRO_TRY(
      sys::Captured run,
      sys::run_captured(
          {.program = *git,
           .argv = {"git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--stage"},
           .env = {std::string("PATH=") + kSearch, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
                   "GIT_CONFIG_GLOBAL=/dev/null", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"},
           .cwd = folder,
           .die_with_parent = true},
          kMaxListing));
  if (run.status.shell_code() != 0) {
    return fail_hint(Errc::kInvalid,
                     "git cannot say what is tracked in " + quoted_name(folder) + ": " +
                         printable(run.err.substr(0, run.err.find('\n'))),
                     "name a folder of a git checkout that is yours, or take the whole folder");
  }
  if (run.out.size() >= kMaxListing) {
    return fail(Errc::kLimit, "git tracks more names than fit into " + human_bytes(kMaxListing));
  }
  return parse(run.out);
}

Result<TrackedFiles> TrackedFiles::parse(std::string_view listing) {
  TrackedFiles files;
  files.folders_["."];
  while (!listing.empty()) {  // MODE OBJECT STAGE TAB PATH NUL
    const std::size_t end = std::min(listing.find('\0'), listing.size());
    const std::string_view line = listing.substr(0, end);
    listing.remove_prefix(std::min(end + 1, listing.size()));
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) {
      return fail(Errc::kUnavailable, "git ls-files printed what is not understood");
    }
    const std::string_view path = line.substr(tab + 1);
    PYRO_CHECK(wire::check_tree_path(path));
    if (line.starts_with(kSubmodule)) {
      return refuse(path, "is a submodule, which is not carried",
                    "take the whole folder, without asking git");
    }
    files.add(path);
  }
  for (auto& [folder, names] : files.folders_) {
    std::ranges::sort(names);
    const auto repeated = std::ranges::unique(names);  // a conflict has a path three times
    names.erase(repeated.begin(), repeated.end());
  }
  return files;
}

void TrackedFiles::add(std::string_view path) {
  for (;;) {
    const std::size_t slash = path.rfind('/');
    const bool top = slash == std::string_view::npos;
    const std::string_view folder = top ? "." : path.substr(0, slash);
    const auto known = folders_.find(folder);
    auto& names = known != folders_.end() ? known->second : folders_[std::string(folder)];
    names.emplace_back(top ? path : path.substr(slash + 1));
    if (top || known != folders_.end()) return;  // the folders above have been added with it
    path = folder;
  }
}

std::vector<std::string> TrackedFiles::names_in(const std::string& folder) const {
  const auto found = folders_.find(folder);
  return found == folders_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace pyro::seed
