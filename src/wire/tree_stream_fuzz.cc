// The same bytes, once whole and once byte by byte, must give the same items and the same error;
// what was parsed must survive encoding, and no path may lead out of the tree.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/tree_stream.h"

namespace {

using pyro::wire::TreeParser;

void require(bool fine) {
  if (!fine) std::abort();
}

// What was parsed, encoded again; true when the parser failed.
bool again(TreeParser& parser, std::string& out) {
  for (;;) {
    const auto item = parser.next();
    if (!item) return true;
    if (!*item) return false;
    if (const auto* entry = std::get_if<pyro::wire::TreeEntry>(&**item)) {
      require(entry->path.find("..") == std::string::npos ||
              pyro::wire::check_tree_path(entry->path).has_value());
      require(!entry->path.starts_with('/'));
      append_entry(out, *entry);
    } else if (const auto* data = std::get_if<pyro::wire::TreeData>(&**item)) {
      require(!data->bytes.empty());
      pyro::wire::append_data(out, data->bytes);
    } else {
      pyro::wire::append_file_end(out, std::get<pyro::wire::TreeFileEnd>(**item).complete);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(data[i]);
  TreeParser whole;
  whole.feed(bytes);
  std::string first;
  const bool failed = again(whole, first);
  require(bytes.starts_with(first));

  TreeParser pieces;
  std::string second;
  bool failed_bytewise = false;
  for (const char c : bytes) {
    pieces.feed({&c, 1});
    failed_bytewise = again(pieces, second);
  }
  require(first == second && failed == failed_bytewise);
  return 0;
}
