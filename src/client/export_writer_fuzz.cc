// What a guest may send as an export, into a folder of its own: nothing appears beside the target,
// and no device or set-user-id file in it.
#include "client/export_writer.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>

#include "sys/file.h"

namespace {

void require(bool fine) {
  if (!fine) std::abort();
}

int check_entry(const char* /*path*/, const struct stat* st, int /*kind*/, FTW* /*where*/) {
  require(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
  require(S_ISLNK(st->st_mode) || (st->st_mode & 07000U) == 0);
  return 0;
}

// Three folders deep: somewhere to climb to.
struct Place {
  std::string root, to;
  Place() {
    std::string name = "/tmp/pyro-fuzz-XXXXXX";
    require(::mkdtemp(name.data()) != nullptr);
    root = name;
    to = root + "/a/to";
    require(pyro::sys::make_dirs(to).has_value());
  }
  ~Place() { (void)pyro::sys::remove_tree(root); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

bool export_to(const std::string& target, std::string_view bytes) {
  auto writer = pyro::client::ExportWriter::open(target, {});
  require(writer.has_value());
  return writer->feed(bytes) && writer->finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Place place;
  const bool done = export_to(place.to + "/artifact", bytes);
  using Names = std::vector<std::string>;
  require(pyro::sys::list_dir(place.root).value_or(Names{}) == Names{"a"});
  require(pyro::sys::list_dir(place.root + "/a").value_or(Names{}) == Names{"to"});
  require(pyro::sys::list_dir(place.to).value_or(Names{"?"}) ==
          (done ? Names{"artifact"} : Names{}));
  constexpr int kFolders = 16;
  if (done) require(::nftw((place.to + "/artifact").c_str(), check_entry, kFolders, FTW_PHYS) == 0);
  return 0;
}
