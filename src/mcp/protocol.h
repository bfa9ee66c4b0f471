// The words of both eras of MCP: until 2025-11-25 a connection begins with `initialize`; since
// 2026-07-28 every request says its version and what its client can do, and there is no session.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "mcp/provider.h"

namespace pyro::mcp {

inline constexpr std::string_view kModernVersion = "2026-07-28";
inline constexpr std::string_view kNewestLegacy = "2025-11-25";
bool is_legacy_version(std::string_view version);  // one of those that are served
// What `initialize` is answered with.
std::string_view agreed_version(std::string_view wanted);

inline constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kMetaClientInfo = "io.modelcontextprotocol/clientInfo";
inline constexpr std::string_view kMetaCapabilities = "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view kMetaLogLevel = "io.modelcontextprotocol/logLevel";
inline constexpr std::string_view kMetaServerInfo = "io.modelcontextprotocol/serverInfo";
inline constexpr std::string_view kMetaSubscription = "io.modelcontextprotocol/subscriptionId";

// Whether the parameters say of themselves that they are of the stateless era.
bool looks_modern(const json::object& params);
// The version they name; empty when it is missing or no text.
std::string_view named_version(const json::object& params);

struct RequestMeta {
  json::object capabilities;
  std::optional<LogLevel> log_level;
};
// kInvalidParams for what is missing or mistyped, kUnsupportedVersion.
std::expected<RequestMeta, RpcError> read_meta(const json::object& params);
RpcError unsupported_version(std::string_view requested);

std::string_view log_level_name(LogLevel level);
std::optional<LogLevel> log_level_from(std::string_view name);

json::object discover_result(const Provider& provider);
json::object initialize_result(const Provider& provider, std::string_view version);
json::object server_info(const ServerInfo& info);

// The capability that a client must have declared to be asked this; nullopt for what no client may
// be asked.
std::optional<std::string_view> capability_for(std::string_view method);

}  // namespace pyro::mcp
