#include "agent/workspace_diff.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"

namespace pyro::agent {
namespace {

using wire::EntryKind;

constexpr std::size_t kCompared = 128 << 10;  // bytes of each file at a time

// The overlay's mark for "not there any more".
bool is_whiteout(const struct stat& st) {
  return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

// The value of an attribute; "" when it has none.
Result<std::string> attribute(int fd, const char* name) {
  char value[4096];
  const ssize_t n = ::fgetxattr(fd, name, value, sizeof value);
  if (n >= 0) return std::string(value, static_cast<std::size_t>(n));
  if (errno == ENODATA || errno == EOPNOTSUPP) return std::string();
  return sys::fail_errno(std::string("reading ") + name, errno);
}

Result<sys::UniqueFd> open_if_there(int root, const std::string& path) {
  auto fd = open_folder(root, path);
  if (!fd && (fd.error().os_errno == ENOENT || fd.error().os_errno == ENOTDIR ||
              fd.error().os_errno == ELOOP)) {
    return sys::UniqueFd();
  }
  return fd;
}

Result<std::size_t> read_some(int fd, std::string& buffer) {
  std::size_t at = 0;
  buffer.resize(kCompared);
  while (at < kCompared) {
    PYRO_TRY(const int n, sys::retrying("reading a file", [&] {
               return ::read(fd, buffer.data() + at, kCompared - at);
             }));
    if (n == 0) break;
    at += static_cast<std::size_t>(n);
  }
  return at;
}

}  // namespace

TreeDiff::TreeDiff(const WorkspaceDirs& dirs, std::int64_t max_content)
    : dirs_(dirs), max_content_(max_content) {
  frames_.push_back({.path = ".", .merged = true, .has_old = true, .has_new = true});
}

// A folder of the upper layer that is opaque shows nothing of the baseline; one with a redirect
// was moved here and shows another folder of it.
Result<bool> TreeDiff::hides_baseline(const Frame& frame) const {
  PYRO_TRY(const std::string opaque, attribute(frame.new_dir.get(), "trusted.overlay.opaque"));
  if (opaque == "y") return true;
  PYRO_TRY(const std::string redirect, attribute(frame.new_dir.get(), "trusted.overlay.redirect"));
  if (redirect.empty()) return false;
  if (redirect.starts_with('/')) return redirect != "/tree/" + frame.path;
  return redirect != split_path(frame.path).name;
}

Result<void> TreeDiff::open(Frame& frame) {
  if (frame.has_old && !frame.old_dir) {
    PYRO_TRY(frame.old_dir, open_if_there(dirs_.baseline.get(), frame.path));
  }
  if (frame.has_new && !frame.new_dir) {
    const sys::UniqueFd& root = frame.merged ? dirs_.upper : dirs_.tree;
    PYRO_TRY(frame.new_dir, open_if_there(root.get(), frame.path));
  }
  if (frame.read) return {};
  if (frame.merged && frame.new_dir && frame.path != ".") {
    PYRO_TRY(const bool hides, hides_baseline(frame));
    if (hides) {
      frame.merged = false;
      PYRO_TRY(frame.new_dir, open_if_there(dirs_.tree.get(), frame.path));
    }
  }
  frame.read = true;
  return read_names(frame);
}

Result<void> TreeDiff::read_names(Frame& frame) {
  std::vector<std::string>& names = frame.names;
  if (frame.new_dir) {
    PYRO_TRY(names, names_in(frame.new_dir.get()));
  }
  if (frame.merged || !frame.old_dir) return {};
  PYRO_TRY(auto old_names, names_in(frame.old_dir.get()));
  for (std::string& name : old_names) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return {};
}

Result<TreeDiff::Side> TreeDiff::side(int dir, const std::string& name) {
  if (dir < 0) return Side{};
  PYRO_TRY(const auto st, look(dir, name));
  if (!st || is_whiteout(*st)) return Side{};
  return Side{.there = true, .st = *st};
}

Result<void> TreeDiff::put(std::string& out, int dir, const std::string& name,
                           const std::string& path, const struct stat& st, bool content) {
  wire::TreeEntry entry = entry_of(path, st);
  if (entry.kind == EntryKind::kSymlink) {
    auto target = target_of(dir, name);
    if (target) {
      entry.target = *std::move(target);
    } else {
      entry.kind = EntryKind::kOther;  // it went away; what it was is not known
    }
  }
  wire::append_entry(out, entry);
  if (entry.kind != EntryKind::kFile) return {};
  auto left = static_cast<std::uint64_t>(st.st_size);
  bool complete = content;
  if (content) {
    const auto file = open_regular(dir, name);
    complete = file.has_value();
    while (left > 0 && complete) {
      const auto n = append_chunk(out, file->fd.get(), left);
      complete = n && *n > 0;
      if (complete) left -= *n;
    }
  }
  wire::append_file_end(out, complete);
  return {};
}

Result<void> TreeDiff::changed(std::string& out, const Side& was, const Side& is,
                               const std::string& path, const std::string& name) {
  const Frame& frame = frames_.back();
  const auto fits = [this](const Side& side) {
    return !side.there || !S_ISREG(side.st.st_mode) || side.st.st_size <= max_content_;
  };
  // Half of a pair is of no use to whoever makes a patch of it.
  const bool content = fits(was) && fits(is);
  if (was.there) PYRO_CHECK(put(out, frame.old_dir.get(), name, path, was.st, content));
  ++counts_.entries;
  if (!is.there) {
    wire::append_entry(out, {.kind = EntryKind::kRemoved, .path = path});
    return {};
  }
  if (S_ISREG(is.st.st_mode)) counts_.bytes += is.st.st_size;
  return put(out, frame.new_dir.get(), name, path, is.st, content);
}

// Whether two that are no folders are the same; opens a comparison when only reading tells.
Result<bool> TreeDiff::same(const Side& was, const Side& is, const std::string& path,
                            const std::string& name) {
  const Frame& frame = frames_.back();
  if ((was.st.st_mode & S_IFMT) != (is.st.st_mode & S_IFMT)) return false;
  if (S_ISLNK(was.st.st_mode)) {
    const auto before = target_of(frame.old_dir.get(), name);
    const auto now = target_of(frame.new_dir.get(), name);
    return before && now && *before == *now;
  }
  if ((was.st.st_mode & kPermissions) != (is.st.st_mode & kPermissions)) return false;
  if (!S_ISREG(was.st.st_mode)) return was.st.st_rdev == is.st.st_rdev;
  if (was.st.st_size != is.st.st_size) return false;
  if (was.st.st_size == 0) return true;
  auto before = open_regular(frame.old_dir.get(), name);
  auto now = open_regular(frame.new_dir.get(), name);
  if (!before || !now) return false;
  comparison_ = Comparison{.was = std::move(before->fd),
                           .is = std::move(now->fd),
                           .path = path,
                           .name = name,
                           .old_side = was,
                           .new_side = is};
  return true;
}

Result<void> TreeDiff::compare(Comparison& c, std::string& out) {
  const auto before = read_some(c.was.get(), left_bytes_);
  const auto now = read_some(c.is.get(), right_bytes_);
  const bool equal =
      before && now && *before == *now &&
      std::equal(left_bytes_.begin(), left_bytes_.begin() + static_cast<std::ptrdiff_t>(*before),
                 right_bytes_.begin());
  if (equal && *before == kCompared) return {};
  const Comparison done = std::move(c);
  comparison_.reset();
  if (equal) return {};
  return changed(out, done.old_side, done.new_side, done.path, done.name);
}

Result<void> TreeDiff::folders_and_others(std::string& out, const Side& was, const Side& is,
                                          const std::string& path, const std::string& name,
                                          bool merged) {
  const bool old_folder = was.there && S_ISDIR(was.st.st_mode);
  const bool new_folder = is.there && S_ISDIR(is.st.st_mode);
  const bool both = old_folder && new_folder;
  if (both) {
    if ((was.st.st_mode & kPermissions) != (is.st.st_mode & kPermissions)) {
      PYRO_CHECK(changed(out, was, is, path, name));
    }
  } else {
    bool equal = false;
    if (was.there && is.there && !old_folder && !new_folder) {
      PYRO_TRY(equal, same(was, is, path, name));
    }
    if (!equal) PYRO_CHECK(changed(out, was, is, path, name));
  }
  if (!old_folder && !new_folder) return {};
  PYRO_CHECK(check_depth(path));
  // Of the folders above nothing stays open: deep trees need few descriptors.
  frames_.back().old_dir = {};
  frames_.back().new_dir = {};
  frames_.push_back(
      {.path = path, .merged = merged && both, .has_old = old_folder, .has_new = new_folder});
  return {};
}

Result<void> TreeDiff::step(std::string& out) {
  Frame& frame = frames_.back();
  if (frame.read && frame.at == frame.names.size()) {
    frames_.pop_back();
    return {};
  }
  PYRO_CHECK(open(frame));
  if (frame.at == frame.names.size()) return {};
  const std::string name = std::move(frame.names[frame.at++]);
  const std::string path = join_path(frame.path, name);
  if (path.size() > wire::kMaxPath) {
    return fail(Errc::kLimit, quoted_name(path) + " is longer than 4095 bytes");
  }
  PYRO_TRY(const Side was, side(frame.old_dir.get(), name));
  PYRO_TRY(const Side is, side(frame.new_dir.get(), name));
  if (!was.there && !is.there) return {};
  return folders_and_others(out, was, is, path, name, frame.merged);
}

Result<bool> TreeDiff::fill(std::string& out) {
  for (int i = 0; i < kSteps && out.size() < kBatch; ++i) {
    if (comparison_) {
      PYRO_CHECK(compare(*comparison_, out));
    } else if (!frames_.empty()) {
      PYRO_CHECK(step(out));
    } else {
      wire::append_entry(out, {.kind = EntryKind::kEnd});
      return false;
    }
  }
  return true;
}

}  // namespace pyro::agent
