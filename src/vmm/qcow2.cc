#include "vmm/qcow2.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file.h"
#include "vmm/vmm.h"
#include "wire/bytes.h"

namespace pyro::vmm {
namespace {

constexpr std::uint32_t kMagic = 0x514649fb;  // "QFI" and 0xfb
constexpr std::uint32_t kVersion = 3;
constexpr std::uint32_t kClusterBits = 16;
constexpr std::uint64_t kCluster = 1ULL << kClusterBits;
constexpr std::uint32_t kRefcountOrder = 4;  // 16 bits for each cluster
constexpr std::uint32_t kHeaderLength = 112;
// An entry of the first table stands for a second one, which is a cluster of 8-byte entries.
constexpr auto kTableEntries = static_cast<std::uint32_t>(kWorkBytes / (kCluster * (kCluster / 8)));
// Where an empty layer has its tables; the header is cluster 0.
constexpr std::uint64_t kRefcountTable = kCluster, kRefcountBlock = 2 * kCluster,
                        kTable = 3 * kCluster;
constexpr std::uint64_t kEmptyBytes = 4 * kCluster;
// Every cluster and all tables, and twice that for what crashes leaked.
constexpr std::uint64_t kMostBytes = 2 * kWorkBytes;
// Header extensions (their list ends with type 0). The second is a list of names that QEMU adds.
constexpr std::uint32_t kEndOfExtensions = 0, kFeatureNames = 0x6803f857;

struct Header {
  std::uint32_t magic = kMagic, version = kVersion;
  std::uint64_t backing_name_offset = 0;
  std::uint32_t backing_name_bytes = 0, cluster_bits = kClusterBits;
  std::uint64_t disk_bytes = kWorkBytes;
  std::uint32_t encryption = 0, table_entries = kTableEntries;
  std::uint64_t table_offset = kTable, refcount_table_offset = kRefcountTable;
  std::uint32_t refcount_table_clusters = 1, snapshots = 0;
  std::uint64_t snapshots_offset = 0;
  std::uint64_t incompatible = 0, compatible = 0, autoclear = 0;
  std::uint32_t refcount_order = kRefcountOrder, header_length = kHeaderLength;
};

void put32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}
void put64(std::string& out, std::uint64_t value) {
  put32(out, static_cast<std::uint32_t>(value >> 32));
  put32(out, static_cast<std::uint32_t>(value));
}

std::string header_bytes(const Header& h) {
  std::string out;
  put32(out, h.magic);
  put32(out, h.version);
  put64(out, h.backing_name_offset);
  put32(out, h.backing_name_bytes);
  put32(out, h.cluster_bits);
  put64(out, h.disk_bytes);
  put32(out, h.encryption);
  put32(out, h.table_entries);
  put64(out, h.table_offset);
  put64(out, h.refcount_table_offset);
  put32(out, h.refcount_table_clusters);
  put32(out, h.snapshots);
  put64(out, h.snapshots_offset);
  put64(out, h.incompatible);
  put64(out, h.compatible);
  put64(out, h.autoclear);
  put32(out, h.refcount_order);
  put32(out, h.header_length);
  out.resize(kHeaderLength + 8, '\0');  // compression type 0, and the end of the extensions
  return out;
}

Result<Header> read_header(wire::ByteReader& in) {
  Header h;
  PYRO_TRY(h.magic, in.be32());
  PYRO_TRY(h.version, in.be32());
  PYRO_TRY(h.backing_name_offset, in.be64());
  PYRO_TRY(h.backing_name_bytes, in.be32());
  PYRO_TRY(h.cluster_bits, in.be32());
  PYRO_TRY(h.disk_bytes, in.be64());
  PYRO_TRY(h.encryption, in.be32());
  PYRO_TRY(h.table_entries, in.be32());
  PYRO_TRY(h.table_offset, in.be64());
  PYRO_TRY(h.refcount_table_offset, in.be64());
  PYRO_TRY(h.refcount_table_clusters, in.be32());
  PYRO_TRY(h.snapshots, in.be32());
  PYRO_TRY(h.snapshots_offset, in.be64());
  PYRO_TRY(h.incompatible, in.be64());
  PYRO_TRY(h.compatible, in.be64());
  PYRO_TRY(h.autoclear, in.be64());
  PYRO_TRY(h.refcount_order, in.be32());
  PYRO_TRY(h.header_length, in.be32());
  return h;
}

std::unexpected<Error> damaged(const std::string& what) {
  return fail(Errc::kDamaged, "not a layer of a work disk: " + what);
}

Result<void> must_be(const char* name, std::uint64_t value, std::uint64_t expected) {
  if (value == expected) return {};
  return damaged(fmt::format("its {} is {:#x}, not {:#x}", name, value, expected));
}

Result<void> check_place(const char* name, std::uint64_t offset, std::uint64_t file_bytes) {
  // Never the header's own cluster; a table of ours fits into one.
  const bool fits = offset >= kCluster && file_bytes >= kCluster && offset <= file_bytes - kCluster;
  if (fits && offset % kCluster == 0) return {};
  return damaged(fmt::format("its {} lies at {:#x}", name, offset));
}

Result<void> check_fields(const Header& h, std::uint64_t file_bytes) {
  PYRO_CHECK(must_be("magic", h.magic, kMagic));
  PYRO_CHECK(must_be("version", h.version, kVersion));
  PYRO_CHECK(must_be("backing file name", h.backing_name_offset | h.backing_name_bytes, 0));
  PYRO_CHECK(must_be("cluster size", h.cluster_bits, kClusterBits));
  PYRO_CHECK(must_be("disk size", h.disk_bytes, kWorkBytes));
  PYRO_CHECK(must_be("encryption", h.encryption, 0));
  PYRO_CHECK(must_be("table size", h.table_entries, kTableEntries));
  PYRO_CHECK(must_be("refcount table size", h.refcount_table_clusters, 1));
  PYRO_CHECK(must_be("number of snapshots", h.snapshots, 0));
  // Dirty, corrupt, a data file beside it, another compression, another form of tables.
  PYRO_CHECK(must_be("set of incompatible features", h.incompatible, 0));
  PYRO_CHECK(must_be("set of compatible features", h.compatible, 0));
  PYRO_CHECK(must_be("set of autoclear features", h.autoclear, 0));
  PYRO_CHECK(must_be("refcount width", h.refcount_order, kRefcountOrder));
  PYRO_CHECK(must_be("header length", h.header_length, kHeaderLength));
  PYRO_CHECK(check_place("table", h.table_offset, file_bytes));
  PYRO_CHECK(check_place("refcount table", h.refcount_table_offset, file_bytes));
  if (h.table_offset == h.refcount_table_offset) return damaged("its tables lie on each other");
  return {};
}

// An extension can name a file, too.
Result<void> check_extensions(wire::ByteReader& in) {
  for (;;) {
    PYRO_TRY(const std::uint32_t type, in.be32());
    PYRO_TRY(const std::uint32_t bytes, in.be32());
    if (type == kEndOfExtensions) return must_be("end of extensions", bytes, 0);
    if (type != kFeatureNames) return damaged(fmt::format("it has an extension {:#x}", type));
    if (bytes > in.left()) return damaged("an extension is longer than its cluster");
    const std::size_t padded = (std::size_t{bytes} + 7) / 8 * 8;
    PYRO_TRY(const auto ignored, in.take(padded));
    static_cast<void>(ignored);
  }
}

Result<void> write_at(int fd, std::uint64_t offset, const std::string& bytes) {
  PYRO_TRY(const int n, sys::retrying("write", [&] {
             return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
           }));
  if (static_cast<std::size_t>(n) != bytes.size())
    return sys::fail_errno("write", ENOSPC);  // a file takes less only where there is no more room
  return {};
}

Result<void> fill_layer(int fd, const std::string& path) {
  PYRO_CHECK(write_at(fd, 0, header_bytes({})));
  std::string first_block;
  put64(first_block, kRefcountBlock);
  PYRO_CHECK(write_at(fd, kRefcountTable, first_block));
  // Each of the four clusters is used once.
  PYRO_CHECK(write_at(fd, kRefcountBlock, std::string("\0\1\0\1\0\1\0\1", 8)));
  PYRO_CHECK(sys::retrying("ftruncate " + path, [&] { return ::ftruncate(fd, kEmptyBytes); }));
  PYRO_CHECK(sys::retrying("fsync " + path, [&] { return ::fsync(fd); }));
  return sys::sync_dir(sys::parent_of(path));
}

}  // namespace

