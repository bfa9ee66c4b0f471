#include "sys/sparse.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "sys/file.h"

namespace pyro::sys {
namespace {

class SparseFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-sparse-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)remove_tree(dir_); }
  static std::string at(const UniqueFd& fd, off_t offset, std::size_t count) {
    std::string out(count, '?');
    EXPECT_EQ(::pread(fd.get(), out.data(), count, offset), static_cast<ssize_t>(count));
    return out;
  }
  std::string dir_;
};

TEST_F(SparseFile, CopyHasTheDataTheHolesAndTheSize) {
  auto from = open_file(dir_ + "/from", O_RDWR | O_CREAT);
  const std::string block(70'000, 'b');
  ASSERT_EQ(::pwrite(from->get(), "head", 4, 0), 4);
  ASSERT_EQ(::pwrite(from->get(), block.data(), block.size(), 3LL << 30), 70'000);
  ASSERT_EQ(::ftruncate(from->get(), 8LL << 30), 0);
  const auto copy = nameless_copy(from->get(), dir_);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(stamp(copy->get())->size, 8ULL << 30);
  EXPECT_EQ(at(*copy, 0, 4), "head");
  EXPECT_EQ(at(*copy, 3LL << 30, block.size()), block);
  EXPECT_EQ(at(*copy, 5LL << 30, 4), std::string(4, '\0'));
  struct stat st{};
  ASSERT_EQ(::fstat(copy->get(), &st), 0);
  EXPECT_LT(st.st_blocks * 512, 1 << 20);
}

TEST_F(SparseFile, NamelessLeavesNothingAndIsItsOwn) {
  auto from = open_file(dir_ + "/from", O_RDWR | O_CREAT);
  ASSERT_TRUE(write_all(from->get(), "original"));
  const auto copy = nameless_copy(from->get(), dir_);
  ASSERT_EQ(::pwrite(copy->get(), "changed!", 8, 0), 8);
  EXPECT_EQ(*list_dir(dir_), std::vector<std::string>{"from"});
  EXPECT_EQ(*read_file(dir_ + "/from"), "original");
  EXPECT_FALSE(nameless_file(dir_ + "/none"));
}

TEST_F(SparseFile, ReadOnlyDescriptorOfANamelessFileSeesItAndCannotWrite) {
  const auto file = nameless_file(dir_);
  const auto reader = reopen(file->get(), O_RDONLY);
  ASSERT_TRUE(reader) << reader.error().message;
  ASSERT_TRUE(write_all(file->get(), "seen"));
  EXPECT_EQ(at(*reader, 0, 4), "seen");
  EXPECT_EQ(::write(reader->get(), "x", 1), -1);
}

}  // namespace
}  // namespace pyro::sys
