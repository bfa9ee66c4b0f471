// A workspace whose guest is hostile, broken, or only unlucky in what it says of its programs.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/workspace_supervisor.h"

namespace pyro::testing {

using boost::asio::awaitable;
using boost::json::object;
using client::ServiceOptions;
using StreamPtr = std::shared_ptr<rpc::Stream>;
inline constexpr std::int64_t kRing = 1 << 20;  // bytes kept of a shell, and up to a quarter more

// ---- what the guest's agent does about a program

inline void started(const StreamPtr& stream, object params = {{"pid", 7}}) {
  static_cast<void>(stream->send_event(proto::Started::kName, std::move(params)));
}
inline void ended(const StreamPtr& stream, object answer = {{"exit_code", 0}}) {
  static_cast<void>(stream->respond(std::move(answer)));
}
// Keys, a signal, or the wish that it ends.
inline awaitable<void> until_input(StreamPtr stream) {
  static_cast<void>(co_await stream->next());
}

// What it prints is there before the event that says it runs.
inline awaitable<void> speaks_first(StreamPtr stream) {
  static_cast<void>(co_await stream->send(wire::kStdout, "early "));
  co_await until_input(stream);
  started(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, "late"));
  co_await until_input(stream);
  ended(stream, {{"exit_code", 4}});
}
inline awaitable<void> ends_unstarted(StreamPtr stream) {
  ended(stream, {{"exit_code", 5}});
  co_return;
}
inline awaitable<void> lies(StreamPtr stream) {
  started(stream, {{"pid", -5}});
  started(stream, {{"pid", 1LL << 40}});
  started(stream, {{"pid", "seven"}});
  static_cast<void>(stream->send_event("no such event", {}));
  static_cast<void>(co_await stream->send(wire::kStdin, "on a channel that is not its own"));
  co_await until_input(stream);
  ended(stream, {{"exit_code", 100'000}, {"duration_us", -1}});
}
inline awaitable<void> ends_in_nonsense(StreamPtr stream) {
  started(stream);
  co_await until_input(stream);
  ended(stream, {{"exit_code", "many"}});
}
inline awaitable<void> ends_twice(StreamPtr stream) {
  started(stream);
  co_await until_input(stream);
  ended(stream, {{"exit_code", 1}, {"signal", 99}});
}
inline awaitable<void> floods(StreamPtr stream) {
  started(stream);
  for (std::int64_t sent = 0; sent < 3 * kRing; sent += 64 << 10) {
    const auto ok = co_await stream->send(wire::kStdout, std::string(64U << 10, 'x'));
    if (!ok) break;
  }
  static_cast<void>(co_await stream->send(wire::kStdout, "the end"));
  co_await until_input(stream);
  ended(stream);
}
inline awaitable<void> sends_events(StreamPtr stream) {
  for (int i = 0; i < 20'000; ++i) started(stream);
  co_await until_input(stream);
  ended(stream, {{"exit_code", 3}});
}
inline awaitable<void> stays_until_a_key(StreamPtr stream) {
  started(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, "here"));
  co_await until_input(stream);
  ended(stream);
}
inline awaitable<void> asks(StreamPtr stream) {
  started(stream);
  static_cast<void>(
      co_await stream->send(wire::kStdout, "\x1b[?2004h\x1b[?1h\x1b[6n\x1b[>ctext\x1b]11;?\a $ "));
  co_await until_input(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, "\x1b[6n"));
  co_await until_input(stream);
  ended(stream);
}
// Neither a signal nor the end of the call moves it.
inline awaitable<void> stays(StreamPtr stream) {
  started(stream);
  for (;;) {
    const auto item = co_await stream->next();
    if (!item) co_return;
  }
}
inline awaitable<void> never_starts(StreamPtr stream) {
  co_await until_input(stream);
}
// Takes no key.
inline awaitable<void> is_deaf(StreamPtr stream) {
  stream->manual_credit();
  co_await stays(stream);
}

inline const std::map<std::string, Script>& programs() {
  static const std::map<std::string, Script> all{{"speaks-first", speaks_first},
                                                 {"ends-unstarted", ends_unstarted},
                                                 {"lies", lies},
                                                 {"ends-in-nonsense", ends_in_nonsense},
                                                 {"ends-twice", ends_twice},
                                                 {"floods", floods},
                                                 {"sends-events", sends_events},
                                                 {"stays", stays},
                                                 {"never-starts", never_starts},
                                                 {"stays-until-a-key", stays_until_a_key},
                                                 {"asks", asks},
                                                 {"is-deaf", is_deaf}};
  return all;
}

// A service is its program's name; a shell runs the one that its folder is called.
inline awaitable<void> exec_script(StreamPtr stream) {
  const auto exec = proto::decode<proto::Exec>(stream->params());
  const std::string name = exec->tty ? exec->cwd.value.substr(1) : exec->argv.front().value;
  const auto program = programs().find(name);
  if (program != programs().end()) {
    co_await program->second(stream);
  } else {
    static_cast<void>(stream->respond(Error{.code = Errc::kNotFound, .message = name, .hint = {}}));
  }
}
inline awaitable<void> probe_script(StreamPtr stream) {
  const auto probe = proto::decode<proto::Probe>(stream->params());
  const std::string path = probe->path.value;
  if (path == "/mute") co_await stays(stream);
  if (path == "/wrong") ended(stream, {{"ready", "perhaps"}});
  if (path == "/long")
    ended(stream, {{"ready", false}, {"detail", std::string(100'000, 'd')}, {"clock_ns", -1}});
  ended(stream, proto::encode(proto::ProbeResult{.ready = true, .detail = {}}));
}

class OneWorkspace : public WorkspaceSupervisor {
 protected:
  client::Services& services() { return pyro_.workspaces().services(); }
  void TearDown() override {
    EXPECT_TRUE(pyro_.workspaces().remove(kId));
    peer_.reset();
  }

  client::Pyro pyro_ = library();
  std::unique_ptr<Peer> peer_;
};

class HostileSessions : public OneWorkspace {
 protected:
  explicit HostileSessions(core::SessionLimits limits = {}) {
    limits_ = limits;
    agent_ =
        scripted_agent({{proto::Exec::kName, exec_script}, {proto::Probe::kName, probe_script}});
    peer_ = create(request());
  }
  std::string open(const std::string& program) {
    const auto opened = shells().open(kId, {.cwd = "/" + program});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? opened->shell_id : "";
  }
  client::ShellReadResult read(const std::string& shell, std::int64_t cursor = 0,
                               std::int64_t max_chars = 1 << 20) {
    const auto got = shells().read(kId, shell, {.cursor = cursor, .max_chars = max_chars});
    EXPECT_TRUE(got) << got.error().message;
    return got.value_or(client::ShellReadResult{});
  }
  struct Seen {
    std::string output;
    std::int64_t missed = 0;
  };
  // Until it has printed so much.
  Seen read_to(const std::string& shell, std::int64_t end) {
    Seen seen;
    std::int64_t cursor = 0;
    while (cursor < end && !HasFailure()) {
      const auto got = read(shell, cursor);
      seen.output += got.output;
      seen.missed += got.missed_bytes;
      cursor = got.next_cursor;
    }
    return seen;
  }
  client::ShellInfo end_of(const std::string& shell) {
    static_cast<void>(shells().write(kId, shell, "x", false, -1));
    const auto info = shells().follow(kId, shell, 0, {}, -1);
    EXPECT_TRUE(info) << info.error().message;
    return info.value_or(client::ShellInfo{});
  }
  Result<client::ServiceInfo> start(const std::string& program, ServiceOptions options = {}) {
    options.argv = {program};
    return services().start(kId, program, options, -1);
  }
  // The next connection.
  client::Shells& shells() { return pyro_.workspaces().shells(); }
  // A guest that lies ends nobody but its programs.
  void expect_the_workspace_lives() {
    EXPECT_EQ(pyro_.workspaces().status(kId)->state, "started");
    EXPECT_EQ(end_of(open("ends-unstarted")).exit_code, 5);
  }
};

// Of those that wait for a limit.
class ImpatientSessions : public HostileSessions {
 protected:
  ImpatientSessions() : HostileSessions({.write = 1s, .close = 200ms, .gone = 200ms}) {}
};

}  // namespace pyro::testing
