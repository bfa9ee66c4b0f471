// How fast an open shell echoes, through the C++ library.
//
//   pyro_bench_shell_echo --workspace NAME --guest-pty FILE [--rounds N]
//
// FILE (pyro_bench_guest_pty) is written into the workspace. For each of two programs, bash at its
// prompt and cat on a terminal that echoes by itself: a shell is opened and followed, and one
// letter after another written, each a call of its own; the time ends when the letter comes back to
// the follower. FILE then does the same within the guest. Prints one JSON object: the samples in
// milliseconds.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
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

// Whatever a shell prints, as it comes.
class Heard {
 public:
  void add(std::string_view bytes) {
    const std::scoped_lock lock(mutex_);
    text_ += bytes;
    changed_.notify_all();
  }
  // Waits until `wanted` is in what came since the last call; false: not in time.
  bool wait_for(std::string_view wanted) {
    std::unique_lock lock(mutex_);
    std::size_t at = std::string::npos;
    const bool came = changed_.wait_for(lock, kPatience, [&] {
      at = text_.find(wanted);
      return at != std::string::npos;
    });
    if (came) text_.erase(0, at + wanted.size());
    return came;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

Result<void> write(client::Shells& shells, const client::ShellInfo& shell,
                   const std::string& text) {
  PYRO_CHECK(shells.write(shell.workspace_id, shell.shell_id, text, /*append_newline=*/false, -1));
  return {};
}

Result<std::vector<double>> type(client::Shells& shells, const client::ShellInfo& shell,
                                 Heard& heard, int rounds) {
  std::vector<double> samples;
  samples.reserve(static_cast<std::size_t>(rounds));
  for (int i = 0; i < rounds + kWarmUp; ++i) {
    const std::string letter(1, static_cast<char>('a' + (i % 26)));
    const Clock::time_point before = Clock::now();
    PYRO_CHECK(write(shells, shell, letter));
    if (!heard.wait_for(letter)) return fail(Errc::kDeadline, "a letter did not come back");
    if (i < kWarmUp) continue;
    samples.push_back(std::chrono::duration<double, std::milli>(Clock::now() - before).count());
  }
  return samples;
}

// `first_line`: what is typed before, and ends in printing "ready".
Result<std::vector<double>> echo(const sys::Environment& env, const std::string& workspace,
                                 const std::string& first_line, int rounds) {
  PYRO_TRY(auto pyro, client::Pyro::open(env));
  PYRO_TRY(auto listener, client::Pyro::open(env));
  client::Shells& shells = pyro.workspaces().shells();
  PYRO_TRY(const auto shell, shells.open(workspace, {}));
  Heard heard;
  Result<client::ShellInfo> followed = fail(Errc::kInternal, "");
  std::thread follower([&] {
    const client::ShellSink sink{.on_output =
                                     [&](std::string_view bytes) {
                                       heard.add(bytes);
                                       return Result<void>{};
                                     },
                                 .on_position = {}};
    followed = listener.workspaces().shells().follow(workspace, shell.shell_id, 0, sink, -1);
  });
  Result<std::vector<double>> samples = fail(Errc::kDeadline, "the shell did not get ready");
  // In two pieces, so that the echo of the line itself is not taken for its output.
  const auto begun = write(shells, shell, first_line + "\n");
  if (begun && heard.wait_for("re-ady")) samples = type(shells, shell, heard, rounds);
  const auto closed = shells.close(workspace, shell.shell_id, -1);
  follower.join();
  PYRO_CHECK(begun);
  PYRO_CHECK(closed);
  return samples;
}

Result<std::vector<double>> echo_in_guest(client::Workspaces& workspaces,
                                          const std::string& workspace,
                                          std::vector<std::string> program, int rounds) {
  std::string text;
  client::WorkspaceObserver observer;
  observer.run.on_stdout = [&](std::string_view bytes) -> Result<void> {
    text += bytes;
    return {};
  };
  client::WorkspaceExecOptions options{
      .argv = {kGuestProgram, std::to_string(rounds + kWarmUp)}, .command = {}, .stdin_fd = {}};
  options.argv.insert(options.argv.end(), program.begin(), program.end());
  options.timeout_seconds = 300;
  PYRO_TRY(const auto done, workspaces.exec(workspace, options, observer));
  if (done.exit_code != 0)
    return fail(Errc::kInternal, fmt::format("the guest's helper exited with {}", done.exit_code));
  std::vector<double> samples;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    double ns = 0;
    std::from_chars(text.data() + at, text.data() + end, ns);
    samples.push_back(ns / 1e6);
    at = end + 1;
  }
  if (std::cmp_not_equal(samples.size(), rounds + kWarmUp))
    return fail(Errc::kInternal, "the guest's helper gave another number of samples");
  samples.erase(samples.begin(), samples.begin() + kWarmUp);
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
  json::object out;
  const auto add = [&](const char* name, const std::vector<double>& samples) {
    out[name] = json::array(samples.begin(), samples.end());
  };
  PYRO_TRY(const auto bash, echo(env, options.workspace, "PS1=; echo re-'ady'", options.rounds));
  add("bash", bash);
  PYRO_TRY(const auto guest_bash,
           echo_in_guest(pyro.workspaces(), options.workspace, {"bash", "--norc"}, options.rounds));
  add("guest_bash", guest_bash);
  PYRO_TRY(const auto cat,
           echo(env, options.workspace, "exec sh -c 'echo re-\"ady\"; exec cat'", options.rounds));
  add("cat", cat);
  PYRO_TRY(const auto guest_cat,
           echo_in_guest(pyro.workspaces(), options.workspace, {"cat"}, options.rounds));
  add("guest_cat", guest_cat);
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
