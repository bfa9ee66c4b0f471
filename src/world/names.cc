#include "world/names.h"

#include <span>
#include <string_view>

#include "net/dns_message.h"
#include "world/places.h"

namespace pyro::world {

namespace {

struct Entry {
  std::string_view name;  // ".x": everything below x
  const char* alias = nullptr;
  const char* v4 = nullptr;
  const char* v6 = nullptr;
  const char* later = nullptr;  // IPv4, from the second question on
  std::uint32_t ttl = 60;
};

constexpr Entry kZone[] = {
    {.name = "allowed.example", .v4 = kAllowed, .v6 = kAllowedV6},
    {.name = "other.example", .v4 = kOther, .v6 = kOtherV6},
    {.name = "denied.example", .v4 = kDenied},
    {.name = "alias.example", .alias = "denied.example", .v4 = kDenied},
    {.name = "rebind-loopback.example", .v4 = "127.0.0.1", .ttl = 0},
    {.name = "rebind-lan.example", .v4 = kNeighbour, .ttl = 0},
    {.name = "rebind-metadata.example", .v4 = "169.254.169.254", .ttl = 0},
    {.name = "rebind-engine.example", .v4 = "10.255.255.1", .ttl = 0},
    {.name = "flip.example", .v4 = kFlip, .later = "127.0.0.1", .ttl = 0},
    {.name = ".tunnel.example", .v4 = kTunnelEnd},
};

const Entry* find(std::string_view name) {
  for (const Entry& entry : kZone) {
    if (entry.name == name || (entry.name.starts_with('.') && name.ends_with(entry.name)))
      return &entry;
  }
  return nullptr;
}

}  // namespace

Answered Names::answer(net::Bytes query, std::size_t most) {
  const auto read = net::parse_query(query);
  if (!read) {
    const auto& bad = read.error();
    return {
        .name = "",
        .message = bad.id ? net::write_refusal(*bad.id, bad.rcode) : std::vector<std::uint8_t>{}};
  }
  const net::DnsQuestion& q = read->question;
  net::DnsAnswer answer;
  if (const Entry* const entry = find(q.name); entry != nullptr) {
    if (entry->alias != nullptr) answer.aliases.emplace_back(entry->alias);
    const bool wants_v4 = q.type == static_cast<std::uint16_t>(net::DnsType::kA);
    const bool wants_v6 = q.type == static_cast<std::uint16_t>(net::DnsType::kAaaa);
    const char* address = wants_v4 ? entry->v4 : wants_v6 ? entry->v6 : nullptr;
    if (wants_v4 && entry->later != nullptr && asked_[q.name]++ > 0) address = entry->later;
    if (address != nullptr)
      answer.addresses.push_back({.address = *policy::Address::parse(address), .ttl = entry->ttl});
  } else {
    answer.rcode = net::Rcode::kNxDomain;
  }
  return {.name = q.name, .message = net::write_answer(*read, answer, std::nullopt, most)};
}

}  // namespace pyro::world
