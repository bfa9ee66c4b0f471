// What `pyro-probe` does in a guest, each from its words. Every one prints one line
// (probe/report.h) and returns the exit status: 0 when it could be tried, whatever came of it.
#pragma once

#include <string>
#include <vector>

namespace pyro::probe {

using Words = std::vector<std::string>;

// Sockets. ADDRESS is anything that inet_aton(3) or inet_pton(3) takes.
int tcp(const Words& words);      // ADDRESS PORT [TEXT]: connects, sends TEXT, reads a line
int udp(const Words& words);      // {ADDRESS PORT}...: one socket, a datagram to each
int ping(const Words& words);     // ADDRESS: an echo request over a raw socket
int raw(const Words& words);      // ADDRESS PROTOCOL: a packet of it over a raw socket
int hold(const Words& words);     // ADDRESS PORT SECONDS: talks for so long
int serve(const Words& words);    // PORT: answers everybody, for ever
int devices(const Words& words);  // which network devices there are

// Names.
int dns(const Words& words);      // udp|tcp SERVER NAME [TYPE]
int tunnel(const Words& words);   // SERVER SUFFIX COUNT: as many names below it
int by_name(const Words& words);  // SERVER NAME PORT [ADDRESS]: asks, then connects (to ADDRESS)

// Frames. ENGINE is its MAC address, SOURCE the guest's IP address.
int frame(const Words& words);  // ENGINE SOURCE tcp|udp ADDRESS PORT [TRICK]...
int flood(const Words& words);  // ENGINE SOURCE ADDRESS PORT COUNT: connections asked for
int scan(const Words& words);   // ENGINE SOURCE ADDRESS: which of all TCP ports are open

}  // namespace pyro::probe
