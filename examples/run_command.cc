// One command in a microVM that is gone afterwards; its output as it comes.
#include <cstdio>
#include <pyro/pyro.hpp>

using namespace std::chrono_literals;

int main() {
  pyro::Result<pyro::Pyro> pyro = pyro::Pyro::open();
  if (!pyro) {
    std::fprintf(stderr, "%s\n%s\n", pyro.error().message.c_str(), pyro.error().hint.c_str());
    return 1;
  }

  pyro::CreateOptions create;
  create.environment = "debian:12";
  create.network.allow = {"deb.debian.org:80"};  // that name, that port, and nothing else

  pyro::ExecOptions exec;
  exec.argv = {"sh", "-c", "uname -s; echo to stderr >&2; exit 3"};

  pyro::RunObserver observer;
  observer.on_stdout = [](std::string_view bytes) -> pyro::Result<void> {
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    return {};
  };
  observer.on_stderr = [](std::string_view bytes) -> pyro::Result<void> {
    std::fwrite(bytes.data(), 1, bytes.size(), stderr);
    return {};
  };

  // On a thread of its own. pyro->run_in_vm(create, exec, observer) is the same, and waits.
  pyro::Call call = pyro::start(*pyro, &pyro::Pyro::run_in_vm, create, exec, observer);
  if (!call.wait_for(10min)) call.cancel();

  pyro::Result<pyro::ExecResult> result = call.get();
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", pyro::errc_name(result.error().code).data(),
                 result.error().message.c_str());
    return 1;
  }
  std::printf("exit code %d in %s\n", result->exit_code, result->vm_id.c_str());
  return 0;
}
