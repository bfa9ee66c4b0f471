#include "api/host_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <optional>

#include "base/text.h"

namespace pyro::api {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using proto::ParamType;

// The end of it need not be there yet. nullopt: nobody can say where it leads.
std::optional<fs::path> resolved(const std::string& given) {
  std::error_code ec;
  const fs::path path = fs::weakly_canonical(fs::absolute(given, ec), ec);
  if (ec) return std::nullopt;
  // A link that leads to nothing counts as not there: whatever makes its target would be led out.
  for (fs::path part = path; part != part.root_path(); part = part.parent_path()) {
    if (fs::is_symlink(fs::symlink_status(part, ec))) return std::nullopt;
  }
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

Result<void> HostFolders::confine(const proto::Operation& operation,
                                  json::object& arguments) const {
  return each(proto::library_arguments(operation), arguments, "");
}

Result<void> HostFolders::each(std::span<const proto::Argument> known, json::object& given,
                               const std::string& where) const {
  for (const proto::Argument& argument : known) {
    json::value* value = given.if_contains(argument.name);
    if (value == nullptr) continue;
    const std::string name = where + std::string(argument.name);
    json::array* list = value->if_array();
    const std::span<json::value> values = list == nullptr
                                              ? std::span<json::value>(value, 1)
                                              : std::span<json::value>(list->data(), list->size());
    for (json::value& item : values) {
      if (argument.param->type == ParamType::kHostPath) PYRO_CHECK(one(item, name));
      if (json::object* object = item.if_object(); object != nullptr) {
        PYRO_CHECK(each(nested_arguments(*argument.param), *object, name + "."));
      }
    }
  }
  return {};
}

Result<void> HostFolders::one(json::value& value, const std::string& name) const {
  const json::string* text = value.if_string();
  if (text == nullptr || text->empty() || text->find('\0') != json::string::npos) return {};
  const std::string given(*text);
  const std::optional<fs::path> path = resolved(given);
  if (path && holds(*path)) {
    value = path->string();
    return {};
  }
  return fail_hint(
      Errc::kDenied,
      fmt::format("{} {} leads out of the folders of the host that this server may use", name,
                  quoted_name(given)),
      fmt::format("it may use {}; its user gives it others with pyro mcp serve --host-path DIR",
                  folders_.empty() ? "none" : names()));
}

std::string HostFolders::names() const {
  std::string out;
  for (const std::string& folder : folders_) out += (out.empty() ? "" : ", ") + quoted_name(folder);
  return out;
}

bool HostFolders::holds(const fs::path& path) const {
  return std::ranges::any_of(folders_, [&](const std::string& folder) {
    const fs::path root(folder);
    return std::ranges::mismatch(root, path).in1 == root.end();
  });
}

}  // namespace pyro::api
