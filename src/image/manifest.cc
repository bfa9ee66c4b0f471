#include "image/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/text.h"

namespace pyro::image {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSchema = 1;
constexpr std::size_t kMaxText = 1024;
constexpr std::size_t kMaxPackages = 20'000;
constexpr std::array kArtefactNames = {kInitramfsName, kRootfsName, kKernelName};

std::unexpected<Error> damaged(std::string message) {
  return fail(Errc::kDamaged, std::move(message));
}

Result<json::object> parse_object(std::string_view text) {
  if (text.size() > kMaxManifestBytes) return damaged("the file is larger than 1 MiB");
  json::parse_options options;
  options.max_depth = 6;
  boost::system::error_code ec;
  json::value value;
  try {
    value = json::parse(text, ec, {}, options);
  } catch (const std::exception& e) {
    return damaged(fmt::format("it cannot be read: {}", e.what()));
  }
  if (ec) return damaged(fmt::format("it is not JSON: {}", ec.message()));
  if (!value.is_object()) return damaged("it is not a JSON object");
  return std::move(value.as_object());
}

// Takes fields out of an object; what is left at the end was not expected.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  Result<const json::value*> any(std::string_view key) {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr) return damaged(fmt::format("field {:?} is missing", key));
    ++taken_;
    return value;
  }
  Result<std::string> text(std::string_view key) {
    PYRO_TRY(const json::value* value, any(key));
    const json::string* string = value->if_string();
    if (string == nullptr || string->size() > kMaxText) {
      return damaged(fmt::format("field {:?} is not a short string", key));
    }
    if (std::ranges::any_of(*string, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
      return damaged(fmt::format("field {:?} has control characters", key));
    }
    return std::string(std::string_view(*string));
  }
  Result<std::int64_t> integer(std::string_view key) {
    PYRO_TRY(const json::value* value, any(key));
    const std::int64_t* number = value->if_int64();
    if (number == nullptr || *number < 0) {
      return damaged(fmt::format("field {:?} is not a whole number from 0", key));
    }
    return *number;
  }
  Result<const json::object*> object(std::string_view key) {
    PYRO_TRY(const json::value* value, any(key));
    const json::object* inner = value->if_object();
    if (inner == nullptr) return damaged(fmt::format("field {:?} is not an object", key));
    return inner;
  }
  Result<std::string> sha256(std::string_view key) {
    PYRO_TRY(std::string digits, text(key));
    const bool good = digits.size() == 64 && std::ranges::all_of(digits, [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
    if (!good) return damaged(fmt::format("field {:?} is not a SHA-256", key));
    return digits;
  }
  Result<void> done() const {
    if (object_.size() != taken_) return damaged("it has fields this version does not know");
    return {};
  }

 private:
  const json::object& object_;
  std::size_t taken_ = 0;
};

Result<std::vector<Package>> parse_packages(const json::value& value) {
  const json::array* array = value.if_array();
  if (array == nullptr || array->size() > kMaxPackages) {
    return damaged("field \"packages\" is not a list of sane length");
  }
  std::vector<Package> packages;
  for (const json::value& item : *array) {
    const json::object* object = item.if_object();
    if (object == nullptr) return damaged("a package is not an object");
    Fields fields(*object);
    Package package;
    PYRO_TRY(package.name, fields.text("name"));
    PYRO_TRY(package.version, fields.text("version"));
    PYRO_CHECK(fields.done());
    packages.push_back(std::move(package));
  }
  return packages;
}

}  // namespace

std::string manifest_text(const Manifest& manifest) {
  json::array packages;
  for (const auto& package : manifest.packages) {
    packages.push_back({{"name", package.name}, {"version", package.version}});
  }
  json::object artefacts;
  for (const auto& [name, artefact] : manifest.artefacts) {
    artefacts[name] = {{"size", artefact.size}, {"sha256", artefact.sha256}};
  }
  const json::object object{{"schema", kSchema},
                            {"name", manifest.name},
                            {"version", manifest.version},
                            {"platform", manifest.platform},
                            {"source", manifest.source},
                            {"created_at", manifest.created_at},
                            {"kernel_version", manifest.kernel_version},
                            {"artefacts", std::move(artefacts)},
                            {"packages", std::move(packages)}};
  return json::serialize(object) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
  PYRO_TRY(const json::object object, parse_object(text));
  Fields fields(object);
  PYRO_TRY(const std::int64_t schema, fields.integer("schema"));
  if (schema != kSchema)
    return damaged(fmt::format("its schema is {} and not {}", schema, kSchema));
  Manifest manifest;
  PYRO_TRY(manifest.name, fields.text("name"));
  PYRO_TRY(manifest.version, fields.text("version"));
  PYRO_TRY(manifest.platform, fields.text("platform"));
  PYRO_TRY(manifest.source, fields.text("source"));
  PYRO_TRY(manifest.created_at, fields.text("created_at"));
  PYRO_TRY(manifest.kernel_version, fields.text("kernel_version"));
  PYRO_TRY(const json::value* packages, fields.any("packages"));
  PYRO_TRY(manifest.packages, parse_packages(*packages));
  PYRO_TRY(const json::object* artefacts, fields.object("artefacts"));
  PYRO_CHECK(fields.done());
  Fields names(*artefacts);
  for (const std::string_view name : kArtefactNames) {
    PYRO_TRY(const json::object* inner, names.object(name));
    Fields artefact_fields(*inner);
    Artefact artefact;
    PYRO_TRY(const std::int64_t size, artefact_fields.integer("size"));
    artefact.size = static_cast<std::uint64_t>(size);
    PYRO_TRY(artefact.sha256, artefact_fields.sha256("sha256"));
    PYRO_CHECK(artefact_fields.done());
    manifest.artefacts.emplace(name, std::move(artefact));
  }
  PYRO_CHECK(names.done());
  return manifest;
}

std::string verified_text(const Verified& verified) {
  json::object files;
  for (const auto& [name, file] : verified.files) {
    files[name] = {{"size", file.size}, {"inode", file.inode}, {"ctime_ns", file.ctime_ns}};
  }
  return json::serialize(json::object{{"manifest_sha256", verified.manifest_sha256},
                                      {"files", std::move(files)}}) +
         "\n";
}

Result<Verified> parse_verified(std::string_view text) {
  PYRO_TRY(const json::object object, parse_object(text));
  Fields fields(object);
  Verified verified;
  PYRO_TRY(verified.manifest_sha256, fields.sha256("manifest_sha256"));
  PYRO_TRY(const json::object* files, fields.object("files"));
  PYRO_CHECK(fields.done());
  Fields names(*files);
  for (const std::string_view name : kArtefactNames) {
    PYRO_TRY(const json::object* inner, names.object(name));
    Fields stamp(*inner);
    SeenFile file;
    PYRO_TRY(const std::int64_t size, stamp.integer("size"));
    PYRO_TRY(const std::int64_t inode, stamp.integer("inode"));
    PYRO_TRY(file.ctime_ns, stamp.integer("ctime_ns"));
    PYRO_CHECK(stamp.done());
    file.size = static_cast<std::uint64_t>(size);
    file.inode = static_cast<std::uint64_t>(inode);
    verified.files.emplace(name, file);
  }
  PYRO_CHECK(names.done());
  return verified;
}

}  // namespace pyro::image
