// Bytes -> lines, with a bound.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pyro::mcp_serve {

// Keeps at most `most` bytes. A longer line is told once, without its text, and what is left of it
// is thrown away as it comes.
class LineReader {
 public:
  struct Line {
    std::string text;
    bool too_long = false;
  };
  explicit LineReader(std::size_t most) : most_(most) {}
  // The first whole line that `bytes` ends or holds, which are cut by what was used. nullopt:
  // all of them were.
  std::optional<Line> next(std::string_view& bytes);
  // At the end of the bytes: what no newline ended. nullopt: nothing, or it was told to be too
  // long.
  std::optional<Line> rest();

 private:
  Line taken();

  const std::size_t most_;
  std::string line_;
  bool skipping_ = false;
};

}  // namespace pyro::mcp_serve
