#include "core/workspace_layers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <utility>

#include "sys/file.h"

namespace pyro::core {
namespace {

using store::LayerRecord;

std::vector<std::int64_t> ids(const Result<std::vector<LayerRecord>>& chain) {
  std::vector<std::int64_t> out;
  if (!chain) return {-1};
  for (const LayerRecord& layer : *chain) out.push_back(layer.id);
  return out;
}

TEST(LayerChain, GoesFromTheBottomToTheTop) {
  const std::vector<LayerRecord> tree{{.id = 5, .parent = 2},
                                      {.id = 1, .parent = 0},
                                      {.id = 3, .parent = 1},
                                      {.id = 2, .parent = 1}};
  EXPECT_EQ(ids(layer_chain(tree, 5)), (std::vector<std::int64_t>{1, 2, 5}));
  EXPECT_EQ(ids(layer_chain(tree, 3)), (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(ids(layer_chain(tree, 0)), std::vector<std::int64_t>{});
}

TEST(LayerChain, ARecordThatMakesNoSenseIsDamaged) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  const std::vector<std::vector<LayerRecord>> bad{
      {},
      {{.id = 2, .parent = 1}},                          // its parent is missing
      {{.id = 2, .parent = 2}},                          // stands on itself
      {{.id = 2, .parent = 3}, {.id = 3, .parent = 2}},  // both on each other
      {{.id = 2, .parent = -1}},
      {{.id = 2, .parent = kLeast}},
  };
  for (const auto& layers : bad) EXPECT_EQ(layer_chain(layers, 2).error().code, Errc::kDamaged);
}

class WorkspaceLayersTest : public ::testing::Test {
 protected:
  WorkspaceLayersTest() {
    std::string name = "/tmp/pyro-test-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    layers_ = std::make_unique<WorkspaceLayers>(folder_);
  }
  ~WorkspaceLayersTest() override { (void)sys::remove_tree(folder_); }
  [[nodiscard]] std::vector<std::string> names() const {
    return sys::list_dir(folder_ + "/layers").value_or(std::vector<std::string>{"?"});
  }
  static int access_of(const sys::UniqueFd& fd) { return ::fcntl(fd.get(), F_GETFL) & O_ACCMODE; }

  std::string folder_;
  std::unique_ptr<WorkspaceLayers> layers_;
};

TEST_F(WorkspaceLayersTest, OnlyTheLastOneIsOpenForWriting) {
  ASSERT_TRUE(layers_->create(1) && layers_->create(2));
  const auto frozen = layers_->freeze(1);
  ASSERT_TRUE(frozen);
  EXPECT_EQ(sys::stamp(layers_->path(1))->mode & 07777U, 0400U);
  const std::vector<LayerRecord> chain{{.id = 1, .frozen = *frozen}, {.id = 2, .parent = 1}};
  const auto files = layers_->open(chain, /*write=*/true);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(access_of(files->at(0)), O_RDONLY);
  EXPECT_EQ(access_of(files->at(1)), O_RDWR);
  const auto reading = layers_->open(chain, /*write=*/false);
  EXPECT_EQ(access_of(reading->at(1)), O_RDONLY);
  const auto closed = layers_->open({chain[0]}, /*write=*/true);
  EXPECT_EQ(access_of(closed->at(0)), O_RDONLY);
}

TEST_F(WorkspaceLayersTest, ALayerThatIsThereIsNotMadeAnew) {
  ASSERT_TRUE(layers_->create(1));
  EXPECT_FALSE(layers_->create(1));
}

TEST_F(WorkspaceLayersTest, OneThatWasFrozenInNoRecordIsWrittenToAgain) {
  ASSERT_TRUE(layers_->create(1));
  ASSERT_TRUE(layers_->freeze(1));
  const std::vector<LayerRecord> chain{{.id = 1}};
  ASSERT_TRUE(layers_->open(chain, /*write=*/false));
  EXPECT_EQ(sys::stamp(layers_->path(1))->mode & 07777U, 0400U);
  // Root opens it either way: for anybody else it is the mode that counts.
  const auto files = layers_->open(chain, /*write=*/true);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(access_of(files->at(0)), O_RDWR);
  EXPECT_EQ(sys::stamp(layers_->path(1))->mode & 07777U, 0600U);
}

TEST_F(WorkspaceLayersTest, AFrozenOneThatWasChangedIsNamed) {
  ASSERT_TRUE(layers_->create(1));
  const auto frozen = layers_->freeze(1);
  const std::vector<LayerRecord> chain{{.id = 1, .frozen = *frozen}};
  ASSERT_TRUE(layers_->open(chain, false));
  ASSERT_EQ(::chmod(layers_->path(1).c_str(), 0600), 0);
  ASSERT_EQ(::chmod(layers_->path(1).c_str(), 0400), 0);  // its ctime tells
  const auto changed = layers_->open(chain, false);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Errc::kDamaged);
  EXPECT_NE(changed.error().message.find(layers_->path(1)), std::string::npos);
  EXPECT_NE(changed.error().hint.find("reset"), std::string::npos);
}

TEST_F(WorkspaceLayersTest, WhatIsNoLayerIsDamaged) {
  const std::vector<LayerRecord> chain{{.id = 1}};
  EXPECT_EQ(layers_->open(chain, true).error().code, Errc::kDamaged);  // missing
  ASSERT_TRUE(layers_->create(2));
  ASSERT_EQ(::symlink(layers_->path(2).c_str(), layers_->path(1).c_str()), 0);
  EXPECT_EQ(layers_->open(chain, true).error().code, Errc::kDamaged);
  ASSERT_EQ(::unlink(layers_->path(1).c_str()), 0);
  ASSERT_TRUE(sys::write_file_atomic(layers_->path(1), std::string(65536, 'x')));
  EXPECT_EQ(layers_->open(chain, true).error().code, Errc::kDamaged);
}

TEST_F(WorkspaceLayersTest, OneWithoutANameLeavesNone) {
  const auto first = layers_->create_nameless();
  const auto second = layers_->create_nameless();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(access_of(*first), O_RDWR);
  EXPECT_EQ(names(), std::vector<std::string>{});
}

TEST_F(WorkspaceLayersTest, TheBaselineMustBeAsItWasMade) {
  const std::string& path = layers_->baseline_path();
  EXPECT_EQ(layers_->open_baseline({}).error().code, Errc::kDamaged);
  ASSERT_TRUE(sys::write_file_atomic(path, "baseline"));
  const auto stamp = layer_stamp(path);
  const auto fd = layers_->open_baseline(*stamp);
  ASSERT_TRUE(fd);
  EXPECT_EQ(access_of(*fd), O_RDONLY);
  ASSERT_TRUE(sys::write_file_atomic(path, "Baseline"));
  EXPECT_EQ(layers_->open_baseline(*stamp).error().code, Errc::kDamaged);
}

// Files are recorded in a folder of this name, and found in a copy of it.
class CopyTest : public WorkspaceLayersTest {
 protected:
  void record(const std::string& folder) {
    ASSERT_TRUE(layers_->create(1));
    ASSERT_TRUE(sys::write_file_atomic(layers_->baseline_path(), "baseline"));
    const store::WorkspaceRecord r{
        .id = "ws-1", .baseline = *layer_stamp(layers_->baseline_path()), .folder = folder};
    auto store = store::WorkspaceStore::create(folder_, r);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(store->add_first_layer(*store->next_layer_id()));
    ASSERT_TRUE(store->add_snapshot({.name = "one"}, *layers_->freeze(1), *store->next_layer_id()));
    ASSERT_TRUE(layers_->create(2));
    ASSERT_TRUE(store->checkpoint());
  }
  // Goes on in a copy.
  void copy() {
    const std::string old = std::exchange(folder_, folder_ + "-copy");
    std::filesystem::copy(old, folder_, std::filesystem::copy_options::recursive);
    ASSERT_TRUE(sys::remove_tree(old));
    layers_ = std::make_unique<WorkspaceLayers>(folder_);
  }
  // What opening the layers and the baseline comes to, after it was settled.
  std::pair<bool, bool> settled() {
    auto store = store::WorkspaceStore::open(folder_, store::Database::Mode::kReadWrite);
    EXPECT_TRUE(store && settle_copy(folder_, *store->record(), *store));
    EXPECT_EQ(store->record()->folder, *folder_identity(folder_));
    const auto chain = layer_chain(*store->layers(), 1);
    return {layers_->open(*chain, false).has_value(),
            layers_->open_baseline(store->record()->baseline).has_value()};
  }
};

TEST_F(CopyTest, IsAsGoodAsItsOriginal) {
  record(*folder_identity(folder_));
  EXPECT_EQ(settled(), std::pair(true, true));
  copy();
  EXPECT_EQ(settled(), std::pair(true, true));
}

// On many file systems with the inodes of what was there before.
TEST_F(CopyTest, IsAsGoodAlsoWhereItsOriginalWas) {
  record(*folder_identity(folder_));
  const std::string before = *folder_identity(folder_);
  const std::string place = folder_;
  copy();
  std::filesystem::copy(folder_, place, std::filesystem::copy_options::recursive);
  ASSERT_TRUE(sys::remove_tree(std::exchange(folder_, place)));
  layers_ = std::make_unique<WorkspaceLayers>(folder_);
  EXPECT_NE(*folder_identity(folder_), before);
  EXPECT_EQ(settled(), std::pair(true, true));
}

TEST_F(CopyTest, ThatIsNotWholeIsDamaged) {
  record(*folder_identity(folder_));
  copy();
  ASSERT_TRUE(sys::write_file_atomic(layers_->baseline_path(), "base"));
  EXPECT_EQ(settled(), std::pair(true, false));
}

TEST_F(CopyTest, InItsOwnFolderAChangedFileIsDamaged) {
  record(*folder_identity(folder_));
  ASSERT_TRUE(sys::write_file_atomic(layers_->baseline_path(), "Baseline"));
  EXPECT_EQ(settled(), std::pair(true, false));
}

TEST_F(CopyTest, ARecordOfAnOlderPyroLearnsItsFolder) {
  record("");
  EXPECT_EQ(settled(), std::pair(true, true));
  copy();
  EXPECT_EQ(settled(), std::pair(true, true)) << "it was noted meanwhile";
}

TEST_F(WorkspaceLayersTest, TheSweepLeavesWhatIsKnown) {
  EXPECT_TRUE(layers_->sweep({}));  // no folder yet
  ASSERT_TRUE(layers_->create(1) && layers_->create(2) && layers_->create(12));
  ASSERT_TRUE(sys::write_file_atomic(folder_ + "/layers/.unnamed-77", ""));
  ASSERT_TRUE(sys::make_dirs(folder_ + "/layers/folder/in"));
  ASSERT_TRUE(layers_->sweep({{.id = 2}, {.id = 3}}));
  EXPECT_EQ(names(), std::vector<std::string>{"2.qcow2"});
  EXPECT_TRUE(layers_->remove(2));
  EXPECT_TRUE(layers_->remove(2));
  EXPECT_EQ(names(), std::vector<std::string>{});
}

}  // namespace
}  // namespace pyro::core
