"""DNS, UDP and echo, asked for by programs that everybody has."""

import socket

import pytest
import world as worlds
from name_server import A, AAAA, CNAME, TXT, NameServer

RECORDS = {
    ("www.example.com", A): [(CNAME, 300, "cdn.example.net"), (A, 60, worlds.V4)],
    ("www.example.com", AAAA): [(CNAME, 300, "cdn.example.net"), (AAAA, 60, worlds.V6)],
    ("www.example.com", TXT): [(TXT, 60, "secret")],
    ("now.example.com", A): [(A, 0, worlds.V4)],
    ("evil.example.com", A): [(A, 60, worlds.V4), (A, 60, "169.254.169.254")],
    ("inside.example.com", A): [(A, 60, "10.99.0.1")],
    ("large.example.com", A): [(A, 60, worlds.V4)] * 3,
    ("other.example.org", A): [(A, 60, worlds.V4_OTHER)],
}


@pytest.fixture(scope="module")
def names(world):
    with NameServer(world, worlds.V4, RECORDS, cut=["large.example.com"]) as server:
        yield server


def dig(world, names, *words, options=()):
    done = world.guest("dig", "+tries=1", "+time=30", *words, options=("--resolver", names.where, *options))
    return done.stdout.decode()


def test_a_name_is_found_over_udp_and_tcp(world, names):
    for how in ("+notcp", "+tcp"):
        out = dig(world, names, how, "+short", "www.example.com")
        assert out.split() == ["cdn.example.net.", worlds.V4]
    assert dig(world, names, "+short", "www.example.com", "AAAA").split()[-1] == worlds.V6
    assert "status: NXDOMAIN" in dig(world, names, "nobody.example.com")
    assert "secret" in dig(world, names, "+short", "www.example.com", "TXT")


def test_a_host_without_ipv6_has_no_addresses_of_it(world, names):
    worlds.run("ip", "-6", "route", "del", "default")
    try:
        out = dig(world, names, "www.example.com", "AAAA")
    finally:
        worlds.run("ip", "-6", "route", "add", "default", "via", worlds.V6_ROUTER)
    assert "status: NOERROR" in out and "ANSWER: 0" in out
    assert dig(world, names, "+short", "www.example.com", "AAAA").split()[-1] == worlds.V6


def test_an_answer_that_is_cut_is_fetched_over_tcp(world, names):
    assert dig(world, names, "+short", "large.example.com").split() == [worlds.V4] * 3
    assert ("large.example.com", A, "tcp") in names.asked


def test_a_public_name_with_an_address_inside_is_refused(world, names):
    for name in ("evil.example.com", "inside.example.com"):
        out = dig(world, names, name)
        assert "status: REFUSED" in out
        assert "EDE: 15 (Blocked)" in out and "pyro: rebinding" in out
        assert "169.254" not in out


def test_a_name_that_is_not_listed_is_not_asked_for(world, names):
    names.asked.clear()
    out = dig(world, names, "other.example.org", options=("--allow", "*.example.com:443"))
    assert "status: REFUSED" in out and "pyro: not-listed" in out
    assert names.asked == []
    # What tunnels are made of.
    out = dig(world, names, "www.example.com", "TXT", options=("--allow", "*.example.com:443"))
    assert "ANSWER: 0" in out
    assert names.asked == []


def test_a_name_earns_its_addresses_and_nothing_else(world, names):
    def hello(s):
        s.sendall(b"hello")
        return "heard"

    with world.server(hello) as (port, _):
        answers = world.guest_python(f"""
def fetch(name):
    return outcome(lambda: connect(name, {port}).recv(10).decode())
tell([fetch({worlds.V4!r}), fetch("now.example.com"), fetch({worlds.V4!r}), fetch({worlds.V4_OTHER!r})])
""", options=("--resolver", names.where, "--allow", f"now.example.com:{port}"))
    assert answers == ["ECONNREFUSED", "hello", "hello", "ECONNREFUSED"]


def test_many_questions_over_one_connection(world, names):
    ends = world.guest_python(f"""
def question(i, name):
    head = struct.pack("!HHHHHH", i, 0x0100, 1, 0, 0, 0)
    q = head + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0" + struct.pack("!HH", 1, 1)
    return struct.pack("!H", len(q)) + q
s = connect({worlds.ENGINE!r}, 53)
count = 80
s.sendall(b"".join(question(i, "now.example.com" if i % 2 else "10.in-addr.arpa") for i in range(count)))
s.shutdown(socket.SHUT_WR)
ids = []
while head := s.recv(2, socket.MSG_WAITALL):
    ids.append(struct.unpack("!H", read_exactly(s, struct.unpack("!H", head)[0])[:2])[0])
tell(sorted(ids))""", options=("--resolver", names.where))
    assert ends == list(range(80))


def test_datagrams_keep_their_edges_and_errors_come_back(world):
    with world.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((worlds.V4, 0))
        server.settimeout(worlds.BOUND)
        port = server.getsockname()[1]
        with world.started(f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect(({worlds.V4!r}, {port}))
for size in (0, 1, 1400, 60000):
    s.send(b"x" * size)
print("ready")
tell([len(s.recv(70000)) for _ in range(2)])
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
d.settimeout(10)
d.connect(({worlds.V4!r}, 9))
d.send(b"nobody")
tell(outcome(lambda: d.recv(10) and 1))
""", options=("--allow", f"udp://{worlds.V4}:1-65535")) as guest:
            sizes = []
            for _ in range(4):
                content, peer = server.recvfrom(70000)
                sizes.append(len(content))
            assert sizes == [0, 1, 1400, 60000]
            for size in (7, 60000):
                server.sendto(b"y" * size, peer)
            assert guest.stdout.readline() == "[7, 60000]\n"
            assert guest.stdout.readline() == '"ECONNREFUSED"\n'


def test_udp_is_refused_where_it_is_not_allowed(world):
    answer = world.guest_python(f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.connect(({worlds.V4!r}, 5000))
s.send(b"x")
tell(outcome(lambda: s.recv(1) and 1))""", options=("--allow", f"{worlds.V4}:443"))
    assert answer == "EHOSTUNREACH"
