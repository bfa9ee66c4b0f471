// Where things are in the escape suite's world. Its whole IPv4 and IPv6 internet is one network
// namespace that answers at every address; the ones with a part in a probe have names here.
//
//      engine's namespace ("the host")                the world
//   127.0.0.1:kHostService  a program of the host
//   192.168.77.2, 2a00:7972::2  -- a pair of devices --  192.168.77.1, 2a00:7972::1 and all others
#pragma once

#include <array>
#include <cstdint>

namespace pyro::world {

// The host.
inline constexpr const char* kHostLan = "192.168.77.2";
inline constexpr const char* kHostV6 = "2a00:7972::2";
inline constexpr const char* kGatewayLan = "192.168.77.1";
inline constexpr const char* kGatewayV6 = "2a00:7972::1";
inline constexpr int kLanLength = 24;
inline constexpr int kLanLengthV6 = 64;
inline constexpr std::uint16_t kHostService = 8022;       // of the host, at every address of it
inline constexpr std::uint16_t kOtherHostService = 8023;  // another one

// The world.
inline constexpr const char* kNameServer = "93.184.216.53";
inline constexpr const char* kNeighbour = "192.168.77.10";  // a machine of the LAN
inline constexpr const char* kNobody = "192.168.77.77";     // of the LAN, and not there
inline constexpr const char* kAllowed = "93.184.216.34";    // allowed.example
inline constexpr const char* kAllowedV6 = "2a00:1450::34";  // allowed.example
inline constexpr const char* kOther = "93.184.216.35";      // other.example
inline constexpr const char* kOtherV6 = "2a00:1450::35";    // other.example
inline constexpr const char* kDenied = "93.184.216.66";     // denied.example, alias.example
inline constexpr const char* kTunnelEnd = "93.184.216.99";  // everything below tunnel.example
inline constexpr const char* kFlip = "93.184.216.70";       // flip.example, the first time

// What answers at every address of the world: says where it is, then repeats what it is told.
inline constexpr std::array<std::uint16_t, 8> kTcpPorts{22, 25, 53, 80, 443, 853, 8080, 9999};
inline constexpr std::array<std::uint16_t, 4> kUdpPorts{53, 443, 5353, 9999};

}  // namespace pyro::world
