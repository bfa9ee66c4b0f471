"""The network engine against QEMU's own user-mode network."""

import net_guests
from net_guests import ECHO_PORT
from report import Figure, median, spread

NAME = "net-beside-user"
ABOUT = "throughput, connections and latency of a guest on pyro-net, against the same guest with `-netdev user`"
# A bound is the largest value that is good enough, so these are times of `-netdev user` by ours.
MOST_OF_ITS_THROUGHPUT = 1 / 3
MOST_OF_ITS_RATE = 1 / 0.95


def compared(name, unit, bound, ours, users, digits):
    """For figures of which more is better."""
    return [
        Figure(f"{name}: user / pyro-net", median(users) / median(ours), "times", bound, f"n={len(ours)}"),
        Figure(f"{name}, pyro-net", median(ours), unit, None, spread(ours, digits), ours),
        Figure(f"{name}, user", median(users), unit, None, spread(users, digits), users),
    ]


def run(options):
    rounds = options.count(net_guests.ROUNDS, quick=2)
    figures = []
    with net_guests.guests() as spaces:
        for down, direction in ((False, "out of the guest"), (True, "into the guest")):
            for streams in (1, 8):
                ours, users = net_guests.in_turns(spaces, lambda s, n=streams, d=down: net_guests.throughput(s, n, 3, d), rounds)
                figures += compared(f"{direction}, {streams} streams", "MB/s", MOST_OF_ITS_THROUGHPUT, ours, users, 1)
        ours, users = net_guests.in_turns(spaces, lambda s: net_guests.load(s, "connects", ECHO_PORT, 3)[0], rounds)
        figures += compared("connect, request, close", "/s", MOST_OF_ITS_RATE, ours, users, 0)
        ours, users = net_guests.in_turns(spaces, lambda s: 1e9 / median(net_guests.load(s, "requests", ECHO_PORT, 2000)), rounds)
        figures += compared("requests of one connection", "/s", MOST_OF_ITS_RATE, ours, users, 0)
    return figures
