// A long call of the library as a person sees it: phases, progress, output, Ctrl-C. What run, demo
// and the commands of a workspace have in common.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/progress.h"

namespace pyro::cli {

class CallView {
 public:
  struct Options {
    std::string tag;          // "workspace-create": begins the line of the progress
    std::string environment;  // that may be pulled; may be ""
    bool json = false;        // nothing is written, output is collected
    // What to say of a phase, or "".
    std::function<std::string(std::string_view phase, std::string_view id, std::string_view detail)>
        phase_line;
  };
  CallView(Io& io, Interrupts& interrupts, Options options);

  // Both hold for as long as this object.
  client::RunObserver run_observer();
  // From now on Ctrl-C is the library's: it passes it on to the command, or ends the call.
  client::WorkspaceObserver workspace_observer();

  // Takes the progress off the terminal.
  void clear();
  // Of a call that failed. When the person asked for its end, that is no error to tell: the usual
  // code of that signal, whatever the library made of it.
  Result<int> failed(const Error& error);

  struct Ended {
    int exit_code = 0;
    bool timed_out = false;
    int timeout_seconds = 0;
    std::string summary;                          // a line of standard error
    std::function<boost::json::object()> object;  // with --json, instead
  };
  // Of a command that came to its end; gives the exit code.
  Result<int> ended(const Ended& end);

  [[nodiscard]] const Collected& out() const { return out_; }
  [[nodiscard]] const Collected& err() const { return err_; }

 private:
  void on_phase(std::string_view phase, std::string_view id, std::string_view detail);
  Result<void> output(std::string_view bytes, Sink& sink, Collected& collected);

  Io& io_;
  Interrupts& interrupts_;
  Options options_;
  PullDisplay pull_;
  StatusLine progress_;
  Collected out_, err_;
};

}  // namespace pyro::cli
