// What a supervisor asks of its network engine (pyro-net). Requests go from supervisor to engine
// only.
#pragma once

#include "proto/envelope.h"

namespace pyro::proto {

struct NetResolver {
  static constexpr const char* kName = "resolver";
  std::string address;
  std::uint16_t port = 53;

  template <class M>
  void map(M& m) {
    m.required("address", address);
    m.optional("port", port);
  }
  bool operator==(const NetResolver&) const = default;
};

// What may be reached. Before the first of these nothing may; a later one closes what it does not
// allow. Result: ConfiguredNet.
struct ConfigureNet {
  static constexpr const char* kName = "net.configure";
  std::string policy;  // policy::Policy::text()
  std::vector<NetResolver> resolvers;

  template <class M>
  void map(M& m) {
    m.required("policy", policy);
    m.optional("resolvers", resolvers);
  }
};
struct ConfiguredNet {
  static constexpr const char* kName = "configured network";
  std::string policy;  // the text of what the engine decides by

  template <class M>
  void map(M& m) {
    m.required("policy", policy);
  }
};

// A port of 127.0.0.1 that leads to one of the guest. Errors have the errno of bind(2). Result:
// PortPublished.
struct PublishPort {
  static constexpr const char* kName = "net.publish";
  std::uint16_t host_port = 0;  // 0: any that is free
  std::uint16_t guest_port = 0;

  template <class M>
  void map(M& m) {
    m.optional("host_port", host_port);
    m.required("guest_port", guest_port);
  }
};
struct PortPublished {
  static constexpr const char* kName = "port published";
  std::uint16_t host_port = 0;

  template <class M>
  void map(M& m) {
    m.required("host_port", host_port);
  }
};
// Closes it, and the connections that came through it. Result: Empty.
struct UnpublishPort {
  static constexpr const char* kName = "net.unpublish";
  std::uint16_t host_port = 0;

  template <class M>
  void map(M& m) {
    m.required("host_port", host_port);
  }
};

// Result: NetInfo.
struct AskNetInfo : Empty {
  static constexpr const char* kName = "net.info";
};
struct NetInfo {
  static constexpr const char* kName = "network info";
  std::string policy;                            // as ConfiguredNet has it
  std::map<std::string, std::int64_t> counters;  // since the engine began
  std::map<std::string, std::int64_t> drops;     // frames that no honest guest sends, by reason
  std::map<std::string, std::int64_t> sizes;     // flows and pins, now

  template <class M>
  void map(M& m) {
    m.required("policy", policy);
    m.optional("counters", counters);
    m.optional("drops", drops);
    m.optional("sizes", sizes);
  }
};

struct NetEvent {
  static constexpr const char* kName = "network event";
  std::int64_t time_ns = 0;  // since 1970
  std::string kind;          // decision, or end: of a flow that was allowed
  std::string protocol;      // tcp, udp, icmp, dns, published, other
  std::string name;          // empty: none is known
  std::string address;       // empty: of a question for a name
  std::uint16_t port = 0;    // of "published" the guest's; of "other" the protocol's number
  bool allow = false;
  std::string rule;  // "allow[2]", "deny[0]", "preset"
  std::string reason;
  std::int64_t to_host = 0, to_guest = 0;  // bytes, at the end

  template <class M>
  void map(M& m) {
    m.required("time_ns", time_ns);
    m.required("kind", kind);
    m.required("protocol", protocol);
    m.optional("name", name);
    m.optional("address", address);
    m.optional("port", port);
    m.required("allow", allow);
    m.optional("rule", rule);
    m.optional("reason", reason);
    m.optional("to_host", to_host);
    m.optional("to_guest", to_guest);
  }
};
// The next events; answered when there are some. One at a time. Result: NetEvents.
struct TakeNetEvents : Empty {
  static constexpr const char* kName = "net.events";
};
struct NetEvents {
  static constexpr const char* kName = "network events";
  std::vector<NetEvent> events;
  std::int64_t lost = 0;  // that there was no room for, since the last answer

  template <class M>
  void map(M& m) {
    m.optional("events", events);
    m.optional("lost", lost);
  }
};

}  // namespace pyro::proto
