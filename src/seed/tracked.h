// What git tracks in a folder.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pyro::seed {

// Sorted names by folder ("." is the root); a folder's own entry says that it is one.
class TrackedFiles {
 public:
  // Runs `git ls-files` in `folder`, with nothing of our environment and no configuration but the
  // checkout's own. kNotFound when there is no git, kInvalid when this is no checkout, or when
  // a submodule is in it.
  static Result<TrackedFiles> list(const std::string& folder);
  // The output of `git ls-files -z --cached --stage`.
  static Result<TrackedFiles> parse(std::string_view listing);

  [[nodiscard]] std::vector<std::string> names_in(const std::string& folder) const;
  [[nodiscard]] bool is_folder(const std::string& path) const { return folders_.contains(path); }

 private:
  void add(std::string_view path);
  std::map<std::string, std::vector<std::string>, std::less<>> folders_;
};

}  // namespace pyro::seed
