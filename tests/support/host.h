// Folders of a test's own with an environment installed in them, and a way to run coroutines.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "core/sandbox.h"
#include "image/environments.h"
#include "support/fake_vmm.h"
#include "sys/dirs.h"

namespace pyro::testing {

class Host {
 public:
  Host();  // everything below a new folder, which goes with the object
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] const sys::Dirs& dirs() const { return dirs_; }
  [[nodiscard]] std::string log() const { return root_ + "/launches"; }
  image::Environments& environments() { return *environments_; }
  // Short limits, so that a silent guest costs a test little.
  [[nodiscard]] core::BootConfig boot() const;
  // The names in a folder; none when it is missing.
  static std::vector<std::string> names(const std::string& dir);
  // Names under the template folder that are not lock files.
  [[nodiscard]] std::vector<std::string> templates() const;

 private:
  std::string root_;
  sys::Dirs dirs_;
  std::unique_ptr<image::Source> source_;
  std::unique_ptr<image::Environments> environments_;
};

// Runs a coroutine on a loop of its own until every task has ended.
void run_loop(std::function<io::asio::awaitable<void>(io::asio::any_io_executor)> body);

}  // namespace pyro::testing