Result<sys::UniqueFd> create_layer(const std::string& path) {
  auto fd = sys::open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!fd) {
    if (fd.error().os_errno == EEXIST) fd.error().code = Errc::kConflict;
    return fd;
  }
  if (auto filled = fill_layer(fd->get(), path); !filled) {
    ::unlink(path.c_str());
    return std::unexpected(std::move(filled.error()).context("a new layer " + path));
  }
  return fd;
}

Result<void> check_layer_header(std::string_view start, std::uint64_t file_bytes) {
  if (file_bytes < kEmptyBytes || file_bytes > kMostBytes)
    return damaged(fmt::format("it has {} bytes", file_bytes));
  wire::ByteReader in(start);
  auto header = read_header(in);
  if (!header) return damaged("it ends within its header");
  PYRO_CHECK(check_fields(*header, file_bytes));
  PYRO_TRY(const std::uint64_t compression, in.be64());
  PYRO_CHECK(must_be("compression", compression, 0));
  auto extensions = check_extensions(in);
  if (!extensions && extensions.error().code != Errc::kDamaged)
    return damaged("its extensions have no end");
  return extensions;
}

Result<void> check_layer(int fd) {
  struct stat st{};
  PYRO_CHECK(sys::retrying("stat", [&] { return ::fstat(fd, &st); }));
  if (!S_ISREG(st.st_mode)) return damaged("it is no regular file");
  std::string start(kLayerHeaderBytes, '\0');
  PYRO_TRY(const int n,
           sys::retrying("read", [&] { return ::pread(fd, start.data(), start.size(), 0); }));
  start.resize(static_cast<std::size_t>(n));
  return check_layer_header(start, static_cast<std::uint64_t>(st.st_size));
}

}  // namespace pyro::vmm
