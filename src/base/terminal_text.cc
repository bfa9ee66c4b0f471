#include "base/terminal_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/control_sequences.h"
#include "base/text.h"

namespace pyro {
namespace {

using Kind = Token::Kind;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Characters that stand with the one before: combining marks of the scripts that print them apart,
// joiners, variation selectors and what directs the text. Unicode 15, general categories Mn, Me,
// Cf; the ones of scripts that are shaped as a whole are left to take a column.
bool combines(std::string_view character) {
  static constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 16> kRanges{
      {{0x0300, 0x036f},
       {0x0483, 0x0489},
       {0x0591, 0x05bd},
       {0x0610, 0x061a},
       {0x064b, 0x065f},
       {0x1ab0, 0x1aff},
       {0x1dc0, 0x1dff},
       {0x200b, 0x200f},
       {0x202a, 0x202e},
       {0x2060, 0x206f},
       {0x20d0, 0x20ff},
       {0xfe00, 0xfe0f},
       {0xfe20, 0xfe2f},
       {0xfeff, 0xfeff},
       {0x1f3fb, 0x1f3ff},
       {0xe0100, 0xe01ef}}};
  if (character.size() < 2) return false;
  std::uint32_t code = static_cast<unsigned char>(character[0]) & (0x7fU >> character.size());
  for (const char c : character.substr(1))
    code = code << 6 | (static_cast<std::uint8_t>(c) & 0x3fU);
  return std::ranges::any_of(
      kRanges, [&](const auto& range) { return code >= range.first && code <= range.second; });
}

// One column: a character with what combines with it.
struct Cell {
  std::array<char, 15> bytes{' '};
  std::uint8_t size = 1;

  [[nodiscard]] std::string_view text() const { return {bytes.data(), size}; }
  void add(std::string_view more) {
    if (size + more.size() > bytes.size()) return;
    std::memcpy(bytes.data() + size, more.data(), more.size());
    size = static_cast<std::uint8_t>(size + more.size());
  }
};

// What may be spent on work that the size of the input alone does not bound.
class Allowance {
 public:
  Allowance(std::size_t start, std::size_t per_byte) : left_(start), per_byte_(per_byte) {}
  void earn(std::size_t bytes) { left_ += bytes * per_byte_; }
  // As much of `wanted` as there is.
  std::size_t take(std::size_t wanted) {
    const std::size_t given = std::min(wanted, left_);
    left_ -= given;
    return given;
  }
  bool take_all(std::size_t wanted) { return wanted <= left_ && take(wanted) == wanted; }

 private:
  std::size_t left_, per_byte_;
};

class Screen {
 public:
  explicit Screen(std::size_t columns) : width_(columns) {}

  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      const Token token = next_token(bytes);
      fill_.earn(token.size);
      work_.earn(token.size);
      if (token.kind == Kind::kText) {
        character(bytes.substr(0, token.size));
      } else if (token.kind == Kind::kControl) {
        control(token.final_byte);
      } else if (token.kind == Kind::kEscape) {
        if (token.body.empty()) escaped(token.final_byte);
      } else if (token.kind == Kind::kCsi) {
        sequence(token);
      }
      bytes.remove_prefix(token.size);
    }
  }

  std::string text() && {
    for (const Cell& cell : line_) out_ += cell.text();
    return std::move(out_);
  }

 private:
  // Where the cursor is. Behind the last column a terminal waits for the next character before it
  // wraps, and is still on the last one.
  [[nodiscard]] std::size_t cursor() const { return wrap_pending_ ? column_ - 1 : column_; }
  // Where the row of the terminal begins that the cursor is in.
  [[nodiscard]] std::size_t row_start() const {
    return width_ == 0 ? 0 : cursor() / width_ * width_;
  }

  void move_to(std::size_t column) {
    const std::size_t most = std::max({kMostColumns, line_.size(), column_});
    column_ = std::min(column, most);
    wrap_pending_ = false;
  }
  // To a column of the row, from 0.
  void move_in_row(std::size_t column) {
    const std::size_t start = row_start();
    move_to(start + (width_ == 0 ? column : std::min(column, width_ - 1)));
  }
  void move_right(std::size_t count) { move_in_row(cursor() - row_start() + count); }
  void move_left(std::size_t count) {
    const std::size_t in_row = cursor() - row_start();
    move_in_row(in_row - std::min(in_row, count));
  }

