// pyro as a server of tools for models (MCP), and its place in the configuration of their clients.
// Constant data for the table of operations alone.
#pragma once

#include <array>

#include "proto/operations_params.h"

namespace pyro::proto {

inline constexpr std::array<std::string_view, 3> kMcpProfiles{"vm-run", "workspace-core",
                                                              "workspace-full"};
inline constexpr Param kMcpProfile{.name = "profile",
                                   .type = ParamType::kChoice,
                                   .value_name = "PROFILE",
                                   .default_text = "workspace-full",
                                   .help = "How many of the tools a model is shown",
                                   .choices = kMcpProfiles};
inline constexpr Param kProjectPath{.name = "project_path",
                                    .type = ParamType::kHostPath,
                                    .value_name = "DIR",
                                    .help =
                                        "Folder that workspace_create takes when it is given "
                                        "no seed_path; of a git checkout what git tracks"};

inline constexpr Param kHostFolder{.name = "host_path",
                                   .type = ParamType::kHostPath,
                                   .value_name = "DIR",
                                   .help =
                                       "Let tools read and write below this folder of the host as "
                                       "well",
                                   .repeatable = true};

// ---- mcp serve

inline constexpr std::array<std::string_view, 2> kMcpServePath{"mcp", "serve"};
inline constexpr std::array<std::string_view, 5> kMcpServeText{
    "Serves the tools of pyro to a client of the Model Context Protocol over standard input and "
    "output, until the input ends. Clients of 2026-07-28 and of the revisions until 2025-11-25 "
    "are served alike.",
    "--http serves them over HTTP instead, at http://ADDRESS:PORT/mcp, until Ctrl-C. Requests need "
    "the token of --token-file; without that, one is made for this run and printed on standard "
    "error. An address that other machines reach needs --allow-remote and --token-file.",
    "Profiles: vm-run has vm_run alone; workspace-core has what it takes to change code in a "
    "workspace and hand it back; workspace-full has everything.",
    "Paths of the host that a model gives (what to seed or push, where to export to, files with "
    "secrets or policies) must lie in --project-path, in a --host-path, or in the folder that the "
    "server is started in, unless that is your home folder or one above it. Links are followed "
    "first.",
    "When the client goes, what runs is ended. Workspaces, their shells and their services stay."};
inline constexpr std::array kMcpServeOptions{
    kMcpProfile,
    Param{.name = "http",
          .value_name = "ADDRESS:PORT",
          .help = "Serve over HTTP there, for example 127.0.0.1:8931; port 0 is any"},
    Param{.name = "token_file",
          .type = ParamType::kHostPath,
          .value_name = "FILE",
          .help = "File with the token of --http, which only its owner may read"},
    Param{.name = "allow_remote",
          .type = ParamType::kFlag,
          .help = "Serve on an address that other machines may reach"},
    kProjectPath,
    kHostFolder};
inline constexpr std::array<Example, 3> kMcpServeExamples{{
    {"pyro mcp serve", "What a client starts"},
    {"pyro mcp serve --profile workspace-core --project-path .",
     "Fewer tools; workspaces begin with this checkout"},
    {"pyro mcp serve --http 127.0.0.1:8931 --token-file ~/.config/pyro-token",
     "For several clients at once"},
}};
inline constexpr std::array kMcpServeErrors{Errc::kInvalid, Errc::kNotFound,    Errc::kDenied,
                                            Errc::kLimit,   Errc::kUnavailable, Errc::kInternal};

// ---- mcp install

inline constexpr std::array<std::string_view, 5> kMcpClients{"claude-code", "codex", "opencode",
                                                             "vscode", "cursor"};
inline constexpr std::array<std::string_view, 2> kMcpInstallPath{"mcp", "install"};
inline constexpr std::array<std::string_view, 3> kMcpInstallText{
    "Adds pyro to the configuration of a client, for this user: what is there stays, byte for "
    "byte, but for an entry of the same name. The file as it was is kept beside it, with "
    ".pyro-backup behind its name. A file that cannot be understood is left alone.",
    "--dry-run says what would be written and where. --print prints the entry alone, for whoever "
    "keeps such files elsewhere.",
    "Files: ~/.claude.json, ~/.codex/config.toml, ~/.config/opencode/opencode.json, "
    "~/.config/Code/User/mcp.json and ~/.cursor/mcp.json, or where CLAUDE_CONFIG_DIR, CODEX_HOME "
    "and XDG_CONFIG_HOME say; --config names another."};
inline constexpr std::array kMcpInstallPositionals{Param{.name = "client",
                                                         .type = ParamType::kChoice,
                                                         .value_name = "CLIENT",
                                                         .help = "Client to configure",
                                                         .choices = kMcpClients}};
inline constexpr std::array kMcpInstallOptions{
    kMcpProfile,
    kProjectPath,
    kHostFolder,
    Param{.name = "name",
          .value_name = "NAME",
          .default_text = "pyro",
          .help = "Name of the entry; letters, digits, - and _"},
    Param{.name = "config",
          .type = ParamType::kHostPath,
          .value_name = "FILE",
          .help = "The client's configuration file, where it is not the usual one"},
    Param{.name = "dry_run",
          .type = ParamType::kFlag,
          .help = "Say what would be written, and write nothing"},
    Param{.name = "print", .type = ParamType::kFlag, .help = "Print the entry alone"}};
inline constexpr std::array<Example, 3> kMcpInstallExamples{{
    {"pyro mcp install claude-code --dry-run", "What would be written?"},
    {"pyro mcp install codex --profile workspace-core", "With fewer tools"},
    {"pyro mcp install cursor --print", "Only the entry"},
}};
inline constexpr std::array kMcpInstallErrors{Errc::kInvalid, Errc::kNotFound,    Errc::kDenied,
                                              Errc::kLimit,   Errc::kUnavailable, Errc::kInternal};

inline constexpr std::array<Operation, 2> kMcpOperations{{
    {.name = "mcp.serve",
     .cli_path = kMcpServePath,
     .summary = "Serve the tools of pyro to a client of MCP",
     .description = kMcpServeText,
     .options = kMcpServeOptions,
     .errors = kMcpServeErrors,
     .examples = kMcpServeExamples},
    {.name = "mcp.install",
     .cli_path = kMcpInstallPath,
     .summary = "Add pyro to the configuration of a client of MCP",
     .description = kMcpInstallText,
     .positionals = kMcpInstallPositionals,
     .options = kMcpInstallOptions,
     .errors = kMcpInstallErrors,
     .examples = kMcpInstallExamples},
}};
inline constexpr std::array<std::string_view, 1> kMcpPath{"mcp"};
inline constexpr std::array<Group, 1> kMcpGroups{{{kMcpPath, "Give models the tools of pyro"}}};

}  // namespace pyro::proto
