// How fast an open shell echoes, through the C++ library.
//
//   pyro_bench_shell_echo --workspace NAME --guest-pty FILE [--rounds N]
//
// FILE (pyro_bench_guest_pty) is written into the workspace. For each of two programs, bash at its
// prompt and cat on a terminal that echoes by itself: a shell is opened and followed, and one
// letter after another written, each a call of its own; the time ends when the letter comes back to
// the follower. In turns with it FILE does the same within the guest. Prints one JSON object: the
// samples in milliseconds.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/workspaces.h"
#include "sys/dirs.h"
#include "sys/file.h"

namespace {

using namespace pyro;
namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMostProgram = 16U << 20;
constexpr const char* kGuestProgram = "/workspace/pyro-bench-pty";
constexpr auto kPatience = std::chrono::seconds(10);
constexpr int kWarmUp = 10;

// Whatever a program prints, as it comes.
class Heard {
 public:
  Result<void> add(std::string_view bytes) {
    const std::scoped_lock lock(mutex_);
    text_ += bytes;
    changed_.notify_all();
    return {};
  }
  // Waits until `wanted` is in what came since the last call: what stood before it.
  Result<std::string> until(std::string_view wanted) {
    std::unique_lock lock(mutex_);
    std::size_t at = std::string::npos;
    const bool came = changed_.wait_for(lock, kPatience, [&] {
      at = text_.find(wanted);
      return at != std::string::npos;
    });
    if (!came) return fail(Errc::kDeadline, "a program did not print what it should");
    std::string before = text_.substr(0, at);
    text_.erase(0, at + wanted.size());
    return before;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

// A shell, and a second connection that follows it.
class ShellEcho {
 public:
  static Result<std::unique_ptr<ShellEcho>> open(const sys::Environment& env,
                                                 const std::string& workspace) {
    PYRO_TRY(auto pyro, client::Pyro::open(env));
    PYRO_TRY(auto listener, client::Pyro::open(env));
    PYRO_TRY(auto shell, pyro.workspaces().shells().open(workspace, {}));
    return std::unique_ptr<ShellEcho>(
        new ShellEcho(std::move(pyro), std::move(listener), std::move(shell)));
  }
  ~ShellEcho() {
    // Its follower ends with it.
    static_cast<void>(shells().close(shell_.workspace_id, shell_.shell_id, -1));
    follower_.join();
  }
  ShellEcho(const ShellEcho&) = delete;
  ShellEcho& operator=(const ShellEcho&) = delete;

  Result<void> write(const std::string& text) {
    PYRO_CHECK(
        shells().write(shell_.workspace_id, shell_.shell_id, text, /*append_newline=*/false, -1));
    return {};
  }
  // In two pieces, so that the echo of the line itself is not taken for its output.
  Result<void> get_ready(const std::string& first_line) {
    PYRO_CHECK(write(first_line + "\n"));
    PYRO_CHECK(heard_.until("re-ady"));
    return {};
  }
  Result<double> round(char letter) {
    const std::string text(1, letter);
    const Clock::time_point before = Clock::now();
    PYRO_CHECK(write(text));
    PYRO_CHECK(heard_.until(text));
    return std::chrono::duration<double, std::milli>(Clock::now() - before).count();
  }

 private:
  ShellEcho(client::Pyro pyro, client::Pyro listener, client::ShellInfo shell)
      : pyro_(std::move(pyro)), listener_(std::move(listener)), shell_(std::move(shell)) {
    follower_ = std::thread([this] {
      const client::ShellSink sink{
          .on_output = [this](std::string_view bytes) { return heard_.add(bytes); },
          .on_position = {}};
      static_cast<void>(listener_.workspaces().shells().follow(shell_.workspace_id, shell_.shell_id,
                                                               0, sink, -1));
    });
  }
  client::Shells& shells() { return pyro_.workspaces().shells(); }

  client::Pyro pyro_, listener_;
  client::ShellInfo shell_;
  Heard heard_;
  std::thread follower_;
};

// FILE in the guest, which types a letter for each that it is given.
class GuestEcho {
 public:
  static Result<std::unique_ptr<GuestEcho>> start(const sys::Environment& env,
                                                  const std::string& workspace,
                                                  const std::vector<std::string>& program) {
    PYRO_TRY(auto pyro, client::Pyro::open(env));
    PYRO_TRY(auto letters, sys::make_pipe());
    std::unique_ptr<GuestEcho> echo(
        new GuestEcho(std::move(pyro), std::move(letters), workspace, program));
    PYRO_CHECK(echo->heard_.until("ready\n"));
    return echo;
  }
  ~GuestEcho() {
    letters_.write = sys::UniqueFd();  // it ends at the end of its input
    run_.join();
  }
  GuestEcho(const GuestEcho&) = delete;
  GuestEcho& operator=(const GuestEcho&) = delete;

  Result<double> round(char letter) {
    PYRO_CHECK(sys::write_all(letters_.write.get(), std::string_view(&letter, 1)));
    PYRO_TRY(const std::string line, heard_.until("\n"));
    double ns = 0;
    std::from_chars(line.data(), line.data() + line.size(), ns);
    return ns / 1e6;
  }

 private:
  GuestEcho(client::Pyro pyro, sys::Pipe letters, const std::string& workspace,
            const std::vector<std::string>& program)
      : pyro_(std::move(pyro)), letters_(std::move(letters)) {
    client::WorkspaceExecOptions options{
        .argv = {kGuestProgram}, .command = {}, .stdin_fd = letters_.read.get()};
    options.argv.insert(options.argv.end(), program.begin(), program.end());
    options.timeout_seconds = 300;
    run_ = std::thread([this, workspace, options] {
      client::WorkspaceObserver observer;
      observer.run.on_stdout = [this](std::string_view bytes) { return heard_.add(bytes); };
      static_cast<void>(pyro_.workspaces().exec(workspace, options, observer));
    });
  }

  client::Pyro pyro_;
  sys::Pipe letters_;
  Heard heard_;
  std::thread run_;
};

struct Samples {
  std::vector<double> shell, guest;
};

Result<Samples> in_turns(ShellEcho& shell, GuestEcho& guest, int rounds) {
  Samples samples;
  for (int i = 0; i < rounds + kWarmUp; ++i) {
    const char letter = static_cast<char>('a' + (i % 26));
    PYRO_TRY(const double with_pyro, shell.round(letter));
    PYRO_TRY(const double without, guest.round(letter));
    if (i < kWarmUp) continue;
    samples.shell.push_back(with_pyro);
    samples.guest.push_back(without);
  }
  return samples;
}

struct Options {
  std::string workspace, guest_pty;
  int rounds = 100;
};

Result<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--workspace") options.workspace = value;
    if (name == "--guest-pty") options.guest_pty = value;
    if (name == "--rounds")
      std::from_chars(value.data(), value.data() + value.size(), options.rounds);
  }
  if (options.workspace.empty() || options.guest_pty.empty() || options.rounds < 1)
    return fail(Errc::kInvalid, "--workspace, --guest-pty or --rounds is missing or wrong");
  return options;
}

Result<json::object> measured(int argc, char** argv) {
  PYRO_TRY(const Options options, parse(argc, argv));
  const sys::Environment env = sys::process_environment();
  PYRO_TRY(auto pyro, client::Pyro::open(env));
  PYRO_TRY(std::string program, sys::read_file(options.guest_pty, kMostProgram));
  PYRO_CHECK(pyro.workspaces().write_file(
      options.workspace, {.path = kGuestProgram, .content = std::move(program), .mode = 0755}));
  struct Program {
    const char* name;
    const char* first_line;  // of a shell; ends in printing "re-ady"
    std::vector<std::string> in_guest;
  };
  const std::vector<Program> programs{{"bash", "PS1=; echo re-'ady'", {"bash", "--norc"}},
                                      {"cat", "exec sh -c 'echo re-\"ady\"; exec cat'", {"cat"}}};
  json::object out;
  for (const Program& p : programs) {
    PYRO_TRY(const auto shell, ShellEcho::open(env, options.workspace));
    PYRO_CHECK(shell->get_ready(p.first_line));
    PYRO_TRY(const auto guest, GuestEcho::start(env, options.workspace, p.in_guest));
    PYRO_TRY(const Samples samples, in_turns(*shell, *guest, options.rounds));
    out[p.name] = json::array(samples.shell.begin(), samples.shell.end());
    out[fmt::format("guest_{}", p.name)] = json::array(samples.guest.begin(), samples.guest.end());
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto samples = measured(argc, argv);
  if (!samples) {
    std::fprintf(stderr, "pyro_bench_shell_echo: %s%s%s\n", samples.error().message.c_str(),
                 samples.error().hint.empty() ? "" : "\nhint: ", samples.error().hint.c_str());
    return 1;
  }
  std::puts(json::serialize(*samples).c_str());
  return 0;
}
