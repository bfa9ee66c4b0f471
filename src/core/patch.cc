#include "core/patch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "base/text.h"
#include "proto/limits.h"
#include "wire/tree_stream.h"

namespace pyro::core {
namespace {

constexpr std::string_view kNoFile = "/dev/null";
constexpr std::size_t kMostLine = 100'000'000;  // line numbers beyond it are nonsense

// Lines with their newlines.
std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

std::string_view chomp(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// git writes names with unusual bytes in quotes, as C would.
Result<std::string> unquoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return out;
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) break;
    constexpr std::string_view kLetters = "abtnvfr\"\\";
    constexpr std::string_view kBytes = "\a\b\t\n\v\f\r\"\\";
    if (const std::size_t at = kLetters.find(text[i]); at != std::string_view::npos) {
      out += kBytes[at];
      continue;
    }
    unsigned byte = 0;
    const auto digits = text.substr(i, 3);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 8);
    if (read.ptr != digits.data() + 3 || byte > 255) break;
    out += static_cast<char>(byte);
    i += 2;
  }
  return fail(Errc::kInvalid, "a quoted name has no end, or an escape that there is not");
}

// The name on a "---", "+++", "rename from" line: without its timestamp and, where there is one,
// its first component. Empty for /dev/null.
Result<std::string> path_on(std::string_view text, bool strip) {
  std::string path;
  if (text.starts_with('"')) {
    PYRO_TRY(path, unquoted(text));
  } else {
    path = text.substr(0, text.find('\t'));
    if (strip && path == kNoFile) return std::string();
  }
  if (strip) {
    const std::size_t slash = path.find('/');
    if (slash == std::string::npos) {
      return fail_hint(Errc::kInvalid, quoted_name(path) + " has no first component to leave out",
                       "paths in a patch begin with a/ and b/, as git diff writes them");
    }
    path.erase(0, slash + 1);
  }
  PYRO_CHECK(wire::check_tree_path(path));
  if (path == ".") return fail(Errc::kInvalid, "a patch cannot change /workspace itself");
  return path;
}

// Whether the timestamp on a "---" or "+++" line is 1970 began: what diff -N writes of a file that
// is not there. In whatever zone: "1970-01-01 01:00:00.000000000 +0100".
bool is_epoch(std::string_view text) {
  const std::size_t tab = text.find('\t');
  if (tab == std::string_view::npos) return false;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone = 0;
  const std::string stamp(text.substr(tab + 1));
  const int read = std::sscanf(stamp.c_str(), "%4d-%2d-%2d %2d:%2d:%2d%*[.0] %5d", &year, &month,
                               &day, &hour, &minute, &second, &zone);
  const bool first_day = year == 1970 && month == 1 && day == 1;
  const bool day_before = year == 1969 && month == 12 && day == 31;
  if (read != 7 || (!first_day && !day_before)) return false;
  const int minutes = (day_before ? -24 * 60 : 0) + hour * 60 + minute;
  return second == 0 && minutes == zone / 100 * 60 + zone % 100;
}

class Reader {
 public:
  explicit Reader(std::string_view patch) : lines_(split_lines(patch)) {}

  Result<std::vector<FilePatch>> read() {
    auto files = all();
    if (files) return files;
    return std::unexpected(std::move(files.error()).context(fmt::format("line {}", at_ + 1)));
  }

 private:
  [[nodiscard]] bool more() const { return at_ < lines_.size(); }
  [[nodiscard]] std::string_view line() const { return chomp(lines_[at_]); }
  [[nodiscard]] bool is(std::string_view prefix) const {
    return more() && line().starts_with(prefix);
  }
  // After a prefix that is().
  [[nodiscard]] std::string_view rest(std::string_view prefix) const {
    return line().substr(prefix.size());
  }
  // The two lines that a file's hunks follow.
  [[nodiscard]] bool is_header() const {
    return is("--- ") && at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with("+++ ");
  }

  Result<std::vector<FilePatch>> all() {
    std::vector<FilePatch> files;
    while (more()) {
      const bool git = is("diff --git ");
      if (!git && !is_header()) {  // a mail's text, an index line
        if (is("GIT binary patch") || is("Binary files ")) return binary();
        ++at_;
        continue;
      }
      PYRO_TRY(FilePatch file, one(git));
      files.push_back(std::move(file));
    }
    if (files.empty()) {
      return fail_hint(Errc::kInvalid, "there is no patch in it",
                       "give the output of git diff or diff -u");
    }
    return files;
  }

