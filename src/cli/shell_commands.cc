#include "cli/shell_commands.h"

#include "base/terminal_text.h"
#include "cli/follow.h"
#include "cli/guest_variables.h"
#include "cli/json.h"
#include "cli/session_render.h"

namespace pyro::cli {
namespace {

using client::ShellInfo;
namespace json = boost::json;

std::string shell(const Invocation& call) {
  return call.text("shell_id");
}

// The object on standard output, or the line on standard error: standard output is for what shells
// print.
Result<int> show(const Invocation& call, Io& io, const json::object& object,
                 const std::string& line) {
  PYRO_CHECK(call.flag("json") ? io.out.write(pretty(object)) : io.err.write(line));
  return kExitOk;
}

// What is followed, as one object a line. A character that came in parts is in one of them.
class Parts {
 public:
  explicit Parts(Sink& out) : out_(out) {}

  Result<void> take(std::string_view bytes) {
    pending_ += bytes;
    return give(whole_characters(pending_, pending_.size()));
  }
  // What follows begins at `cursor`.
  void move(std::int64_t cursor, std::int64_t missed_bytes) {
    (void)give(pending_.size());  // a sink that failed says so for the next part
    cursor_ = cursor;
    missed_ = missed_bytes;
  }
  Result<void> end() { return give(pending_.size()); }

 private:
  Result<void> give(std::size_t size) {
    if (size == 0) return {};
    const json::object part = shell_part(cursor_, missed_, pending_.substr(0, size));
    cursor_ += static_cast<std::int64_t>(size);
    missed_ = 0;
    pending_.erase(0, size);
    return out_.write(json_line(part));
  }

  Sink& out_;
  std::string pending_;
  std::int64_t cursor_ = 0, missed_ = 0;
};

Result<int> follow_json(const Invocation& call, Io& io, Backend& backend) {
  Parts parts(io.out);
  const client::ShellSink sink{
      .on_output = [&](std::string_view bytes) { return parts.take(bytes); },
      .on_position =
          [&](const client::ShellPosition& at) { parts.move(at.cursor, at.missed_bytes); }};
  return followed(
      io,
      [&](int interrupt_fd) {
        return backend.workspaces().shells().follow(workspace(call), shell(call),
                                                    call.integer64("cursor"), sink, interrupt_fd);
      },
      [&](const ShellInfo& info) -> Result<int> {
        PYRO_CHECK(parts.end());
        PYRO_CHECK(io.out.write(json_line(to_json(info))));
        return kExitOk;
      });
}

Result<int> follow_text(const Invocation& call, Io& io, Backend& backend) {
  client::ShellReadResult seen{.cursor = call.integer64("cursor")};
  seen.next_cursor = seen.cursor;
  const client::ShellSink sink{.on_output = [&](std::string_view bytes) -> Result<void> {
                                 seen.next_cursor += static_cast<std::int64_t>(bytes.size());
                                 return io.out.write(bytes);
                               },
                               .on_position =
                                   [&](const client::ShellPosition& at) {
                                     seen.next_cursor = at.cursor;
                                     seen.missed_bytes += at.missed_bytes;
                                     if (at.missed_bytes > 0) {
                                       (void)io.err.write("[pyro] " +
                                                          std::to_string(at.missed_bytes) +
                                                          " bytes were missed here\n");
                                     }
                                   }};
  return followed(
      io,
      [&](int interrupt_fd) {
        return backend.workspaces().shells().follow(workspace(call), shell(call), seen.cursor, sink,
                                                    interrupt_fd);
      },
      [&](const ShellInfo& info) -> Result<int> {
        seen.shell = info;
        PYRO_CHECK(io.err.write(render_shell_read(seen)));
        return kExitOk;
      });
}

Result<void> check_follow(const Invocation& call) {
  for (const char* name : {"plain", "max_chars", "wait_for_idle_ms", "wait_timeout_ms"}) {
    if (call.flag(name)) {
      return refuse(call,
                    "--follow gives everything as it comes: it cannot be given together with " +
                        option_name(name));
    }
  }
  return {};
}

}  // namespace

Result<int> shell_open(const Invocation& call, Io& io, Backend& backend) {
  if (call.flag("id_only") && call.flag("json")) {
    return refuse(call, "--id-only and --json cannot both be given");
  }
  PYRO_TRY(GuestVariables variables, guest_variables(call));
  PYRO_TRY(const ShellInfo info, backend.workspaces().shells().open(
                                     workspace(call), {.cwd = call.text("cwd"),
                                                       .cols = call.integer("cols"),
                                                       .rows = call.integer("rows"),
                                                       .secret_env = variables.secret_env}));
  if (call.flag("id_only")) {
    PYRO_CHECK(io.out.write(one_line(info.shell_id) + "\n"));
    return kExitOk;
  }
  return show(call, io, to_json(info), render_shell("workspace-shell-open", info));
}

Result<int> shell_read(const Invocation& call, Io& io, Backend& backend) {
  if (call.flag("follow")) {
    PYRO_CHECK(check_follow(call));
    return call.flag("json") ? follow_json(call, io, backend) : follow_text(call, io, backend);
  }
  PYRO_TRY(
      const client::ShellReadResult result,
      backend.workspaces().shells().read(workspace(call), shell(call),
                                         {.cursor = call.integer64("cursor"),
                                          .max_chars = call.integer64("max_chars"),
                                          .plain = call.flag("plain"),
                                          .wait_for_idle_ms = call.integer("wait_for_idle_ms"),
                                          .wait_timeout_ms = call.integer("wait_timeout_ms")}));
  if (!call.flag("json")) {
    PYRO_CHECK(io.out.write(result.output));
    // A prompt has no newline; on a terminal the line below is to stand apart from it.
    if (io.err_tty && !result.output.empty() && !result.output.ends_with('\n')) {
      PYRO_CHECK(io.err.write("\n"));
    }
  }
  return show(call, io, to_json(result), render_shell_read(result));
}

Result<int> shell_write(const Invocation& call, Io& io, Backend& backend) {
  const bool newline = !call.flag("no_newline");
  PYRO_TRY(const client::ShellWriteResult result,
           backend.workspaces().shells().write(workspace(call), shell(call), call.text("input"),
                                               newline, /*interrupt_fd=*/-1));
  return show(call, io, to_json(result, newline),
              render_shell("workspace-shell-write", result.shell));
}

Result<int> shell_signal(const Invocation& call, Io& io, Backend& backend) {
  const std::string signal = call.text("signal");
  PYRO_TRY(const ShellInfo info,
           backend.workspaces().shells().signal(workspace(call), shell(call), signal));
  return show(call, io, signalled_json(info, signal), render_shell("workspace-shell-signal", info));
}

Result<int> shell_resize(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const ShellInfo info, backend.workspaces().shells().resize(workspace(call), shell(call),
                                                                      call.given_integer("cols"),
                                                                      call.given_integer("rows")));
  return show(call, io, to_json(info), render_shell("workspace-shell-resize", info));
}

Result<int> shell_list(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::ShellList list, backend.workspaces().shells().list(workspace(call)));
  PYRO_CHECK(io.out.write(call.flag("json") ? pretty(to_json(list)) : render_shells(list)));
  return kExitOk;
}

Result<int> shell_close(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const ShellInfo info,
           backend.workspaces().shells().close(workspace(call), shell(call), /*interrupt_fd=*/-1));
  return show(call, io, closed_json(info), render_shell("workspace-shell-close", info));
}

}  // namespace pyro::cli
