#include "api/json.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "base/version.h"

namespace pyro::api {
namespace {

namespace json = boost::json;

// Whether every value has a line of its own.
enum class Lines { kMany, kOne };

void write(const json::value& value, std::size_t depth, Lines lines, std::string& out) {
  const auto line = [&](std::size_t d) {
    if (lines == Lines::kMany) out += "\n" + std::string(2 * d, ' ');
  };
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    std::vector<const json::key_value_pair*> pairs;
    for (const json::key_value_pair& pair : *object) pairs.push_back(&pair);
    std::ranges::sort(pairs, {}, [](const auto* p) { return std::string_view(p->key()); });
    out += '{';
    for (const json::key_value_pair* pair : pairs) {
      if (pair != pairs.front()) out += ',';
      line(depth + 1);
      out += json::serialize(pair->key()) + (lines == Lines::kMany ? ": " : ":");
      write(pair->value(), depth + 1, lines, out);
    }
    line(depth);
    out += '}';
  } else if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    out += '[';
    for (const json::value& item : *array) {
      if (&item != &array->front()) out += ',';
      line(depth + 1);
      write(item, depth + 1, lines, out);
    }
    line(depth);
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string pretty(const json::value& value) {
  std::string out;
  write(value, 0, Lines::kMany, out);
  return out + "\n";
}

std::string json_line(const json::value& value) {
  std::string out;
  write(value, 0, Lines::kOne, out);
  return out + "\n";
}

json::value json_text(std::string_view bytes) {
  return json::value(to_utf8(bytes));
}

json::value json_text_or_null(const std::string& bytes) {
  return bytes.empty() ? json::value(nullptr) : json_text(bytes);
}

json::array json_texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& s : list) out.push_back(json_text(s));
  return out;
}

void add_bytes(json::object& out, const std::string& name, std::string_view bytes) {
  bool lossy = false;
  out[name] = to_utf8(bytes, &lossy);
  if (lossy) out[name + "_base64"] = base64(bytes);
}

void add_stream(json::object& out, const std::string& name, const Collected& stream) {
  add_bytes(out, name, stream.bytes);
  out[name + "_truncated"] = stream.truncated;
}

json::object to_json(const client::Timing& timing) {
  json::object out;
  for (const auto& [stage, ms] : timing) out[stage] = ms;
  return out;
}

json::object to_json(const Error& error) {
  return {{"error",
           {{"code", errc_name(error.code)},
            {"message", json_text(error.message)},
            {"hint", json_text(error.hint)}}}};
}

json::object to_json(const image::EnvironmentInfo& info) {
  return {{"cache_dir", json_text(info.cache_dir)},
          {"damage", json_text_or_null(info.damage)},
          {"default_packages", json_texts(info.entry.default_packages)},
          {"description", json_text(info.entry.description)},
          {"distribution", json_text(info.entry.distribution)},
          {"distribution_version", json_text(info.entry.distribution_version)},
          {"initramfs_image", json_text_or_null(info.initramfs_image)},
          {"install_dir", json_text_or_null(info.install_dir)},
          {"install_manifest", json_text_or_null(info.install_manifest)},
          {"installed", info.installed},
          {"kernel_image", json_text_or_null(info.kernel_image)},
          {"name", json_text(info.entry.name)},
          {"platform", json_text(info.entry.platform)},
          {"rootfs_image", json_text_or_null(info.rootfs_image)},
          {"size_bytes", info.size_bytes},
          {"source", json_text_or_null(info.source)},
          {"version", json_text(info.entry.version)}};
}

json::object to_json(const std::vector<image::EnvironmentInfo>& list) {
  json::array environments;
  for (const image::EnvironmentInfo& info : list) environments.push_back(to_json(info));
  return {{"catalog_version", kVersion}, {"environments", std::move(environments)}};
}

json::object to_json(const client::PruneReport& report) {
  return {{"count", report.deleted_environment_dirs.size() + report.deleted_templates.size()},
          {"deleted_environment_dirs", json_texts(report.deleted_environment_dirs)},
          {"deleted_templates", json_texts(report.deleted_templates)},
          {"freed_bytes", report.freed_bytes},
          {"kept_in_use", json_texts(report.kept_in_use)}};
}

json::object to_json(const client::DoctorReport& report) {
  json::array environments;
  for (const image::EnvironmentInfo& info : report.environments)
    environments.push_back(to_json(info));
  return {{"accelerator",
           {{"in_force", json_text(report.accelerator.in_force)},
            {"reason", json_text(report.accelerator.reason)}}},
          {"capabilities",
           {{"guest_exec", report.guest_exec},
            {"guest_network", report.guest_network},
            {"vm_boot", report.vm_boot}}},
          {"environment_cache", json_text(report.environment_cache)},
          {"environments", std::move(environments)},
          {"isolation",
           {{"boundary", json_text(report.isolation.boundary)},
            {"detail", json_text(report.isolation.detail)},
            {"landlock", report.isolation.landlock},
            {"seccomp", report.isolation.seccomp},
            {"user_namespaces", report.isolation.user_namespaces}}},
          {"issues", json_texts(report.issues)},
          {"kvm",
           {{"detail", json_text(report.kvm.detail)},
            {"exists", report.kvm.exists},
            {"readable", report.kvm.readable},
            {"usable", report.kvm.usable},
            {"writable", report.kvm.writable}}},
          {"networking", {{"engine", json_text(report.networking_engine)}}},
          {"platform", json_text(report.platform)},
          {"qemu",
           {{"path", json_text(report.qemu.path)},
            {"supported", report.qemu.supported},
            {"version", json_text(report.qemu.version)}}},
          {"runtime_ok", report.runtime_ok}};
}

json::object to_json(const client::VmInfo& info) {
  return {{"allow_host_compat", info.allow_host_compat},
          {"created_at", info.created_at},
          {"environment", json_text(info.environment)},
          {"execution_mode", json_text(info.execution_mode)},
          {"expires_at", info.expires_at},
          {"last_error", json_text_or_null(info.last_error)},
          {"mem_mib", info.mem_mib},
          {"network_enabled", info.network_enabled},
          {"state", json_text(info.state)},
          {"ttl_seconds", info.ttl_seconds},
          {"vcpu_count", info.vcpu_count},
          {"vm_id", json_text(info.vm_id)}};
}

json::object to_json(const client::ExecResult& result, const Collected& out, const Collected& err) {
  json::array refused;
  for (const client::RefusedEndpoint& r : result.refused) {
    refused.push_back({{"address", json_text(r.address)},
                       {"count", r.count},
                       {"name", json_text(r.name)},
                       {"port", r.port},
                       {"protocol", json_text(r.protocol)},
                       {"reason", json_text(r.reason)},
                       {"rule", json_text(r.rule)}});
  }
  json::object object{{"cleanup",
                       {{"deleted", result.cleanup.deleted},
                        {"reason", json_text(result.cleanup.reason)},
                        {"vm_id", json_text(result.vm_id)}}},
                      {"command", json_text(result.command)},
                      {"duration_ms", result.duration_ms},
                      {"environment", json_text(result.environment)},
                      {"execution_mode", json_text(result.execution_mode)},
                      {"exit_code", result.exit_code},
                      {"refused", std::move(refused)},
                      {"signal", or_null(result.signal)},
                      {"timed_out", result.timed_out},
                      {"timing", to_json(result.timing)},
                      {"vm_id", json_text(result.vm_id)},
                      {"warnings", json_texts(result.warnings)}};
  add_stream(object, "stdout", out);
  add_stream(object, "stderr", err);
  return object;
}

}  // namespace pyro::api
