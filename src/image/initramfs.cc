#include "image/initramfs.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "sys/file.h"

namespace pyro::image {
namespace {

// Disks, console, network over virtio-mmio; the read-only root and the overlay above it.
constexpr std::array kWanted = {"virtio_ring",    "virtio",   "virtio_mmio",  "virtio_blk",
                                "virtio_console", "failover", "net_failover", "virtio_net",
                                "libcrc32c",      "erofs",    "overlay"};
constexpr std::uint64_t kMaxModuleBytes = 32U << 20;

std::string normal_name(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '-', '_');
  return out;
}

template <class T>
std::optional<T> load(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::optional<std::string_view> slice(std::string_view bytes, std::uint64_t offset,
                                      std::uint64_t size) {
  if (offset > bytes.size() || bytes.size() - offset < size) return std::nullopt;
  return bytes.substr(offset, size);
}

std::optional<std::string_view> modinfo_section(std::string_view file) {
  const auto header = load<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_shentsize != sizeof(Elf64_Shdr)) {
    return std::nullopt;
  }
  const auto section_at = [&](std::uint64_t index) -> std::optional<Elf64_Shdr> {
    if (index >= header->e_shnum || header->e_shoff > file.size()) return std::nullopt;
    return load<Elf64_Shdr>(file, header->e_shoff + index * sizeof(Elf64_Shdr));
  };
  const auto names_section = section_at(header->e_shstrndx);
  if (!names_section) return std::nullopt;
  const auto names = slice(file, names_section->sh_offset, names_section->sh_size);
  if (!names) return std::nullopt;
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto section = section_at(i);
    if (!section || section->sh_name > names->size()) return std::nullopt;
    const std::string_view rest = names->substr(section->sh_name);
    if (rest.substr(0, rest.find('\0')) != ".modinfo") continue;
    return slice(file, section->sh_offset, section->sh_size);
  }
  return std::nullopt;
}

void split_names(std::string_view list, char separator, std::vector<std::string>& out) {
  while (!list.empty()) {
    const std::string_view word = list.substr(0, list.find(separator));
    if (!word.empty()) out.push_back(normal_name(word));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
  }
}

class ModuleSet {
 public:
  static Result<ModuleSet> scan(const std::string& modules_dir) {
    ModuleSet set;
    std::error_code ec;
    std::filesystem::recursive_directory_iterator it(modules_dir + "/kernel", ec);
    for (; !ec && it != std::filesystem::recursive_directory_iterator(); it.increment(ec)) {
      if (it->path().extension() == ".ko") {
        set.paths_.emplace(normal_name(it->path().stem().string()), it->path().string());
      }
    }
    if (ec) return fail(Errc::kUnavailable, "read the kernel's modules: " + ec.message());
    PYRO_TRY(const std::string builtin, sys::read_file(modules_dir + "/modules.builtin"));
    std::vector<std::string> lines;
    split_names(builtin, '\n', lines);
    for (const std::string& line : lines) {
      set.builtin_.insert(std::filesystem::path(line).stem().string());
    }
    return set;
  }

  // Puts `name` and what it needs at the end of the order, dependencies first. An optional name
  // (a soft dependency, often an alias) may be unknown.
  Result<void> add(const std::string& name, bool optional) {
    if (builtin_.contains(name) || visited_.contains(name)) return {};
    const auto found = paths_.find(name);
    if (found == paths_.end()) {
      if (optional) return {};
      return fail(Errc::kUnavailable, "the kernel package has no module " + name);
    }
    visited_.insert(name);
    PYRO_TRY(std::string content, sys::read_file(found->second, kMaxModuleBytes));
    auto needs = module_dependencies(content);
    if (!needs) return std::unexpected(std::move(needs).error().context("module " + name));
    for (const std::string& need : *needs) PYRO_CHECK(add(need, /*optional=*/true));
    order_.emplace_back(name, std::move(content));
    return {};
  }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& order() const {
    return order_;
  }

 private:
  std::map<std::string, std::string> paths_;
  std::set<std::string> builtin_, visited_;
  std::vector<std::pair<std::string, std::string>> order_;  // name, content
};

}  // namespace

void CpioWriter::add_dir(std::string_view path) {
  add(path, 0040755, {});
}
void CpioWriter::add_file(std::string_view path, std::string_view content) {
  add(path, 0100644, content);
}

void CpioWriter::add_program(std::string_view path, std::string_view content) {
  add(path, 0100755, content);
}

void CpioWriter::add(std::string_view path, std::uint32_t mode, std::string_view content) {
  const auto pad = [this] { out_.append((4 - out_.size() % 4) % 4, '\0'); };
  const bool directory = (mode & 0170000) == 0040000;
  // magic, inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name, check
  out_ += fmt::format(
      "070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}",
      ++inode_, mode, 0, 0, directory ? 2 : 1, 0, content.size(), 0, 0, 0, 0, path.size() + 1, 0);
  out_ += path;
  out_ += '\0';
  pad();
  out_ += content;
  pad();
}

std::string CpioWriter::finish() {
  add("TRAILER!!!", 0, {});
  out_.append((512 - out_.size() % 512) % 512, '\0');
  inode_ = 0;
  return std::exchange(out_, {});
}

Result<std::vector<std::string>> module_dependencies(std::string_view module_file) {
  const auto info = modinfo_section(module_file);
  if (!info) return fail(Errc::kInvalid, "it is not a kernel module (ELF64 with .modinfo)");
  std::vector<std::string> names;
  std::string_view rest = *info;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    if (entry.starts_with("depends=")) split_names(entry.substr(8), ',', names);
    if (!entry.starts_with("softdep=pre:")) continue;
    const std::string_view list = entry.substr(12);
    split_names(list.substr(0, list.find("post:")), ' ', names);
  }
  return names;
}

Result<std::string> build_initramfs(const std::string& modules_dir) {
  PYRO_TRY(ModuleSet modules, ModuleSet::scan(modules_dir));
  for (const char* name : kWanted) PYRO_CHECK(modules.add(name, /*optional=*/false));
  CpioWriter cpio;
  for (const char* dir : {"dev", "proc", "sys", "modules"}) cpio.add_dir(dir);
  std::string order;
  for (const auto& [name, content] : modules.order()) order += name + "\n";
  cpio.add_file("modules/order", order);
  for (const auto& [name, content] : modules.order()) {
    cpio.add_file(fmt::format("modules/{}.ko", name), content);
  }
  return cpio.finish();
}

}  // namespace pyro::image
