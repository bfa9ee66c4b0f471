// Real guests for tests: clones of a template under QEMU, with the disks that a test gives them.
// They need an environment that was pulled and the agent (PYRO_LIBEXEC).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/disks.h"
#include "core/guest.h"
#include "core/templates.h"
#include "support/host.h"
#include "vmm/qemu.h"

namespace pyro::testing {

using io::asio::any_io_executor;
using io::asio::awaitable;

class Machines {
 public:
  static Result<std::unique_ptr<Machines>> make();
  Machines(const sys::Dirs& dirs, vmm::QemuProgram qemu, const std::string& path,
           image::InstalledEnvironment opened);
  core::TemplateRequest request(vmm::Disks kind, bool network = false);

  vmm::Shape shape;
  core::BootConfig boot;
  image::InstalledEnvironment environment;
  vmm::QemuVmm vmm;
  core::Disks disks;
  core::Templates templates;
};

// Runs a script, which may call find_disk SERIAL, and gives what it wrote; an error when it failed.
io::Task<std::string> shell(core::Guest& guest, std::string script);
// The same in two halves.
Result<std::shared_ptr<rpc::Stream>> begin_shell(core::Guest& guest, const std::string& script);
io::Task<std::string> finish_shell(std::shared_ptr<rpc::Stream> stream);
// Expects that it wrote this.
io::Task<void> says(core::Guest& guest, std::string script, std::string expected);

// What a clone is started with.
struct Clone {
  std::vector<std::string> layers;  // of the work disk, bottom to top; the last one is written to
  std::string baseline;             // an image; empty: nothing in it
  vmm::Disks kind = vmm::Disks::kWorkspace;  // kNone: as `run` has it
  core::MakeLink make_link;                  // empty: no network device
};

class GuestTest : public ::testing::Test {
 protected:
  using Work = std::function<io::Task<void>(core::Guest&)>;

  static void SetUpTestSuite();
  static void TearDownTestSuite() { machines_.reset(); }
  void SetUp() override;
  void TearDown() override;

  io::Task<std::unique_ptr<core::Guest>> start(Clone clone);
  // An empty one, of that name in this test's folder.
  std::string layer(const std::string& name);
  // Adds a layer while the guest runs; how long that took, in ms.
  static io::Task<double> add(core::Guest& guest, std::string path);
  // Lets `work` use a clone and ends it. An error of either fails the test.
  void expect_in_clone(Clone clone, Work work);
  // Runs `script` in a clone and expects its output.
  void expect_said(std::vector<std::string> layers, std::string script, std::string expected);

  inline static std::unique_ptr<Machines> machines_;
  std::string dir_;

 private:
  Result<vmm::WorkspaceDisks> disks(const core::Template& base, const Clone& clone);
  io::Task<void> with_guest(Clone clone, Work work);
  awaitable<void> into(Clone clone, Work work, Result<void>* out);
};

}  // namespace pyro::testing
