#include "agent/workspace_sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "sys/clock.h"

namespace pyro::agent {
namespace {

// In the folder `intent`. A log that is being written, one whose moves may have begun, and one
// whose moves are all made.
const std::string kNewLog = "log.new";
const std::string kLog = "log";
const std::string kDoneLog = "done";

Result<struct stat> stat_of(int fd) {
  struct stat st{};
  PYRO_CHECK(sys::retrying("fstat", [&] { return ::fstat(fd, &st); }));
  return st;
}

Result<std::optional<std::string>> read_log(int dir, const std::string& name) {
  const sys::UniqueFd fd(
      ::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return sys::fail_errno("opening the log of a sync", errno);
  PYRO_TRY(const struct stat st, stat_of(fd.get()));
  if (!S_ISREG(st.st_mode) || st.st_size > static_cast<off_t>(kMaxIntent)) {
    return fail(Errc::kDamaged, "the log of a sync is damaged: it is no file of a sensible size");
  }
  std::string out(static_cast<std::size_t>(st.st_size), '\0');
  std::size_t at = 0;
  while (at < out.size()) {
    PYRO_TRY(const int n, sys::retrying("reading the log of a sync", [&] {
               return ::read(fd.get(), out.data() + at, out.size() - at);
             }));
    if (n == 0) break;
    at += static_cast<std::size_t>(n);
  }
  out.resize(at);
  return out;
}

Result<void> remove_if_there(int dir, const std::string& name, Changes& changes) {
  auto r = changes.remove(dir, name, false);
  if (!r && r.error().os_errno == ENOENT) return {};
  return r;
}

// Undoes the moves of a log, whether none, some or all of them were made, and whether or not it was
// tried before: what is where says what is left to do. It goes on after an error and gives the
// first.
class Undo {
 public:
  Undo(const WorkspaceDirs& dirs, const Intent& intent, Changes& changes)
      : dirs_(dirs), intent_(intent), changes_(changes) {}

  Result<void> run() {
    const std::string number = std::to_string(intent_.sync);
    PYRO_TRY(staged_, open_folder(dirs_.stage.get(), number));
    PYRO_TRY(old_, open_folder(dirs_.stage.get(), number + ".old"));
    Result<void> first;
    const auto keep = [&first](Result<void> r) {
      if (!r && first) first = std::move(r);
    };
    FolderCache staged(staged_.get()), tree(dirs_.tree.get());
    for (std::size_t i = intent_.moves.size(); i-- > 0;) keep(one(i, staged, tree));
    for (std::size_t i = intent_.folders.size(); i-- > 0;) keep(folder(intent_.folders[i]));
    return first;
  }

 private:
  Result<void> one(std::size_t index, FolderCache& staged_folders, FolderCache& tree_folders) {
    const Intent::Move& move = intent_.moves[index];
    const auto [folder, part] = split_path(move.path);
    const std::string name(part);
    const std::string number = std::to_string(index);
    PYRO_TRY(const int tree, tree_folders.open(folder));
    PYRO_TRY(const int staged, staged_folders.open(folder));
    PYRO_TRY(const auto unmoved, look(staged, name));
    const bool was_moved = !unmoved && !move.removal;
    PYRO_TRY(const auto was, look(old_.get(), number));
    PYRO_TRY(const auto there, look(tree, name));
    if (there && was_moved) {
      PYRO_CHECK(changes_.move(tree, name, staged, name));
    } else if (there && was) {
      // Somebody made this after the old entry was moved away. An error promises the old one.
      PYRO_CHECK(changes_.move(tree, name, old_.get(), number + ".made"));
    }
    if (was) PYRO_CHECK(changes_.move(old_.get(), number, tree, name));
    return {};
  }
  Result<void> folder(const Intent::Folder& was) {
    PYRO_TRY(const sys::UniqueFd fd, open_folder(dirs_.tree.get(), was.path));
    PYRO_TRY(const struct stat st, stat_of(fd.get()));
    if ((st.st_mode & kPermissions) != was.mode) PYRO_CHECK(changes_.set_mode(fd.get(), was.mode));
    if (sys::to_ns(st.st_mtim) != was.mtime_ns)
      PYRO_CHECK(changes_.set_mtime(fd.get(), was.mtime_ns));
    return {};
  }

  const WorkspaceDirs& dirs_;
  const Intent& intent_;
  Changes& changes_;
  sys::UniqueFd staged_, old_;
};

// The undone state is on the disk before the log goes: a crash in between undoes once more.
Result<void> undo(const WorkspaceDirs& dirs, const Intent& intent, Changes& changes) {
  PYRO_CHECK(Undo(dirs, intent, changes).run());
  PYRO_CHECK(changes.sync_file_system(dirs.work.get()));
  PYRO_CHECK(changes.remove(dirs.intent.get(), kLog, false));
  return changes.sync(dirs.intent.get());
}

}  // namespace

Result<std::string> recover_sync(const WorkspaceDirs& dirs, Changes& changes) {
  const int intent = dirs.intent.get();
  PYRO_TRY(const auto log, read_log(intent, kLog));
  PYRO_TRY(const auto done, look(intent, kDoneLog));
  PYRO_TRY(sys::UniqueFd stage, open_folder(dirs.stage.get(), "."));
  PYRO_TRY(const auto left, names_in(stage.get()));
  std::string outcome = "none";
  if (log) {
    PYRO_TRY(const Intent what, decode_intent(*log));
    PYRO_CHECK(undo(dirs, what, changes));
    outcome = "undone";
  } else if (done) {
    outcome = "completed";
  } else if (!left.empty()) {
    outcome = "undone";  // it had not begun to move
  }
  if (!left.empty()) PYRO_CHECK(empty_folder(dirs.stage.get(), changes));
  for (const std::string& name : {kNewLog, kDoneLog}) {
    PYRO_CHECK(remove_if_there(intent, name, changes));
  }
  return outcome;
}

SyncJob::SyncJob(const WorkspaceDirs& dirs, Changes& changes, std::uint32_t number)
    : dirs_(dirs), changes_(changes), number_(std::to_string(number)) {
  intent_.sync = number;
}

// --- staging ------------------------------------------------------------------------------------

Result<void> SyncJob::begin(const std::string& destination) {
  PYRO_CHECK(wire::check_tree_path(destination));
  PYRO_CHECK(check_depth(destination));
  destination_ = destination;
  auto there = open_folder(dirs_.tree.get(), destination);
  if (!there && there.error().os_errno != ENOENT) {
    return std::unexpected(std::move(there.error()).context("the destination"));
  }
  // Of an earlier sync whose remains could not be removed.
  for (const std::string& name : {kNewLog, kDoneLog}) {
    PYRO_CHECK(remove_if_there(dirs_.intent.get(), name, changes_));
  }
  const int stage = dirs_.stage.get();
  PYRO_CHECK(changes_.make_folder(stage, number_));
  PYRO_CHECK(changes_.make_folder(stage, number_ + ".old"));
  PYRO_TRY(staged_, open_folder(stage, number_));
  PYRO_TRY(old_, open_folder(stage, number_ + ".old"));
  staged_folders_ = FolderCache(staged_.get());
  const Staged on_the_way{.attributes = {.mode = 0755, .mtime_ns = sys::wall_clock_ns()}};
  folders_["."] = on_the_way;
  if (destination == ".") return {};
  for (std::size_t at = 0; at < destination.size(); ++at) {
    at = std::min(destination.find('/', at), destination.size());
    PYRO_CHECK(stage_folder(destination.substr(0, at), on_the_way));
  }
  return {};
}

// Folders that the tree does not name: made where they are missing, as they are elsewhere.
Result<void> SyncJob::stage_way_to(const std::string& folder) {
  if (folders_.contains(folder)) return {};
  PYRO_CHECK(stage_way_to(std::string(split_path(folder).folder)));
  return once(
      folder,
      stage_folder(folder, {.attributes = {.mode = 0755, .mtime_ns = sys::wall_clock_ns()}}));
}

Result<void> SyncJob::stage_folder(const std::string& path, Staged staged) {
  const auto [folder, name] = split_path(path);
  PYRO_TRY(const int dir, staged_folders_.open(folder));
  PYRO_CHECK(changes_.make_folder(dir, std::string(name)));
  folders_[path] = staged;
  return {};
}

Result<void> SyncJob::feed(std::string_view bytes) {
  parser_.feed(bytes);
  for (;;) {
    PYRO_TRY(const auto item, parser_.next());
    if (!item) break;
    if (const auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
      PYRO_CHECK(take(*entry));
    } else if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
      PYRO_CHECK(changes_.write(file_.get(), data->bytes));
      counts_.bytes += static_cast<std::int64_t>(data->bytes.size());
    } else {
      PYRO_CHECK(end_file(std::get<wire::TreeFileEnd>(*item).complete));
    }
  }
  if (parser_.ended() && parser_.has_more()) {
    return fail(Errc::kInvalid, "something comes after the end of the tree");
  }
  return {};
}

Result<void> SyncJob::take(const wire::TreeEntry& entry) {
  using wire::EntryKind;
  if (entry.kind == EntryKind::kEnd) return {};
  const Attributes attributes{.mode = entry.mode, .mtime_ns = entry.mtime_ns};
  if (!rooted_) {
    if (entry.path != "." || entry.kind != EntryKind::kDirectory) {
      return fail(Errc::kInvalid, "a sync begins with the folder that is carried");
    }
    rooted_ = true;
    folders_[destination_].attributes = attributes;
    return {};
  }
  const std::string path = join_path(destination_, entry.path);
  if (entry.path == "." || path.size() > wire::kMaxPath) {
    return fail(Errc::kInvalid, quoted_name(path) + " comes twice, or is too long");
  }
  PYRO_CHECK(check_depth(path));
  const auto [folder, part] = split_path(path);
  const std::string name(part);
  PYRO_CHECK(stage_way_to(std::string(folder)));
  const bool is_folder = folders_.contains(path);
  if (entry.kind == EntryKind::kRemoved) {
    if (is_folder) return fail(Errc::kInvalid, quoted_name(path) + " comes and goes");
    removals_.insert(path);
    ++counts_.entries;
    return {};
  }
  if (entry.kind == EntryKind::kDirectory) {
    if (is_folder) {  // as in an archive, the last one counts
      folders_[path].attributes = attributes;
      return {};
    }
    PYRO_CHECK(once(path, stage_folder(path, {.attributes = attributes, .carried = true})));
  } else if (entry.kind == EntryKind::kFile || entry.kind == EntryKind::kSymlink) {
    PYRO_TRY(const int dir, staged_folders_.open(folder));
    auto made = stage_leaf(dir, name, entry);
    if (!made && made.error().os_errno == EEXIST && !is_folder) {
      PYRO_TRY(const auto earlier, look(dir, name));
      if (earlier && S_ISREG(earlier->st_mode)) counts_.bytes -= earlier->st_size;
      PYRO_CHECK(changes_.remove(dir, name, /*folder=*/false));
      --counts_.entries;
      made = stage_leaf(dir, name, entry);
    }
    PYRO_CHECK(once(path, std::move(made)));
  } else {
    return fail(Errc::kInvalid, quoted_name(path) + " is neither file, folder nor link");
  }
  ++counts_.entries;
  return {};
}

Result<void> SyncJob::once(const std::string& path, Result<void> made) {
  if (made || made.error().os_errno != EEXIST) return made;
  return fail(Errc::kInvalid,
              quoted_name(path) + " comes twice, as a folder and as something else");
}

Result<void> SyncJob::stage_leaf(int dir, const std::string& name, const wire::TreeEntry& entry) {
  if (entry.kind == wire::EntryKind::kSymlink) {
    PYRO_CHECK(changes_.make_link(entry.target, dir, name));
    return changes_.set_mtime(dir, name, entry.mtime_ns);
  }
  PYRO_TRY(file_, changes_.create(dir, name));
  file_attributes_ = {.mode = entry.mode, .mtime_ns = entry.mtime_ns};
  return {};
}

Result<void> SyncJob::end_file(bool complete) {
  if (!complete) return fail(Errc::kInvalid, "a file of the tree could not be read to its end");
  const sys::UniqueFd file = std::move(file_);
  PYRO_CHECK(changes_.set_mode(file.get(), file_attributes_.mode));
  return changes_.set_mtime(file.get(), file_attributes_.mtime_ns);
}

// --- committing ---------------------------------------------------------------------------------

// What is in a folder comes after it in the map, so from its end: filling a folder changes its
// time.
Result<void> SyncJob::seal_stage() {
  for (auto at = folders_.rbegin(); at != folders_.rend(); ++at) {
    PYRO_TRY(const sys::UniqueFd fd, open_folder(staged_.get(), at->first));
    PYRO_CHECK(changes_.set_mode(fd.get(), at->second.attributes.mode));
    PYRO_CHECK(changes_.set_mtime(fd.get(), at->second.attributes.mtime_ns));
  }
  return {};
}

Result<void> SyncJob::plan() {
  std::vector<std::string> entered = {"."};
  while (!entered.empty()) {
    const std::string path = std::move(entered.back());
    entered.pop_back();
    PYRO_TRY(const sys::UniqueFd tree, open_folder(dirs_.tree.get(), path));
    PYRO_TRY(const struct stat st, stat_of(tree.get()));
    intent_.folders.push_back(
        {.path = path, .mode = st.st_mode & kPermissions, .mtime_ns = sys::to_ns(st.st_mtim)});
    PYRO_TRY(const sys::UniqueFd staged, open_folder(staged_.get(), path));
    PYRO_TRY(const auto names, names_in(staged.get()));
    for (const std::string& name : names) {
      std::string one = join_path(path, name);
      PYRO_TRY(const auto there, look(tree.get(), name));
      const bool both = there && S_ISDIR(there->st_mode) && folders_.contains(one);
      const auto made = folders_.find(one);
      if (there && !both && made != folders_.end() && !made->second.carried)
        return fail(Errc::kInvalid,
                    quoted_name(one) + " is no folder, and something is to be in it");
      if (both) {
        entered.push_back(std::move(one));
      } else {
        intent_.moves.push_back({.path = std::move(one)});
      }
    }
  }
  return plan_removals();
}

// What is to go is there, in a folder that is entered.
Result<void> SyncJob::plan_removals() {
  FolderCache tree_folders(dirs_.tree.get());
  for (const std::string& path : removals_) {
    const auto [folder, name] = split_path(path);
    const auto dir = tree_folders.open(folder);
    const auto there = dir ? look(*dir, std::string(name))
                           : Result<std::optional<struct stat>>(std::unexpected(dir.error()));
    if (!there || !*there)
      return fail(Errc::kNotFound, quoted_name(path) + " is to be removed and does not exist");
    intent_.moves.push_back({.path = path, .removal = true});
  }
  return {};
}

// The staged tree and the log are on the disk before the log has the name that counts.
Result<void> SyncJob::write_log() {
  PYRO_TRY(const std::string bytes, encode_intent(intent_));
  const int intent = dirs_.intent.get();
  PYRO_TRY(const sys::UniqueFd log, changes_.create(intent, kNewLog));
  PYRO_CHECK(changes_.write(log.get(), bytes));
  PYRO_CHECK(changes_.sync_file_system(dirs_.work.get()));
  PYRO_CHECK(changes_.move(intent, kNewLog, intent, kLog));
  return changes_.sync(intent);
}

Result<void> SyncJob::apply() {
  FolderCache tree_folders(dirs_.tree.get());
  for (std::size_t i = 0; i < intent_.moves.size(); ++i) {
    const Intent::Move& move = intent_.moves[i];
    const auto [folder, part] = split_path(move.path);
    const std::string name(part);
    PYRO_TRY(const int tree, tree_folders.open(folder));
    PYRO_TRY(const int staged, staged_folders_.open(folder));
    auto away = changes_.move(tree, name, old_.get(), std::to_string(i));
    if (!away && away.error().os_errno != ENOENT) return away;
    if (move.removal) continue;
    PYRO_CHECK(changes_.move(staged, name, tree, name));
  }
  return finish_folders();
}

Result<void> SyncJob::finish_folders() {
  for (std::size_t i = intent_.folders.size(); i-- > 0;) {
    const auto staged = folders_.find(intent_.folders[i].path);
    if (staged == folders_.end() || !staged->second.carried) continue;
    PYRO_TRY(const sys::UniqueFd fd, open_folder(dirs_.tree.get(), staged->first));
    PYRO_CHECK(changes_.set_mode(fd.get(), staged->second.attributes.mode));
    PYRO_CHECK(changes_.set_mtime(fd.get(), staged->second.attributes.mtime_ns));
  }
  return {};
}

// The log has one of its two names, and perhaps the disk knows of it.
Result<void> SyncJob::take_back() {
  const int intent = dirs_.intent.get();
  PYRO_TRY(const auto done, look(intent, kDoneLog));
  if (done) PYRO_CHECK(changes_.move(intent, kDoneLog, intent, kLog));
  PYRO_TRY(const auto log, look(intent, kLog));
  if (!log) return {};
  return undo(dirs_, intent_, changes_);
}

Result<proto::TreeCounts> SyncJob::commit() {
  if (!parser_.ended()) return fail(Errc::kInvalid, "the tree has no end");
  PYRO_CHECK(seal_stage());
  PYRO_CHECK(plan());
  const int intent = dirs_.intent.get();
  auto made = write_log();
  if (made) made = apply();
  if (made) made = changes_.move(intent, kLog, intent, kDoneLog);
  if (made) made = changes_.sync(intent);
  if (made) return counts_;
  if (auto undone = take_back(); !undone) {
    stuck_ = true;
    return fail(Errc::kDamaged,
                made.error().message + "; undoing the sync failed too: " + undone.error().message);
  }
  return std::unexpected(std::move(made.error()));
}

Result<void> SyncJob::discard() {
  file_ = {};
  if (stuck_) return {};  // the stage is what the next mount undoes it with
  PYRO_CHECK(remove_if_there(dirs_.intent.get(), kNewLog, changes_));
  if (staged_) PYRO_CHECK(empty_folder(staged_.get(), changes_));
  if (old_) PYRO_CHECK(empty_folder(old_.get(), changes_));
  for (const std::string& name : {number_, number_ + ".old"}) {
    auto removed = changes_.remove(dirs_.stage.get(), name, true);
    if (!removed && removed.error().os_errno != ENOENT) return removed;
  }
  return remove_if_there(dirs_.intent.get(), kDoneLog, changes_);
}

}  // namespace pyro::agent
