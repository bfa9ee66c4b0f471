// A workspace over fake machines.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/workspace.h"
#include "core/workspace_names.h"
#include "support/driver.h"
#include "support/host.h"
#include "sys/file.h"

namespace pyro::testing {

class WorkspaceTest : public ::testing::Test {
 public:
  static constexpr const char* kId = "ws-abcdefgh";

 protected:
  WorkspaceTest() {
    EXPECT_TRUE(sys::make_dirs(guest_));
    vmm_.clone = workspace_agent(guest_);
  }
  ~WorkspaceTest() override { close(); }

  core::WorkspaceDeps deps() {
    return {.dirs = host_.dirs(),
            .vmm = vmm_,
            .templates = templates_,
            .environments = host_.environments(),
            .disks = disks_,
            .boot = boot_,
            .accelerator = vmm::Accelerator::kTcg,
            .network = network_,
            .start = [](core::Sandbox& sandbox, core::OnPhase on_phase) {
              return sandbox.start(std::move(on_phase));
            }};
  }
  [[nodiscard]] core::NewWorkspace wanted(const std::string& name = "") const {
    core::NewWorkspace what{.record = {.id = kId,
                                       .name = name,
                                       .environment = "debian:12-base",
                                       .execution_mode = "guest_serial",
                                       .mem_mib = 128,
                                       .created_at = core::now_seconds()},
                            .secrets = {},
                            .baseline = host_.dirs().state + "/baseline"};
    EXPECT_TRUE(sys::write_file_atomic(what.baseline, ""));
    EXPECT_EQ(::truncate(what.baseline.c_str(), static_cast<off_t>(vmm::kBaselineBytes)), 0);
    return what;
  }
  Result<void> create(core::NewWorkspace what) {
    PYRO_TRY(workspace_, core::Workspace::create(std::move(what), deps(), driver_.executor()));
    return {};
  }
  Result<void> open() {
    PYRO_TRY(workspace_, core::Workspace::open(kId, deps(), driver_.executor()));
    return {};
  }
  void close() {
    if (workspace_) driver_.run(workspace_->close());
    workspace_.reset();
  }
  // Created and started.
  core::Workspace& started() {
    const auto made = create(wanted("project"));
    EXPECT_TRUE(made) << made.error().message;
    const auto up = start();
    EXPECT_TRUE(up) << up.error().message;
    return *workspace_;
  }
  Result<void> start() {
    PYRO_CHECK(driver_.run(workspace_->start({})));
    return {};
  }
  [[nodiscard]] std::string folder() const { return core::folder_of(host_.dirs(), kId); }
  [[nodiscard]] store::WorkspaceRecord record() const {
    auto store = store::WorkspaceStore::open(folder(), store::Database::Mode::kReadOnly);
    auto r = store ? store->record() : Result<store::WorkspaceRecord>(fail(Errc::kNotFound, ""));
    EXPECT_TRUE(r) << r.error().message;
    return r.value_or(store::WorkspaceRecord{});
  }
  [[nodiscard]] std::vector<std::string> snapshots() const {
    auto store = store::WorkspaceStore::open(folder(), store::Database::Mode::kReadOnly);
    std::vector<std::string> names;
    const auto all = store->snapshots();
    for (const auto& s : *all) names.push_back(s.name);
    return names;
  }
  [[nodiscard]] std::vector<std::string> layers() const {
    return Host::names(folder() + "/layers");
  }
  void expect_state(store::WorkspaceState state) const {
    EXPECT_STREQ(store::state_text(record().state), store::state_text(state));
  }
  // See workspace_agent().
  void tell_guest(const std::string& what) {
    EXPECT_TRUE(sys::write_file_atomic(guest_ + "/" + what, ""));
  }
  void tell_guest_no_more(const std::string& what) {
    EXPECT_EQ(::unlink((guest_ + "/" + what).c_str()), 0);
  }
  [[nodiscard]] int calls(std::string_view step) const {
    std::ifstream file(guest_ + "/calls");
    int count = 0;
    for (std::string line; std::getline(file, line);) count += line == step ? 1 : 0;
    return count;
  }
  void expect_no_trace() const {
    EXPECT_FALSE(sys::exists(folder()));
    EXPECT_EQ(core::workspace_ids(host_.dirs())->size(), 0U);
    EXPECT_FALSE(core::resolve_workspace(host_.dirs(), "project"));
  }

  Host host_;
  std::string guest_ = host_.dirs().cache + "/guest";
  FakeVmm vmm_{host_.log()};
  core::Templates templates_{host_.dirs().templates(), vmm_};
  core::Disks disks_{host_.dirs().disks(), "/usr/bin"};
  core::BootConfig boot_ = host_.boot();
  core::NetworkDeps network_;
  Driver driver_;
  std::unique_ptr<core::Workspace> workspace_;
};

}  // namespace pyro::testing
