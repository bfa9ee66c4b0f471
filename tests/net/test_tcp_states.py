"""A reset in each state of a connection, and sequence numbers that begin anew: kernels on both sides."""

import functools
import time

import peers
import pytest
import tcp_cases
import world as worlds

SIZE = 3_000_000
# The first sequence number of the engine is a clock of 4 µs (RFC 9293, 3.4.1) on the monotonic clock.
TICK = 4e-6
NUMBERS = 1 << 32


STATES = [(state, family) for state in ("open", "ended-by-client", "ended-by-server") for family in tcp_cases.FAMILIES]


@pytest.mark.parametrize(("state", "family"), [*STATES, ("full", "v4")])
@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_seen_in_each_state_as_without_the_engine(world, who, state, family):
    def serve(s):
        peers.before_the_reset(s, state, "server", who)
        if who == "server":
            peers.reset(s)
            return "reset"
        return peers.reset_seen(s)

    host = worlds.V4 if family == "v4" else worlds.V6
    seen = []
    for run in (world.direct_python, world.guest_python):
        with world.server(serve, tcp_cases.FAMILIES[family]) as (port, results):
            client = run(f"""
s = connect({host!r}, {port})
before_the_reset(s, {state!r}, "client", {who!r})
if {who == "client"}:
    reset(s)
    tell("reset")
else:
    tell(reset_seen(s))""")
        seen.append([client, *results])
    assert seen[1] == seen[0]
    assert sorted(seen[0])[0] in ("ECONNRESET", "EPIPE")


def test_the_guests_sequence_numbers_begin_anew(world):
    """They are its kernel's choice, so the guest asks for the last ones before zero."""
    with world.server(functools.partial(tcp_cases.listen_then_send, sent=peers.data(SIZE, 2))) as (port, results):
        first, last, heard = world.guest_python(f"""
s = connect({worlds.V4!r}, {port}, sequence=(1 << 32) - 100_000)
first = sequence(s, SENDING)
s.sendall(data({SIZE}))
s.shutdown(socket.SHUT_WR)
heard = read_all(s)
tell([first, sequence(s, SENDING), heard])""")
    assert first == NUMBERS - 100_000 + 1  # the SYN is one
    assert last == (first + SIZE + 1) % NUMBERS  # the FIN is one
    assert heard == [SIZE, peers.digest(peers.data(SIZE, 2)), "end"]
    assert results == [[SIZE, peers.digest(peers.data(SIZE)), "end"]]


def test_the_engines_sequence_numbers_begin_anew(world):
    """They are a clock, so the engine gets one that is about to begin anew."""
    around = TICK * NUMBERS
    ahead = 8  # seconds, in which the guest connects; as numbers fewer than there are bytes
    later = int(around - ahead - time.monotonic() % around)
    clock = ("unshare", "--time", "--monotonic", str(later), "--fork", "--kill-child")
    with world.server(functools.partial(tcp_cases.listen_then_send, sent=peers.data(SIZE, 2))) as (port, results):
        first, last, heard = world.guest_python(f"""
s = connect({worlds.V4!r}, {port})
first = sequence(s, RECEIVING)
s.sendall(data({SIZE}))
s.shutdown(socket.SHUT_WR)
heard = read_all(s)
tell([first, sequence(s, RECEIVING), heard])""", before=clock)
    assert first > NUMBERS - (ahead + 1) / TICK
    assert last == (first + SIZE + 1) % NUMBERS  # the FIN is one
    assert heard == [SIZE, peers.digest(peers.data(SIZE, 2)), "end"]
    assert results == [[SIZE, peers.digest(peers.data(SIZE)), "end"]]
