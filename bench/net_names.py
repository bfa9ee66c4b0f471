"""What the network engine adds to a question for a name."""

import os

import net_guests
import program
from report import BenchError, Figure, median, spread

NAME = "net-names"
ABOUT = "a DNS lookup of a guest through pyro-net, against `-netdev user` passing it on, and against the host's own"
BOUND_MS = 1.0


def run(options):
    if os.geteuid() != 0:
        raise BenchError("this needs root: the name server of the benchmark listens on port 53")
    rounds = options.count(net_guests.ROUNDS, quick=2)
    with net_guests.guests() as spaces:
        # Each sample is the median of one run, in milliseconds. Few enough for the engine's rate limit.
        lookups = ("lookups", net_guests.DNS_PORT, 20)
        ours, users = net_guests.in_turns(spaces, lambda s: median(net_guests.load(s, *lookups)) / 1e6, rounds)
        words = [program.bench_program("pyro_bench_net_load"), "lookups", "127.0.0.1", str(net_guests.DNS_PORT), "100"]
        hosts = [median([float(line) for line in program.run(words).checked(words[0]).out.split()]) / 1e6 for _ in range(rounds)]
    added = median(ours) - median(users)
    return [
        Figure("added to a lookup", added, "ms", BOUND_MS, f"medians {median(ours):.3f} - {median(users):.3f}"),
        Figure("lookup, pyro-net", median(ours), "ms", None, spread(ours, 3), ours),
        Figure("lookup, user", median(users), "ms", None, spread(users, 3), users),
        Figure("lookup on the host", median(hosts), "ms", None, spread(hosts, 3), hosts),
    ]
