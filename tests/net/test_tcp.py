"""TCP as a program sees it: through the engine it must be what it is without it."""

import socket

import peers
import pytest
import tcp_cases
import world as worlds

SIZE = 3_000_000
SENT = peers.data(SIZE, 2)


@pytest.mark.parametrize("family", tcp_cases.FAMILIES)
@pytest.mark.parametrize("name", tcp_cases.CASES)
def test_a_connection_is_what_it_is_without_the_engine(world, name, family):
    host = worlds.V4 if family == "v4" else worlds.V6
    direct, through = tcp_cases.run_both(world, name, family, host, SIZE)
    assert through == direct


@pytest.mark.parametrize("where", ["refused", "no-host", "no-network", "prohibited", "silent"])
def test_a_connect_that_fails_fails_as_it_does_without_the_engine(world, where):
    host = {"refused": worlds.V4, "no-host": worlds.NO_HOST, "no-network": worlds.NO_NETWORK,
            "prohibited": worlds.PROHIBITED, "silent": worlds.SILENT}[where]
    patience = 2 if where == "silent" else 20
    script = f"tell(outcome(lambda: connect({host!r}, 9, timeout={patience}) and 1))"
    expected = {"refused": "ECONNREFUSED", "no-network": "ENETUNREACH", "silent": "nothing"}
    direct = world.direct_python(script)
    assert direct == expected.get(where, "EHOSTUNREACH")
    assert world.guest_python(script) == direct


def test_both_ends_close_at_the_same_moment(world):
    def close_at_once(s):
        s.sendall(b"x")
        s.shutdown(socket.SHUT_WR)
        return peers.read_all(s)[2]

    with world.server(close_at_once) as (port, results):
        ends = world.guest_python(f"""
ends = []
for _ in range(200):
    s = connect({worlds.V4!r}, {port})
    s.shutdown(socket.SHUT_WR)
    ends.append(read_all(s)[2])
    s.close()
tell(ends)""")
    assert ends == ["end"] * 200
    assert results == ["end"] * 200


def test_a_reader_that_stops_stops_the_sender(world):
    # The server is stopped by the guest's window, not by memory of the engine.
    def fill(s):
        s.settimeout(1.5)
        sent = 0
        try:
            while sent < 256 << 20:
                sent += s.send(b"x" * 65536)
        except TimeoutError:
            return sent
        return "never stopped"

    with world.server(fill) as (port, results):
        with world.started(f"s = connect({worlds.V4!r}, {port})\nprint('ready')\nsys.stdin.readline()\n") as guest:
            before = worlds.memory_kib(guest.pid)
            worlds.wait_until(lambda: results, "the end of the sender")
            grown = worlds.memory_kib(guest.pid) - before
    assert isinstance(results[0], int)
    assert grown < 1024, f"{grown} KiB more in the engine"


# This link loses nothing, so little was done for speed when it does.
@pytest.mark.parametrize("permille", [5, 10])
def test_frames_that_are_lost_on_the_link_are_sent_again(world, permille):
    size = 100_000

    def listen_then_answer(s):
        heard = peers.read_all(s)
        s.sendall(SENT)
        return heard

    with world.server(listen_then_answer) as (port, results):
        heard = world.guest_python(f"""
s = connect({worlds.V4!r}, {port})
s.sendall(data({size}))
s.shutdown(socket.SHUT_WR)
tell(read_all(s))""", options=("--drop", str(permille), "--seed", "7", "--mtu", "1500"))
    assert heard == [SIZE, peers.digest(SENT), "end"]
    assert results == [[size, peers.digest(peers.data(size)), "end"]]


def test_a_world_that_vanishes_is_silence(world):
    def wait_for_the_end(s):
        s.sendall(b"x")
        return peers.read_all(s)[2]

    with world.server(wait_for_the_end) as (port, _):
        with world.started(f"""
s = connect({worlds.V4!r}, {port})
s.recv(1)
s.settimeout(1)
print("ready")
sys.stdin.readline()
s.sendall(b"hello?")
tell(outcome(lambda: s.recv(1) and 1))
sys.stdin.readline()
s.settimeout(20)
s.shutdown(socket.SHUT_WR)
tell(read_all(s)[2])
""") as guest:
            worlds.run("ip", "link", "set", "out", "down")
            try:
                guest.stdin.write("go\n")
                guest.stdin.flush()
                assert guest.stdout.readline() == '"nothing"\n'
            finally:
                worlds.run("sh", "-ec", "ip link set out up; ip route add default via 10.99.0.2;"
                           f"ip -6 addr replace {worlds.V6_OURS}/64 dev out nodad; ip -6 route replace default via {worlds.V6_ROUTER}")
            guest.stdin.write("go\n")
            guest.stdin.flush()
            assert guest.stdout.readline() == '"end"\n'


def test_a_ping_pong_is_not_starved_by_a_bulk_flow(world):
    def source(s):
        try:
            while True:
                s.sendall(b"x" * 65536)
        except OSError:
            return "ended"

    with world.server(source) as (bulk, _), world.server(worlds.echo) as (pong, _):
        alone, beside, rate = world.guest_python(f"""
def trips():
    times = []
    for _ in range(300):
        begin = time.monotonic()
        p.sendall(b"ping")
        read_exactly(p, 4)
        times.append(time.monotonic() - begin)
    return sorted(times)
p = connect({worlds.V4!r}, {pong})
alone = trips()
b = connect({worlds.V4!r}, {bulk})
got = [0]
def drain():
    while piece := b.recv(1 << 20):
        got[0] += len(piece)
threading.Thread(target=drain, daemon=True).start()
while got[0] < 1 << 24:
    select.select([], [], [], 0.01)
first, begin = got[0], time.monotonic()
beside = trips()
rate = (got[0] - first) / (time.monotonic() - begin)
tell([alone[150], [beside[150], beside[285]], rate])
os._exit(0)""")
    words = f"median {alone * 1e6:.0f} us alone; beside {rate / 1e6:.0f} MB/s median {beside[0] * 1e6:.0f} us, p95 {beside[1] * 1e6:.0f} us"
    print(words)
    assert beside[0] < max(0.1, 20 * alone), words


def test_no_address_of_the_host_is_a_way_to_it(world):
    # The second of a network, and one of a block that is the host's as a whole.
    mine = ["93.184.220.1", "93.184.220.2", "93.184.221.77"]
    worlds.run("sh", "-ec", "ip link set lo up; ip addr add 93.184.220.1/24 dev out; ip addr add 93.184.220.2/24 dev out;"
               "ip addr add 93.184.221.1/24 dev lo")
    try:
        with socket.create_server(("0.0.0.0", 0)) as inside:
            port = inside.getsockname()[1]
            script = f"tell([outcome(lambda: connect(a, {port}) and 1) for a in {mine!r}])"
            assert world.direct_python(script) == [1, 1, 1]
            assert world.guest_python(script) == ["ECONNREFUSED"] * 3
    finally:
        worlds.run("sh", "-ec", "ip addr del 93.184.220.1/24 dev out; ip addr del 93.184.220.2/24 dev out || true;"
                   "ip addr del 93.184.221.1/24 dev lo")
