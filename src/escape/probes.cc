// Addresses and ports are those of world/places.h: 93.184.216.34 is allowed.example, .35
// other.example; 192.168.77.2 is the host in its LAN, 192.168.77.10 a neighbour of it; the host's
// programs listen on 8022 and 8023.
#include "escape/probe.h"

namespace pyro::escape {

namespace {

using Control = Probe::Control;

Rules allow(std::vector<std::string> rules) {
  return {.allow = std::move(rules)};
}
Rules udp_too(std::vector<std::string> rules) {
  return {.allow = std::move(rules), .allow_udp = true};
}
const Rules kEgress{};
const Rules kOneServer = allow({"93.184.216.34:443"});
const Rules kOneName = allow({"allowed.example:443"});
const Rules kNeighbour = allow({"192.168.77.10:80"});
const Rules kAnyHost = allow({"*:80"});
const Rules kHostPort = allow({"host.pyro.internal:8022"});
const Rules kOneUdp = allow({"udp://93.184.216.34:9999"});
// The frame that an honest guest would send.
const Control kHonestFrame{kOneUdp, "{frame} udp 93.184.216.34 9999", "udp"};
const Control kHonestFrame6{allow({"udp://[2a00:1450::34]:9999"}),
                            "{frame6} udp 2a00:1450::34 9999", "udp"};

std::vector<Probe> hosts_and_ports() {
  return {
      {.name = "other-host",
       .attempt = "connect to a host that no rule names",
       .rules = kOneServer,
       .words = "tcp 93.184.216.35 443",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"93.184.216.35:443"}), "", "93.184.216.35 443"}},
      {.name = "other-port",
       .attempt = "connect to another port of an allowed host",
       .rules = kOneServer,
       .words = "tcp 93.184.216.34 8080",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"93.184.216.34:8080"}), "", "93.184.216.34 8080"}},
      {.name = "other-address-of-name",
       .attempt = "ask for an allowed name, then connect to another address",
       .rules = kOneName,
       .words = "by-name {engine} allowed.example 443 93.184.216.35",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .arrives = {"dns allowed.example 53"},
       .control = {kOneName, "by-name {engine} allowed.example 443", "93.184.216.34 443"}},
      {.name = "port-of-another-name",
       .attempt = "use a port that only another name was given",
       .rules = allow({"allowed.example:443", "other.example:22"}),
       .words = "by-name {engine} allowed.example 22",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .arrives = {"dns allowed.example 53"},
       .control = {allow({"allowed.example:22"}), "", "93.184.216.34 22"}},
      {.name = "forged-host-header",
       .attempt = "an address literal with a Host header that names an allowed host",
       .rules = allow({"allowed.example:80"}),
       .words = "tcp 93.184.216.35 80 GET_/_HTTP/1.1\r\nHost:_allowed.example\r\n\r\n",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"93.184.216.35:80"}), "", "93.184.216.35 80"}},
      {.name = "denied-host",
       .attempt = "connect to what a deny rule names, with everything else allowed",
       .rules = {.deny = {"93.184.216.66:443"}},
       .words = "tcp 93.184.216.66 443",
       .sees = "ECONNREFUSED",
       .why = "denied",
       .control = {kEgress, "", "93.184.216.66 443"}},
  };
}

