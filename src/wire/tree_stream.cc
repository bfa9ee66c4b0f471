#include "wire/tree_stream.h"

#include <algorithm>

#include "base/text.h"
#include "wire/bytes.h"

namespace pyro::wire {
namespace {

constexpr std::size_t kEntryHead = 1 + 2 + 4 + 8;
constexpr std::uint32_t kBroken = 0xffffffff;
constexpr std::uint32_t kModeBits = 07777;

std::unexpected<Error> bad_path(std::string_view path, const char* why) {
  return fail(Errc::kInvalid, "the path " + quoted_name(path) + " " + why);
}

Result<void> check_entry(const TreeEntry& entry) {
  if (entry.kind == EntryKind::kEnd) {
    if (entry.path.empty() && entry.mode == 0 && entry.mtime_ns == 0) return {};
    return fail(Errc::kInvalid, "the end of a tree says more than that");
  }
  PYRO_CHECK(check_tree_path(entry.path));
  if (entry.path == "." && entry.kind == EntryKind::kRemoved) {
    return fail(Errc::kInvalid, "the root of a tree cannot be removed");
  }
  if ((entry.mode & ~kModeBits) != 0) return bad_path(entry.path, "has mode bits that none has");
  return {};
}

}  // namespace

Result<void> check_tree_path(std::string_view path) {
  if (path.empty()) return fail(Errc::kInvalid, "a path is empty");
  if (path.size() > kMaxPath) return bad_path(path, "is longer than 4095 bytes");
  if (path.find('\0') != std::string_view::npos) return bad_path(path, "has a NUL byte in it");
  if (path == ".") return {};
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    if (part.empty()) return bad_path(path, "is absolute or has an empty component");
    if (part == "." || part == "..") return bad_path(path, "has a component that leads elsewhere");
    if (part.size() > kMaxComponent)
      return bad_path(path, "has a component of more than 255 bytes");
    at = slash + 1;
  }
  return {};
}

void append_entry(std::string& out, const TreeEntry& entry) {
  ByteWriter w(out);
  w.u8(static_cast<std::uint8_t>(entry.kind));
  w.be16(static_cast<std::uint16_t>(entry.path.size()));
  w.be32(entry.mode);
  w.be64(static_cast<std::uint64_t>(entry.mtime_ns));
  w.bytes(entry.path);
  if (entry.kind == EntryKind::kFile) w.be64(entry.size);
  if (entry.kind != EntryKind::kSymlink) return;
  w.be16(static_cast<std::uint16_t>(entry.target.size()));
  w.bytes(entry.target);
}

void append_data(std::string& out, std::string_view bytes) {
  ByteWriter w(out);
  while (!bytes.empty()) {
    const std::string_view chunk = bytes.substr(0, kMaxChunk);
    w.be32(static_cast<std::uint32_t>(chunk.size()));
    w.bytes(chunk);
    bytes.remove_prefix(chunk.size());
  }
}

void append_file_end(std::string& out, bool complete) {
  ByteWriter(out).be32(complete ? 0 : kBroken);
}

void TreeParser::feed(std::string_view bytes) {
  if (error_) return;
  buffer_.erase(0, used_);
  used_ = 0;
  buffer_ += bytes;
}

Result<std::optional<TreeItem>> TreeParser::next() {
  if (error_) return std::unexpected(*error_);
  if (ended_) return std::optional<TreeItem>();
  auto item = in_file_ ? take_chunk() : take_entry();
  if (!item) error_ = item.error();
  return item;
}

Result<std::optional<TreeItem>> TreeParser::take_entry() {
  const std::string_view in = pending();
  if (in.size() < kEntryHead) return std::optional<TreeItem>();
  ByteReader r(in);
  TreeEntry entry;
  PYRO_TRY(const std::uint8_t kind, r.u8());
  if (kind < 1 || kind > static_cast<std::uint8_t>(EntryKind::kEnd)) {
    return fail(Errc::kInvalid, "a tree has an entry of no known kind");
  }
  entry.kind = static_cast<EntryKind>(kind);
  PYRO_TRY(const std::uint16_t path_size, r.be16());
  if (path_size > kMaxPath) return fail(Errc::kInvalid, "a path is longer than 4095 bytes");
  PYRO_TRY(entry.mode, r.be32());
  PYRO_TRY(const std::uint64_t mtime, r.be64());
  entry.mtime_ns = static_cast<std::int64_t>(mtime);
  if (r.left() < path_size) return std::optional<TreeItem>();
  PYRO_TRY(const std::string_view path, r.take(path_size));
  entry.path = path;
  PYRO_CHECK(check_entry(entry));
  if (entry.kind == EntryKind::kFile) {
    if (r.left() < sizeof entry.size) return std::optional<TreeItem>();
    PYRO_TRY(entry.size, r.be64());
  }
  if (entry.kind == EntryKind::kSymlink) {
    if (r.left() < 2) return std::optional<TreeItem>();
    PYRO_TRY(const std::uint16_t target_size, r.be16());
    if (target_size == 0 || target_size > kMaxPath) {
      return bad_path(entry.path, "is a link to nothing, or to more than 4095 bytes");
    }
    if (r.left() < target_size) return std::optional<TreeItem>();
    PYRO_TRY(const std::string_view target, r.take(target_size));
    if (target.find('\0') != std::string_view::npos) {
      return bad_path(entry.path, "is a link with a NUL byte in it");
    }
    entry.target = target;
  }
  used_ += in.size() - r.left();
  in_file_ = entry.kind == EntryKind::kFile;
  ended_ = entry.kind == EntryKind::kEnd;
  return std::optional<TreeItem>(std::move(entry));
}

Result<std::optional<TreeItem>> TreeParser::take_chunk() {
  const std::string_view in = pending();
  if (in.size() < sizeof(std::uint32_t)) return std::optional<TreeItem>();
  ByteReader r(in);
  PYRO_TRY(const std::uint32_t size, r.be32());
  if (size == 0 || size == kBroken) {
    in_file_ = false;
    used_ += sizeof size;
    return std::optional<TreeItem>(TreeFileEnd{.complete = size == 0});
  }
  if (size > kMaxChunk) return fail(Errc::kLimit, "a chunk of a file is larger than 128 KiB");
  if (r.left() < size) return std::optional<TreeItem>();
  PYRO_TRY(const std::string_view bytes, r.take(size));
  used_ += sizeof size + size;
  return std::optional<TreeItem>(TreeData{.bytes = std::string(bytes)});
}

}  // namespace pyro::wire
