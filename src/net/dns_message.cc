#include "net/dns_message.h"

#include <algorithm>
#include <map>

#include "policy/name.h"

namespace pyro::net {

namespace {

constexpr unsigned kResponse = 0x8000;
constexpr unsigned kOpcode = 0x7800;
constexpr unsigned kTruncated = 0x0200;
constexpr unsigned kRecursionDesired = 0x0100;
constexpr unsigned kRecursionAvailable = 0x0080;
constexpr unsigned kRcode = 0x000f;
constexpr std::uint16_t kInternet = 1;
constexpr std::uint16_t kExtendedErrorOption = 15;
constexpr unsigned kPointer = 0xc0;
constexpr std::size_t kMostPointers = 32;
constexpr std::uint32_t kMostTtl = 0x7fffffff;  // RFC 2181, 8

// Reads from front to back; whatever is not there is nullopt.
class Cursor {
 public:
  explicit Cursor(Bytes message) : message_(message) {}

  std::optional<std::uint16_t> u16() {
    const auto b = bytes(2);
    if (!b) return std::nullopt;
    return static_cast<std::uint16_t>(((*b)[0] << 8U) | (*b)[1]);
  }
  std::optional<std::uint32_t> u32() {
    const auto high = u16();
    const auto low = u16();
    if (!high || !low) return std::nullopt;
    return (std::uint32_t{*high} << 16U) | *low;
  }
  std::optional<Bytes> bytes(std::size_t count) {
    if (count > message_.size() - at_) return std::nullopt;
    const Bytes out = message_.subspan(at_, count);
    at_ += count;
    return out;
  }
  // A name with its compression (RFC 1035, 4.1.4) as text with dots. A label with a dot, a zero or
  // a backslash in it makes a name that host_name() refuses, as it should.
  std::optional<std::string> name() {
    const auto [text, end] = name_at(at_);
    if (!end) return std::nullopt;
    at_ = *end;
    return text;
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  void seek(std::size_t at) { at_ = at; }
  [[nodiscard]] bool done() const { return at_ == message_.size(); }

 private:
  struct Named {
    std::string text;
    std::optional<std::size_t> end;  // behind it, where it stands
  };
  [[nodiscard]] Named name_at(std::size_t at) const {
    Named out;
    std::optional<std::size_t> end;
    std::size_t pointers = 0;
    while (at < message_.size()) {
      const std::size_t size = message_[at];
      if ((size & kPointer) == kPointer) {
        // Backwards only, so that it ends.
        if (at + 1 >= message_.size() || ++pointers > kMostPointers) return {};
        const std::size_t target = ((size & ~std::size_t{kPointer}) << 8U) | message_[at + 1];
        if (target >= at) return {};
        if (!end) end = at + 2;
        at = target;
        continue;
      }
      if ((size & kPointer) != 0 || at + 1 + size > message_.size()) return {};
      if (size == 0) {
        out.end = end.value_or(at + 1);
        return out;
      }
      if (!out.text.empty()) out.text += '.';
      for (const std::uint8_t c : message_.subspan(at + 1, size))
        out.text += c == '.' ? '\\' : static_cast<char>(c);
      if (out.text.size() > policy::kLongestName) return {};
      at += 1 + size;
    }
    return {};
  }

  Bytes message_;
  std::size_t at_ = 0;
};

struct Header {
  std::uint16_t id = 0, flags = 0;
  std::array<std::uint16_t, 4> counts{};  // questions, answers, authorities, additionals
};
std::optional<Header> read_header(Cursor& c) {
  Header h;
  const auto id = c.u16();
  const auto flags = c.u16();
  if (!id || !flags) return std::nullopt;
  h.id = *id;
  h.flags = *flags;
  for (std::uint16_t& count : h.counts) {
    const auto n = c.u16();
    if (!n) return std::nullopt;
    count = *n;
  }
  return h;
}

struct Record {
  std::string owner;
  std::uint16_t type = 0, cls = 0;
  std::uint32_t ttl = 0;
  std::size_t data_at = 0;
  Bytes data;
};
std::optional<Record> read_record(Cursor& c) {
  const auto owner = c.name();
  const auto type = owner ? c.u16() : std::nullopt;
  const auto cls = type ? c.u16() : std::nullopt;
  const auto ttl = cls ? c.u32() : std::nullopt;
  const auto size = ttl ? c.u16() : std::nullopt;
  if (!owner || !type || !cls || !ttl || !size) return std::nullopt;
  const std::size_t data_at = c.at();
  const auto data = c.bytes(*size);
  if (!data) return std::nullopt;
  return Record{.owner = *owner,
                .type = *type,
                .cls = *cls,
                .ttl = *ttl > kMostTtl ? 0 : *ttl,
                .data_at = data_at,
                .data = *data};
}

std::uint16_t number(DnsType t) {
  return static_cast<std::uint16_t>(t);
}

bool is_meta(std::uint16_t type) {
  return type == 0 || type == number(DnsType::kOpt) ||
         (type >= number(DnsType::kTransferFirst) && type <= number(DnsType::kTransferLast));
}

// One question of class IN; nullopt: not well formed. An empty name: it is no host's.
struct Asked {
  DnsQuestion question;
  std::uint16_t cls = 0;
};
std::optional<Asked> read_question(Cursor& c) {
  const auto text = c.name();
  const auto type = text ? c.u16() : std::nullopt;
  const auto cls = type ? c.u16() : std::nullopt;
  if (!text || !type || !cls) return std::nullopt;
  return Asked{.question = {.name = policy::host_name(*text).value_or(""), .type = *type},
               .cls = *cls};
}

std::optional<Address> address_of(const Record& r) {
  if (r.type == number(DnsType::kA) && r.data.size() == policy::kIpv4Bytes)
    return Address::v4({r.data[0], r.data[1], r.data[2], r.data[3]});
  if (r.type == number(DnsType::kAaaa) && r.data.size() == policy::kIpv6Bytes) {
    std::array<std::uint8_t, policy::kIpv6Bytes> bytes{};
    std::ranges::copy(r.data, bytes.begin());
    return Address::v6(bytes);
  }
  return std::nullopt;
}

// The records of an answer section, by the name that they belong to.
struct Section {
  struct Alias {
    std::string target;
    std::uint32_t ttl = 0;
  };
  std::map<std::string, Alias> aliases;
  std::multimap<std::string, DnsAddress> addresses;
};

std::optional<Section> read_section(Cursor& c, Bytes message, std::size_t count,
                                    std::uint16_t type) {
  Section out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto r = read_record(c);
    if (!r) return std::nullopt;
    const auto owner = policy::host_name(r->owner);
    if (!owner || r->cls != kInternet) continue;
    if (r->type == number(DnsType::kCname)) {
      Cursor data(message);
      data.seek(r->data_at);
      const auto text = data.name();
      if (!text || data.at() != r->data_at + r->data.size()) return std::nullopt;
      const auto target = policy::host_name(*text);
      if (target) out.aliases.try_emplace(*owner, Section::Alias{.target = *target, .ttl = r->ttl});
    } else if (r->type == type && out.addresses.size() < kMostAddresses) {
      const auto address = address_of(*r);
      if (address) out.addresses.emplace(*owner, DnsAddress{.address = *address, .ttl = r->ttl});
    }
  }
  return out;
}

// ---- writing

class Writer {
 public:
  void u16(std::size_t value) {
    out_.push_back(static_cast<std::uint8_t>(value >> 8U));
    out_.push_back(static_cast<std::uint8_t>(value));
  }
  void u32(std::uint32_t value) {
    u16(value >> 16U);
    u16(value & 0xffffU);
  }
  void name(std::string_view text) {
    while (!text.empty()) {
      const std::size_t dot = std::min(text.find('.'), text.size());
      out_.push_back(static_cast<std::uint8_t>(dot));
      out_.insert(out_.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(dot));
      text.remove_prefix(std::min(dot + 1, text.size()));
    }
    out_.push_back(0);
  }
  void pointer(std::size_t at) { u16(at | (std::size_t{kPointer} << 8U)); }
  void text(std::string_view s) { out_.insert(out_.end(), s.begin(), s.end()); }
  void put16(std::size_t at, std::size_t value) {
    out_[at] = static_cast<std::uint8_t>(value >> 8U);
    out_[at + 1] = static_cast<std::uint8_t>(value);
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  void cut(std::size_t size) { out_.resize(size); }
  std::vector<std::uint8_t> take() { return std::move(out_); }

  void header(std::uint16_t id, unsigned flags, std::size_t questions) {
    u16(id);
    u16(flags);
    u16(questions);
    for (int i = 0; i < 3; ++i) u16(0);
  }
  void question(const DnsQuestion& q) {
    name(q.name);
    u16(q.type);
    u16(kInternet);
  }

 private:
  std::vector<std::uint8_t> out_;
};

constexpr std::size_t kFlagsAt = 2;
constexpr std::size_t kAnswersAt = 6;
constexpr std::size_t kAdditionalsAt = 10;

void write_edns(Writer& w, const std::optional<ExtendedError>& error) {
  w.name("");
  w.u16(number(DnsType::kOpt));
  w.u16(kMostDnsUdp);
  w.u32(0);
  w.u16(error ? 6 + error->text.size() : 0);
  if (!error) return;
  w.u16(kExtendedErrorOption);
  w.u16(2 + error->text.size());
  w.u16(error->code);
  w.text(error->text);
}

constexpr std::size_t kMostErrorText = 200;
constexpr std::size_t kEdnsSize = 11;
constexpr std::size_t kErrorSize = 6;  // beside its text

// As many answers as fit into `room`; false: not all.
bool write_records(Writer& w, const DnsAnswer& answer, std::uint16_t type, std::size_t room) {
  std::size_t owner_at = kDnsHeader;  // the question's name
  std::size_t count = 0;
  const std::uint32_t ttl =
      answer.addresses.empty() ? 0 : std::ranges::min(answer.addresses, {}, &DnsAddress::ttl).ttl;
  bool all = true;
  const auto record = [&](std::uint16_t record_type, auto write_data) {
    const std::size_t begin = w.size();
    w.pointer(owner_at);
    w.u16(record_type);
    w.u16(kInternet);
    w.u32(ttl);
    const std::size_t length_at = w.size();
    w.u16(0);
    write_data();
    w.put16(length_at, w.size() - length_at - 2);
    all = w.size() <= room;
    if (all) {
      ++count;
    } else {
      w.cut(begin);
    }
    return length_at + 2;
  };
  for (const std::string& alias : answer.aliases) {
    if (!all) break;
    owner_at = record(number(DnsType::kCname), [&] { w.name(alias); });
  }
  for (const DnsAddress& a : answer.addresses) {
    if (!all) break;
    record(type, [&] { w.text(a.address.bytes()); });
  }
  w.put16(kAnswersAt, count);
  return all;
}

}  // namespace

std::expected<DnsQuery, BadQuery> parse_query(Bytes message) {
  Cursor c(message);
  const auto header = read_header(c);
  if (!header) return std::unexpected(BadQuery{});
  const auto bad = [&](Rcode rcode, std::string name = {}) {
    return std::unexpected(BadQuery{.id = header->id, .rcode = rcode, .name = std::move(name)});
  };
  if ((header->flags & kResponse) != 0) return std::unexpected(BadQuery{});
  if ((header->flags & kOpcode) != 0) return bad(Rcode::kNotImp);
  if (header->counts[0] != 1 || header->counts[1] != 0 || header->counts[2] != 0)
    return bad(Rcode::kFormErr);
  const auto asked = read_question(c);
  if (!asked) return bad(Rcode::kFormErr);
  if (asked->cls != kInternet || asked->question.name.empty() || is_meta(asked->question.type))
    return bad(Rcode::kRefused, asked->question.name);
  DnsQuery query{.id = header->id,
                 .recursion_desired = (header->flags & kRecursionDesired) != 0,
                 .question = asked->question};
  for (std::size_t i = 0; i < header->counts[3]; ++i) {
    const auto r = read_record(c);
    if (!r) return bad(Rcode::kFormErr);
    if (r->type != number(DnsType::kOpt)) continue;
    if (query.has_edns || !r->owner.empty()) return bad(Rcode::kFormErr);
    query.has_edns = true;
    query.udp_size = std::clamp<std::size_t>(r->cls, kPlainDnsSize, kMostDnsUdp);
  }
  if (!c.done()) return bad(Rcode::kFormErr);
  return query;
}

std::vector<std::uint8_t> write_query(std::uint16_t id, const DnsQuestion& question) {
  Writer w;
  w.header(id, kRecursionDesired, 1);
  w.question(question);
  write_edns(w, std::nullopt);
  w.put16(kAdditionalsAt, 1);
  return w.take();
}

Result<DnsAnswer> parse_answer(Bytes message, std::uint16_t id, const DnsQuestion& question) {
  Cursor c(message);
  const auto header = read_header(c);
  const auto bad = [] { return fail(Errc::kInvalid, "the answer is not well formed"); };
  const auto other = [] { return fail(Errc::kInvalid, "it answers another question"); };
  if (!header || header->id != id || (header->flags & kResponse) == 0 ||
      (header->flags & kOpcode) != 0 || header->counts[0] != 1)
    return other();
  const auto asked = read_question(c);
  if (!asked || asked->cls != kInternet || asked->question != question) return other();
  DnsAnswer answer{.rcode = static_cast<Rcode>(header->flags & kRcode),
                   .truncated = (header->flags & kTruncated) != 0};
  if (answer.truncated) return answer;  // what there is of it is of no use
  const auto section = read_section(c, message, header->counts[1], question.type);
  if (!section) return bad();
  for (std::size_t i = 0; i < std::size_t{header->counts[2]} + header->counts[3]; ++i) {
    if (!read_record(c)) return bad();
  }
  std::string name = question.name;
  std::uint32_t ttl = kMostTtl;
  for (auto alias = section->aliases.find(name); alias != section->aliases.end();
       alias = section->aliases.find(name)) {
    if (answer.aliases.size() == kMostAliases) return bad();  // or it goes in a circle
    name = alias->second.target;
    ttl = std::min(ttl, alias->second.ttl);
    answer.aliases.push_back(name);
  }
  const auto [first, last] = section->addresses.equal_range(name);
  for (auto a = first; a != last; ++a)
    answer.addresses.push_back({.address = a->second.address, .ttl = std::min(ttl, a->second.ttl)});
  return answer;
}

std::vector<std::uint8_t> write_answer(const DnsQuery& query, const DnsAnswer& answer,
                                       const std::optional<ExtendedError>& error,
                                       std::size_t most) {
  auto said = error;
  if (said && said->text.size() > kMostErrorText) said->text.resize(kMostErrorText);
  std::size_t room = most;
  if (query.has_edns) room -= kEdnsSize + (said ? kErrorSize + said->text.size() : 0);
  unsigned flags = kResponse | kRecursionAvailable | static_cast<unsigned>(answer.rcode);
  if (query.recursion_desired) flags |= kRecursionDesired;
  Writer w;
  w.header(query.id, flags, 1);
  w.question(query.question);
  if (!write_records(w, answer, query.question.type, room)) w.put16(kFlagsAt, flags | kTruncated);
  if (query.has_edns) {
    write_edns(w, said);
    w.put16(kAdditionalsAt, 1);
  }
  return w.take();
}

std::vector<std::uint8_t> write_refusal(std::uint16_t id, Rcode rcode) {
  Writer w;
  w.header(id, kResponse | kRecursionAvailable | static_cast<unsigned>(rcode), 0);
  return w.take();
}

}  // namespace pyro::net
