#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/json/parse.hpp>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/testing.h"
#include "proto/limits.h"
#include "sys/fd.h"
#include "sys/file.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using Words = std::vector<std::string>;

// A file of the host for the time of one test.
class HostFile {
 public:
  explicit HostFile(std::string_view content)
      : path_(::testing::TempDir() + "pyro-input-" + std::to_string(::getpid())) {
    EXPECT_TRUE(sys::write_file_atomic(path_, content));
  }
  ~HostFile() { ::unlink(path_.c_str()); }
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Result<sys::UniqueFd> open() const { return sys::open_file(path_, O_RDONLY); }

 private:
  std::string path_;
};

TEST(WorkspaceSync, OptionsReachTheLibrary) {
  Call call;
  EXPECT_EQ(
      call.run({"workspace", "sync", "push", "fix", "./changes", "--dest", "src", "--git-tracked"}),
      0);
  EXPECT_EQ(call.backend.kept.calls, Words{"sync fix"});
  EXPECT_EQ(call.backend.kept.sync_asked.source_path, "./changes");
  EXPECT_EQ(call.backend.kept.sync_asked.dest, "src");
  EXPECT_TRUE(call.backend.kept.sync_asked.git_tracked);
  EXPECT_EQ(call.out.text,
            "[workspace-sync] workspace_id=ws-1 mode=directory source=./changes "
            "destination=/workspace/src entry_count=3 bytes_written=120 "
            "execution_mode=guest_serial\n");
  EXPECT_EQ(call.err.text, "");
}

TEST(WorkspaceExport, OptionsReachTheLibraryAndWhatIsLeftOutIsNamed) {
  for (const char* group : {"", "disk"}) {
    Call call;
    Words words{"workspace"};
    if (*group != '\0') words.emplace_back(group);
    words.insert(words.end(), {"export", "fix", "src", "--output", "o"});
    EXPECT_EQ(call.run(words), 0);
    const bool disk = *group != '\0';
    EXPECT_EQ(call.backend.kept.calls, Words{disk ? "disk export fix src" : "export fix src"});
    EXPECT_EQ(call.backend.kept.output_asked, "o");
    const std::string tag = disk ? "[workspace-disk-export]" : "[workspace-export]";
    EXPECT_EQ(call.out.text, tag +
                                 " workspace_id=ws-1 workspace_path=/workspace/src "
                                 "output_path='/tmp/out dir' artifact_type=directory "
                                 "entry_count=7 bytes_written=4096 execution_mode=guest_serial\n");
    EXPECT_EQ(call.err.text, tag + " skipped='src/pipe\\x0a'\n");
  }
}

TEST(WorkspaceFileList, OptionsReachTheLibrary) {
  for (const char* group : {"file", "disk"}) {
    Call call;
    EXPECT_EQ(call.run({"workspace", group, "list", "fix"}), 0);
    EXPECT_EQ(call.backend.kept.list_asked.path, "/workspace");
    EXPECT_FALSE(call.backend.kept.list_asked.recursive);
    EXPECT_EQ(call.run({"workspace", group, "list", "fix", "src", "--recursive"}), 0);
    EXPECT_EQ(call.backend.kept.list_asked.path, "src");
    EXPECT_TRUE(call.backend.kept.list_asked.recursive);
  }
}

TEST(WorkspaceFileRead, WritesEveryByteAsItComes) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (const char* group : {"file", "disk"}) {
    Call call;
    call.backend.kept.chunks = {bytes, "", bytes};
    EXPECT_EQ(call.run({"workspace", group, "read", "fix", "a b"}), 0);
    EXPECT_EQ(call.out.text, bytes + bytes);
    EXPECT_EQ(call.err.text, std::string("[workspace-") + group +
                                 "-read] workspace_id=ws-1 path='/workspace/a b' "
                                 "size_bytes=512\n");
    EXPECT_EQ(call.backend.kept.max_bytes_asked, 0);
  }
}

TEST(WorkspaceFileRead, JsonHasTheExactBytesOnlyWhenNeeded) {
  Call call;
  call.backend.kept.chunks = {"\xC3", "\xA9"};
  EXPECT_EQ(call.run({"workspace", "file", "read", "fix", "a", "--json"}), 0);
  EXPECT_EQ(call.err.text, "");
  const json::value exact{{"content", "\xC3\xA9"},
                          {"path", "/workspace/a"},
                          {"size_bytes", 2},
                          {"workspace_id", "ws-1"}};
  EXPECT_EQ(json::parse(call.out.text), exact);
  Call lossy;
  lossy.backend.kept.chunks = {"\xFF"};
  EXPECT_EQ(lossy.run({"workspace", "file", "read", "fix", "a", "--json"}), 0);
  EXPECT_EQ(json::parse(lossy.out.text).at("content_base64"), "/w==");
}

TEST(WorkspaceFileRead, TheLimitReachesTheLibraryAndJsonHasItsOwn) {
  struct Row {
    Words options;
    std::int64_t asked;
  };
  const auto most = static_cast<std::int64_t>(kMaxCollected);
  for (const Row& row : {Row{{"--max-bytes", "10"}, 10},
                         Row{{"--max-bytes", "1099511627776"}, std::int64_t{1} << 40},
                         Row{{"--json"}, most}, Row{{"--json", "--max-bytes", "10"}, 10},
                         Row{{"--json", "--max-bytes", "1099511627776"}, most}}) {
    Words words{"workspace", "file", "read", "fix", "a"};
    words.insert(words.end(), row.options.begin(), row.options.end());
    Call call;
    EXPECT_EQ(call.run(words), 0);
    EXPECT_EQ(call.backend.kept.max_bytes_asked, row.asked);
  }
}

