#include "base/redact.h"

#include <algorithm>

namespace pyro {

namespace {
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string with_terminal_line_ends(const std::string& value) {
  std::string shown;
  for (const char c : value) {
    if (c == '\n') shown += '\r';
    shown += c;
  }
  return shown;
}
}  // namespace

bool is_secret_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostSecretName && is_letter(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

void Redactor::look_for(const std::string& name, std::string value) {
  starts_[static_cast<unsigned char>(value.front())] = true;
  secrets_.emplace_back("[redacted:" + name + "]", std::move(value));
}

Redactor::Redactor(const std::map<std::string, std::string>& secrets, Through through) {
  for (const auto& [name, value] : secrets) {
    if (value.size() < kLeastSecret) continue;
    look_for(name, value);
    if (through == Through::kTerminal && value.find('\n') != std::string::npos)
      look_for(name, with_terminal_line_ends(value));
  }
  std::ranges::sort(secrets_, std::ranges::greater(),
                    [](const auto& s) { return s.second.size(); });
}

// The longest come first, so a possible longer one is seen before a whole shorter one.
Redactor::Match Redactor::match(std::string_view at) const {
  Match found;
  for (std::size_t i = 0; i < secrets_.size(); ++i) {
    const std::string& value = secrets_[i].second;
    if (at.size() < value.size()) {
      found.possible = found.possible || value.starts_with(at);
    } else if (at.starts_with(value)) {
      found.secret = i;
      found.whole = true;
      return found;
    }
  }
  return found;
}

std::string Redactor::take(bool last) {
  std::string shown;
  const std::string_view all = held_;
  std::size_t done = 0;
  while (done < all.size()) {
    std::size_t at = done;
    while (at < all.size() && !starts_[static_cast<unsigned char>(all[at])]) ++at;
    shown += all.substr(done, at - done);
    done = at;
    if (done == all.size()) break;
    const Match found = match(all.substr(done));
    if (found.possible && !last) break;
    if (found.whole) {
      shown += secrets_[found.secret].first;
      done += secrets_[found.secret].second.size();
    } else {
      shown += all[done++];
    }
  }
  held_.erase(0, done);
  return shown;
}

std::string Redactor::feed(std::string_view bytes) {
  if (secrets_.empty()) return std::string(bytes);
  held_ += bytes;
  return take(/*last=*/false);
}

std::string Redactor::flush() {
  return take(/*last=*/true);
}

}  // namespace pyro