  static std::unexpected<Error> binary() {
    return fail_hint(Errc::kInvalid, "binary patches cannot be applied",
                     "copy the file in: pyro workspace file write, or sync push");
  }

  Result<FilePatch> one(bool git) {
    FilePatch file;
    bool is_new = false;
    bool is_gone = false;
    if (git) PYRO_CHECK(git_header(file, is_new, is_gone));
    if (is_header()) {
      const bool old_epoch = !git && is_epoch(rest("--- "));
      PYRO_TRY(file.old_path, path_on(rest("--- "), /*strip=*/true));
      ++at_;
      const bool new_epoch = !git && is_epoch(rest("+++ "));
      PYRO_TRY(file.new_path, path_on(rest("+++ "), /*strip=*/true));
      ++at_;
      if (file.old_path.empty() && file.new_path.empty())
        return fail(Errc::kInvalid, "neither an old nor a new name");
      while (is("@@ ")) PYRO_CHECK(hunk(file));
      if (file.hunks.empty()) return fail(Errc::kInvalid, "no hunk follows the names");
      // A file that is there may have that time too.
      const bool one = file.hunks.size() == 1;
      is_new = is_new || (old_epoch && one && file.hunks[0].before.empty());
      is_gone = is_gone || (new_epoch && one && file.hunks[0].after.empty());
    }
    if (is_new) file.old_path.clear();
    if (is_gone) file.new_path.clear();
    return file;
  }

  // Up to the names of the hunks, the next file or the end.
  Result<void> git_header(FilePatch& file, bool& is_new, bool& is_gone) {
    PYRO_CHECK(git_names(file));
    for (++at_; more() && !is_header() && !is("diff --git "); ++at_) {
      if (is("GIT binary patch") || is("Binary files ")) return binary();
      if (is("copy from ") || is("copy to "))
        return fail(Errc::kInvalid, "copies cannot be applied; make the patch without -C");
      is_new = is_new || is("new file mode ");
      is_gone = is_gone || is("deleted file mode ");
      for (const std::string_view prefix : {"new file mode ", "new mode ", "deleted file mode "}) {
        if (is(prefix)) PYRO_CHECK(mode(file, rest(prefix)));
      }
      if (is("rename from ")) {
        PYRO_TRY(file.old_path, path_on(rest("rename from "), /*strip=*/false));
      } else if (is("rename to ")) {
        PYRO_TRY(file.new_path, path_on(rest("rename to "), /*strip=*/false));
      }
    }
    if (file.old_path.empty() || file.new_path.empty())
      return is_header() ? Result<void>() : fail(Errc::kInvalid, "the names cannot be told");
    return {};
  }

  // "diff --git a/X b/X" with the same X twice; other forms get their names further down.
  Result<void> git_names(FilePatch& file) {
    const std::string_view both = rest("diff --git ");
    if (both.starts_with('"')) return {};
    const std::size_t half = both.size() / 2;
    if (both.size() % 2 == 0 || both[half] != ' ') return {};
    const auto left = path_on(both.substr(0, half), true);
    const auto right = path_on(both.substr(half + 1), true);
    if (!left || !right || *left != *right) return {};
    file.old_path = file.new_path = *left;
    return {};
  }

  static Result<void> mode(FilePatch& file, std::string_view text) {
    std::uint32_t mode = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    constexpr std::uint32_t kRegular = 0100000;
    const bool link = mode == kLinkMode;
    if (read.ec != std::errc{} || (!link && (mode & ~07777U) != kRegular))
      return fail(Errc::kInvalid, "only files and links can be patched, no submodules");
    file.mode = link ? kLinkMode : mode & 0777;
    return {};
  }

  static std::unexpected<Error> hunk_refused() {
    return fail(Errc::kInvalid, "the hunk's \"@@\" line is not understood");
  }

  // "@@ -START[,COUNT] +START[,COUNT] @@"
  Result<void> hunk(FilePatch& file) {
    std::array<std::size_t, 4> n{0, 1, 0, 1};
    if (!is("@@ -")) return hunk_refused();
    std::string_view text = rest("@@ -");
    const auto number = [&text](std::size_t& out) {
      const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
      const bool fine = read.ec == std::errc{} && out <= kMostLine;
      if (fine) text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
      return fine;
    };
    const auto take = [&text](char c) {
      const bool there = text.starts_with(c);
      if (there) text.remove_prefix(1);
      return there;
    };
    const auto range = [&](std::size_t& start, std::size_t& count) {
      return number(start) && (!take(',') || number(count));
    };
    const bool fine =
        range(n[0], n[1]) && take(' ') && take('+') && range(n[2], n[3]) && text.starts_with(" @@");
    if (!fine) return hunk_refused();
    ++at_;
    Hunk hunk{.old_start = n[0], .before = {}, .after = {}};
    PYRO_CHECK(body(hunk, n[1], n[3]));
    file.hunks.push_back(std::move(hunk));
    return {};
  }

