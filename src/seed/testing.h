// For tests: folders, tar archives made by hand, and a tree stream as a list.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "seed/seed.h"
#include "sys/file.h"
#include "sys/process.h"
#include "wire/tree_stream.h"

namespace pyro::seed::testing {

class TempDir {
 public:
  TempDir() {
    std::string name = "/tmp/pyro-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { (void)sys::remove_tree(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, std::string_view bytes, mode_t mode = 0644) {
  (void)sys::make_dirs(path.substr(0, path.rfind('/')), 0755);
  ASSERT_TRUE(sys::write_file_atomic(path, bytes, mode)) << path;
}

// One entry of a ustar archive, its content included.
struct TarEntry {
  std::string name;
  char type = '0';
  std::string content;
  std::string link;
  unsigned mode = 0644;
  long long declared = -1;  // the size in the header, when it lies
};

inline std::string tar_entry(const TarEntry& entry) {
  constexpr std::size_t kBlock = 512;
  std::string head(kBlock, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    head.replace(at, text.size(), text);
  };
  const auto octal = [](unsigned long long value, int digits) {
    std::array<char, 32> text{};
    const int n = std::snprintf(text.data(), text.size(), "%0*llo", digits, value);
    return std::string(text.data(), static_cast<std::size_t>(n));
  };
  const auto size =
      entry.declared >= 0 ? static_cast<unsigned long long>(entry.declared) : entry.content.size();
  put(0, entry.name.substr(0, 100));
  put(100, octal(entry.mode, 7));
  put(108, octal(1234, 7));
  put(116, octal(1234, 7));
  put(124, octal(size, 11));
  put(136, octal(1'600'000'000, 11));
  put(148, "        ");
  head[156] = entry.type;
  put(157, entry.link.substr(0, 100));
  put(257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : head) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  std::string padded = entry.content;
  padded.resize((padded.size() + kBlock - 1) / kBlock * kBlock, '\0');
  return head + padded;
}

inline std::string tar(const std::vector<TarEntry>& entries) {
  std::string out;
  for (const TarEntry& entry : entries) out += tar_entry(entry);
  return out + std::string(1024, '\0');
}

enum class Packer : std::uint8_t { kGzip, kZstd };
inline std::string compressed(std::string_view bytes, Packer packer) {
  std::string out(bytes.size() + (1U << 16), '\0');
  std::size_t used = 0;
  archive* a = ::archive_write_new();
  packer == Packer::kGzip ? ::archive_write_add_filter_gzip(a) : ::archive_write_add_filter_zstd(a);
  ::archive_write_set_format_raw(a);
  ::archive_write_set_bytes_per_block(a, 0);
  ::archive_write_open_memory(a, out.data(), out.size(), &used);
  archive_entry* entry = ::archive_entry_new();
  ::archive_entry_set_filetype(entry, AE_IFREG);
  ::archive_entry_set_pathname(entry, "data");
  ::archive_write_header(a, entry);
  EXPECT_EQ(::archive_write_data(a, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  ::archive_entry_free(entry);
  ::archive_write_close(a);
  ::archive_write_free(a);
  out.resize(used);
  return out;
}

struct Item {
  wire::TreeEntry entry;
  std::string content;
};
// What a stream says, in its order.
struct Tree {
  std::vector<Item> items;
  Summary summary;
  [[nodiscard]] const Item* find(std::string_view path) const {
    const Item* found = nullptr;  // the last one is what counts
    for (const Item& item : items) {
      if (item.entry.path == path) found = &item;
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> paths() const {
    std::vector<std::string> out;
    out.reserve(items.size());
    for (const Item& item : items) out.push_back(item.entry.path);
    return out;
  }
};

inline Result<Tree> tree_of(const Source& source, const Limits& limits = {},
                            const Progress& progress = {}) {
  Tree tree;
  wire::TreeParser parser;
  const Sink sink = [&](std::string_view bytes) -> Result<void> {
    parser.feed(bytes);
    for (;;) {
      PYRO_TRY(auto item, parser.next());
      if (!item) return {};
      if (auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
        if (entry->kind != wire::EntryKind::kEnd) tree.items.push_back({std::move(*entry), {}});
      } else if (auto* data = std::get_if<wire::TreeData>(&*item)) {
        tree.items.back().content += data->bytes;
      }
    }
  };
  PYRO_TRY(tree.summary, write_tree(source, sink, progress, limits));
  EXPECT_TRUE(parser.ended() && !parser.has_more());
  // Every stream begins with the folder that is carried; the tests look at what is in it.
  const bool rooted = !tree.items.empty() && tree.items.front().entry.path == "." &&
                      tree.items.front().entry.kind == wire::EntryKind::kDirectory;
  EXPECT_TRUE(rooted);
  if (rooted) tree.items.erase(tree.items.begin());
  return tree;
}

// The error of a source that must be refused, as "MESSAGE | HINT".
inline std::string refusal(const Source& source, const Limits& limits = {}) {
  const auto tree = tree_of(source, limits);
  if (tree) return "(not refused)";
  EXPECT_FALSE(tree.error().hint.empty()) << tree.error().message;
  return tree.error().message + " | " + tree.error().hint;
}

}  // namespace pyro::seed::testing
