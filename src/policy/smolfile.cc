#include "policy/smolfile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "policy/toml.h"

namespace pyro::policy {

namespace {

// What smolvm has and nothing here stands for: said differently than a slip of the pen.
constexpr std::array kOfSmolvm{"gpu",           "gpu_vram", "rosetta",  "cuda",    "auto_graph",
                               "docker_socket", "storage",  "overlay",  "volumes", "secrets",
                               "fork",          "dev",      "artifact", "pack",    "health",
                               "restart",       "auth",     "service"};

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// What an escape can put into a string all the same.
Result<void> check_plain(std::string_view text) {
  if (is_ascii(text) && !text.contains('\0')) return {};
  return fail(Errc::kInvalid, quoted_name(text) + " has a NUL, or other characters than ASCII");
}

Result<void> check_keys(const toml::table& file) {
  for (const auto& [key, value] : file) {
    if (std::ranges::find(kOfSmolvm, key.str()) == kOfSmolvm.end()) continue;
    return wrong_at(key.source(), quoted_name(key.str()) + " has no meaning for pyro",
                    "leave it out");
  }
  return only_keys(file,
                   {"image", "entrypoint", "cmd", "env", "workdir", "cpus", "memory", "net",
                    "ports", "init", "network"},
                   "a Smolfile that pyro reads");
}

Result<std::vector<std::string>> strings(const toml::table& table, std::string_view key) {
  std::vector<std::string> out;
  PYRO_CHECK(each_string(table, key, [&](const std::string& text) -> Result<void> {
    PYRO_CHECK(check_plain(text));
    out.push_back(text);
    return {};
  }));
  return out;
}

Result<std::optional<std::int64_t>> number(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_integer();
  if (value == nullptr || value->get() < 1)
    return wrong_at(node->source(), fmt::format("{} is a whole number above 0", key));
  return value->get();
}

Result<std::uint16_t> port_of(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error == std::errc() && end == digits.data() + digits.size() && port > 0) return port;
  return fail_hint(Errc::kInvalid, quoted_name(digits) + " is no port", "\"HOST:GUEST\"");
}

Result<void> read_ports(const toml::table& file, Smolfile& out) {
  return each_string(file, "ports", [&](const std::string& text) -> Result<void> {
    const std::size_t colon = std::min(text.find(':'), text.size());
    SmolfilePort port;
    PYRO_TRY(port.host, port_of(std::string_view(text).substr(0, colon)));
    PYRO_TRY(port.guest, port_of(std::string_view(text).substr(std::min(colon + 1, text.size()))));
    out.ports.push_back(port);
    return {};
  });
}

Result<void> read_env(const toml::table& file, Smolfile& out) {
  return each_string(file, "env", [&](const std::string& text) -> Result<void> {
    PYRO_CHECK(check_plain(text));
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail_hint(Errc::kInvalid, quoted_name(text) + " is no variable", "\"NAME=VALUE\"");
    if (!out.env.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      return fail(Errc::kInvalid, quoted_name(text.substr(0, equals)) + " is given twice");
    return {};
  });
}

template <class Kind>
Result<void> read_targets(const toml::table& network, std::string_view key, const char* what,
                          std::vector<Rule>& out) {
  return each_string(network, key, [&](const std::string& text) -> Result<void> {
    if (out.size() == kMostRules)
      return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", kMostRules));
    const bool ipv6 = std::is_same_v<Kind, Block> && text.contains(':');
    PYRO_TRY(auto rule, parse_rule(ipv6 ? "[" + text + "]:*" : text + ":*", Verdict::kAllow));
    if (rule.has_scheme || !std::holds_alternative<Kind>(rule.target))
      return fail(Errc::kInvalid, quoted_name(text) + " is no " + what);
    out.push_back(std::move(rule));
    return {};
  });
}

Result<void> read_network(const toml::table& file, Smolfile& out) {
  const toml::node* node = file.get("network");
  if (node == nullptr) return {};
  const toml::table* network = node->as_table();
  if (network == nullptr) return wrong_at(node->source(), "network is a table: [network]");
  PYRO_CHECK(only_keys(*network, {"allow_hosts", "allow_cidrs"}, "[network]"));
  for (const char* key : {"allow_hosts", "allow_cidrs"}) {
    PYRO_CHECK(not_empty(*network, key,
                         "leave it out; without either, net = true is every public address"));
  }
  PYRO_CHECK(read_targets<NameTarget>(*network, "allow_hosts", "name", out.allow));
  return read_targets<Block>(*network, "allow_cidrs", "block of addresses", out.allow);
}

Result<void> check_whole(const Smolfile& s) {
  if (!s.workdir.empty() && !s.workdir.starts_with('/'))
    return fail(Errc::kInvalid, "workdir is an absolute path");
  if (s.net == false && !s.allow.empty())
    return fail_hint(Errc::kInvalid, "net = false, and [network] allows something",
                     "leave one of them out");
  if (!s.ports.empty() && !s.has_network())
    return fail_hint(Errc::kInvalid, "ports need a network", "net = true, or [network]");
  return {};
}

// ---- writing

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c < ' ' || c == '\x7f') {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void add_list(std::string& out, const char* key, const std::vector<std::string>& list) {
  if (list.empty()) return;
  out += fmt::format("{} = [", key);
  for (const std::string& text : list) out += (&text == &list.front() ? "" : ", ") + quoted(text);
  out += "]\n";
}

}  // namespace

std::string Smolfile::text() const {
  std::string out;
  if (!image.empty()) out += "image = " + quoted(image) + "\n";
  add_list(out, "entrypoint", entrypoint);
  add_list(out, "cmd", cmd);
  std::vector<std::string> list;
  list.reserve(std::max(env.size(), ports.size()));
  for (const auto& [name, value] : env) list.push_back(fmt::format("{}={}", name, value));
  add_list(out, "env", list);
  if (!workdir.empty()) out += "workdir = " + quoted(workdir) + "\n";
  if (cpus) out += fmt::format("cpus = {}\n", *cpus);
  if (memory_mib) out += fmt::format("memory = {}\n", *memory_mib);
  if (net) out += fmt::format("net = {}\n", *net);
  list.clear();
  for (const SmolfilePort& p : ports) list.push_back(fmt::format("{}:{}", p.host, p.guest));
  add_list(out, "ports", list);
  add_list(out, "init", init);
  if (allow.empty()) return out;
  std::vector<std::string> hosts, cidrs;
  for (const Rule& rule : allow) {
    if (const auto* block = std::get_if<Block>(&rule.target)) cidrs.push_back(block->text());
    if (const auto* name = std::get_if<NameTarget>(&rule.target))
      hosts.push_back((name->below ? "*." : "") + name->name);
  }
  out += "\n[network]\n";
  add_list(out, "allow_hosts", hosts);
  add_list(out, "allow_cidrs", cidrs);
  return out;
}

Result<Smolfile> parse_smolfile(std::string_view text) {
  if (text.size() > kMostSmolfile)
    return fail(Errc::kLimit, fmt::format("a Smolfile has at most {} bytes", kMostSmolfile));
  PYRO_TRY(const toml::table file, parse_toml(text));
  PYRO_CHECK(check_keys(file));
  Smolfile out;
  for (const auto& [key, into] :
       {std::pair{"image", &out.image}, std::pair{"workdir", &out.workdir}}) {
    PYRO_TRY(auto value, string_of(file, key));
    if (value && (value->empty() || !check_plain(*value)))
      return wrong_at(file.get(key)->source(), fmt::format("{} is empty or no plain text", key));
    if (value) *into = *std::move(value);
  }
  PYRO_TRY(out.entrypoint, strings(file, "entrypoint"));
  PYRO_TRY(out.cmd, strings(file, "cmd"));
  PYRO_TRY(out.init, strings(file, "init"));
  PYRO_CHECK(read_env(file, out));
  PYRO_TRY(out.cpus, number(file, "cpus"));
  PYRO_TRY(out.memory_mib, number(file, "memory"));
  PYRO_TRY(out.net, flag_of(file, "net"));
  PYRO_CHECK(read_ports(file, out));
  PYRO_CHECK(read_network(file, out));
  PYRO_CHECK(check_whole(out));
  return out;
}

Result<Smolfile> smolfile_of(Smolfile values, const Policy& policy) {
  const auto unsaid = [](const std::string& what) {
    return fail_hint(Errc::kInvalid, "a Smolfile has no words for " + what,
                     "a policy file has: docs/reference/network-policies.md");
  };
  if (!policy.deny.empty()) return unsaid("the rule deny " + policy.deny.front().text());
  if (policy.allow_udp || policy.allow_icmp) return unsaid("--allow-udp and --allow-icmp");
  std::vector<Rule> cidrs;
  for (const Rule& rule : policy.allow) {
    const bool name = std::holds_alternative<NameTarget>(rule.target);
    const bool block = std::holds_alternative<Block>(rule.target);
    const bool tcp = !rule.has_scheme || rule.protocol == Protocol::kTcp;
    if (!tcp || !rule.all_ports() || (!name && !block))
      return unsaid("the rule allow " + rule.text());
    Rule plain = rule;
    plain.has_scheme = false;
    (name ? values.allow : cidrs).push_back(std::move(plain));
  }
  values.allow.insert(values.allow.end(), cidrs.begin(), cidrs.end());
  values.net = policy.has_network();
  for (const auto& [name, value] : values.env) {
    if (!is_ascii(name) || !is_ascii(value)) return unsaid("the variable " + quoted_name(name));
  }
  PYRO_CHECK(check_whole(values));
  return values;
}

}  // namespace pyro::policy
