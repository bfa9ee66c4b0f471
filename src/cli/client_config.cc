#include "cli/client_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <optional>

#include "cli/json_edit.h"
#include "policy/toml.h"
#include "sys/file.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMostConfig = 64U << 20;
constexpr std::string_view kTomlSection = "mcp_servers";

json::array words(std::vector<std::string>::const_iterator first,
                  std::vector<std::string>::const_iterator last) {
  json::array out;
  for (; first != last; ++first) out.emplace_back(*first);
  return out;
}

std::string_view section_of(std::string_view client) {
  if (client == "vscode") return "servers";
  return client == "opencode" ? "mcp" : "mcpServers";
}

json::object json_entry(const ServerEntry& entry) {
  const auto& all = entry.command;
  if (entry.client == "opencode") {
    return {{"type", "local"}, {"command", words(all.begin(), all.end())}, {"enabled", true}};
  }
  json::object out;
  if (entry.client != "cursor") out["type"] = "stdio";
  out["command"] = all.front();
  out["args"] = words(all.begin() + 1, all.end());
  return out;
}

std::string toml_header(const ServerEntry& entry) {
  return fmt::format("[{}.{}]", kTomlSection, entry.name);
}

// Strings and lists of JSON are those of TOML.
std::string toml_entry(const ServerEntry& entry) {
  const auto& all = entry.command;
  return fmt::format("{}\ncommand = {}\nargs = {}\n", toml_header(entry),
                     json::serialize(json::string(all.front())),
                     json::serialize(words(all.begin() + 1, all.end())));
}

std::string_view trimmed(std::string_view line) {
  const auto first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r\n") - first + 1);
}

// `text` without the table of the entry and those within it, and where it was.
struct Cut {
  std::string text;
  std::optional<std::size_t> at;
};
Cut without_table(const ServerEntry& entry, std::string_view text) {
  const std::string header = toml_header(entry);
  const std::string within = fmt::format("[{}.{}.", kTomlSection, entry.name);
  Cut cut;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    const std::string_view bare = trimmed(line);
    if (bare.starts_with('[')) inside = bare.starts_with(header) || bare.starts_with(within);
    if (inside && !cut.at) cut.at = cut.text.size();
    if (!inside) cut.text += line;
  }
  return cut;
}

Result<toml::table> parsed_toml(std::string_view text) {
  Result<toml::table> table = policy::parse_toml(text);
  if (!table) return std::unexpected(std::move(table).error());
  return table;
}

// The table without the entry, to see that nothing else has changed.
toml::table others(toml::table table, const ServerEntry& entry) {
  if (toml::table* servers = table[kTomlSection].as_table()) {
    servers->erase(entry.name);
    if (servers->empty()) table.erase(kTomlSection);
  }
  return table;
}

Result<std::string> with_toml_entry(const ServerEntry& entry, std::string_view text) {
  PYRO_TRY(const toml::table before, parsed_toml(text));
  const bool there = before[kTomlSection][entry.name].node() != nullptr;
  PYRO_TRY(const toml::table wanted, parsed_toml(toml_entry(entry)));
  const toml::table* had = before[kTomlSection][entry.name].as_table();
  if (had != nullptr && *had == *wanted[kTomlSection][entry.name].as_table()) {
    return std::string(text);
  }
  Cut cut = without_table(entry, text);
  if (there && !cut.at) {
    return fail(Errc::kInvalid, fmt::format("it has {}.{} in a form that is not changed here",
                                            kTomlSection, entry.name));
  }
  std::string out = std::move(cut.text);
  if (cut.at && *cut.at < out.size()) {
    out.insert(*cut.at, toml_entry(entry) + "\n");
  } else {
    if (!out.empty() && !out.ends_with('\n')) out += '\n';
    if (!out.empty() && !out.ends_with("\n\n")) out += '\n';
    out += toml_entry(entry);
  }
  PYRO_TRY(const toml::table after, parsed_toml(out));
  if (others(before, entry) != others(after, entry) ||
      after[kTomlSection][entry.name]["command"].value<std::string>() != entry.command.front()) {
    return fail(Errc::kInvalid, "its tables cannot be told apart");
  }
  return out;
}

}  // namespace

Result<std::string> config_file(std::string_view client, const sys::Environment& env) {
  const auto home = env("HOME");
  if (!home || home->empty()) {
    return fail_hint(Errc::kNotFound, "HOME is not set", "name the file with --config");
  }
  const auto folder = [&](const char* variable, std::string_view below_home) {
    const auto set = env(variable);
    return set && !set->empty() ? *set : fmt::format("{}{}", *home, below_home);
  };
  if (client == "claude-code") return folder("CLAUDE_CONFIG_DIR", "") + "/.claude.json";
  if (client == "codex") return folder("CODEX_HOME", "/.codex") + "/config.toml";
  const std::string config = folder("XDG_CONFIG_HOME", "/.config");
  if (client == "opencode") return config + "/opencode/opencode.json";
  if (client == "vscode") return config + "/Code/User/mcp.json";
  return *home + "/.cursor/mcp.json";
}

std::string entry_text(const ServerEntry& entry) {
  if (entry.client == "codex") return toml_entry(entry);
  const json::object whole{
      {section_of(entry.client), json::object{{entry.name, json_entry(entry)}}}};
  return indented(whole, "  ", 0) + "\n";
}

Result<std::string> with_entry(const ServerEntry& entry, std::string_view text) {
  if (entry.client == "codex") return with_toml_entry(entry, text);
  return set_member(text, section_of(entry.client), entry.name, json_entry(entry));
}

Result<bool> install(const ServerEntry& entry, const std::string& path) {
  // A link to a file that is kept elsewhere stays one.
  std::error_code ec;
  std::string real = std::filesystem::weakly_canonical(path, ec).string();
  if (ec || real.empty()) real = path;
  const bool there = sys::exists(real);
  std::string before;
  sys::FileStamp stamp{};
  if (there) {
    PYRO_TRY(stamp, sys::stamp(real));
    PYRO_TRY(before, sys::read_file(real, kMostConfig));
  }
  Result<std::string> after = with_entry(entry, before);
  if (!after) {
    return std::unexpected(std::move(after).error().context(real).with_hint(
        "it was left as it is: put the entry there by hand, `pyro mcp install " + entry.client +
        " --print` shows it"));
  }
  if (*after == before) return false;
  const mode_t mode = there ? static_cast<mode_t>(stamp.mode & 0777U) : 0600;
  PYRO_CHECK(sys::make_dirs(sys::parent_of(real)));
  if (there) {
    PYRO_CHECK(sys::write_file_atomic(real + ".pyro-backup", before, mode));
    PYRO_TRY(const sys::FileStamp now, sys::stamp(real));
    if (now != stamp) {
      return fail_hint(Errc::kConflict, real + " was changed meanwhile", "try again");
    }
  }
  PYRO_CHECK(sys::write_file_atomic(real, *after, mode));
  return true;
}

}  // namespace pyro::cli
