// DNS messages (RFC 1035): what guests ask, what name servers answer. Both are hostile.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/packet.h"

namespace pyro::net {

enum class DnsType : std::uint16_t {
  kA = 1,
  kCname = 5,
  kOpt = 41,
  kAaaa = 28,
  kTransferFirst = 249,  // 249 to 255: TKEY to ANY, never asked by programs that only want to know
  kTransferLast = 255,
};
enum class Rcode : std::uint8_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
};

inline constexpr std::size_t kDnsHeader = 12;
inline constexpr std::size_t kMostDnsMessage = 65535;
inline constexpr std::size_t kPlainDnsSize = 512;  // over UDP without EDNS (RFC 1035, 4.2.1)
inline constexpr std::size_t kMostDnsUdp = 1232;   // that we say we take; no fragments anywhere

struct DnsQuestion {
  std::string name;  // as policy::host_name() gives it
  std::uint16_t type = 0;
  bool operator==(const DnsQuestion&) const = default;
};
struct DnsQuery {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool has_edns = false;
  std::size_t udp_size = kPlainDnsSize;  // what the asker takes
  DnsQuestion question;
};
// A message that is no query we answer. With an id there is somebody to tell.
struct BadQuery {
  std::optional<std::uint16_t> id;
  Rcode rcode = Rcode::kFormErr;
  std::string name;  // that it asks something about; empty: none is known
};
std::expected<DnsQuery, BadQuery> parse_query(Bytes message);

// One question, with recursion desired and EDNS.
std::vector<std::uint8_t> write_query(std::uint16_t id, const DnsQuestion& question);

struct DnsAddress {
  Address address;
  std::uint32_t ttl = 0;  // seconds; the least on the way from the name that was asked for
};
struct DnsAnswer {
  Rcode rcode = Rcode::kNoError;
  bool truncated = false;
  std::vector<std::string> aliases;   // the chain of CNAMEs, without the name that was asked for
  std::vector<DnsAddress> addresses;  // of a question of type A or AAAA
};
inline constexpr std::size_t kMostAliases = 16;
inline constexpr std::size_t kMostAddresses = 256;
// kInvalid: it is no answer to that question, or not well formed to its end.
Result<DnsAnswer> parse_answer(Bytes message, std::uint16_t id, const DnsQuestion& question);

// RFC 8914; the text says why.
struct ExtendedError {
  std::uint16_t code = 0;
  std::string text;
};
inline constexpr std::uint16_t kBlocked = 15;
inline constexpr std::uint16_t kNetworkError = 23;

// Made anew from what was read. Over UDP it is cut to what the asker takes, with TC set.
std::vector<std::uint8_t> write_answer(const DnsQuery& query, const DnsAnswer& answer,
                                       const std::optional<ExtendedError>& error, std::size_t most);
// For a query that could not be read: a header alone.
std::vector<std::uint8_t> write_refusal(std::uint16_t id, Rcode rcode);

}  // namespace pyro::net
