"""Ports of the guest on the host's loopback."""

import base64
import hashlib
import os
import socket
import struct
import threading
import time

import peers
import pytest
import world as worlds

HOST = 18080
OPTIONS = ("--preset", "egress+published-ports", "--publish", f"{HOST}:80")
# How much goes through in the test of a large transfer; dev/nightly says more.
LARGE = int(os.environ.get("PYRO_NET_TEST_MB", "200")) << 20

SERVER = """
l = socket.create_server(("0.0.0.0", 80), backlog=1024)
def each(handler):
    def serve(s):
        try:
            handler(s)
        except OSError as e:
            print(type(e).__name__, flush=True)
        s.close()
    print("ready")
    while True:
        s = l.accept()[0]
        threading.Thread(target=serve, args=(s,), daemon=True).start()
"""
ECHO = SERVER + """
def echo(s):
    while piece := s.recv(65536):
        s.sendall(piece)
each(echo)
"""


def client():
    return peers.connect("127.0.0.1", HOST)


def test_five_hundred_at_once(world):
    with world.started(ECHO, OPTIONS):
        clients = [client() for _ in range(500)]
        for i, s in enumerate(clients):
            s.sendall(b"%d" % i * 1000)
        for i, s in enumerate(clients):
            expected = b"%d" % i * 1000
            assert peers.read_exactly(s, len(expected)) == expected
        for s in clients:
            s.shutdown(socket.SHUT_WR)
        assert all(peers.read_all(s)[2] == "end" for s in clients)
        for s in clients:
            s.close()


def test_either_side_may_end_first(world):
    content = peers.data(2_000_000)
    with world.started(ECHO, OPTIONS):
        with client() as s:
            assert peers.both_ways(s, content) == [len(content), peers.digest(content), "end"]
    with world.started(SERVER + """
def say(s):
    s.sendall(data(2_000_000))
    s.shutdown(socket.SHUT_WR)
    print(json.dumps(read_all(s)), flush=True)
each(say)""", OPTIONS) as guest:
        with client() as s:
            assert peers.read_all(s, pause=0.001) == [len(content), peers.digest(content), "end"]
            s.sendall(content)
        assert guest.stdout.readline() == f'[2000000, "{peers.digest(content)}", "end"]\n'


def test_an_engine_that_is_new_reaches_a_guest_with_flows_of_the_last(world):
    # The guest is silent, so it does not learn that they are gone.
    with world.started(ECHO, OPTIONS) as guest:
        def echoes():
            s = client()
            s.sendall(b"hello")
            assert peers.read_exactly(s, 5) == b"hello"
            return s

        held = [echoes() for _ in range(3)]
        worlds.restart_engine(guest)
        assert [peers.outcome(lambda s=s: s.recv(1) and 1) for s in held] == ["ECONNRESET"] * 3
        for _ in range(3):
            echoes().close()


def test_a_client_that_resets_is_one_that_resets(world):
    with world.started(SERVER + "each(lambda s: s.recv(10) and s.recv(10))", OPTIONS) as guest:
        s = client()
        s.sendall(b"x")
        peers.reset(s)
        assert guest.stdout.readline() == "ConnectionResetError\n"


def test_a_port_where_nobody_listens_resets(world):
    with world.started("print('ready')\nsys.stdin.readline()", OPTIONS):
        assert peers.outcome(lambda: client().recv(1) and 1) == "ECONNRESET"


def test_a_port_that_is_taken_is_an_error(world):
    with socket.create_server(("127.0.0.1", HOST)):
        done = world.guest("true", options=OPTIONS, check=False)
    assert done.returncode == 125
    assert b"Address already in use" in done.stderr


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def test_a_websocket(world):
    # RFC 6455: the handshake, a text frame masked by the client, the same from the server unmasked.
    with world.started(SERVER + """
import base64, hashlib
def websocket(s):
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += s.recv(1)
    key = [l.split(b": ")[1] for l in head.split(b"\\r\\n") if l.lower().startswith(b"sec-websocket-key")][0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    s.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")
    while True:
        first, size = read_exactly(s, 2)
        mask = read_exactly(s, 4)
        text = bytes(b ^ mask[i % 4] for i, b in enumerate(read_exactly(s, size & 127)))
        s.sendall(bytes([first, len(text)]) + text)
        if first & 15 == 8:
            return
each(websocket)""", OPTIONS):
        with client() as s:
            key = base64.b64encode(b"0123456789abcdef")
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      b"Sec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Version: 13\r\n\r\n")
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += s.recv(1)
            assert b" 101 " in head and accept_of(key) in head
            for kind, text in ((0x81, b"hello"), (0x81, b"again"), (0x88, struct.pack("!H", 1000))):
                mask = b"\1\2\3\4"
                s.sendall(bytes([kind, 0x80 | len(text)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text)))
                assert peers.read_exactly(s, 2 + len(text)) == bytes([kind, len(text)]) + text
            assert s.recv(1) == b""


@pytest.mark.timeout(600)
def test_a_large_transfer_is_what_was_sent(world):
    block = peers.data(1 << 20)
    with world.started(SERVER + f"""
def serve(s):
    block = data(1 << 20)
    if s.recv(1) == b"d":
        for _ in range({LARGE >> 20}):
            s.sendall(block)
    else:
        s.sendall(json.dumps(read_all(s)).encode())
each(serve)""", OPTIONS):
        whole = hashlib.blake2b(digest_size=8)
        for _ in range(LARGE >> 20):
            whole.update(block)
        expected = [LARGE, whole.hexdigest(), "end"]
        begin = time.monotonic()
        with client() as s:
            s.sendall(b"d")
            assert peers.read_all(s) == expected
        down = time.monotonic() - begin
        begin = time.monotonic()
        with client() as s:
            s.sendall(b"u")
            for _ in range(LARGE >> 20):
                s.sendall(block)
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1000).decode() == str(expected).replace("'", '"')
        up = time.monotonic() - begin
    words = f"{LARGE >> 20} MB from the guest in {down:.1f} s, to it in {up:.1f} s"
    print(words)
