#include "agent/workspace_intent.h"

#include <unordered_set>

#include "agent/workspace_fs.h"
#include "wire/bytes.h"
#include "wire/tree_stream.h"

namespace pyro::agent {
namespace {

constexpr std::string_view kMagic = "pyroSYN1";
constexpr std::size_t kSumSize = 8;

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : bytes) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return h;
}

std::unexpected<Error> damaged(const char* why) {
  return fail(Errc::kDamaged, std::string("the log of a sync is damaged: ") + why);
}

Result<std::string> take_path(wire::ByteReader& r) {
  PYRO_TRY(const std::uint16_t size, r.be16());
  PYRO_TRY(const std::string_view path, r.take(size));
  PYRO_CHECK(wire::check_tree_path(path));
  PYRO_CHECK(check_depth(path));
  return std::string(path);
}

Result<Intent> parse(std::string_view bytes) {
  wire::ByteReader r(bytes);
  PYRO_TRY(const std::string_view magic, r.take(kMagic.size()));
  if (magic != kMagic) return damaged("it does not begin like one");
  Intent out;
  PYRO_TRY(out.sync, r.be32());
  PYRO_TRY(const std::uint32_t folders, r.be32());
  PYRO_TRY(const std::uint32_t moves, r.be32());
  // The counts allocate nothing: every entry has to be there.
  std::unordered_set<std::string> entered, moved;
  for (std::uint32_t i = 0; i < folders; ++i) {
    Intent::Folder folder;
    PYRO_TRY(folder.mode, r.be32());
    if ((folder.mode & ~07777U) != 0) return damaged("a mode has bits that none has");
    PYRO_TRY(const std::uint64_t mtime, r.be64());
    folder.mtime_ns = static_cast<std::int64_t>(mtime);
    PYRO_TRY(folder.path, take_path(r));
    if (folder.path != "." && !entered.contains(std::string(split_path(folder.path).folder))) {
      return damaged("a folder comes before the one it is in");
    }
    if (!entered.insert(folder.path).second) return damaged("a folder comes twice");
    out.folders.push_back(std::move(folder));
  }
  for (std::uint32_t i = 0; i < moves; ++i) {
    PYRO_TRY(const std::uint8_t kind, r.u8());
    if (kind > 1) return damaged("a move is of no known kind");
    PYRO_TRY(std::string path, take_path(r));
    if (path == "." || entered.contains(path)) return damaged("it moves a folder that it enters");
    if (!entered.contains(std::string(split_path(path).folder))) {
      return damaged("a move is in no folder of it");
    }
    if (!moved.insert(path).second) return damaged("a move comes twice");
    out.moves.push_back({.path = std::move(path), .removal = kind == 1});
  }
  if (r.left() != 0) return damaged("something comes after its end");
  return out;
}

}  // namespace

Result<std::string> encode_intent(const Intent& intent) {
  std::string out;
  wire::ByteWriter w(out, kMaxIntent - kSumSize);
  w.bytes(kMagic);
  w.be32(intent.sync);
  w.be32(static_cast<std::uint32_t>(intent.folders.size()));
  w.be32(static_cast<std::uint32_t>(intent.moves.size()));
  const auto put_path = [&w](const std::string& path) {
    w.be16(static_cast<std::uint16_t>(path.size()));
    w.bytes(path);
  };
  for (const Intent::Folder& folder : intent.folders) {
    w.be32(folder.mode);
    w.be64(static_cast<std::uint64_t>(folder.mtime_ns));
    put_path(folder.path);
  }
  for (const Intent::Move& move : intent.moves) {
    w.u8(move.removal ? 1 : 0);
    put_path(move.path);
  }
  if (w.overflow()) return fail(Errc::kLimit, "the sync changes too many entries one by one");
  wire::ByteWriter(out).be64(fnv1a(out));
  return out;
}

Result<Intent> decode_intent(std::string_view bytes) {
  if (bytes.size() < kSumSize || bytes.size() > kMaxIntent) return damaged("its size is wrong");
  const std::string_view body = bytes.substr(0, bytes.size() - kSumSize);
  PYRO_TRY(const std::uint64_t sum, wire::ByteReader(bytes.substr(body.size())).be64());
  if (sum != fnv1a(body)) return damaged("its checksum is wrong");
  auto intent = parse(body);
  if (!intent) intent.error().code = Errc::kDamaged;
  return intent;
}

}  // namespace pyro::agent
