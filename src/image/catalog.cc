#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "image/environments.h"

namespace pyro::image {
namespace {

using Commands = std::vector<std::vector<std::string>>;

// The shell, the loader and the small tools nearly every command starts.
Commands base_warm_up() {
  return {
      {"/bin/sh", "-c", ":"},
      {"/bin/bash", "-lc", ":"},
      {"/bin/sh", "-c", "ls / | cat | head -n 1 | wc -l; cp /etc/hostname /dev/null; uname; env"},
      {"/bin/sh", "-c", "echo warm | grep -c warm; echo warm | sed s/w/W/; find /etc -maxdepth 1"},
      // About 7 MB. A program that is not in the page cache costs a clone's first command twice:
      // the read, and under TCG the translation of the block layer and the decompressor.
      {"/bin/sh", "-c",
       "cat $(dpkg -L coreutils findutils grep sed tar gzip | grep bin/) >/dev/null"},
  };
}

Commands with_git(Commands commands) {
  commands.push_back({"git", "--version"});
  commands.push_back(
      {"/bin/sh", "-c", "cd / && git status; git config --list; git help -a | head -n 1"});
  return commands;
}

Commands with_build_tools(Commands commands) {
  commands.push_back(
      {"/bin/sh", "-c", "echo 'int main(){return 0;}' | gcc -x c - -o /dev/null; make --version"});
  commands.push_back({"cmake", "--version"});
  commands.push_back({"python3", "-c", "import json, os, re, subprocess, sys"});
  return commands;
}

CatalogEntry debian_12(std::string name, std::string description, std::vector<std::string> packages,
                       Commands warm_up) {
  return {.name = std::move(name),
          .version = "1.0.0",
          .description = std::move(description),
          .default_packages = std::move(packages),
          .distribution = "debian",
          .distribution_version = "12",
          .warm_up = std::move(warm_up)};
}

}  // namespace

const std::vector<CatalogEntry>& catalog() {
  static const std::vector<CatalogEntry> entries = {
      debian_12("debian:12",
                "Debian 12 environment with Git preinstalled for common agent workflows.",
                {"bash", "coreutils", "git"}, with_git(base_warm_up())),
      debian_12("debian:12-base", "Minimal Debian 12 environment for shell and core Unix tooling.",
                {"bash", "coreutils"}, base_warm_up()),
      debian_12("debian:12-build",
                "Debian 12 environment with Git and common build tools preinstalled.",
                {"bash", "coreutils", "git", "build-essential", "cmake", "pkg-config", "python3",
                 "python3-venv", "file", "less", "patch", "unzip", "xz-utils"},
                with_build_tools(with_git(base_warm_up()))),
  };
  return entries;
}

Result<CatalogEntry> find_entry(const std::string& name) {
  const auto& entries = catalog();
  const auto found = std::ranges::find(entries, name, &CatalogEntry::name);
  if (found != entries.end()) return *found;
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry.name);
  const std::string close = did_you_mean(name, names);
  return fail_hint(
      Errc::kNotFound,
      fmt::format("there is no environment named {:?}", to_utf8(name.substr(0, 80))),
      fmt::format("{}environments: {}", close.empty() ? "" : "did you mean " + close + "? ",
                  fmt::join(names, ", ")));
}

}  // namespace pyro::image
