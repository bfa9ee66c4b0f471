#include "core/unified_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/text.h"

namespace pyro::core {
namespace {

constexpr std::size_t kContext = 3;

using Lines = std::vector<std::string_view>;  // each with its newline, but for the last perhaps

Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

// A run of lines of which `removed` go and `added` come, at these places.
struct Edit {
  std::size_t old_at = 0, removed = 0, new_at = 0, added = 0;
};

// Equal lines have equal numbers, so that comparing them costs the same whatever they hold.
class Numbers {
 public:
  std::vector<int> of(const Lines& lines) {
    std::vector<int> out;
    out.reserve(lines.size());
    for (const std::string_view line : lines) {
      out.push_back(known_.try_emplace(line, static_cast<int>(known_.size())).first->second);
    }
    return out;
  }

 private:
  std::unordered_map<std::string_view, int> known_;
};

// E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, with its reach after each
// step kept for the way back. `a` and `b` begin and end with different lines, or one is empty.
class Myers {
 public:
  Myers(const std::vector<int>& a, const std::vector<int>& b) : a_(a), b_(b) {}

  // False when it takes more than kMostEdits.
  bool solve() {
    std::vector<int> reach(2, 0);  // reach[k + d + 1 ...]: the farthest x on diagonal k
    for (int d = 0; d <= kMostEdits; ++d) {
      std::vector<int> next(static_cast<std::size_t>(2 * d + 1));
      for (int k = -d; k <= d; k += 2) {
        int x = d == 0 ? 0 : start_of(reach, d - 1, k);
        int y = x - k;
        while (x < size(a_) && y < size(b_) && a_[at(x)] == b_[at(y)]) {
          ++x;
          ++y;
        }
        next[at(k + d)] = x;
        if (x >= size(a_) && y >= size(b_)) {
          steps_.push_back(std::move(next));
          return true;
        }
      }
      steps_.push_back(next);
      reach = std::move(next);
    }
    return false;
  }

