// A workspace without a guest, for tests: the same overlay on a tmpfs, in a mount namespace of the
// test's own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "agent/workspace_mounts.h"
#include "agent/workspace_sync.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "wire/tree_stream.h"

namespace pyro::agent {

// Why no such workspace can be mounted here; "" when it can.
inline std::string no_workspace_here() {
  static const std::string reason = [] {
    if (::geteuid() != 0) return "needs root: overlayfs keeps its marks in trusted attributes";
    if (::unshare(CLONE_NEWNS) != 0) return "no mount namespace of our own is to be had";
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return "the root cannot be made private";
    }
    return "";
  }();
  return reason;
}

inline void write_file(const std::string& path, const std::string& text, mode_t mode = 0644) {
  std::ofstream(path) << text;
  EXPECT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

// Builds the bytes of a tree stream.
class Tree {
 public:
  explicit Tree(std::uint32_t mode = 0755) { folder(".", mode); }
  Tree& folder(std::string path, std::uint32_t mode = 0755) {
    return add(wire::EntryKind::kDirectory, std::move(path), mode);
  }
  Tree& file(std::string path, std::string_view content, std::uint32_t mode = 0644) {
    add(wire::EntryKind::kFile, std::move(path), mode);
    wire::append_data(bytes_, content);
    wire::append_file_end(bytes_, true);
    return *this;
  }
  Tree& link(std::string path, std::string target) {
    return add(wire::EntryKind::kSymlink, std::move(path), 0777, std::move(target));
  }
  Tree& removal(std::string path) { return add(wire::EntryKind::kRemoved, std::move(path), 0); }
  Tree& add(wire::EntryKind kind, std::string path, std::uint32_t mode, std::string target = {}) {
    wire::append_entry(bytes_, {.kind = kind,
                                .path = std::move(path),
                                .mode = mode,
                                .mtime_ns = 1'000'000'000'123'456'789,
                                .target = std::move(target)});
    return *this;
  }
  Tree& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  [[nodiscard]] std::string end() const {
    std::string out = bytes_;
    wire::append_entry(out, {.kind = wire::EntryKind::kEnd});
    return out;
  }

 private:
  std::string bytes_;
};

class WorkspaceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = no_workspace_here(); !why.empty()) GTEST_SKIP() << why;
    char name[] = "/tmp/pyro-workspace-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
  }
  void TearDown() override {
    unmount();
    if (top_.empty()) return;
    ::umount2(top_.c_str(), MNT_DETACH);
    ::rmdir(top_.c_str());
  }
  // A disk with nothing on it but an empty baseline.
  void format(const std::string& options = "size=64m") {
    unmount();
    ::umount2(top_.c_str(), MNT_DETACH);
    ASSERT_EQ(::mount("tmpfs", top_.c_str(), "tmpfs", 0, options.c_str()), 0);
    std::filesystem::create_directories(baseline());
    std::filesystem::create_directories(top_ + "/work");
  }
  void mount() {
    auto dirs = mount_overlay(top_ + "/baseline", top_ + "/work", top_ + "/overlay");
    ASSERT_TRUE(dirs) << dirs.error().message;
    dirs_ = *std::move(dirs);
  }
  void unmount() {
    dirs_ = {};
    if (!top_.empty()) ::umount2((top_ + "/overlay").c_str(), MNT_DETACH);
  }
  [[nodiscard]] std::string baseline(const std::string& path = "") const {
    return top_ + "/baseline/tree/" + path;
  }
  [[nodiscard]] std::string tree(const std::string& path = "") const {
    return top_ + "/overlay/tree/" + path;
  }
  [[nodiscard]] std::string read(const std::string& path) const {
    return sys::read_file(tree(path), 1 << 24).value_or("(unreadable)");
  }

  // Equal texts for equal contents, and no pages of them in a failure.
  static std::string brief(const std::string& content) {
    constexpr std::size_t kShown = 40;
    if (content.size() <= kShown) return content;
    return content.substr(0, kShown) + "... " + std::to_string(std::hash<std::string>()(content));
  }
  // So that two worlds that were built alike are alike.
  static void age(const std::string& path) {
    const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 7}, {.tv_sec = 5, .tv_nsec = 7}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
  }
  // Every entry below the tree, with all that a sync changes of it.
  [[nodiscard]] std::map<std::string, std::string> snapshot() const {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(tree())) {
      const std::string path = entry.path().string();
      struct stat st{};
      EXPECT_EQ(::lstat(path.c_str(), &st), 0);
      std::string text = std::to_string(st.st_mode) + " " + std::to_string(st.st_uid);
      if (entry.is_symlink()) {
        text += " -> " + fs::read_symlink(entry.path()).string();
      } else {
        text += " at " + std::to_string(sys::to_ns(st.st_mtim));
        if (entry.is_regular_file()) text += ": " + brief(sys::read_file(path, 1 << 24).value());
      }
      out[path.substr(tree().size())] = text;
    }
    return out;
  }
  Result<proto::TreeCounts> sync(const std::string& stream, Changes& changes,
                                 const std::string& destination = ".") {
    SyncJob job(dirs_, changes, ++syncs_);
    auto result = put(job, stream, destination);
    const auto discarded = job.discard();
    static_cast<void>(discarded);
    return result;
  }
  Result<proto::TreeCounts> sync(const std::string& stream, const std::string& destination = ".") {
    Changes changes;
    return sync(stream, changes, destination);
  }
  static Result<proto::TreeCounts> put(SyncJob& job, const std::string& stream,
                                       const std::string& destination) {
    PYRO_CHECK(job.begin(destination));
    constexpr std::size_t kPiece = 1000;
    for (std::size_t at = 0; at < stream.size(); at += kPiece) {
      PYRO_CHECK(job.feed(std::string_view(stream).substr(at, kPiece)));
    }
    return job.commit();
  }
  void expect_tidy() const {
    EXPECT_TRUE(std::filesystem::is_empty(top_ + "/overlay/stage"));
    EXPECT_TRUE(std::filesystem::is_empty(top_ + "/work/intent"));
  }

  std::string top_;
  WorkspaceDirs dirs_;
  std::uint32_t syncs_ = 0;
};

}  // namespace pyro::agent
