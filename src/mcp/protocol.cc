#include "mcp/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>

namespace pyro::mcp {
namespace {

// The newest first. 2025-03-26 is none of them: that revision alone obliges servers to take
// batches.
constexpr std::array<std::string_view, 3> kLegacyVersions{kNewestLegacy, "2025-06-18",
                                                          "2024-11-05"};
constexpr std::array<std::string_view, 8> kLogLevels{"debug", "info",     "notice", "warning",
                                                     "error", "critical", "alert",  "emergency"};

json::array supported_versions() {
  json::array list{kModernVersion};
  for (const std::string_view version : kLegacyVersions) list.emplace_back(version);
  return list;
}

const json::object* meta_of(const json::object& params) {
  const json::value* meta = params.if_contains("_meta");
  return meta == nullptr ? nullptr : meta->if_object();
}

json::object capabilities(const Features& f) {
  json::object out{{"tools", {{"listChanged", f.lists_change}}}};
  if (f.resources) {
    out["resources"] = {{"listChanged", f.lists_change}, {"subscribe", f.resources_subscribe}};
  }
  if (f.prompts) out["prompts"] = {{"listChanged", f.lists_change}};
  if (f.completions) out["completions"] = json::object();
  return out;
}

std::unexpected<RpcError> invalid(std::string message) {
  return std::unexpected(RpcError{kInvalidParams, std::move(message), {}});
}

}  // namespace

bool is_legacy_version(std::string_view version) {
  return std::ranges::find(kLegacyVersions, version) != kLegacyVersions.end();
}

std::string_view agreed_version(std::string_view wanted) {
  // Dates, which sort as texts do. Who speaks a revision that we do not knows the one before.
  const auto* const known = std::ranges::find_if(
      kLegacyVersions, [&](std::string_view version) { return version <= wanted; });
  return known == kLegacyVersions.end() ? kNewestLegacy : *known;
}

bool looks_modern(const json::object& params) {
  const json::object* meta = meta_of(params);
  return meta != nullptr && (meta->contains(kMetaVersion) || meta->contains(kMetaCapabilities) ||
                             meta->contains(kMetaClientInfo));
}

std::string_view named_version(const json::object& params) {
  const json::object* meta = meta_of(params);
  const json::value* version = meta == nullptr ? nullptr : meta->if_contains(kMetaVersion);
  if (version == nullptr || !version->is_string()) return {};
  return version->get_string();
}

std::expected<RequestMeta, RpcError> read_meta(const json::object& params) {
  const json::object* meta = meta_of(params);
  if (meta == nullptr) {
    return invalid(fmt::format("params._meta must be an object with {} and {}", kMetaVersion,
                               kMetaCapabilities));
  }
  const std::string_view version = named_version(params);
  if (version.empty()) return invalid(fmt::format("params._meta needs {}", kMetaVersion));
  RequestMeta out;
  const json::value* client = meta->if_contains(kMetaCapabilities);
  if (client == nullptr || !client->is_object()) {
    return invalid(fmt::format("params._meta needs {}, an object", kMetaCapabilities));
  }
  if (version != kModernVersion) return std::unexpected(unsupported_version(version));
  out.capabilities = client->get_object();
  if (const json::value* level = meta->if_contains(kMetaLogLevel)) {
    if (level->is_string()) out.log_level = log_level_from(level->get_string());
    if (!out.log_level) return invalid(fmt::format("{} is no log level", kMetaLogLevel));
  }
  return out;
}

RpcError unsupported_version(std::string_view requested) {
  return {kUnsupportedVersion, "Unsupported protocol version",
          json::object{{"requested", shown(requested)}, {"supported", supported_versions()}}};
}

std::string_view log_level_name(LogLevel level) {
  return kLogLevels.at(static_cast<std::size_t>(level));
}

std::optional<LogLevel> log_level_from(std::string_view name) {
  const auto* const found = std::ranges::find(kLogLevels, name);
  if (found == kLogLevels.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLogLevels.begin());
}

json::object server_info(const ServerInfo& info) {
  json::object out{{"name", info.name}, {"version", info.version}};
  if (!info.title.empty()) out["title"] = info.title;
  return out;
}

json::object discover_result(const Provider& provider) {
  json::object out{{"capabilities", capabilities(provider.features())},
                   {"supportedVersions", supported_versions()}};
  if (!provider.info().instructions.empty()) out["instructions"] = provider.info().instructions;
  return out;
}

json::object initialize_result(const Provider& provider, std::string_view version) {
  json::object can = capabilities(provider.features());
  can["logging"] = json::object();
  json::object out{{"capabilities", std::move(can)},
                   {"protocolVersion", version},
                   {"serverInfo", server_info(provider.info())}};
  if (!provider.info().instructions.empty()) out["instructions"] = provider.info().instructions;
  return out;
}

std::optional<std::string_view> capability_for(std::string_view method) {
  if (method == "elicitation/create") return "elicitation";
  if (method == "sampling/createMessage") return "sampling";
  if (method == "roots/list") return "roots";
  return std::nullopt;
}

}  // namespace pyro::mcp
