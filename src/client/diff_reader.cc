#include "client/diff_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/workspace_paths.h"
#include "core/unified_diff.h"

namespace pyro::client {

namespace {

using wire::EntryKind;

}  // namespace

Result<void> DiffReader::take(wire::TreeEntry entry) {
  if (first_ && !second_ && first_->entry.path == entry.path) {
    second_ = Version{.entry = std::move(entry), .content = {}};
    return {};
  }
  PYRO_CHECK(pair_up());
  first_ = Version{.entry = std::move(entry), .content = {}};
  return {};
}

// What came for the last path is complete.
Result<void> DiffReader::pair_up() {
  if (!first_) return {};
  if (++result_.summary.total > kMostDiffEntries)
    return fail(Errc::kLimit, fmt::format("more than {} paths differ", kMostDiffEntries));
  name_bytes_ += first_->entry.path.size();
  if (name_bytes_ > kMostDiffNames)
    return fail(Errc::kLimit, "the paths that differ have too many bytes together");
  const bool twice = second_.has_value();
  if (twice) {
    report(first_, *second_);
  } else {
    report(std::nullopt, *first_);
  }
  first_.reset();
  second_.reset();
  return {};
}

void DiffReader::report(const std::optional<Version>& before, const Version& after) {
  if (replaced_ && !after.entry.path.starts_with(replaced_->within)) end_replaced();
  auto& sum = result_.summary;
  const bool gone = after.entry.kind == EntryKind::kRemoved;
  const Version& shown = gone && before ? *before : after;
  DiffEntry e{.path = after.entry.path,
              .status = {},
              .kind = kind_name(shown.entry.kind),
              .old_kind = {},
              .old_mode = {},
              .new_mode = {}};
  bool content_differs = true;
  if (gone) {
    e.status = "deleted";
    ++sum.deleted;
  } else if (!before) {
    e.status = "added";
    ++sum.added;
  } else if (before->entry.kind != after.entry.kind) {
    e.status = "type_changed";
    e.old_kind = kind_name(before->entry.kind);
    ++sum.type_changed;
  } else {
    content_differs = before->entry.target != after.entry.target || !before->complete ||
                      !after.complete || before->content != after.content;
    const bool only_mode = after.entry.kind == EntryKind::kDirectory || !content_differs;
    e.status = only_mode ? "mode_changed" : "modified";
    ++(only_mode ? sum.mode_changed : sum.modified);
  }
  if (before && !gone && before->entry.mode != after.entry.mode) {
    e.old_mode = static_cast<int>(before->entry.mode);
    e.new_mode = static_cast<int>(after.entry.mode);
  }
  result_.entries.push_back(std::move(e));
  add_patch(before, after);
}

// The patch of the last entry. What it says of folders are the files in them, so where one comes
// or goes with something else of its name, the one depends on the others.
void DiffReader::add_patch(const std::optional<Version>& before, const Version& after) {
  DiffEntry& e = result_.entries.back();
  const bool was_folder = before && before->entry.kind == EntryKind::kDirectory;
  const bool is_folder = after.entry.kind == EntryKind::kDirectory;
  const bool type_changed =
      before && after.entry.kind != EntryKind::kRemoved && before->entry.kind != after.entry.kind;
  std::string patch;
  if (in_the_way_.empty() || !e.path.starts_with(in_the_way_)) patch = patch_of(before, after);
  if (type_changed && was_folder) {
    replaced_ = Replaced{
        .within = e.path + "/", .entry = result_.entries.size() - 1, .patch = std::move(patch)};
    return;
  }
  e.text = append(patch);
  if (type_changed && is_folder && !e.text) in_the_way_ = e.path + "/";
  if (replaced_ && !e.text && !was_folder) replaced_->patch.clear();
}

bool DiffReader::append(const std::string& patch) {
  const bool fits = !patch.empty() && result_.patch.size() + patch.size() <= kMostPatch;
  if (fits) result_.patch += patch;
  return fits;
}

void DiffReader::end_replaced() {
  if (!replaced_) return;
  result_.entries[replaced_->entry].text = append(replaced_->patch);
  replaced_.reset();
}

// Empty where there is none. A path may differ all the same, in bits of its mode that a patch does
// not have.
std::string DiffReader::patch_of(const std::optional<Version>& before, const Version& after) {
  std::optional<core::PatchSide> sides[2];
  const Version* versions[] = {before ? &*before : nullptr, &after};
  for (int i = 0; i < 2; ++i) {
    const Version* v = versions[i];
    if (v == nullptr || v->entry.kind == EntryKind::kRemoved ||
        v->entry.kind == EntryKind::kDirectory) {
      continue;
    }
    const bool link = v->entry.kind == EntryKind::kSymlink;
    const std::string& content = link ? v->entry.target : v->content;
    if ((!link && v->entry.kind != EntryKind::kFile) || !v->complete || !core::is_text(content))
      return {};
    sides[i] = core::PatchSide{.content = content, .mode = link ? core::kLinkMode : v->entry.mode};
  }
  if (!sides[0] && !sides[1]) return {};
  return core::unified_patch(after.entry.path, sides[0], sides[1]);
}

Result<void> DiffReader::feed(std::string_view bytes) {
  parser_.feed(bytes);
  for (;;) {
    PYRO_TRY(auto item, parser_.next());
    if (!item) return {};
    Version* newest = second_ ? &*second_ : first_ ? &*first_ : nullptr;
    if (auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
      if (entry->kind != EntryKind::kEnd) PYRO_CHECK(take(std::move(*entry)));
    } else if (newest == nullptr) {
      return fail(Errc::kInvalid, "the guest sent data of no file");
    } else if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
      if (newest->content.size() + data->bytes.size() > kMostDiffContent)
        return fail(Errc::kLimit, "the guest sent more of a file than it was asked for");
      newest->content += data->bytes;
    } else if (const auto* end = std::get_if<wire::TreeFileEnd>(&*item)) {
      newest->complete = end->complete;
    }
  }
}

Result<DiffResult> DiffReader::finish() {
  if (!parser_.ended() || parser_.has_more())
    return fail(Errc::kInvalid, "the guest's list of changes has no proper end");
  PYRO_CHECK(pair_up());
  end_replaced();
  auto& sum = result_.summary;
  sum.text_patched = std::ranges::count(result_.entries, true, &DiffEntry::text);
  sum.non_text = sum.total - sum.text_patched;
  result_.changed = result_.summary.total > 0;
  return std::move(result_);
}

}  // namespace pyro::client