TEST(WorkspaceFileRead, AReaderThatWentAwayEndsTheCommandQuietly) {
  ::signal(SIGPIPE, SIG_IGN);
  for (const Words& words : std::vector<Words>{{"workspace", "file", "read", "fix", "a"},
                                               {"workspace", "disk", "read", "fix", "a"},
                                               {"workspace", "diff", "fix"},
                                               {"workspace", "logs", "fix"},
                                               {"workspace", "exec", "fix", "--", "yes"}}) {
    auto pipe = sys::make_pipe();
    ASSERT_TRUE(pipe);
    pipe->read = sys::UniqueFd();
    FdSink gone(pipe->write.get(), "standard output");
    Call call;
    EXPECT_EQ(call.run_with(words, gone), 141);
    EXPECT_EQ(call.err.text.find("pyro:"), std::string::npos) << call.err.text;
  }
}

TEST(WorkspaceFileWrite, TakesAFileOrStandardInput) {
  const std::string content("a\0b\xFF\n", 5);
  const HostFile file(content);
  Call from_file;
  EXPECT_EQ(from_file.run({"workspace", "file", "write", "fix", "a/b", "--input", file.path(),
                           "--mode", "0755"}),
            0);
  EXPECT_EQ(from_file.backend.kept.write_asked.path, "a/b");
  EXPECT_EQ(from_file.backend.kept.write_asked.content, content);
  EXPECT_EQ(from_file.backend.kept.write_asked.mode, 0755);
  EXPECT_EQ(from_file.out.text,
            "[workspace-file-write] workspace_id=ws-1 path=/workspace/a/b bytes_written=5\n");

  const auto opened = file.open();
  ASSERT_TRUE(opened);
  Call from_stdin;
  from_stdin.stdin_fd = opened->get();
  EXPECT_EQ(from_stdin.run({"workspace", "file", "write", "fix", "/workspace/c"}), 0);
  EXPECT_EQ(from_stdin.backend.kept.write_asked.content, content);
  EXPECT_EQ(from_stdin.backend.kept.write_asked.mode, std::nullopt);
}

TEST(WorkspaceFileWrite, MoreThanTheLimitIsRefusedBeforeTheCall) {
  const HostFile file("");
  ASSERT_EQ(::truncate(file.path().c_str(), proto::kMaxWriteBytes + 1), 0);
  Call from_file;
  EXPECT_EQ(from_file.run({"workspace", "file", "write", "fix", "a", "--input", file.path()}), 1);
  const auto opened = file.open();
  ASSERT_TRUE(opened);
  Call from_stdin;
  from_stdin.stdin_fd = opened->get();
  EXPECT_EQ(from_stdin.run({"workspace", "file", "write", "fix", "a"}), 1);
  EXPECT_NE(from_stdin.err.text.find("is larger than 64.0 MiB"), std::string::npos)
      << from_stdin.err.text;
  EXPECT_TRUE(from_file.backend.kept.calls.empty());
  EXPECT_TRUE(from_stdin.backend.kept.calls.empty());
}

TEST(WorkspaceFileWrite, AnInputThatIsNotThereIsNamed) {
  Call call;
  EXPECT_EQ(call.run({"workspace", "file", "write", "fix", "a", "--input", "/nonexistent/x"}), 1);
  EXPECT_NE(call.err.text.find("/nonexistent/x"), std::string::npos) << call.err.text;
  EXPECT_TRUE(call.backend.kept.calls.empty());
}

TEST(WorkspacePatchApply, TakesAFileOrStandardInput) {
  const std::string patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+\xFF\n";
  const HostFile file(patch);
  Call from_file;
  EXPECT_EQ(from_file.run({"workspace", "patch", "apply", "fix", file.path()}), 0);
  EXPECT_EQ(from_file.backend.kept.patch_asked, patch);
  EXPECT_EQ(from_file.out.text,
            "[workspace-patch-apply] workspace_id=ws-1 total=1 added=0 modified=1 deleted=0\n"
            "modified file a.txt\n");
  const auto opened = file.open();
  ASSERT_TRUE(opened);
  Call from_stdin;
  from_stdin.stdin_fd = opened->get();
  EXPECT_EQ(from_stdin.run({"workspace", "patch", "apply", "fix"}), 0);
  EXPECT_EQ(from_stdin.backend.kept.patch_asked, patch);
}

TEST(WorkspaceDiff, StandardOutputIsNothingButThePatch) {
  Call call;
  EXPECT_EQ(call.run({"workspace", "diff", "fix"}), 0);
  EXPECT_EQ(call.out.text, call.backend.kept.difference.patch);
  EXPECT_EQ(call.err.text,
            "[workspace-diff] workspace_id=ws-1 total=4 added=1 modified=1 deleted=0 "
            "type_changed=1 text_patched=1 non_text=3 mode_changed=1\n"
            "added file 'bin\xEF\xBF\xBD'\n"
            "type_changed symlink link (was file)\n"
            "mode_changed file 'run me.sh' (0644 -> 0755)\n");
  Call none;
  none.backend.kept.difference = {.workspace_id = "ws-1"};
  EXPECT_EQ(none.run({"workspace", "diff", "fix"}), 0);
  EXPECT_EQ(none.out.text, "");
  EXPECT_EQ(none.err.text,
            "[workspace-diff] workspace_id=ws-1 total=0 added=0 modified=0 deleted=0 "
            "type_changed=0 text_patched=0 non_text=0\n");
}

}  // namespace
}  // namespace pyro::cli
