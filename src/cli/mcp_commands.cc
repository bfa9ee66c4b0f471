#include "cli/mcp_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "api/api.h"
#include "base/text.h"
#include "cli/client_config.h"
#include "cli/exit_code.h"
#include "cli/follow.h"
#include "mcp/pyro_provider.h"
#include "mcp_serve/http_server.h"
#include "mcp_serve/stdio.h"
#include "sys/file.h"
#include "sys/random.h"

namespace pyro::cli {
namespace {

constexpr std::size_t kLeastToken = 16, kMostToken = 4096;

// Absolute, since a server runs elsewhere than the command that configured it. kNotFound: no
// folder.
Result<std::string> folder(const std::string& path, const char* option) {
  std::error_code ec;
  const std::filesystem::path real = std::filesystem::canonical(path, ec);
  if (ec || !std::filesystem::is_directory(real, ec)) {
    return fail_hint(Errc::kNotFound, "there is no folder " + quoted_name(path),
                     fmt::format("name a folder with {}", option));
  }
  return real.string();
}

// As git looks for it: in the folder, and in those above.
bool in_checkout(std::filesystem::path folder) {
  while (!sys::exists((folder / ".git").string())) {
    if (folder == folder.root_path()) return false;
    folder = folder.parent_path();
  }
  return true;
}

// Those that were named, and the one that the server was started in; but not where a client
// happened to start it in the home folder or above that, in which lies what no model should read.
Result<api::HostFolders> host_folders(const Invocation& call, const sys::Environment& env,
                                      const std::optional<std::string>& project) {
  namespace fs = std::filesystem;
  std::vector<std::string> folders;
  if (project) folders.push_back(*project);
  for (const std::string& path : call.all("host_path")) {
    PYRO_TRY(std::string named, folder(path, "--host-path"));
    folders.push_back(std::move(named));
  }
  std::error_code ec;
  const fs::path here = fs::canonical(".", ec);
  const fs::path home = fs::weakly_canonical(env("HOME").value_or("/"), ec);
  const bool above_home = std::ranges::mismatch(here, home).in1 == here.end();
  if (!ec && !above_home) folders.push_back(here.string());
  return api::HostFolders(std::move(folders));
}

Result<mcp::PyroOptions> provider_options(const Invocation& call, const sys::Environment& env) {
  mcp::PyroOptions options{
      .profile = mcp::profile_from(call.text("profile")).value_or(mcp::Profile::kVmRun)};
  if (call.flag("project_path")) {
    PYRO_TRY(options.seed_path, folder(call.text("project_path"), "--project-path"));
    options.git_tracked = in_checkout(*options.seed_path);
  }
  PYRO_TRY(options.host_folders, host_folders(call, env, options.seed_path));
  return options;
}

Result<mcp_serve::HttpOptions> http_options(const Invocation& call, Io& io) {
  PYRO_TRY(auto where, mcp_serve::parse_address(call.text("http")));
  mcp_serve::HttpOptions options{.address = std::move(where.first),
                                 .port = where.second,
                                 .any_address = call.flag("allow_remote")};
  if (call.flag("token_file")) {
    PYRO_TRY(options.token, read_token(call.text("token_file")));
  } else if (options.any_address) {
    return refuse(call, "--allow-remote needs --token-file");
  } else {
    PYRO_TRY(const std::string bytes, sys::random_bytes(32));
    options.token = hex(bytes);
    (void)io.err.write("pyro: the token of this run is " + *options.token + "\n");
  }
  options.on_listening = [&io](const std::string& url) {
    (void)io.err.write("pyro: serving MCP at " + url + "\n");
  };
  return options;
}

bool plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

}  // namespace

Result<std::string> read_token(const std::string& path) {
  PYRO_TRY(const sys::FileStamp stamp, sys::stamp(path));
  if ((stamp.mode & 077U) != 0 || stamp.uid != ::geteuid()) {
    return fail_hint(Errc::kDenied, path + " can be read by others",
                     "make it yours alone: chmod 600");
  }
  PYRO_TRY(std::string token, sys::read_file(path, kMostToken + 2));
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  const bool visible = std::ranges::all_of(token, [](char c) { return c > ' ' && c < 127; });
  if (token.size() < kLeastToken || token.size() > kMostToken || !visible) {
    return fail_hint(Errc::kInvalid,
                     fmt::format("the token in {} must have {} to {} visible ASCII characters",
                                 path, kLeastToken, kMostToken),
                     "make one: openssl rand -hex 32");
  }
  return token;
}

Result<int> mcp_serve(const Invocation& call, Io& io, Backend& backend) {
  for (const char* option : {"token_file", "allow_remote"}) {
    if (call.flag(option) && !call.flag("http")) {
      return refuse(call, option_name(option) + " needs --http");
    }
  }
  PYRO_TRY(mcp::PyroOptions options, provider_options(call, io.env));
  // Borrowed: the backend lives as long as the command.
  const std::unique_ptr<api::Api> api =
      api::over(std::shared_ptr<api::Backend>(std::shared_ptr<void>(), &backend));
  mcp::PyroProvider provider(*api, std::move(options));
  std::optional<mcp_serve::HttpOptions> http;
  if (call.flag("http")) {
    PYRO_TRY(http, http_options(call, io));
  } else if (!io.stdin_fd) {
    (void)io.err.write(
        "pyro: this speaks JSON-RPC, one message a line: a client of MCP should start it\n");
  }
  return followed(
      io,
      [&](int stop_fd) -> Result<bool> {
        if (http) {
          http->stop_fd = stop_fd;
          PYRO_CHECK(mcp_serve::serve_http(provider, *http));
        } else {
          PYRO_CHECK(mcp_serve::serve_stdio(provider, {.in = io.stdin_fd.value_or(STDIN_FILENO),
                                                       .out = STDOUT_FILENO,
                                                       .stop_fd = stop_fd}));
        }
        return true;
      },
      [](bool) -> Result<int> { return kExitOk; });
}

Result<int> mcp_install(const Invocation& call, Io& io, Backend&) {
  ServerEntry entry{.client = call.text("client"), .name = call.text("name"), .command = {}};
  if (!plain_name(entry.name)) {
    return refuse(call, "--name has letters, digits, - and _, at most 64");
  }
  if (call.flag("dry_run") && call.flag("print")) {
    return refuse(call, "--dry-run and --print cannot both be given");
  }
  PYRO_TRY(const std::string here, sys::program_dir());
  entry.command = {here + "/pyro", "mcp", "serve"};
  if (call.flag("profile")) {
    entry.command.insert(entry.command.end(), {"--profile", call.text("profile")});
  }
  if (call.flag("project_path")) {
    PYRO_TRY(const std::string project, folder(call.text("project_path"), "--project-path"));
    entry.command.insert(entry.command.end(), {"--project-path", project});
  }
  for (const std::string& path : call.all("host_path")) {
    PYRO_TRY(const std::string named, folder(path, "--host-path"));
    entry.command.insert(entry.command.end(), {"--host-path", named});
  }
  if (call.flag("print")) {
    PYRO_CHECK(io.out.write(entry_text(entry)));
    return kExitOk;
  }
  std::string path = call.text("config");
  if (path.empty()) {
    PYRO_TRY(path, config_file(entry.client, io.env));
  }
  if (call.flag("dry_run")) {
    std::string before;
    if (sys::exists(path)) {
      PYRO_TRY(before, sys::read_file(path, std::uint64_t{64} << 20));
    }
    PYRO_TRY(const std::string after, with_entry(entry, before));
    const char* what = before == after ? "has this entry already:" : "would get this entry:";
    PYRO_CHECK(io.out.write(fmt::format("{} {}\n{}", path, what, entry_text(entry))));
    return kExitOk;
  }
  PYRO_TRY(const bool written, install(entry, path));
  PYRO_CHECK(io.out.write(written ? fmt::format("Added {} to {}\n", entry.name, path)
                                  : fmt::format("{} has this entry already\n", path)));
  return kExitOk;
}

}  // namespace pyro::cli
