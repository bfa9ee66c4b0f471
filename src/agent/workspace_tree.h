// The workspace as a tree stream: for an export and for a list.
#pragma once

#include <string>
#include <vector>

#include "agent/workspace_fs.h"
#include "proto/workspace_messages.h"
#include "wire/tree_stream.h"

namespace pyro::agent {

// What makes a tree stream, piece by piece.
class TreeProducer {
 public:
  virtual ~TreeProducer() = default;
  // Appends what comes next, up to about kBatch bytes; nothing when it only looked. False: the end
  // was appended.
  virtual Result<bool> fill(std::string& out) = 0;
  [[nodiscard]] const proto::TreeCounts& counts() const { return counts_; }

  static constexpr std::size_t kBatch = 128 << 10;

 protected:
  // How much one fill() looks at: whoever cancels does not wait for more.
  static constexpr int kSteps = 1024;
  proto::TreeCounts counts_;
};

// A regular file as it goes into a stream.
struct OpenFile {
  sys::UniqueFd fd;
  struct stat st{};
};
// kInvalid: it is no regular file (any more). Waits for nobody at the other end of a pipe.
Result<OpenFile> open_regular(int dir, const std::string& name);
// Appends the next chunk, of at most `left` bytes. The bytes that were read; 0: the file has ended.
Result<std::size_t> append_chunk(std::string& out, int file, std::uint64_t left);
// `st` as an entry. A file needs its content, or its end, after it; a link needs its target.
wire::TreeEntry entry_of(std::string path, const struct stat& st);
// The target of a link; kNotFound when it is none any more.
Result<std::string> target_of(int dir, const std::string& name);

// See proto::WorkspaceExport.
class TreeExport final : public TreeProducer {
 public:
  // `tree` is borrowed.
  static Result<TreeExport> open(int tree, const proto::WorkspaceExport& request);
  Result<bool> fill(std::string& out) override;

 private:
  TreeExport(const proto::WorkspaceExport& request, sys::UniqueFd top)
      : request_(request), top_(std::move(top)) {}
  Result<void> begin_folder(std::string& out);
  Result<void> add(std::string& out, const DirName& found);
  Result<void> add_file(std::string& out, int dir, const std::string& name, std::string path);
  Result<void> add_other(std::string& out, int dir, const std::string& name, std::string path,
                         const struct stat& st);
  Result<void> continue_file(std::string& out);
  Result<void> count(std::string_view path, const struct stat& st);

  proto::WorkspaceExport request_;
  sys::UniqueFd top_;  // the folder that is exported, or the one its only entry is in
  std::string only_;   // that entry
  std::vector<std::string> folders_;  // found and not yet read; the last is next
  sys::UniqueFd folder_;              // being read
  std::string folder_path_;
  std::string name_;
  FolderReader reader_;
  sys::UniqueFd file_;  // being read
  std::uint64_t left_ = 0;
};

}  // namespace pyro::agent