  // Which lines of either side have no partner.
  void mark(std::vector<bool>& removed, std::vector<bool>& added) const {
    int x = size(a_);
    int y = size(b_);
    for (int d = static_cast<int>(steps_.size()) - 1; d > 0; --d) {
      const std::vector<int>& before = steps_[at(d - 1)];
      const int k = x - y;
      const bool down = is_down(before, d - 1, k);
      const int from_k = down ? k + 1 : k - 1;
      x = before[at(from_k + d - 1)];
      y = x - from_k;
      if (down) {
        added[at(y)] = true;
      } else {
        removed[at(x)] = true;
      }
    }
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  static int size(const std::vector<int>& v) { return static_cast<int>(v.size()); }
  // Whether diagonal k is best entered from k + 1 (a line is added) after `d` steps.
  bool is_down(const std::vector<int>& reach, int d, int k) const {
    if (k == -d - 1) return true;
    if (k == d + 1) return false;
    return reach[at(k - 1 + d)] < reach[at(k + 1 + d)];
  }
  int start_of(const std::vector<int>& reach, int d, int k) const {
    // Diagonals that lead out of either text go nowhere: held at its edge, so that no index does.
    const int x = is_down(reach, d, k) ? reach[at(k + 1 + d)] : reach[at(k - 1 + d)] + 1;
    return std::clamp(x, std::max(0, k), std::max(size(a_), k));
  }

  const std::vector<int>& a_;
  const std::vector<int>& b_;
  std::vector<std::vector<int>> steps_;
};

std::vector<Edit> edits_of(const Lines& before, const Lines& after) {
  std::size_t head = 0;
  const std::size_t least = std::min(before.size(), after.size());
  while (head < least && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < least - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  Numbers numbers;
  const Lines middle_a(before.begin() + static_cast<std::ptrdiff_t>(head),
                       before.end() - static_cast<std::ptrdiff_t>(tail));
  const Lines middle_b(after.begin() + static_cast<std::ptrdiff_t>(head),
                       after.end() - static_cast<std::ptrdiff_t>(tail));
  const std::vector<int> a = numbers.of(middle_a);
  const std::vector<int> b = numbers.of(middle_b);
  std::vector<bool> removed(a.size(), true);
  std::vector<bool> added(b.size(), true);
  Myers myers(a, b);
  if (myers.solve()) {
    removed.assign(a.size(), false);
    added.assign(b.size(), false);
    myers.mark(removed, added);
  }
  std::vector<Edit> edits;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    Edit edit{.old_at = head + i, .new_at = head + j};
    while (i < a.size() && removed[i]) ++i, ++edit.removed;
    while (j < b.size() && added[j]) ++j, ++edit.added;
    if (edit.removed + edit.added > 0) {
      edits.push_back(edit);
    } else {
      ++i;
      ++j;
    }
  }
  return edits;
}

void append_lines(std::string& out, char mark, const Lines& lines, std::size_t from,
                  std::size_t count) {
  for (std::size_t i = from; i < from + count; ++i) {
    out += mark;
    out += lines[i];
    if (!lines[i].ends_with('\n')) out += "\n\\ No newline at end of file\n";
  }
}

// "3,2"; "3" for one line; a range of none names the line before it (POSIX, diff, "Unified
// format").
std::string range_text(std::size_t at, std::size_t count) {
  if (count == 1) return std::to_string(at + 1);
  return fmt::format("{},{}", count == 0 ? at : at + 1, count);
}

// Edits whose contexts touch are one hunk.
void append_hunk(std::string& out, const Lines& before, const Lines& after,
                 const std::vector<Edit>& edits, std::size_t first, std::size_t last) {
  const Edit& head = edits[first];
  const Edit& tail = edits[last];
  const std::size_t lead = std::min(kContext, head.old_at);
  const std::size_t old_end = tail.old_at + tail.removed;
  const std::size_t trail = std::min(kContext, before.size() - old_end);
  const std::size_t old_from = head.old_at - lead;
  const std::size_t new_from = head.new_at - lead;
  out += fmt::format("@@ -{} +{} @@\n", range_text(old_from, old_end + trail - old_from),
                     range_text(new_from, tail.new_at + tail.added + trail - new_from));
  std::size_t at = old_from;
  for (std::size_t i = first; i <= last; ++i) {
    append_lines(out, ' ', before, at, edits[i].old_at - at);
    append_lines(out, '-', before, edits[i].old_at, edits[i].removed);
    append_lines(out, '+', after, edits[i].new_at, edits[i].added);
    at = edits[i].old_at + edits[i].removed;
  }
  append_lines(out, ' ', before, at, trail);
}

std::string hunks(std::string_view before_text, std::string_view after_text) {
  const Lines before = split(before_text);
  const Lines after = split(after_text);
  const std::vector<Edit> edits = edits_of(before, after);
  std::string out;
  for (std::size_t first = 0; first < edits.size();) {
    std::size_t last = first;
    while (last + 1 < edits.size() &&
           edits[last + 1].old_at - (edits[last].old_at + edits[last].removed) <= 2 * kContext) {
      ++last;
    }
    append_hunk(out, before, after, edits, first, last);
    first = last + 1;
  }
  return out;
}

// git's and patch's way to write a name that is not plain: in quotes, with octal numbers.
std::string patch_name(std::string_view prefix, std::string_view path) {
  std::string whole = std::string(prefix) + std::string(path);
  const bool plain = std::ranges::all_of(whole, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f && c != '"' && c != '\\';
  });
  if (plain) return whole;
  std::string out = "\"";
  for (const char c : whole) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\{:03o}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

bool is_link(const PatchSide& side) {
  return side.mode == kLinkMode;
}

// git knows two modes of files.
std::uint32_t git_mode(const PatchSide& side) {
  if (is_link(side)) return kLinkMode;
  return (side.mode & 0111U) != 0 ? 0100755 : 0100644;
}

}  // namespace

bool is_text(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) return false;
  bool lossy = false;
  (void)to_utf8(bytes, &lossy);
  return !lossy;
}

std::string unified_patch(std::string_view path, const std::optional<PatchSide>& before,
                          const std::optional<PatchSide>& after) {
  if (before && after && (is_link(*before) || is_link(*after))) {
    const bool same = is_link(*before) && is_link(*after) && before->content == after->content;
    if (same) return {};
    return unified_patch(path, before, std::nullopt) + unified_patch(path, std::nullopt, after);
  }
  const std::string old_name = patch_name("a/", path);
  const std::string new_name = patch_name("b/", path);
  std::string head = fmt::format("diff --git {} {}\n", old_name, new_name);
  if (!before && after) head += fmt::format("new file mode {:o}\n", git_mode(*after));
  if (before && !after) head += fmt::format("deleted file mode {:o}\n", git_mode(*before));
  const bool both = before && after;
  const bool mode_differs = both && git_mode(*before) != git_mode(*after);
  if (mode_differs) {
    head += fmt::format("old mode {:o}\nnew mode {:o}\n", git_mode(*before), git_mode(*after));
  }
  const std::string body = hunks(before ? before->content : "", after ? after->content : "");
  if (body.empty()) return both && !mode_differs ? "" : head;
  return head +
         fmt::format("--- {}\n+++ {}\n", before ? old_name : "/dev/null",
                     after ? new_name : "/dev/null") +
         body;
}

}  // namespace pyro::core
