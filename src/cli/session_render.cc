#include "cli/session_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "cli/io.h"
#include "cli/workspace_render.h"

namespace pyro::cli {
namespace {

// As the text of this interface has always had them.
const char* truth(bool value) {
  return value ? "True" : "False";
}

// "127.0.0.1:18080->8080/tcp"; a port of the host that is not known yet is "?".
std::string ports(const std::vector<client::PublishedPortInfo>& list) {
  std::string out;
  for (const client::PublishedPortInfo& port : list) {
    out += fmt::format("{}{}:{}->{}/{}", out.empty() ? "" : ",", port.host,
                       port.host_port ? std::to_string(*port.host_port) : "?", port.guest_port,
                       port.protocol);
  }
  return out;
}

std::string ready_type(const client::ServiceInfo& info) {
  return info.readiness ? info.readiness->type : "none";
}

std::string readiness_text(const std::optional<client::ServiceReadiness>& readiness) {
  if (!readiness) return "none";
  // Only that of its type has a value.
  return readiness->type + " " + readiness->path + readiness->address + readiness->url +
         readiness->command;
}

// How something ended, as far as it has and anybody saw it.
std::string ended(const std::optional<int>& exit_code, const std::string& reason) {
  std::string out;
  if (exit_code) out += fmt::format(" exit_code={}", *exit_code);
  if (!reason.empty()) out += " reason=" + line_value(reason);
  return out;
}

}  // namespace

std::string iso_time(double seconds) {
  const double whole = std::floor(seconds);
  const auto ms = static_cast<int>((seconds - whole) * 1000);
  const auto time = static_cast<std::time_t>(whole);
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms);
}

std::string render_shell(const std::string& tag, const client::ShellInfo& info) {
  return one_line(fmt::format("[{}] workspace_id={} shell_id={} state={} cwd={} cols={} rows={} "
                              "execution_mode={}",
                              tag, info.workspace_id, info.shell_id, info.state,
                              line_value(info.cwd), info.cols, info.rows, info.execution_mode)) +
         "\n";
}

std::string render_shell_read(const client::ShellReadResult& result) {
  std::string out = fmt::format(
      "[workspace-shell-read] workspace_id={} shell_id={} state={} cursor={} next_cursor={} "
      "truncated={} execution_mode={}",
      result.shell.workspace_id, result.shell.shell_id, result.shell.state, result.cursor,
      result.next_cursor, truth(result.truncated), result.shell.execution_mode);
  if (result.missed_bytes > 0) out += fmt::format(" missed_bytes={}", result.missed_bytes);
  if (result.idle) out += " idle=True";
  return one_line(out + ended(result.shell.exit_code, result.shell.end_reason)) + "\n";
}

std::string render_shells(const client::ShellList& list) {
  const auto running = std::ranges::count(list.shells, "running", &client::ShellInfo::state);
  std::string out = line("Workspace", list.workspace_id) +
                    fmt::format("Shells: {} total, {} running\n", list.shells.size(), running);
  for (const client::ShellInfo& info : list.shells) {
    out += one_line(fmt::format("- {} [{}] cwd={} cols={} rows={}{}", info.shell_id, info.state,
                                line_value(info.cwd), info.cols, info.rows,
                                ended(info.exit_code, info.end_reason))) +
           "\n";
  }
  return out;
}

std::string render_started(const std::string& tag, const client::ServiceInfo& info) {
  std::string out =
      fmt::format("[{}] workspace_id={} service={} state={} cwd={} ready_type={} execution_mode={}",
                  tag, info.workspace_id, line_value(info.service_name), info.state,
                  line_value(info.cwd), ready_type(info), info.execution_mode);
  if (!info.published_ports.empty()) out += " published=" + ports(info.published_ports);
  return one_line(out) + "\n";
}

std::string render_stopped(const std::string& tag, const client::ServiceInfo& info) {
  return one_line(fmt::format("[{}] workspace_id={} service={} state={} execution_mode={}{}", tag,
                              info.workspace_id, line_value(info.service_name), info.state,
                              info.execution_mode, ended(info.exit_code, info.stop_reason))) +
         "\n";
}

std::string render_services(const client::ServiceList& list) {
  std::string out =
      line("Workspace", list.workspace_id) +
      fmt::format("Services: {} total, {} running\n", list.services.size(), list.running_count);
  for (const client::ServiceInfo& info : list.services) {
    std::string one = fmt::format("- {} [{}] cwd={} readiness={}", info.service_name, info.state,
                                  line_value(info.cwd), ready_type(info));
    if (!info.published_ports.empty()) one += " published=" + ports(info.published_ports);
    out += one_line(one + ended(info.exit_code, info.stop_reason)) + "\n";
  }
  return out;
}

std::string render_service(const client::ServiceInfo& info) {
  std::string out = render_log_head(info) + line("Command", info.command) + line("Cwd", info.cwd) +
                    line("Readiness", readiness_text(info.readiness)) +
                    line("Execution mode", info.execution_mode) +
                    line("Started", utc(info.started_at));
  if (info.ready_at) out += line("Ready", utc(*info.ready_at));
  if (info.ended_at) out += line("Ended", utc(*info.ended_at));
  if (info.exit_code) out += line("Exit code", std::to_string(*info.exit_code));
  if (info.pid) out += line("PID in the guest", std::to_string(*info.pid));
  if (info.restart != "no") {
    out += line("Restart", fmt::format("{}, {} so far", info.restart, info.restart_count));
  }
  return out + line("Published", ports(info.published_ports)) + line("Last error", info.last_error);
}

std::string render_log_head(const client::ServiceInfo& info) {
  return line("Workspace", info.workspace_id) + line("Service", info.service_name) +
         line("State", info.state) + line("Stop reason", info.stop_reason);
}

}  // namespace pyro::cli