  void new_line() {
    while (!line_.empty() && line_.back().text() == " ") line_.pop_back();
    for (const Cell& cell : line_) out_ += cell.text();
    out_ += '\n';
    line_.clear();
    ++line_number_;
    if (row_) ++*row_;
    move_to(0);
  }
  // To another line of the terminal, `column` of it.
  void leave_line(std::size_t column) {
    row_.reset();
    if (!line_.empty()) new_line();
    row_.reset();
    move_to(column);
  }
  void move_up(std::size_t count) {
    if (width_ != 0 && count <= row_start() / width_) return move_to(cursor() - count * width_);
    leave_line(cursor() - row_start());
  }
  void move_down(std::size_t count) {
    const std::size_t start = row_start();
    if (width_ != 0 && line_.size() > start && count <= (line_.size() - start - 1) / width_) {
      return move_to(cursor() + count * width_);
    }
    leave_line(cursor() - start);
  }
  void go_to(std::size_t row, std::size_t column) {
    if (row_ != row) leave_line(0);
    row_ = row;
    move_in_row(column - 1);
  }

  // Blanks up to the cursor, which comes nearer when there cannot be so many.
  void reach_cursor() {
    if (column_ <= line_.size()) return;
    column_ = line_.size() + fill_.take(column_ - line_.size());
    line_.resize(column_);
  }

  void character(std::string_view bytes) {
    const bool valid = utf8_part(bytes).valid;
    if (valid && combines(bytes) && column_ > 0 && column_ <= line_.size()) {
      line_[column_ - 1].add(bytes);
      return;
    }
    last_ = Cell{.bytes = {}, .size = 0};
    last_.add(valid ? bytes : kReplacement);
    put(last_);
  }
  void put(const Cell& cell) {
    reach_cursor();
    if (column_ == line_.size()) {
      line_.push_back(cell);
    } else {
      line_[column_] = cell;
    }
    ++column_;
    wrap_pending_ = width_ != 0 && column_ % width_ == 0;
  }

  void control(char c) {
    if (c == '\n' || c == '\v' || c == '\f') {
      new_line();
    } else if (c == '\r') {
      move_to(row_start());
    } else if (c == '\b') {
      move_left(1);
    } else if (c == '\t') {
      tabs(1);
    }
  }
  void tabs(std::size_t count) {
    const std::size_t in_row = cursor() - row_start();
    move_in_row((in_row / 8 + count) * 8);
  }

  void escaped(char c) {
    if (c == 'E') {
      new_line();
    } else if (c == 'D') {
      move_down(1);
    } else if (c == 'M') {
      move_up(1);
    } else if (c == 'c') {
      leave_line(0);
    } else if (c == '7') {
      save();
    } else if (c == '8') {
      restore();
    }
  }
  void save() { saved_ = {line_number_, column_, row_}; }
  void restore() {
    if (saved_.line != line_number_) leave_line(0);
    row_ = saved_.row;
    move_to(saved_.column);
  }

  void sequence(const Token& token) {
    const Parameters numbers(token.body);
    if (numbers.prefix == '?') {
      const auto switches = [](const std::optional<std::size_t>& n) {
        return n == 47 || n == 1047 || n == 1049;
      };
      const bool screen = std::ranges::any_of(numbers.numbers, switches);
      if (screen && (token.final_byte == 'h' || token.final_byte == 'l')) leave_line(0);
      return;
    }
    if (numbers.prefix != 0 || !numbers.plain) return;
    if (!moved(token.final_byte, numbers)) edit(token.final_byte, numbers);
  }

