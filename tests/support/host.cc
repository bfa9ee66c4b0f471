#include "support/host.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include "sys/file.h"

namespace pyro::testing {

namespace {

class TinySource final : public image::Source {
 public:
  Result<std::string> fetch(const image::CatalogEntry&, const std::string& dir,
                            const image::PullObserver&) override {
    for (const char* name : {"/rootfs.erofs", "/vmlinuz", "/initramfs"}) {
      PYRO_CHECK(sys::write_file_atomic(dir + name, name, 0600));
    }
    return "tiny";
  }
};

}  // namespace

Host::Host() : root_("/tmp/pyro-test-XXXXXX"), source_(std::make_unique<TinySource>()) {
  ::signal(SIGPIPE, SIG_IGN);
  if (::mkdtemp(root_.data()) == nullptr) std::abort();
  dirs_ = {.cache = root_ + "/cache",
           .state = root_ + "/state",
           .runtime = root_ + "/run",
           .libexec = root_ + "/libexec"};
  for (const auto& dir : {dirs_.cache, dirs_.state, dirs_.runtime, dirs_.libexec}) {
    EXPECT_TRUE(sys::make_dirs(dir));
  }
  EXPECT_TRUE(sys::write_file_atomic(dirs_.libexec + "/pyro-agent", "agent", 0700));
  environments_ = std::make_unique<image::Environments>(dirs_, source_.get());
  const auto pulled = environments_->pull("debian:12-base", [](const image::PullProgress&) {});
  EXPECT_TRUE(pulled) << pulled.error().message;
}

Host::~Host() {
  (void)sys::remove_tree(root_);
}

core::BootConfig Host::boot() const {
  using std::chrono::milliseconds;
  return {.agent_path = dirs_.libexec + "/pyro-agent",
          .boot_limit = milliseconds(20'000),
          .answer_limit = milliseconds(20'000),
          .call_limit = milliseconds(20'000),
          .warm_up_limit = milliseconds(20'000),
          .silence_limit = milliseconds(60'000)};
}

std::vector<std::string> Host::names(const std::string& dir) {
  return sys::list_dir(dir).value_or(std::vector<std::string>{});
}

std::vector<std::string> Host::templates() const {
  auto found = names(dirs_.templates());
  std::erase_if(found, [](const std::string& name) {
    return name.ends_with(".lease") || name.ends_with(".build");
  });
  return found;
}

void run_loop(std::function<io::asio::awaitable<void>(io::asio::any_io_executor)> body) {
  boost::asio::io_context loop(1);
  boost::asio::co_spawn(loop, body(loop.get_executor()), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
  loop.run();
}

}  // namespace pyro::testing
