// Splitting text that tools printed.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace pyro::image {

inline std::vector<std::string_view> split_fields(std::string_view text, char separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    const auto end = text.find(separator);
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

inline std::vector<std::string_view> split_lines(std::string_view text) {
  return split_fields(text, '\n');
}

// Non-empty words between blanks.
inline std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split_fields(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

}  // namespace pyro::image
