#include "cli/json.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "base/text.h"
#include "base/version.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;

json::value text(std::string_view s) {
  return json::value(to_utf8(s));
}
json::value text_or_null(const std::string& s) {
  return s.empty() ? json::value(nullptr) : text(s);
}

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& s : list) out.push_back(text(s));
  return out;
}

void write(const json::value& value, std::size_t depth, std::string& out) {
  const auto line = [&](std::size_t d) { out += "\n" + std::string(2 * d, ' '); };
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    std::vector<const json::key_value_pair*> pairs;
    for (const json::key_value_pair& pair : *object) pairs.push_back(&pair);
    std::ranges::sort(pairs, {}, [](const auto* p) { return std::string_view(p->key()); });
    out += '{';
    for (const json::key_value_pair* pair : pairs) {
      if (pair != pairs.front()) out += ',';
      line(depth + 1);
      out += json::serialize(pair->key()) + ": ";
      write(pair->value(), depth + 1, out);
    }
    line(depth);
    out += '}';
  } else if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    out += '[';
    for (const json::value& item : *array) {
      if (&item != &array->front()) out += ',';
      line(depth + 1);
      write(item, depth + 1, out);
    }
    line(depth);
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

void add_stream(json::object& out, const std::string& name, const Collected& stream) {
  bool lossy = false;
  out[name] = to_utf8(stream.bytes, &lossy);
  if (lossy) out[name + "_base64"] = base64(stream.bytes);
  out[name + "_truncated"] = stream.truncated;
}

}  // namespace

std::string pretty(const json::value& value) {
  std::string out;
  write(value, 0, out);
  return out + "\n";
}

json::object to_json(const Error& error) {
  return {{"error",
           {{"code", errc_name(error.code)},
            {"message", text(error.message)},
            {"hint", text(error.hint)}}}};
}

json::object to_json(const image::EnvironmentInfo& info) {
  return {{"cache_dir", text(info.cache_dir)},
          {"damage", text_or_null(info.damage)},
          {"default_packages", texts(info.entry.default_packages)},
          {"description", text(info.entry.description)},
          {"distribution", text(info.entry.distribution)},
          {"distribution_version", text(info.entry.distribution_version)},
          {"initramfs_image", text_or_null(info.initramfs_image)},
          {"install_dir", text_or_null(info.install_dir)},
          {"install_manifest", text_or_null(info.install_manifest)},
          {"installed", info.installed},
          {"kernel_image", text_or_null(info.kernel_image)},
          {"name", text(info.entry.name)},
          {"platform", text(info.entry.platform)},
          {"rootfs_image", text_or_null(info.rootfs_image)},
          {"size_bytes", info.size_bytes},
          {"source", text_or_null(info.source)},
          {"version", text(info.entry.version)}};
}

json::object to_json(const std::vector<image::EnvironmentInfo>& list) {
  json::array environments;
  for (const image::EnvironmentInfo& info : list) environments.push_back(to_json(info));
  return {{"catalog_version", kVersion}, {"environments", std::move(environments)}};
}

json::object to_json(const client::PruneReport& report) {
  return {{"count", report.deleted_environment_dirs.size() + report.deleted_templates.size()},
          {"deleted_environment_dirs", texts(report.deleted_environment_dirs)},
          {"deleted_templates", texts(report.deleted_templates)},
          {"freed_bytes", report.freed_bytes},
          {"kept_in_use", texts(report.kept_in_use)}};
}

json::object to_json(const client::DoctorReport& report) {
  json::array environments;
  for (const image::EnvironmentInfo& info : report.environments)
    environments.push_back(to_json(info));
  return {{"accelerator",
           {{"in_force", text(report.accelerator.in_force)},
            {"reason", text(report.accelerator.reason)}}},
          {"capabilities",
           {{"guest_exec", report.guest_exec},
            {"guest_network", report.guest_network},
            {"vm_boot", report.vm_boot}}},
          {"environment_cache", text(report.environment_cache)},
          {"environments", std::move(environments)},
          {"isolation",
           {{"boundary", text(report.isolation.boundary)},
            {"detail", text(report.isolation.detail)},
            {"landlock", report.isolation.landlock},
            {"seccomp", report.isolation.seccomp},
            {"user_namespaces", report.isolation.user_namespaces}}},
          {"issues", texts(report.issues)},
          {"kvm",
           {{"detail", text(report.kvm.detail)},
            {"exists", report.kvm.exists},
            {"readable", report.kvm.readable},
            {"usable", report.kvm.usable},
            {"writable", report.kvm.writable}}},
          {"networking", {{"engine", text(report.networking_engine)}}},
          {"platform", text(report.platform)},
          {"qemu",
           {{"path", text(report.qemu.path)},
            {"supported", report.qemu.supported},
            {"version", text(report.qemu.version)}}},
          {"runtime_ok", report.runtime_ok}};
}

json::object to_json(const client::ExecResult& result, const Collected& out, const Collected& err) {
  json::object timing;
  for (const auto& [stage, ms] : result.timing) timing[stage] = ms;
  json::object object{
      {"cleanup",
       {{"deleted", result.cleanup.deleted},
        {"reason", text(result.cleanup.reason)},
        {"vm_id", text(result.vm_id)}}},
      {"command", text(result.command)},
      {"duration_ms", result.duration_ms},
      {"environment", text(result.environment)},
      {"execution_mode", text(result.execution_mode)},
      {"exit_code", result.exit_code},
      {"signal", result.signal ? json::value(*result.signal) : json::value(nullptr)},
      {"timed_out", result.timed_out},
      {"timing", std::move(timing)},
      {"vm_id", text(result.vm_id)}};
  add_stream(object, "stdout", out);
  add_stream(object, "stderr", err);
  return object;
}

}  // namespace pyro::cli
