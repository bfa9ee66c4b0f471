#include "image/apt_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "image/text_lines.h"
#include "sys/process.h"

namespace pyro::image {
namespace {

bool good_uri(std::string_view uri) {
  if (!uri.starts_with("http://") && !uri.starts_with("https://")) return false;
  return uri.size() < 1000 && std::ranges::all_of(
                                  uri,
                                  [](char c) {
                                    return c > 0x20 && c < 0x7f && c != '[' && c != ']' &&
                                           c != '"' && c != '\'' && c != '\\';
                                  });
}

std::string source_line(std::string_view uri, std::string_view suite) {
  while (uri.ends_with('/')) uri.remove_suffix(1);
  return fmt::format("deb {} {} main", uri, suite);
}

std::vector<std::string> public_sources() {
  return {source_line("http://deb.debian.org/debian", "bookworm"),
          source_line("http://deb.debian.org/debian", "bookworm-updates"),
          source_line("http://deb.debian.org/debian-security", "bookworm-security")};
}

// What a program printed, or nothing when it is missing or failed: hosts without apt are fine.
std::string output_of(const std::string& name, std::vector<std::string> args,
                      const std::string& path) {
  const auto program = sys::find_program(name, path);
  if (!program) return {};
  args.insert(args.begin(), name);
  const auto run = sys::run_captured({.program = *program,
                                      .argv = std::move(args),
                                      .env = {"PATH=" + path, "LC_ALL=C.UTF-8"},
                                      .cwd = "/",
                                      .die_with_parent = true});
  if (!run || run->status.shell_code() != 0) return {};
  return run->out;
}

}  // namespace

Result<std::vector<std::string>> sources_from_override(std::string_view value) {
  const std::vector<std::string> words = split_words(value);
  const auto bad = [&](std::string why) {
    return fail_hint(Errc::kInvalid, "PYRO_DEBIAN_MIRROR " + why,
                     "set it to an http or https address such as http://deb.debian.org/debian, "
                     "optionally followed by the address of the security archive");
  };
  if (words.empty() || words.size() > 2) return bad("must hold one or two addresses");
  std::string base = words[0];
  while (base.ends_with('/')) base.pop_back();
  std::string security = words.size() == 2 ? words[1] : base + "-security";
  if (!good_uri(base) || (security != "-" && !good_uri(security))) {
    return bad("is not an http or https address");
  }
  std::vector<std::string> sources = {source_line(base, "bookworm"),
                                      source_line(base, "bookworm-updates")};
  if (security != "-") sources.push_back(source_line(security, "bookworm-security"));
  return sources;
}

std::vector<std::string> sources_from_indextargets(std::string_view indextargets) {
  constexpr std::array kSuites = {"bookworm", "bookworm-updates", "bookworm-security"};
  std::vector<std::string> sources;
  for (const char* suite : kSuites) {
    for (const std::string_view line : split_lines(indextargets)) {
      const auto fields = split_fields(line, '|');
      if (fields.size() != 5 || fields[1] != suite || fields[2] != "main" ||
          fields[3] != "Debian" || fields[4] != "Packages" || !good_uri(fields[0])) {
        continue;
      }
      sources.push_back(source_line(fields[0], suite));
      break;
    }
    if (sources.empty()) return {};  // no bookworm: the others alone are of no use
  }
  return sources;
}

std::vector<std::string> options_from_dump(std::string_view dump) {
  constexpr std::array kKeys = {"Acquire::http::Proxy", "Acquire::https::Proxy",
                                "Acquire::Check-Valid-Until", "Acquire::http::Timeout",
                                "Acquire::https::Timeout"};
  std::vector<std::string> options;
  for (const std::string_view line : split_lines(dump)) {
    const std::string_view key = line.substr(0, line.find(' '));
    const bool wanted = std::ranges::any_of(kKeys, [&](std::string_view known) {
      return key == known || (known.ends_with("Proxy") && key.starts_with(known) &&
                              key.substr(known.size()).starts_with("::"));
    });
    if (wanted && line.ends_with("\";") && !line.ends_with(" \"\";")) options.emplace_back(line);
  }
  return options;
}

Result<AptSetup> host_apt_setup(const sys::Environment& env, const std::string& path) {
  AptSetup setup;
  if (const auto value = env("PYRO_DEBIAN_MIRROR"); value && !value->empty()) {
    PYRO_TRY(setup.sources, sources_from_override(*value));
  } else {
    setup.sources = sources_from_indextargets(output_of(
        "apt-get",
        {"indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CREATED_BY)"},
        path));
  }
  if (setup.sources.empty()) setup.sources = public_sources();
  setup.options = options_from_dump(output_of("apt-config", {"dump"}, path));
  setup.mirror = split_words(setup.sources.front()).at(1);
  return setup;
}

}  // namespace pyro::image
