#include "capi/arguments.h"

#include <boost/json/array.hpp>

#include "client/service_options.h"

namespace pyro::capi {

namespace json = boost::json;

namespace {
json::array array_of(const char* const* values) {
  json::array list;
  for (; values != nullptr && *values != nullptr; ++values) list.emplace_back(*values);
  return list;
}

json::array array_of(const std::vector<std::string>& values) {
  json::array list;
  for (const std::string& value : values) list.emplace_back(value);
  return list;
}
}  // namespace

Arguments& Arguments::wrong(std::string message) {
  if (!wrong_) wrong_ = Error{.code = Errc::kInvalid, .message = std::move(message), .hint = {}};
  return *this;
}

Arguments& Arguments::required(std::string_view name, const char* value) {
  if (value == nullptr) return wrong(std::string(name) + " is NULL");
  return text(name, value);
}

Arguments& Arguments::text(std::string_view name, const char* value) {
  if (value != nullptr) object_[name] = value;
  return *this;
}

Arguments& Arguments::number(std::string_view name, std::int64_t value) {
  if (value != 0) object_[name] = value;
  return *this;
}

Arguments& Arguments::flag(std::string_view name, int value) {
  if (value != 0) object_[name] = true;
  return *this;
}

Arguments& Arguments::boolean(std::string_view name, bool value) {
  object_[name] = value;
  return *this;
}

template <class F>
Arguments& Arguments::pairs(std::string_view name, const char* const* values, bool value_optional,
                            F take) {
  for (; values != nullptr && *values != nullptr; ++values) {
    const std::string_view pair = *values;
    const std::size_t equals = pair.find('=');
    // The text may be a secret: it is not repeated.
    if (equals == std::string_view::npos && !value_optional)
      return wrong("an entry of " + std::string(name) + " is not NAME=VALUE");
    const std::string_view key = pair.substr(0, equals);
    take(key, equals == std::string_view::npos ? key : pair.substr(equals + 1));
  }
  return *this;
}

Arguments& Arguments::map(std::string_view name, const char* const* values, bool value_optional) {
  json::object map;
  pairs(name, values, value_optional, [&](std::string_view key, std::string_view value) {
    if (!map.emplace(key, value).second) wrong(std::string(name) + " has a name twice");
  });
  if (!map.empty()) object_[name] = std::move(map);
  return *this;
}

Arguments& Arguments::secret_env(const char* const* values) {
  return map("secret_env", values, /*value_optional=*/true);
}

Arguments& Arguments::secrets(const char* const* values, const char* const* files) {
  json::array list;
  const auto add = [&](const char* kind) {
    return [&list, kind](std::string_view name, std::string_view value) {
      list.push_back(json::object{{"name", name}, {kind, value}});
    };
  };
  pairs("secrets", values, /*value_optional=*/false, add("value"));
  pairs("secret_files", files, /*value_optional=*/false, add("file_path"));
  if (!list.empty()) object_["secrets"] = std::move(list);
  return *this;
}

Arguments& Arguments::readiness(std::string_view type, std::string_view key, const char* value) {
  if (value == nullptr) return *this;
  if (object_.contains("readiness")) return wrong("a service has at most one ready_...");
  object_["readiness"] = json::object{{"type", type}, {key, value}};
  return *this;
}

Arguments& Arguments::published_ports(const char* const* texts) {
  json::array list;
  for (; texts != nullptr && *texts != nullptr; ++texts) {
    const auto port = client::parse_publish(*texts);
    if (!port) return wrong(port.error().message);
    json::object one{{"guest_port", port->guest_port}};
    if (port->host_port) one["host_port"] = *port->host_port;
    list.push_back(std::move(one));
  }
  if (!list.empty()) object_["published_ports"] = std::move(list);
  return *this;
}

Arguments& Arguments::command(const char* const* argv, const char* command) {
  json::array words = array_of(argv);
  if (words.empty() == (command == nullptr)) return wrong("one of argv and command is given");
  if (command != nullptr) return text("command", command);
  object_["command"] = std::move(words);
  return *this;
}

Arguments& Arguments::policy(const pyro_policy_builder* builder) {
  if (builder == nullptr) return *this;
  const auto object = object_of(builder, "policy");
  if (!object) return wrong(object.error().message);
  const client::NetworkOptions& options = (*object)->options;
  if (options.policy) object_["network_policy"] = *options.policy;
  if (!options.allow.empty()) object_["net_allow"] = array_of(options.allow);
  if (!options.deny.empty()) object_["net_deny"] = array_of(options.deny);
  flag("allow_udp", options.allow_udp ? 1 : 0);
  return flag("allow_icmp", options.allow_icmp ? 1 : 0);
}

Result<json::object> Arguments::take() && {
  if (wrong_) return std::unexpected(std::move(*wrong_));
  return std::move(object_);
}

}  // namespace pyro::capi
