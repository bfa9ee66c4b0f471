#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/workspace_commands.h"
#include "cli/workspace_render.h"
#include "proto/limits.h"
#include "sys/fd.h"
#include "sys/file.h"

namespace pyro::cli {
namespace {

using client::WorkspaceObserver;

Result<int> print_export(const Invocation& call, Io& io, const std::string& tag,
                         const client::ExportResult& result) {
  if (!call.flag("json")) {
    for (const std::string& path : result.skipped) {
      (void)io.err.write("[" + tag + "] skipped=" + line_value(path) + "\n");
    }
  }
  return print(call, io, result, render_export(tag, result));
}

// Everything that can be read from `fd`.
Result<std::string> read_input(int fd, std::string_view what) {
  std::string out;
  std::string buffer(64U << 10, '\0');
  for (;;) {
    PYRO_TRY(const int n, sys::retrying("reading standard input", [&] {
               return static_cast<int>(::read(fd, buffer.data(), buffer.size()));
             }));
    if (n == 0) return out;
    if (static_cast<std::int64_t>(out.size()) + n > proto::kMaxWriteBytes) {
      return fail_hint(Errc::kLimit,
                       std::string(what) + " on standard input is larger than " +
                           human_bytes(proto::kMaxWriteBytes),
                       "pyro workspace sync push takes files of any size");
    }
    out.append(buffer, 0, static_cast<std::size_t>(n));
  }
}

// Of the file of `param`, else of standard input.
Result<std::string> input(const Invocation& call, const Io& io, const char* param,
                          std::string_view what, const std::string& instead) {
  if (call.flag(param)) return sys::read_file(call.text(param), proto::kMaxWriteBytes);
  if (io.stdin_fd) return read_input(*io.stdin_fd, what);
  return fail_hint(Errc::kInvalid, std::string(what) + " is missing: standard input is a terminal",
                   instead);
}

Result<std::optional<int>> file_mode(const Invocation& call) {
  if (!call.flag("mode")) return std::nullopt;
  const std::string text = call.text("mode");
  const std::optional<int> mode = api::parse_mode(text);
  if (!mode) {
    return refuse(call, "--mode must be octal permission bits from 0 to 777, not \"" + text + "\"");
  }
  return mode;
}

client::FileListOptions list_options(const Invocation& call) {
  return {.path = call.text("path"), .recursive = call.flag("recursive")};
}

// What a file read goes to: standard output as it comes, or JSON at its end.
class ReadTarget {
 public:
  ReadTarget(const Invocation& call, Io& io) : io_(io), json_(call.flag("json")) {
    if (call.flag("max_bytes")) max_bytes_ = call.integer64("max_bytes");
    const auto most = static_cast<std::int64_t>(kMaxCollected);
    if (json_) max_bytes_ = max_bytes_ == 0 ? most : std::min(max_bytes_, most);
  }

  [[nodiscard]] std::int64_t max_bytes() const { return max_bytes_; }
  client::Workspaces::OnData on_data() {
    return [this](std::string_view bytes) -> Result<void> {
      if (!json_) return io_.out.write(bytes);
      content_ += bytes;
      return {};
    };
  }
  Result<int> finish(const std::string& tag, const client::FileReadResult& result) {
    if (json_) {
      PYRO_CHECK(io_.out.write(pretty(to_json(result, content_))));
    } else {
      (void)io_.err.write(
          render_file(tag, result.workspace_id, result.path, "size_bytes", result.bytes));
    }
    return kExitOk;
  }

 private:
  Io& io_;
  bool json_;
  std::int64_t max_bytes_ = 0;
  std::string content_;
};

}  // namespace

Result<int> sync_push(const Invocation& call, Io& io, Backend& backend) {
  const client::SyncOptions options{.source_path = call.text("source_path"),
                                    .dest = call.text("dest"),
                                    .git_tracked = call.flag("git_tracked")};
  return watched(
      call, io, "workspace-sync", Phases::kWaiting,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().push_sync(workspace(call), options, observer);
      },
      [&](const client::SyncResult& result) {
        return print(call, io, result, render_sync(result));
      });
}

Result<int> workspace_export(const Invocation& call, Io& io, Backend& backend) {
  const std::string tag = "workspace-export";
  return watched(
      call, io, tag, Phases::kWaiting,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().export_path(workspace(call), call.text("path"),
                                                call.text("output"), observer);
      },
      [&](const client::ExportResult& result) { return print_export(call, io, tag, result); });
}

Result<int> file_list(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::FileList list,
           backend.workspaces().list_files(workspace(call), list_options(call)));
  return print(call, io, list, render_files(list));
}

Result<int> file_read(const Invocation& call, Io& io, Backend& backend) {
  ReadTarget target(call, io);
  PYRO_TRY(const client::FileReadResult result,
           backend.workspaces().read_file(workspace(call), call.text("path"), target.max_bytes(),
                                          target.on_data(), /*interrupt_fd=*/-1));
  return target.finish("workspace-file-read", result);
}

Result<int> file_write(const Invocation& call, Io& io, Backend& backend) {
  client::FileWriteOptions options;
  options.path = call.text("path");
  PYRO_TRY(options.mode, file_mode(call));
  PYRO_TRY(options.content, input(call, io, "input", "the content",
                                  "give --input HOST_PATH, or pipe the content in"));
  PYRO_TRY(const client::FileWriteResult result,
           backend.workspaces().write_file(workspace(call), options));
  return print(call, io, result,
               render_file("workspace-file-write", result.workspace_id, result.path,
                           "bytes_written", result.bytes_written));
}

Result<int> patch_apply(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const std::string patch,
           input(call, io, "patch", "the patch", "give PATCH_FILE, or pipe the patch in"));
  PYRO_TRY(const client::PatchResult result,
           backend.workspaces().apply_patch(workspace(call), patch, /*interrupt_fd=*/-1));
  return print(call, io, result, render_patch(result));
}

Result<int> disk_export(const Invocation& call, Io& io, Backend& backend) {
  const std::string tag = "workspace-disk-export";
  return watched(
      call, io, tag, Phases::kWaiting,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().disk_export(workspace(call), call.text("path"),
                                                call.text("output"), observer);
      },
      [&](const client::ExportResult& result) { return print_export(call, io, tag, result); });
}

Result<int> disk_list(const Invocation& call, Io& io, Backend& backend) {
  return watched(
      call, io, "workspace-disk-list", Phases::kWaiting,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().disk_list(workspace(call), list_options(call), observer);
      },
      [&](const client::FileList& list) { return print(call, io, list, render_files(list)); });
}

Result<int> disk_read(const Invocation& call, Io& io, Backend& backend) {
  ReadTarget target(call, io);
  return watched(
      call, io, "workspace-disk-read", Phases::kWaiting,
      [&](const WorkspaceObserver& observer) {
        return backend.workspaces().disk_read(workspace(call), call.text("path"),
                                              target.max_bytes(), target.on_data(), observer);
      },
      [&](const client::FileReadResult& result) {
        return target.finish("workspace-disk-read", result);
      });
}

}  // namespace pyro::cli
