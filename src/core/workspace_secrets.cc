#include "core/workspace_secrets.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/redact.h"
#include "base/text.h"
#include "proto/workspace_messages.h"
#include "sys/file.h"

namespace pyro::core {

namespace {

constexpr std::uint64_t kMostFile = kMostSecrets * (2 * kMostSecret);

std::string path_of(const std::string& folder) {
  return folder + "/secrets.json";
}

}  // namespace

Result<void> check_secret(const std::string& name, const std::string& value) {
  if (!is_secret_name(name)) {
    return fail_hint(Errc::kInvalid, quoted_name(name) + " is no name for a secret",
                     "use letters, digits and '_', not a digit first: for example API_TOKEN");
  }
  if (value.size() < kLeastSecret) {
    return fail(Errc::kInvalid,
                fmt::format("the secret {} has less than {} bytes: so short a value cannot be kept "
                            "out of output",
                            name, kLeastSecret));
  }
  if (value.size() > kMostSecret) {
    return fail(Errc::kInvalid,
                fmt::format("the secret {} has more than {} bytes", name, kMostSecret));
  }
  bool lossy = false;
  static_cast<void>(to_utf8(value, &lossy));
  if (lossy || value.find('\0') != std::string::npos)
    return fail(Errc::kInvalid, fmt::format("the secret {} is not UTF-8 text", name));
  return {};
}

Result<void> write_secrets(const std::string& folder, const Secrets& secrets) {
  if (secrets.empty()) return {};
  proto::WorkspaceSecrets all;
  for (const auto& [name, value] : secrets) all.secrets[name] = proto::Bytes(value);
  return sys::write_file_atomic(path_of(folder), proto::to_text(proto::encode(all)), 0600);
}

Result<void> remove_secrets(const std::string& folder) {
  if (::unlink(path_of(folder).c_str()) != 0 && errno != ENOENT)
    return sys::fail_errno("unlink " + path_of(folder), errno);
  return {};
}

Result<Secrets> read_secrets(const std::string& folder) {
  Secrets secrets;
  if (!sys::exists(path_of(folder))) return secrets;
  PYRO_TRY(const std::string text, sys::read_file(path_of(folder), kMostFile));
  PYRO_TRY(auto all, proto::decode_text<proto::WorkspaceSecrets>(text));
  for (auto& [name, value] : all.secrets) secrets[name] = std::move(value.value);
  return secrets;
}

Result<void> check_recordable(const Secrets& secrets, std::string_view text, std::string_view where,
                              std::string_view instead) {
  for (const auto& [name, value] : secrets) {
    if (text.find(value) == std::string_view::npos) continue;
    return fail_hint(
        Errc::kInvalid,
        fmt::format("the value of the secret {} stands in {}, which are recorded", name, where),
        fmt::format("use {} {}", instead, name));
  }
  return {};
}

std::string redacted(const Secrets& secrets, const std::string& text) {
  Redactor redactor(secrets);
  std::string shown = redactor.feed(text);
  return shown + redactor.flush();
}

namespace {
void redact_value(const Secrets& secrets, boost::json::value& value) {
  if (auto* text = value.if_string()) {
    *text = redacted(secrets, std::string(*text));
  } else if (auto* list = value.if_array()) {
    for (auto& item : *list) redact_value(secrets, item);
  } else if (auto* object = value.if_object()) {
    for (auto& field : *object) redact_value(secrets, field.value());
  }
}
}  // namespace

// Before it is text, in which a value may be written in another way, and where the number 1024 is
// no secret that happens to be "1024".
boost::json::object redacted(const Secrets& secrets, boost::json::object object) {
  for (auto& field : object) redact_value(secrets, field.value());
  return object;
}

// Quoting changes a value with ' in it, so each word is looked through before. A value that is
// several words stands in the line only.
std::string redacted_line(const Secrets& secrets, std::vector<std::string> words) {
  for (std::string& word : words) word = redacted(secrets, word);
  return redacted(secrets, shell_join(words));
}

Error safe(Error error, const Secrets& secrets) {
  // Names stand in messages as quoted_name() writes them.
  Secrets quoted;
  for (const auto& [name, value] : secrets) {
    const std::string text = quoted_name(value);
    quoted[name] = text.substr(1, text.rfind('"') - 1);
  }
  error.message = printable(redacted(quoted, redacted(secrets, error.message)));
  error.hint = printable(error.hint);
  return error;
}

}  // namespace pyro::core
