"""Published ports: shown, gone when they should be, and what goes through one."""

import base64
import concurrent.futures
import hashlib
import http.client
import os
import pathlib
import signal
import socket
import struct

import harness
import network
import pytest
import workspaces
from network import connect, host_port, publish, read_all, read_exactly, refuses, wait_refused
from workspaces import ok

POLICY = ("--network-policy", "egress+published-ports")
BLOCK = 1 << 20
BLOCK_REST = struct.pack(f"!{BLOCK // 4 - 1}I", *((n * 2654435761) & 0xFFFFFFFF for n in range(1, BLOCK // 4)))


@pytest.fixture(scope="module")
def shared(host):
    """One for all tests that leave its machine alone."""
    with workspaces.one(host, "--name", "published", *POLICY, keep=True) as it:
        it.write("guest_server.pl", network.GUEST_SERVER)
        yield it


@pytest.fixture
def space(shared):
    """The shared one; every service of it is stopped afterwards."""
    yield shared
    for service in shared.json("service list")["services"]:
        if service["state"] in ("starting", "running"):
            ok(shared.pyro("service stop", service["service_name"], "--timeout-seconds", "1"))


@pytest.fixture
def own(host):
    """One that the test may break."""
    with workspaces.one(host, *POLICY) as it:
        it.write("guest_server.pl", network.GUEST_SERVER)
        yield it


def start(space, name, *options):
    return space.host.pyro("workspace", "service", "start", *options, space.id, name, "--", "touch", "/workspace/ran")


def blocks(count):
    for number in range(count):
        yield struct.pack("!I", number) + BLOCK_REST


def answers(port, word=b"hello"):
    with connect(port) as s:
        s.sendall(b"e" + word)
        return read_exactly(s, len(word)) == word


# ---- shown


def test_a_free_port_is_picked_and_shown_everywhere(space):
    done = ok(space.host.pyro("workspace", "service", "start", "--publish", "8080", "--ready-tcp", "8080", space.id, "web", "--",
                              "perl", "guest_server.pl", "8080"))
    (entry,) = space.json("service status", "web")["published_ports"]
    assert entry == {"host": "127.0.0.1", "host_port": entry["host_port"], "guest_port": 8080, "protocol": "tcp"}
    assert 1024 <= entry["host_port"] < 65536
    words = f"published=127.0.0.1:{entry['host_port']}->8080/tcp"
    assert words in done.out.decode()
    assert words in ok(space.pyro("service list")).out.decode()
    assert f"Published: 127.0.0.1:{entry['host_port']}->8080/tcp\n" in ok(space.pyro("service status", "web")).out.decode()
    (row,) = [s for s in space.json("service list")["services"] if s["service_name"] == "web"]
    assert row["published_ports"] == [entry]
    assert answers(entry["host_port"])


def test_two_ports_of_one_service(space):
    wanted = network.free_port()
    it = publish(space, "two", "--publish", "8081", "--publish", f"{wanted}:8082", guest_port=8081)
    assert [(p["guest_port"], p["host"], p["protocol"]) for p in it["published_ports"]] == [(8081, "127.0.0.1", "tcp"), (8082, "127.0.0.1", "tcp")]
    first, second = (p["host_port"] for p in it["published_ports"])
    assert second == wanted
    assert answers(first)
    # Nobody in the guest listens there; the reset may come before connect() has looked.
    try:
        with connect(second) as s:
            assert network.ends(s)
    except ConnectionResetError:
        pass


# ---- errors, before anything starts


def refused_start(space, name, *options):
    """The error, as text; its program has not run."""
    done = start(space, name, *options)
    assert done.code != 0, done
    assert "ran" not in space.paths()
    return done.text


def test_a_port_that_is_taken(space):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        free = network.free_port()
        text = refused_start(space, "late", "--publish", f"{free}:8081", "--publish", f"{taken}:8080")
        assert f"port {taken} of 127.0.0.1 is taken" in text
        assert "--publish 8080 for any that is free" in text
        assert refuses(free)
    it = space.json("service status", "late")
    assert (it["state"], it["stop_reason"], it["pid"]) == ("failed", "not_started", None)
    assert it["last_error"] == f"port {taken} of 127.0.0.1 is taken"


def test_a_port_of_another_service_is_taken(space):
    port = host_port(publish(space, "first", "--publish", "8080"))
    assert f"port {port} of 127.0.0.1 is taken" in refused_start(space, "second", "--publish", f"{port}:8081")
    assert answers(port)


def test_a_port_below_1024(space):
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    port = next(p for p in range(1023, 0, -1) if refuses(p))
    if os.geteuid() == 0 or first <= port:
        assert host_port(publish(space, "low", "--publish", f"{port}:8080")) == port
        assert answers(port)
        return
    text = refused_start(space, "low", "--publish", f"{port}:8080")
    assert f"port {port} is below 1024, which takes a right that you do not have" in text
    assert "--publish 8080 for any that is free" in text


@pytest.mark.parametrize("ports, words", [
    (["8080", "8080"], "the guest port 8080 is published twice"),
    (["18090:8080", "18090:8081"], "the host port 18090 is taken twice"),
])
def test_ports_that_are_given_twice(space, ports, words):
    assert words in refused_start(space, "twice", *(f"--publish={port}" for port in ports))
    assert refuses(18090)


def test_egress_alone_publishes_nothing(host):
    with workspaces.one(host, "--network-policy", "egress") as space:
        text = refused_start(space, "web", "--publish", "8080")
        assert f"the network policy of {space.id} is egress: its services cannot publish ports" in text
        # What the hint says helps.
        (hint,) = [line for line in text.splitlines() if line.startswith("hint: ")]
        ok(space.host.pyro(*hint[hint.index("workspace network set"):].split()))
        space.write("guest_server.pl", network.GUEST_SERVER)
        port = host_port(publish(space, "web", "--publish", "8080"))
        # And it is not taken away below a service that has one.
        done = space.pyro("network set", "--network-policy", "egress")
        assert done.code == 1 and "the service web has published ports" in done.text
        assert f"pyro workspace service stop {space.id} web" in done.text
        assert answers(port)


# ---- gone, and back


def test_gone_after_a_failed_start(space):
    wanted = network.free_port()
    done = space.host.pyro("workspace", "service", "start", "--publish", f"{wanted}:8080", "--ready-tcp", "8080", space.id, "fails", "--",
                           "sh", "-c", "exit 3")
    assert done.code != 0 and "exit code 3" in done.text
    assert refuses(wanted)


def test_gone_with_its_connections_after_a_stop_and_back_after_a_restart(space):
    wanted = network.free_port()
    publish(space, "web", "--publish", f"{wanted}:8080")
    with connect(wanted) as s:
        s.sendall(b"ehello")
        assert read_exactly(s, 5) == b"hello"
        space.json("service stop", "web")
        assert network.ends(s)
    assert refuses(wanted)
    assert host_port(space.json("service restart", "web")) == wanted
    assert answers(wanted)
    # Of one that runs.
    assert host_port(space.json("service restart", "web")) == wanted
    assert answers(wanted)


def test_a_free_port_is_picked_again_by_a_restart(space):
    publish(space, "web", "--publish", "8080")
    space.json("service stop", "web")
    assert space.json("service status", "web")["published_ports"][0]["host_port"] is None
    assert answers(host_port(space.json("service restart", "web")))


def test_gone_when_the_service_exits(space):
    port = host_port(publish(space, "brief", "--publish", "8080", script="until [ -e /tmp/go ]; do sleep 0.1; done; rm /tmp/go"))
    assert not refuses(port)
    space.sh("touch /tmp/go")
    harness.wait_until(lambda: space.json("service status", "brief")["state"] == "exited", what="its end")
    assert refuses(port)


@pytest.mark.parametrize("command", ["stop", "reset", "delete"])
def test_gone_with_the_machine(own, command):
    port = host_port(publish(own, "web", "--publish", "8080"))
    with connect(port) as s:
        s.sendall(b"ehello")
        assert read_exactly(s, 5) == b"hello"
        ok(own.pyro(command))
        assert network.ends(s)
    assert refuses(port)


def test_gone_with_the_time_to_live(own):
    port = host_port(publish(own, "web", "--publish", "8080"))
    assert answers(port)
    own.json("update", "--ttl-seconds", "1")
    harness.wait_until(lambda: own.status()["state"] == "stopped", what="the end of its time")
    assert refuses(port)


def test_gone_with_a_supervisor_that_is_killed_and_back(own):
    wanted = network.free_port()
    publish(own, "web", "--publish", f"{wanted}:8080")
    assert answers(wanted)
    supervisor, engine = own.supervisor(), network.engine(own)
    os.kill(supervisor, signal.SIGKILL)
    harness.wait_gone([supervisor, engine])
    wait_refused(wanted)
    assert own.json("service status", "web")["stop_reason"] == "supervisor_lost"
    own.json("start")
    assert host_port(own.json("service restart", "web")) == wanted
    assert answers(wanted)


def test_back_after_an_engine_that_is_killed(own):
    port = host_port(publish(own, "web", "--publish", "8080"))
    before = network.shown(own)
    engine = network.engine(own)
    with connect(port) as s:
        s.sendall(b"ehello")
        assert read_exactly(s, 5) == b"hello"
        os.kill(engine, signal.SIGKILL)
        assert network.ends(s)
    harness.wait_gone([engine])
    harness.wait_until(lambda: network.shown(own)["live"]["restarts"] == 1 and not refuses(port), what="another engine")
    after = network.shown(own)
    assert after["live"]["running"] is True
    assert after["live"]["policy_hash"] == before["live"]["policy_hash"] == after["network"]["hash"]
    assert network.engine(own) != engine
    assert answers(port)


def test_engines_that_keep_dying_are_no_network_until_the_next_start(own):
    port = host_port(publish(own, "web", "--publish", "8080"))
    why = "the network engine ended 3 times within 10 s: there is no network"

    def given_up():
        """Kills what there is: on a slow machine three deaths may need more than the 10 s."""
        live = network.shown(own)["live"]
        if live["running"]:
            os.kill(network.engine(own), signal.SIGKILL)
        return live["error"] == why and live

    live = harness.wait_until(given_up, bound=60, what="the end of it")
    assert (live["running"], live["policy_hash"]) == (False, None)
    assert live["restarts"] >= 2
    assert f"Network engine: none: {why}\n" in ok(own.pyro("network show")).out.decode()
    assert refuses(port)
    assert "No route to host" in own.exec("bash", "-c", "exec 3<>/dev/tcp/10.255.255.1/53").text
    done = own.pyro("network set", "--network-policy", "egress+published-ports", "--net-allow", "host.pyro.internal:1", "--json")
    assert (done.code, done.json["error"]["message"]) == (4, why)
    assert network.shown(own)["network"] == own.created["network"]
    own.json("stop")
    own.json("start")
    assert network.shown(own)["live"]["policy_hash"] == own.created["network"]["hash"]
    assert host_port(own.json("service restart", "web")) > 0
    assert answers(host_port(own.json("service status", "web")))


# ---- through one


@pytest.fixture
def web(space):
    """The port of the guest's server."""
    return host_port(publish(space, "web", "--publish", "8080"))


def test_five_hundred_connections_at_once(space, web):
    content = [(str(n) + " ").encode() * 1000 for n in range(500)]

    def opened(mine):
        s = connect(web)
        s.sendall(b"e" + mine)
        return s, read_exactly(s, len(mine)) == mine

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        made = list(pool.map(opened, content))
    try:
        assert sum(fine for _, fine in made) == 500
        assert network.shown(space)["live"]["sizes"]["tcp"] == 500
        # All of them are still what they were.
        for (s, _), mine in zip(made, reversed(content), strict=True):
            s.sendall(mine[:100])
        assert all(read_exactly(s, 100) == mine[:100] for (s, _), mine in zip(made, reversed(content), strict=True))
    finally:
        for s, _ in made:
            s.close()
    harness.wait_until(lambda: network.shown(space)["live"]["sizes"]["tcp"] == 0, what="the end of the flows")


def test_five_hundred_connections_in_one_moment(web):
    made = []
    try:
        for _ in range(500):
            s = socket.socket()
            s.settimeout(network.PATIENCE)
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", web))
            made.append(s)
        for number, s in enumerate(made):
            s.settimeout(network.PATIENCE)
            s.sendall(b"e%6d" % number)
        assert [read_exactly(s, 6) for s in made] == [b"%6d" % n for n in range(500)]
    finally:
        for s in made:
            s.close()


def test_either_side_may_end_first(space, web):
    with connect(web) as s:
        s.sendall(b"c" + b"x" * 3_000_000)
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == b"3000000\n"
    with connect(web) as s:
        s.sendall(b"s")
        assert read_all(s) == BLOCK_REST[:1_000_000] * 2
        s.sendall(b"y" * 3_000_000)
    harness.wait_until(lambda: "after the end: 3000000\n" in space.json("service logs", "web")["stdout"], what="what came after the end")


def test_a_slow_reader_holds_up_nobody(space, web):
    count = 64
    with connect(web) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.sendall(b"d %d\n" % count)
        expected = blocks(count)
        assert read_exactly(slow, BLOCK) == next(expected)
        # It waits now, and the others do not.
        assert answers(web, b"x" * 100_000)
        resident = harness.status_field(network.engine(space), "VmRSS")
        assert int(resident.split()[0]) < 32 << 10, resident
        for block in expected:
            assert read_exactly(slow, BLOCK) == block
        assert read_all(slow) == b""


def test_a_client_that_resets(space, web):
    made = [connect(web) for _ in range(20)]
    for s in made:
        s.sendall(b"r")
    harness.wait_until(lambda: network.shown(space)["live"]["sizes"]["tcp"] == 20, what="the flows")
    for s in made:
        network.reset(s)
    told = "read: read: Connection reset by peer\n"
    harness.wait_until(lambda: space.json("service logs", "web")["stdout"].count(told) == 20, what="resets in the guest")
    harness.wait_until(lambda: network.shown(space)["live"]["sizes"]["tcp"] == 0, what="the end of the flows")
    assert answers(web)


def test_http_keeps_a_connection(web):
    client = http.client.HTTPConnection("127.0.0.1", web, timeout=network.PATIENCE)
    try:
        client.connect()
        first = client.sock.getsockname()
        for number in range(1, 101):
            client.request("GET", f"/page/{number}")
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, f"answer {number} to /page/{number}\n".encode())
        assert client.sock.getsockname() == first
    finally:
        client.close()


def frame(kind, text):
    mask = os.urandom(4)
    return bytes([kind, 0x80 | len(text)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text))


def test_a_websocket(web):
    key = base64.b64encode(os.urandom(16))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    with connect(web) as s:
        s.sendall(b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Version: 13\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(s, 1)
        assert head.startswith(b"HTTP/1.1 101 ") and b"Sec-WebSocket-Accept: " + accept + b"\r\n" in head
        for kind, text in ((0x81, b"hello"), (0x82, bytes(range(125))), (0x81, b""), (0x88, struct.pack("!H", 1000))):
            s.sendall(frame(kind, text))
            assert read_exactly(s, 2 + len(text)) == bytes([kind, len(text)]) + text
        assert read_all(s) == b""


LARGE = 1024  # blocks: 1 GiB


def test_a_large_download_is_what_was_sent(web):
    with connect(web) as s:
        s.sendall(b"d %d\n" % LARGE)
        for number, block in enumerate(blocks(LARGE)):
            assert read_exactly(s, BLOCK) == block, f"block {number}"
        assert read_all(s) == b""


def test_a_large_upload_is_what_was_sent(web):
    with connect(web) as s:
        s.sendall(b"u %d\n" % LARGE)
        for block in blocks(LARGE):
            s.sendall(block)
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == b"as it should be\n"