std::vector<Probe> other_protocols() {
  return {
      {.name = "udp-with-net-allow",
       .attempt = "UDP with rules that are about TCP",
       .rules = allow({"93.184.216.34:9999"}),
       .words = "udp 93.184.216.34 9999",
       .sees = "EHOSTUNREACH",
       .why = "not-listed",
       .control = {udp_too({"93.184.216.34:9999"}), "", "93.184.216.34 9999"}},
      {.name = "udp-second-peer",
       .attempt = "one UDP socket, an allowed peer first and then another",
       .rules = kOneUdp,
       .words = "udp 93.184.216.34 9999 93.184.216.35 9999",
       .sees = "EHOSTUNREACH",
       .why = "not-listed",
       .arrives = {"udp 93.184.216.34 9999"},
       .control = {allow({"udp://93.184.216.0/24:9999"}), "",
                   "93.184.216.34 9999; 93.184.216.35 9999"}},
      {.name = "quic",
       .attempt = "QUIC: UDP to port 443 of a host that is allowed over TCP",
       .rules = kOneServer,
       .words = "udp 93.184.216.34 443",
       .sees = "EHOSTUNREACH",
       .why = "not-listed",
       .control = {allow({"udp://93.184.216.34:443"}), "", "93.184.216.34 443"}},
      {.name = "ping",
       .attempt = "ICMP echo over a raw socket, to a host that is allowed over TCP",
       .rules = kOneServer,
       .words = "ping 93.184.216.34",
       .sees = "EHOSTUNREACH",
       .why = "not-listed",
       .control = {{.allow = {"93.184.216.34:443"}, .allow_icmp = true}, "", ""}},
      {.name = "sctp",
       .attempt = "a raw socket with a protocol that is neither TCP, UDP nor ICMP (SCTP)",
       .rules = kEgress,
       .words = "raw 93.184.216.34 132",
       .sees = "ENOPROTOOPT",
       .why = "protocol",
       .control = {kEgress, "tcp 93.184.216.34 443", "93.184.216.34 443"}},
      {.name = "ip-in-ip",
       .attempt = "a raw socket with IP inside of IP",
       .rules = kEgress,
       .words = "raw 93.184.216.34 4",
       .sees = "ENOPROTOOPT",
       .why = "protocol",
       .control = {kEgress, "ping 93.184.216.34", ""}},
  };
}

std::vector<Probe> ipv6() {
  return {
      {.name = "ipv6-other-host",
       .attempt = "connect to an IPv6 host that no rule names",
       .rules = allow({"[2a00:1450::34]:443"}),
       .words = "tcp 2a00:1450::35 443",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"[2a00:1450::35]:443"}), "", "2a00:1450::35 443"}},
      {.name = "ipv6-beside-ipv4-rule",
       .attempt = "the IPv6 address of a host that is allowed by its IPv4 address",
       .rules = kOneServer,
       .words = "tcp 2a00:1450::34 443",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"[2a00:1450::34]:443"}), "", "2a00:1450::34 443"}},
      {.name = "syn-with-data",
       .attempt = "data in the first segment, before anything was decided (TCP fast open)",
       .rules = kOneServer,
       .words = "{frame} tcp 93.184.216.35 443 data",
       .sees = "rst",
       .why = "not-listed",
       .control = {allow({"93.184.216.35:443"}), "", "syn-ack"}},
  };
}

std::vector<Probe> the_host() {
  return {
      {.name = "host-loopback",
       .attempt = "a program on the host's loopback, through the gateway",
       .rules = kEgress,
       .words = "tcp {engine} 8022",
       .sees = "ECONNREFUSED",
       .why = "host-loopback",
       .control = {kHostPort, "", "127.0.0.1 8022"}},
      {.name = "host-loopback-other-port",
       .attempt = "another port of the host's loopback than the one that is allowed",
       .rules = kHostPort,
       .words = "tcp {engine} 8023",
       .sees = "ECONNREFUSED",
       .why = "host-loopback",
       .control = {allow({"host.pyro.internal:8023"}), "", "127.0.0.1 8023"}},
      {.name = "host-loopback-ipv6",
       .attempt = "the same over the gateway's IPv6 address",
       .rules = kHostPort,
       .words = "tcp {engine6} 8023",
       .sees = "ECONNREFUSED",
       .why = "host-loopback",
       .control = {allow({"host.pyro.internal:8023"}), "", "127.0.0.1 8023"}},
      {.name = "host-lan-address",
       .attempt = "a program of the host by the host's address in its LAN, with the LAN allowed",
       .rules = allow({"192.168.77.0/24:8022"}),
       .words = "tcp 192.168.77.2 8022",
       .sees = "ECONNREFUSED",
       .why = "host-loopback",
       .control = {allow({"192.168.77.2:8022"}), "", "192.168.77.2 8022"}},
      {.name = "host-public-address",
       .attempt =
           "a program of the host by the host's public address, with every public one allowed",
       .rules = kEgress,
       .words = "tcp 2a00:7972::2 8022",
       .sees = "ECONNREFUSED",
       .why = "host-loopback",
       .control = {allow({"[2a00:7972::2]:8022"}), "", "2a00:7972::2 8022"}},
  };
}

