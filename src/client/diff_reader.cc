#include "client/diff_reader.h"

#include <fmt/format.h>

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
  const auto side = [](const Version& v) -> std::optional<core::PatchSide> {
    if (v.entry.kind != EntryKind::kFile) return std::nullopt;
    return core::PatchSide{.content = v.content, .mode = v.entry.mode};
  };
  const auto is_text = [](const Version& v) { return v.complete && core::is_text(v.content); };
  const auto old_side = before ? side(*before) : std::nullopt;
  const auto new_side = gone ? std::nullopt : side(after);
  const bool files = (old_side || new_side) && (!before || old_side) && (gone || new_side);
  if (files && (!before || is_text(*before)) && (gone || is_text(after))) {
    std::string patch = core::unified_patch(e.path, old_side, new_side);
    // Without one a path may still differ, in bits of its mode that a patch does not have.
    e.text = !patch.empty() && result_.patch.size() + patch.size() <= kMostPatch;
    if (e.text) result_.patch += patch;
  }
  ++(e.text ? sum.text_patched : sum.non_text);
  result_.entries.push_back(std::move(e));
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
  result_.changed = result_.summary.total > 0;
  return std::move(result_);
}

}  // namespace pyro::client
