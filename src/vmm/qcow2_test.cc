#include "vmm/qcow2.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "sys/file.h"
#include "sys/process.h"
#include "vmm/vmm.h"

namespace pyro::vmm {
namespace {

class Layer : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-qcow2-XXXXXX";
    dir_ = ::mkdtemp(name.data());
    path_ = dir_ + "/layer";
    fd_ = create_layer(path_).value_or(sys::UniqueFd());
    ASSERT_TRUE(fd_);
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  void put(off_t at, std::string_view bytes) const {
    ASSERT_EQ(::pwrite(fd_.get(), bytes.data(), bytes.size(), at),
              static_cast<ssize_t>(bytes.size()));
  }
  void expect_refused(const std::string& why) const {
    const auto r = check_layer(fd_.get());
    ASSERT_FALSE(r) << "accepted, but " << why;
    EXPECT_EQ(r.error().code, Errc::kDamaged);
    EXPECT_NE(r.error().message.find(why), std::string::npos) << r.error().message;
  }
  std::string dir_, path_;
  sys::UniqueFd fd_;
};

TEST_F(Layer, NewIsAcceptedSmallAndWritable) {
  EXPECT_TRUE(check_layer(fd_.get()));
  EXPECT_LE(*sys::disk_usage(path_), 64U << 10);
  EXPECT_EQ(::fcntl(fd_.get(), F_GETFL) & O_ACCMODE, O_RDWR);
  EXPECT_EQ(::lseek(fd_.get(), 0, SEEK_CUR), 0);
}

TEST_F(Layer, ExistingFileIsLeftAlone) {
  const auto again = create_layer(path_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kConflict);
  EXPECT_TRUE(check_layer(fd_.get()));
}

TEST_F(Layer, InAMissingFolderIsAnErrorThatNamesIt) {
  const auto r = create_layer(dir_ + "/none/layer");
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("/none/layer"), std::string::npos);
}

struct Change {
  const char* name;
  off_t at;
  std::string bytes;
  const char* why;
};
std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) out += static_cast<char>(b);
  return out;
}
class ChangedLayer : public Layer, public ::testing::WithParamInterface<Change> {};

TEST_P(ChangedLayer, IsRefused) {
  put(GetParam().at, GetParam().bytes);
  expect_refused(GetParam().why);
}
INSTANTIATE_TEST_SUITE_P(
    By, ChangedLayer,
    ::testing::Values(
        Change{"magic", 0, "q", "magic"}, Change{"version", 7, raw({2}), "version"},
        Change{"backing_offset", 14, raw({2}), "backing file name"},
        Change{"backing_length", 19, raw({5}), "backing file name"},
        Change{"clusters", 23, raw({21}), "cluster size"},
        Change{"size", 27, raw({1}), "disk size"}, Change{"encryption", 35, raw({2}), "encryption"},
        Change{"table_size", 39, raw({33}), "table size"},
        Change{"table_in_header", 45, raw({0, 0, 0}), "table lies"},
        Change{"table_unaligned", 47, raw({8}), "table lies"},
        Change{"table_outside", 40, raw({0x7f}), "table lies"},
        Change{"refcounts_outside", 48, raw({0xff}), "refcount table lies"},
        Change{"refcounts_on_table", 53, raw({3}), "on each other"},
        Change{"refcounts_many", 59, raw({2}), "refcount table size"},
        Change{"snapshots", 63, raw({1}), "snapshots"},
        Change{"dirty", 79, raw({1}), "incompatible"},
        Change{"corrupt", 79, raw({2}), "incompatible"},
        Change{"data_file", 79, raw({4}), "incompatible"},
        Change{"unknown", 72, raw({0x80}), "incompatible"},
        Change{"lazy", 87, raw({1}), "compatible"}, Change{"bitmaps", 95, raw({1}), "autoclear"},
        Change{"refcount_width", 99, raw({6}), "refcount width"},
        Change{"short_header", 103, raw({104}), "header length"},
        Change{"compression", 104, raw({1}), "compression"},
        Change{"backing_format", 112, raw({0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 3}), "extension"},
        Change{"data_file_name", 112, raw({0x44, 0x41, 0x54, 0x41, 0, 0, 0, 3}), "extension"},
        Change{"long_names", 112, raw({0x68, 0x03, 0xf8, 0x57, 0xff, 0xff, 0xff, 0xff}), "longer"}),
    [](const auto& info) { return info.param.name; });

TEST_F(Layer, WithTheFeatureNamesThatQemuAddsIsAccepted) {
  put(112,
      raw({0x68, 0x03, 0xf8, 0x57, 0, 0, 0, 48}) + std::string(48, 'n') + std::string(8, '\0'));
  EXPECT_TRUE(check_layer(fd_.get()));
}

TEST_F(Layer, WithExtensionsToTheEndOfTheClusterIsRefused) {
  std::string names = raw({0x68, 0x03, 0xf8, 0x57, 0, 0, 0, 0}), all;
  while (all.size() + 112 < kLayerHeaderBytes) all += names;
  put(112, all);
  expect_refused("no end");
}

TEST_F(Layer, CutShortOrHugeIsRefused) {
  ASSERT_EQ(::ftruncate(fd_.get(), 100), 0);
  expect_refused("bytes");
  ASSERT_EQ(::ftruncate(fd_.get(), 64LL << 30), 0);
  expect_refused("bytes");
}

TEST_F(Layer, MustBeARegularFile) {
  const auto pipe = sys::make_pipe();
  EXPECT_FALSE(check_layer(pipe->read.get()));
  const auto dir = sys::open_file(dir_, O_RDONLY | O_DIRECTORY);
  EXPECT_FALSE(check_layer(dir->get()));
}

TEST_F(Layer, QemusOwnToolFindsNothingWrong) {
  const char* path = std::getenv("PATH");
  const auto tool = sys::find_program("qemu-img", path == nullptr ? "/usr/bin" : path);
  if (!tool) GTEST_SKIP() << "qemu-img is not installed (package qemu-utils)";
  for (const char* verb : {"check", "info"}) {
    const auto r =
        sys::run_captured({.program = *tool, .argv = {*tool, verb, "-f", "qcow2", path_}});
    ASSERT_TRUE(r) << r.error().message;
    EXPECT_EQ(r->status.shell_code(), 0) << r->out << r->err;
    const std::string said = verb == std::string("check") ? "No errors" : "16 GiB (17179869184";
    EXPECT_NE(r->out.find(said), std::string::npos) << r->out;
    EXPECT_EQ(r->out.find("backing"), std::string::npos) << r->out;
  }
  EXPECT_TRUE(check_layer(fd_.get()));
}

}  // namespace
}  // namespace pyro::vmm
