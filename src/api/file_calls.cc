// What goes into a workspace and comes out of it.
#include <algorithm>
#include <array>

#include "api/calls.h"
#include "base/text.h"

namespace pyro::api {
namespace {

namespace json = boost::json;

Result<json::object> push(Context& context) {
  const client::SyncOptions options{.source_path = context.args.text("source_path"),
                                    .dest = context.args.text("dest"),
                                    .git_tracked = context.args.flag("git_tracked")};
  return shown(
      context.workspaces().push_sync(workspace(context), options, context.workspace_observer()));
}

client::FileListOptions list_options(const Context& context) {
  return {.path = context.args.text("path"),
          .recursive = context.args.flag("recursive"),
          .interrupt_fd = context.observer.interrupt_fd};
}

// Reads a file into a result, which holds no more than what is kept of a stream.
template <class Read>
Result<json::object> read_file(const Context& context, const Read& read) {
  auto most = static_cast<std::int64_t>(kMaxCollected);
  if (context.args.given("max_bytes")) most = std::min(most, context.args.integer64("max_bytes"));
  std::string content;
  PYRO_TRY(const client::FileReadResult result,
           read(most, [&content](std::string_view bytes) -> Result<void> {
             content += bytes;
             return {};
           }));
  return to_json(result, content);
}

Result<json::object> write(Context& context) {
  const Arguments& args = context.args;
  client::FileWriteOptions options;
  options.path = args.text("path");
  options.interrupt_fd = context.observer.interrupt_fd;
  if (args.given("text") == args.given("content_base64"))
    return refuse("either text or content_base64 must be given");
  options.content = args.text("text");
  if (args.given("content_base64")) {
    auto bytes = base64_decode(args.text("content_base64"));
    if (!bytes) return refuse("content_base64 is not base64 (RFC 4648, with its padding)");
    options.content = *std::move(bytes);
  }
  if (args.given("mode")) {
    options.mode = parse_mode(args.text("mode"));
    if (!options.mode) return refuse("mode must be octal permission bits from 0 to 777");
  }
  return shown(context.workspaces().write_file(workspace(context), options));
}

constexpr std::array<CallRow, 9> kCalls{{
    {"workspace.sync.push", push},
    {"workspace.export",
     [](Context& c) {
       return shown(c.workspaces().export_path(workspace(c), c.args.text("path"),
                                               c.args.text("output_path"), c.workspace_observer()));
     }},
    {"workspace.file.list",
     [](Context& c) { return shown(c.workspaces().list_files(workspace(c), list_options(c))); }},
    {"workspace.file.read",
     [](Context& c) {
       return read_file(c, [&c](std::int64_t most, const client::Workspaces::OnData& on_data) {
         return c.workspaces().read_file(workspace(c), c.args.text("path"), most, on_data,
                                         c.observer.interrupt_fd);
       });
     }},
    {"workspace.file.write", write},
    {"workspace.patch.apply",
     [](Context& c) {
       return shown(
           c.workspaces().apply_patch(workspace(c), c.args.text("patch"), c.observer.interrupt_fd));
     }},
    {"workspace.disk.export",
     [](Context& c) {
       return shown(c.workspaces().disk_export(workspace(c), c.args.text("path"),
                                               c.args.text("output_path"), c.workspace_observer()));
     }},
    {"workspace.disk.list",
     [](Context& c) {
       return shown(
           c.workspaces().disk_list(workspace(c), list_options(c), c.workspace_observer()));
     }},
    {"workspace.disk.read",
     [](Context& c) {
       return read_file(c, [&c](std::int64_t most, const client::Workspaces::OnData& on_data) {
         return c.workspaces().disk_read(workspace(c), c.args.text("path"), most, on_data,
                                         c.workspace_observer());
       });
     }},
}};

}  // namespace

std::span<const CallRow> file_calls() {
  return kCalls;
}

}  // namespace pyro::api