  bool moved(char final_byte, const Parameters& numbers) {
    const std::size_t count = numbers.count();
    switch (final_byte) {
      case 'A':
        move_up(count);
        return true;
      case 'B':
      case 'e':
        move_down(count);
        return true;
      case 'C':
      case 'a':
        move_right(count);
        return true;
      case 'D':
        move_left(count);
        return true;
      case 'E':
      case 'F':
        leave_line(0);
        return true;
      case 'G':
      case '`':
        move_in_row(count - 1);
        return true;
      case 'H':
      case 'f':
        go_to(count, std::max<std::size_t>(1, numbers.at(1, 1)));
        return true;
      case 'd':
        go_to(count, cursor() - row_start() + 1);
        return true;
      case 'I':
        tabs(count);
        return true;
      case 's':
        save();
        return true;
      case 'u':
        restore();
        return true;
      default:
        return false;
    }
  }

  void edit(char final_byte, const Parameters& numbers) {
    const std::size_t count = std::min(numbers.count(), kMostColumns);
    switch (final_byte) {
      case 'J':
        if (numbers.at(0, 0) >= 2) return leave_line(cursor() - row_start());
        [[fallthrough]];
      case 'K':
        return erase(numbers.at(0, 0));
      case 'X':
        return blank(column_, column_ + count);
      case 'P':
        return remove(count);
      case '@':
        return insert(count);
      case 'b':
        if (last_.size == 0) return;
        for (std::size_t left = fill_.take(count * last_.size) / last_.size; left > 0; --left) {
          put(last_);
        }
        return;
      default:
        return;
    }
  }

  void erase(std::size_t how) {
    const std::size_t start = row_start();
    const std::size_t end = width_ == 0 ? line_.size() : start + width_;
    const std::size_t at = cursor();
    if (how == 0) blank(at, std::max(at, end));
    if (how == 1) blank(start, at + 1);
    if (how == 2) blank(start, end);
  }
  // From `from` to before `to`; what is then blank at the end of the line goes.
  void blank(std::size_t from, std::size_t to) {
    if (from >= line_.size()) return;
    if (to >= line_.size()) return line_.resize(from);
    if (!work_.take_all(to - from)) return;
    std::fill(line_.begin() + static_cast<std::ptrdiff_t>(from),
              line_.begin() + static_cast<std::ptrdiff_t>(to), Cell{});
  }
  void remove(std::size_t count) {
    if (column_ >= line_.size() || !work_.take_all(line_.size() - column_)) return;
    const auto at = line_.begin() + static_cast<std::ptrdiff_t>(column_);
    const std::size_t most = std::min(count, line_.size() - column_);
    line_.erase(at, at + static_cast<std::ptrdiff_t>(most));
  }
  void insert(std::size_t count) {
    if (column_ >= line_.size() || !work_.take_all(line_.size() - column_)) return;
    line_.insert(line_.begin() + static_cast<std::ptrdiff_t>(column_), fill_.take(count), Cell{});
  }

  struct Saved {
    std::size_t line = 0, column = 0;
    std::optional<std::size_t> row;
  };

  std::size_t width_;
  std::string out_;         // the lines before this one
  std::vector<Cell> line_;  // columns that were written, and blanks between them
  std::size_t column_ = 0;  // of the cursor; may be beyond the end of the line
  bool wrap_pending_ = false;
  std::size_t line_number_ = 0;
  std::optional<std::size_t> row_;  // of the terminal, when a move has named it
  Saved saved_;
  Cell last_{.bytes = {}, .size = 0};  // what can be repeated
  Allowance fill_{kMostColumns, kFillPerByte};
  // Cells that are moved or erased, in steps a line editor would take many times over.
  Allowance work_{16 * kMostColumns, 64};
};

}  // namespace

std::size_t whole_characters(std::string_view bytes, std::size_t max_chars) {
  std::size_t at = 0;
  for (std::size_t count = 0; count < max_chars && at < bytes.size(); ++count) {
    const Utf8Part part = utf8_part(bytes.substr(at));
    if (part.unfinished) break;
    at += part.size;
  }
  return at;
}

std::size_t whole_sequences(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::string_view rest = bytes.substr(at);
    // The first byte of a C1 control in UTF-8 may introduce one.
    if (rest == "\xc2") break;
    const Token token = next_token(rest);
    if (token.kind == Kind::kUnfinished) break;
    at += token.size;
  }
  return at;
}

std::string plain_text(std::string_view bytes, std::size_t columns) {
  Screen screen(columns);
  screen.take(bytes);
  return std::move(screen).text();
}

}  // namespace pyro