std::vector<Probe> the_link() {
  return {
      {.name = "gateway-every-port",
       .attempt = "each of the gateway's 65535 TCP ports: only the name server's is open",
       .rules = allow({"93.184.216.34:443", "*:1-65535"}),
       .words = "scan {mac} {guest} {engine}",
       .sees = "53",
       .why = "host-loopback",
       .control = {kHostPort, "", "53 8022"}},
      {.name = "loopback-on-the-wire",
       .attempt =
           "a frame to 127.0.0.1 that goes to the gateway instead of the guest's own loopback",
       .rules = allow({"*:8022", "host.pyro.internal:8023"}),
       .words = "{frame} tcp 127.0.0.1 8022",
       .sees = "rst",
       .why = "special-range",
       .control = {kHostPort, "{frame} tcp {engine} 8022", "syn-ack"}},
      {.name = "zero-address",
       .attempt = "0.0.0.0, which is a host's loopback to its own programs",
       .rules = allow({"*:8022"}),
       .words = "{frame} tcp 0.0.0.0 8022",
       .sees = "rst",
       .why = "special-range",
       .control = {kHostPort, "{frame} tcp {engine} 8022", "syn-ack"}},
      {.name = "loopback-on-the-wire-ipv6",
       .attempt = "a frame to ::1",
       .rules = allow({"*:8022"}),
       .words = "{frame6} tcp ::1 8022",
       .sees = "rst",
       .why = "special-range",
       .control = {kHostPort, "{frame6} tcp {engine6} 8022", "syn-ack"}},
      {.name = "other-sandbox-address",
       .attempt = "the address that another sandbox's guest has",
       .rules = allow({"*:443", "10.0.0.0/8:443"}),
       .words = "{frame} tcp {guest} 443",
       .sees = "rst",
       .why = "engine",
       .control = {allow({"93.184.216.34:443"}), "{frame} tcp 93.184.216.34 443", "syn-ack"}},
  };
}

