#include "core/resolvers.h"

#include <algorithm>

#include "net/dns_upstream.h"
#include "policy/special_ranges.h"
#include "sys/file.h"

namespace pyro::core {

namespace {

constexpr std::size_t kMostBytes = 64U << 10;
constexpr std::string_view kBlanks = " \t\r";

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<proto::NetResolver> parse_resolvers(std::string_view text) {
  std::vector<proto::NetResolver> out;
  while (!text.empty() && out.size() < net::kMostResolvers) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (next_word(line) != "nameserver") continue;
    if (const auto address = policy::Address::parse(next_word(line)))
      out.push_back({.address = address->text()});
  }
  return out;
}

std::vector<proto::NetResolver> read_resolvers(const std::string& path) {
  const auto text = sys::read_file(path, kMostBytes);
  return text ? parse_resolvers(*text) : std::vector<proto::NetResolver>{};
}

}  // namespace pyro::core
