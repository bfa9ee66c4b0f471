"""What two programs do with a connection between them: each case is run with and without the engine.

A handler is the server's part; it is given a connection and what to send. The script is the client's,
with HOST, PORT and SIZE. Each tells what it saw.
"""

import functools
import socket

import peers
import world as worlds

FAMILIES = {"v4": socket.AF_INET, "v6": socket.AF_INET6}


def echo_all(s, sent):
    return peers.both_ways(s, sent)


def send_then_close(s, sent):
    s.sendall(sent)
    s.shutdown(socket.SHUT_WR)
    return peers.read_all(s)


def listen_then_send(s, sent):
    heard = peers.read_all(s)
    s.sendall(sent)
    return heard


def reset_when_heard(s, sent):
    s.recv(1)
    peers.reset(s)
    return "reset"


def send_and_reset(s, sent):
    s.sendall(b"some bytes")
    s.recv(1)  # the guest has them
    peers.reset(s)
    return "reset"


def close_unread(s, sent):
    s.recv(1)
    s.close()  # with more to be read: a reset
    return "closed"


def slow_reader(s, sent):
    return peers.read_all(s, pause=0.002)


def hear(s, sent):
    return peers.read_all(s)


CASES = {
    "both": (echo_all, "tell(both_ways(connect(HOST, PORT), data(SIZE)))"),
    "server-ends-first": (send_then_close, """
s = connect(HOST, PORT)
heard = read_all(s)
s.sendall(data(SIZE))
s.close()
tell(heard)"""),
    "client-ends-first": (listen_then_send, """
s = connect(HOST, PORT)
s.sendall(data(SIZE))
s.shutdown(socket.SHUT_WR)
tell(read_all(s))"""),
    "reset-when-heard": (reset_when_heard, """
s = connect(HOST, PORT)
s.sendall(b"x")
tell(outcome(lambda: len(s.recv(1))))"""),
    "data-and-reset": (send_and_reset, """
s = connect(HOST, PORT)
got = read_exactly(s, 10).decode()
s.sendall(b"x")
tell([got, outcome(lambda: len(s.recv(1)))])"""),
    "close-with-unread-data": (close_unread, """
s = connect(HOST, PORT)
s.sendall(b"xyz")
tell(outcome(lambda: len(s.recv(1))))"""),
    "client-resets": (hear, """
s = connect(HOST, PORT)
s.sendall(b"hello")
select.select([], [], [], 0.1)
reset(s)
tell(1)"""),
    "client-resets-at-once": (hear, "reset(connect(HOST, PORT))\ntell(1)"),
    "client-closes-at-once": (hear, "connect(HOST, PORT).close()\ntell(1)"),
    "slow-client": (send_then_close, """
s = connect(HOST, PORT)
select.select([], [], [], 0.5)
heard = read_all(s, pause=0.002)
s.close()
tell(heard)"""),
    "slow-server": (slow_reader, "s = connect(HOST, PORT)\ns.sendall(data(SIZE))\ns.close()\ntell(1)"),
    "a-byte-at-a-time": (echo_all, """
s = connect(HOST, PORT)
for b in data(300):
    s.sendall(bytes([b]))
s.shutdown(socket.SHUT_WR)
tell(read_all(s))"""),
}


def run_both(world, name, family, host, size):
    """What client and server saw of a connection to `host`, first without the engine and then with it."""
    handler, script = CASES[name]
    sent = peers.data(size, 2)
    seen = []
    for run in (world.direct_python, world.guest_python):
        with world.server(functools.partial(handler, sent=sent), FAMILIES[family]) as (port, results):
            client = run(f"HOST, PORT, SIZE = {host!r}, {port}, {size}\n{script}")
            # A far server has not heard of a client that is gone already.
            worlds.wait_until(lambda: results, "the connection")
        seen.append((client, results))
    return seen