std::vector<Probe> lan() {
  return {
      {.name = "lan",
       .attempt = "a machine of the LAN, with every public address allowed",
       .rules = kEgress,
       .words = "tcp 192.168.77.10 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {kNeighbour, "", "192.168.77.10 80"}},
      {.name = "lan-beside-any",
       .attempt = "the same with a rule for this port of every host",
       .rules = kAnyHost,
       .words = "tcp 192.168.77.10 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {kNeighbour, "", "192.168.77.10 80"}},
      {.name = "lan-discovery",
       .attempt = "multicast DNS to the LAN",
       .rules = kEgress,
       .words = "{frame} udp 224.0.0.251 5353",
       .sees = "none",
       .why = "special-range",
       .control = kHonestFrame},
      {.name = "broadcast",
       .attempt = "a broadcast to the LAN",
       .rules = kEgress,
       .words = "{frame} udp 255.255.255.255 9999",
       .sees = "none",
       .why = "special-range",
       .control = kHonestFrame},
      {.name = "decimal-address",
       .attempt = "the LAN, written as one decimal number",
       .rules = kAnyHost,
       .words = "tcp 3232255242 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {kNeighbour, "", "192.168.77.10 80"}},
      {.name = "octal-address",
       .attempt = "the LAN, written in octal",
       .rules = kAnyHost,
       .words = "tcp 0300.0250.0115.012 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {kNeighbour, "", "192.168.77.10 80"}},
  };
}

std::vector<Probe> link_local_and_metadata() {
  return {
      {.name = "link-local",
       .attempt = "a link-local IPv4 address",
       .rules = kEgress,
       .words = "tcp 169.254.7.7 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {allow({"169.254.7.7:80"}), "", "169.254.7.7 80"}},
      {.name = "link-local-ipv6",
       .attempt = "a link-local IPv6 address",
       .rules = kAnyHost,
       .words = "{frame6} tcp fe80::77 80",
       .sees = "rst",
       .why = "special-range",
       .control = {allow({"[2a00:1450::34]:80"}), "{frame6} tcp 2a00:1450::34 80", "syn-ack"}},
      {.name = "metadata",
       .attempt = "the metadata service of clouds, 169.254.169.254",
       .rules = kEgress,
       .words = "tcp 169.254.169.254 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {allow({"169.254.169.254:80"}), "", "169.254.169.254 80"}},
      {.name = "metadata-ipv6",
       .attempt = "the same by its IPv6 address, fd00:ec2::254",
       .rules = kEgress,
       .words = "tcp fd00:ec2::254 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {allow({"[fd00:ec2::254]:80"}), "", "fd00:ec2::254 80"}},
  };
}

std::vector<Probe> ipv4_inside_ipv6() {
  return {
      {.name = "v4-mapped",
       .attempt = "the LAN as a v4-mapped IPv6 address of a socket",
       .rules = kAnyHost,
       .words = "tcp ::ffff:192.168.77.10 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {kNeighbour, "", "192.168.77.10 80"}},
      {.name = "v4-mapped-on-the-wire",
       .attempt = "a v4-mapped address in the header of a packet",
       .rules = kAnyHost,
       .words = "{frame6} tcp ::ffff:192.168.77.10 80",
       .sees = "none",
       .why = "dropped: header",
       .control = {allow({"[2a00:1450::34]:80"}), "{frame6} tcp 2a00:1450::34 80", "syn-ack"}},
      {.name = "nat64",
       .attempt = "the LAN behind the NAT64 prefix",
       .rules = kAnyHost,
       .words = "tcp 64:ff9b::c0a8:4d0a 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {kAnyHost, "tcp 64:ff9b::5db8:d822 80", "64:ff9b::5db8:d822 80"}},
      {.name = "6to4",
       .attempt = "the LAN inside a 6to4 address",
       .rules = kAnyHost,
       .words = "tcp 2002:c0a8:4d0a::1 80",
       .sees = "ECONNREFUSED",
       .why = "special-range",
       .control = {allow({"[2002:c0a8:4d0a::1]:80"}), "", "2002:c0a8:4d0a::1 80"}},
  };
}

std::vector<Probe> name_servers() {
  return {
      {.name = "dns-udp",
       .attempt = "DNS over UDP to a public name server",
       .rules = kEgress,
       .words = "dns udp 8.8.8.8 allowed.example",
       .sees = "EHOSTUNREACH",
       .why = "dns",
       .control = {allow({"udp://8.8.8.8:53"}), "", "93.184.216.34"}},
      {.name = "dns-tcp",
       .attempt = "DNS over TCP to a public name server",
       .rules = kEgress,
       .words = "dns tcp 8.8.8.8 allowed.example",
       .sees = "ECONNREFUSED",
       .why = "dns",
       .control = {allow({"8.8.8.8:53"}), "", "93.184.216.34"}},
      {.name = "dns-over-tls",
       .attempt = "DNS over TLS: port 853 of a public name server",
       .rules = kOneName,
       .words = "tcp 1.1.1.1 853",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"1.1.1.1:853"}), "", "1.1.1.1 853"}},
      {.name = "dns-over-https",
       .attempt = "DNS over HTTPS by address",
       .rules = kOneName,
       .words = "tcp 1.1.1.1 443",
       .sees = "ECONNREFUSED",
       .why = "not-listed",
       .control = {allow({"1.1.1.1:443"}), "", "1.1.1.1 443"}},
  };
}

std::vector<Probe> questions() {
  return {
      {.name = "dns-denied-name",
       .attempt = "ask for a name that no rule names",
       .rules = kOneName,
       .words = "dns udp {engine} other.example",
       .sees = "REFUSED",
       .why = "not-listed",
       .control = {allow({"other.example:443"}), "", "93.184.216.35"}},
      {.name = "dns-subdomain-tunnel",
       .attempt = "a secret as a name below an allowed one",
       .rules = kOneName,
       .words = "dns udp {engine} 5up3r53cr37.allowed.example",
       .sees = "REFUSED",
       .why = "not-listed",
       .control = {allow({"*.tunnel.example:443"}), "dns udp {engine} 5up3r53cr37.tunnel.example",
                   "93.184.216.99"}},
      {.name = "dns-subdomain-tunnel-tcp",
       .attempt = "the same over TCP",
       .rules = kOneName,
       .words = "dns tcp {engine} 5up3r53cr37.allowed.example",
       .sees = "REFUSED",
       .why = "not-listed",
       .control = {allow({"*.tunnel.example:443"}), "dns tcp {engine} 5up3r53cr37.tunnel.example",
                   "93.184.216.99"}},
      {.name = "dns-with-addresses-only",
       .attempt = "ask for a name with rules that are all about addresses",
       .rules = kOneServer,
       .words = "dns udp {engine} allowed.example",
       .sees = "REFUSED",
       .why = "not-listed",
       .control = {kOneName, "", "93.184.216.34"}},
      {.name = "dns-txt-tunnel",
       .attempt = "a TXT record of an allowed name: an empty answer, and nobody is asked",
       .rules = kOneName,
       .words = "dns udp {engine} allowed.example 16",
       .sees = "NOERROR",
       .why = "type",
       .control = {kOneName, "dns udp {engine} allowed.example", "93.184.216.34"}},
  };
}

std::vector<Probe> rebinding() {
  return {
      {.name = "rebinding-loopback",
       .attempt = "an allowed name whose address is 127.0.0.1, TTL 0",
       .rules = allow({"rebind-loopback.example:8022"}),
       .words = "by-name {engine} rebind-loopback.example 8022",
       .sees = "REFUSED",
       .why = "rebinding",
       .arrives = {"dns rebind-loopback.example 53"},
       .control = {kOneName, "by-name {engine} allowed.example 443", "93.184.216.34 443"}},
      {.name = "rebinding-lan",
       .attempt = "an allowed name whose address is one of the LAN",
       .rules = allow({"rebind-lan.example:80"}),
       .words = "by-name {engine} rebind-lan.example 80",
       .sees = "REFUSED",
       .why = "rebinding",
       .arrives = {"dns rebind-lan.example 53"},
       .control = {allow({"rebind-lan.example:80", "192.168.77.10:80"}), "", "192.168.77.10 80"}},
      {.name = "rebinding-metadata",
       .attempt = "any name whose address is 169.254.169.254, with every name allowed",
       .rules = kEgress,
       .words = "by-name {engine} rebind-metadata.example 80",
       .sees = "REFUSED",
       .why = "rebinding",
       .arrives = {"dns rebind-metadata.example 53"},
       .control = {kEgress, "by-name {engine} allowed.example 80", "93.184.216.34 80"}},
      {.name = "rebinding-gateway",
       .attempt = "an allowed name whose address is the gateway's",
       .rules = allow({"rebind-engine.example:8022", "host.pyro.internal:8023"}),
       .words = "by-name {engine} rebind-engine.example 8022",
       .sees = "REFUSED",
       .why = "rebinding",
       .arrives = {"dns rebind-engine.example 53"},
       .control = {allow({"host.pyro.internal:8022"}), "tcp {engine} 8022", "127.0.0.1 8022"}},
      {.name = "rebinding-second-answer",
       .attempt = "a name with a public address first, TTL 0, and 127.0.0.1 the second time",
       .rules = allow({"flip.example:8022", "flip.example:443"}),
       .first = "by-name {engine} flip.example 443",
       .words = "by-name {engine} flip.example 8022",
       .sees = "REFUSED",
       .why = "rebinding",
       .arrives = {"dns flip.example 53"},
       .control = {allow({"flip.example:443"}), "by-name {engine} flip.example 443",
                   "93.184.216.70 443"}},
      {.name = "cname-to-denied",
       .attempt = "a name that is another one's alias, which is denied",
       .rules = {.deny = {"denied.example:*"}},
       .words = "by-name {engine} alias.example 443",
       .sees = "REFUSED",
       .why = "denied",
       .arrives = {"dns alias.example 53"},
       .control = {kEgress, "", "93.184.216.66 443"}},
  };
}

Probe bad_frame(std::string name, std::string attempt, const std::string& trick, std::string drop,
                bool v6 = false) {
  return {.name = std::move(name),
          .attempt = std::move(attempt),
          .rules = v6 ? kHonestFrame6.rules : kOneUdp,
          .words = (v6 ? kHonestFrame6 : kHonestFrame).words + " " + trick,
          .sees = "none",
          .why = "dropped: " + std::move(drop),
          .control = v6 ? kHonestFrame6 : kHonestFrame};
}

std::vector<Probe> frames() {
  return {
      bad_frame("spoofed-source", "a packet from an IP address that is not the guest's",
                "source=93.184.216.35", "source"),
      bad_frame("spoofed-source-ipv6", "the same with IPv6", "source=2a00:1450::35", "source",
                true),
      bad_frame("spoofed-mac", "a frame from a MAC address that is not the guest's", "mac",
                "source"),
      bad_frame("vlan", "a frame with a VLAN tag", "vlan", "ether-type"),
      bad_frame("fragment", "the first fragment of a datagram", "fragment", "fragment"),
      bad_frame("fragment-ipv6", "the first fragment of an IPv6 datagram", "fragment", "fragment",
                true),
      bad_frame("ip-options", "a packet with IPv4 options", "options", "options"),
      bad_frame("extension-header", "a packet with an IPv6 extension header", "extension",
                "options", true),
      bad_frame("truncated", "a frame that ends before its packet does", "truncated", "short"),
      bad_frame("oversized", "a frame longer than any that an honest guest sends", "oversized",
                "long"),
  };
}

std::vector<Probe> scenarios() {
  const Control server{kOneServer, "tcp 93.184.216.34 443", "93.184.216.34 443"};
  const auto path = [&](std::string name, std::string attempt, Scenario scenario) {
    return Probe{.name = std::move(name),
                 .attempt = std::move(attempt),
                 .rules = kOneServer,
                 .words = "tcp 93.184.216.35 443",
                 .sees = "ECONNREFUSED",
                 .why = "not-listed",
                 .control = server,
                 .scenario = scenario};
  };
  return {
      {.name = "rule-removed",
       .attempt = "go on with a connection whose rule is taken away",
       .rules = kOneServer,
       .words = "hold 93.184.216.34 443 10",
       .sees = "ECONNRESET",
       .why = "policy",
       .control = {kOneServer, "hold 93.184.216.34 443 1", ""},
       .scenario = Scenario::kRuleRemoved},
      {.name = "engine-killed",
       .attempt = "go on with a connection when the engine is killed, and try others",
       .rules = kOneServer,
       .words = "hold 93.184.216.34 443 10",
       .sees = "ECONNRESET",
       .why = "not-listed",
       .control = server,
       .scenario = Scenario::kEngineKilled},
      {.name = "syn-flood",
       .attempt =
           "ask for 20000 connections to nobody: the engine refuses them and stays within 32 MiB",
       .rules = allow({"192.168.77.77:443"}),
       .words = "flood {mac} {guest} 192.168.77.77 443 20000",
       .sees = "bounded",
       .why = "limit",
       .control = server,
       .scenario = Scenario::kSynFlood},
      {.name = "other-sandbox-port",
       .attempt = "the port that another sandbox has published on the host's loopback",
       .rules = kEgress,
       .words = "tcp {engine} {port}",
       .sees = "ECONNREFUSED",
       .why = "host-loopback",
       .control = {allow({"host.pyro.internal:{port}"}), "", "hello from the guest"},
       .scenario = Scenario::kOtherSandbox},
      {.name = "dns-tunnel-rate",
       .attempt = "300 names at once, where every name may be asked for",
       .rules = kEgress,
       .words = "tunnel {engine} tunnel.example 300",
       .sees = "bounded",
       .why = "limit",
       .control = {kEgress, "dns udp {engine} one.tunnel.example", "93.184.216.99"},
       .scenario = Scenario::kTunnelRate},
      path("after-stop-and-start", "a workspace that was stopped and started again",
           Scenario::kAfterStop),
      path("after-reset", "a workspace that was reset", Scenario::kAfterReset),
      path("after-snapshot", "a reset to a snapshot that was made when more was allowed",
           Scenario::kAfterSnapshot),
      path("run", "pyro run instead of a workspace", Scenario::kRun),
      {.name = "off",
       .attempt = "a workspace without a network: there is no network device but the loopback",
       .rules = {.off = true},
       .words = "devices",
       .sees = "lo",
       .why = "",
       .control = {kEgress, "", "lo eth0"},
       .scenario = Scenario::kOff},
  };
}

std::vector<Probe> all() {
  std::vector<Probe> out;
  for (auto* const part :
       {hosts_and_ports, other_protocols, ipv6, the_host, the_link, lan, link_local_and_metadata,
        ipv4_inside_ipv6, name_servers, questions, rebinding, frames, scenarios}) {
    for (Probe& probe : part()) out.push_back(std::move(probe));
  }
  return out;
}

}  // namespace

const std::vector<Probe>& probes() {
  static const std::vector<Probe> list = all();
  return list;
}

}  // namespace pyro::escape
