#include "core/workspace_names.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "core/sandbox_folder.h"
#include "sys/file.h"
#include "sys/random.h"

namespace pyro::core {
namespace {

constexpr std::string_view kPrefix = "ws-";
constexpr std::size_t kDigits = 8;
// Without what is easily mistaken for another (l, o, 0, 1).
constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
constexpr std::size_t kMostName = 63;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string names_dir(const sys::Dirs& dirs) {
  return dirs.state + "/names";
}

std::unexpected<Error> no_workspace(const std::string& id_or_name) {
  return fail_hint(Errc::kNotFound, "there is no workspace " + quoted_name(id_or_name),
                   "run: pyro workspace list");
}

// The workspace that a name's entry belongs to; kNotFound when there is no entry.
Result<std::string> owner_of(const std::string& entry) {
  std::array<char, kPrefix.size() + kDigits + 1> target{};
  const auto size = ::readlink(entry.c_str(), target.data(), target.size());
  if (size < 0) return sys::fail_errno("name " + entry, errno);
  std::string id(target.data(), static_cast<std::size_t>(size));
  if (!is_workspace_id(id)) return fail(Errc::kDamaged, entry + " belongs to no workspace");
  return id;
}

}  // namespace

bool is_workspace_id(const std::string& text) {
  return text.size() == kPrefix.size() + kDigits && text.starts_with(kPrefix) &&
         text.find_first_not_of(kAlphabet, kPrefix.size()) == std::string::npos;
}

Result<std::string> new_workspace_id() {
  PYRO_TRY(const std::string bytes, sys::random_bytes(kDigits));
  std::string id(kPrefix);
  for (const char c : bytes) id += kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return id;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= kMostName && is_name_char(name.front()) &&
         std::ranges::all_of(
             name, [](char c) { return is_name_char(c) || c == '.' || c == '_' || c == '-'; });
}

Result<void> check_workspace_name(const std::string& name) {
  if (is_plain_name(name) && !is_workspace_id(name)) return {};
  return fail_hint(
      Errc::kInvalid, quoted_name(name) + " is no name for a workspace",
      "use 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first, and not the "
      "form of an id");
}

Result<void> take_name(const sys::Dirs& dirs, const std::string& name, const std::string& id) {
  PYRO_CHECK(check_workspace_name(name));
  PYRO_CHECK(sys::make_dirs(names_dir(dirs)));
  const std::string entry = names_dir(dirs) + "/" + name;
  for (;;) {
    if (::symlink(id.c_str(), entry.c_str()) == 0) return {};
    if (errno != EEXIST) return sys::fail_errno("name " + entry, errno);
    const auto owner = owner_of(entry);
    if (!owner && owner.error().code == Errc::kNotFound) continue;  // given back meanwhile
    if (owner && *owner == id) return {};
    if (owner && sys::exists(folder_of(dirs, *owner))) {
      return fail_hint(Errc::kConflict, "the name " + name + " is that of " + *owner,
                       "choose another, or run: pyro workspace delete " + name);
    }
    // Left behind, or nobody's. Two who see that at once must not remove each other's new entry, so
    // it is moved aside and looked at again before it goes.
    PYRO_TRY(const std::string random, new_workspace_id());
    const std::string aside = names_dir(dirs) + "/.gone-" + random;
    if (::rename(entry.c_str(), aside.c_str()) != 0) {
      if (errno == ENOENT) continue;
      return sys::fail_errno("name " + entry, errno);
    }
    const auto moved = owner_of(aside);
    const bool live = moved && sys::exists(folder_of(dirs, *moved));
    if (live && ::link(aside.c_str(), entry.c_str()) != 0 && errno != EEXIST) {
      return sys::fail_errno("name " + entry, errno);
    }
    (void)::unlink(aside.c_str());
  }
}

Result<void> give_name_back(const sys::Dirs& dirs, const std::string& name, const std::string& id) {
  PYRO_CHECK(check_workspace_name(name));
  const std::string entry = names_dir(dirs) + "/" + name;
  const auto owner = owner_of(entry);
  if (!owner || *owner != id) return {};
  if (::unlink(entry.c_str()) != 0 && errno != ENOENT)
    return sys::fail_errno("name " + entry, errno);
  return {};
}

Result<void> give_names_back(const sys::Dirs& dirs, const std::string& id, const std::string& but) {
  if (!sys::exists(names_dir(dirs))) return {};
  PYRO_TRY(const auto names, sys::list_dir(names_dir(dirs)));
  for (const std::string& name : names) {
    if (name != but && check_workspace_name(name)) PYRO_CHECK(give_name_back(dirs, name, id));
  }
  return {};
}

Result<std::string> resolve_workspace(const sys::Dirs& dirs, const std::string& id_or_name) {
  if (is_workspace_id(id_or_name)) {
    if (!sys::exists(folder_of(dirs, id_or_name))) return no_workspace(id_or_name);
    return id_or_name;
  }
  if (!check_workspace_name(id_or_name)) return no_workspace(id_or_name);
  auto owner = owner_of(names_dir(dirs) + "/" + id_or_name);
  if (!owner || !sys::exists(folder_of(dirs, *owner))) return no_workspace(id_or_name);
  return owner;
}

}  // namespace pyro::core