  Result<void> body(Hunk& hunk, std::size_t before, std::size_t after) {
    while (hunk.before.size() < before || hunk.after.size() < after || is("\\")) {
      if (!more()) return fail(Errc::kInvalid, "the patch ends within a hunk");
      const std::string_view whole = lines_[at_];
      // Editors and mail take the space from an empty line of context.
      const char kind = chomp(whole).empty() ? ' ' : whole.front();
      const std::string text(chomp(whole).empty() ? whole : whole.substr(1));
      if (kind == '\\') {
        no_newline(hunk);
      } else if (kind == ' ' || kind == '-' || kind == '+') {
        if (kind != '+') hunk.before.push_back(text);
        if (kind != '-') hunk.after.push_back(text);
        last_ = kind;
      } else {
        return fail(Errc::kInvalid, "a line of a hunk begins with none of ' ', '-' and '+'");
      }
      if (hunk.before.size() > before || hunk.after.size() > after)
        return fail(Errc::kInvalid, "the hunk has more lines than its \"@@\" line says");
      ++at_;
    }
    return {};
  }

  // "\ No newline at end of file", about the line before it.
  void no_newline(Hunk& hunk) const {
    const auto cut = [](std::vector<std::string>& lines) {
      if (!lines.empty() && lines.back().ends_with('\n')) lines.back().pop_back();
    };
    if (last_ != '+') cut(hunk.before);
    if (last_ != '-') cut(hunk.after);
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  char last_ = ' ';
};

bool fits(const std::vector<std::string_view>& lines, std::size_t at, const Hunk& hunk) {
  if (at > lines.size() || lines.size() - at < hunk.before.size()) return false;
  return std::equal(hunk.before.begin(), hunk.before.end(),
                    lines.begin() + static_cast<std::ptrdiff_t>(at));
}

// Where the hunk stands, as near to `wanted` as can be and not before `from`.
std::optional<std::size_t> find_place(const std::vector<std::string_view>& lines, std::size_t from,
                                      std::size_t wanted, const Hunk& hunk) {
  for (std::size_t away = 0; away <= lines.size(); ++away) {
    if (wanted + away <= lines.size() && wanted + away >= from && fits(lines, wanted + away, hunk))
      return wanted + away;
    if (away > 0 && away <= wanted && wanted - away >= from && fits(lines, wanted - away, hunk))
      return wanted - away;
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<FilePatch>> parse_patch(std::string_view patch) {
  if (patch.size() > std::size_t{proto::kMaxWriteBytes})
    return fail(Errc::kLimit, "the patch has more than " + human_bytes(proto::kMaxWriteBytes));
  return Reader(patch).read();
}

Result<std::string> apply_hunks(const FilePatch& patch, std::string_view content) {
  const auto lines = split_lines(content);
  std::string out;
  std::size_t done = 0;  // lines of the old file that are in `out`, or gone
  std::ptrdiff_t shift = 0;
  for (std::size_t i = 0; i < patch.hunks.size(); ++i) {
    const Hunk& hunk = patch.hunks[i];
    const std::size_t said = hunk.old_start - (hunk.old_start > 0 && !hunk.before.empty() ? 1 : 0);
    const auto wanted = std::max<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(said) + shift, 0);
    const auto at = find_place(lines, done, static_cast<std::size_t>(wanted), hunk);
    if (!at) {
      const std::string& path = patch.old_path.empty() ? patch.new_path : patch.old_path;
      return fail_hint(Errc::kConflict,
                       fmt::format("hunk {} of {} (line {}) does not fit {}", i + 1,
                                   patch.hunks.size(), hunk.old_start, quoted_name(path)),
                       "the file is not what the patch was made for: read it, and make another");
    }
    shift = static_cast<std::ptrdiff_t>(*at) - static_cast<std::ptrdiff_t>(said);
    for (; done < *at; ++done) out += lines[done];
    for (const std::string& line : hunk.after) out += line;
    done += hunk.before.size();
  }
  for (; done < lines.size(); ++done) out += lines[done];
  return out;
}

}  // namespace pyro::core
