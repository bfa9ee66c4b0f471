"""What scripts in a guest, and servers in the world, have in common."""

import contextlib
import errno
import hashlib
import json
import os
import random
import select
import socket
import struct
import sys
import threading
import time

PIECE = 1 << 16
# linux/tcp.h
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_REPAIR_OFF_NO_WP = 19, 20, 21, -1
RECEIVING, SENDING = 1, 2
RESET = struct.pack("ii", 1, 0)


def tell(value):
    print(json.dumps(value), flush=True)


def data(size, seed=1):
    return random.Random(seed).randbytes(size)


def digest(content):
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def connect(address, port, timeout=20, sequence=None):
    """`sequence`: the first number of ours, which takes root's powers over the network."""
    if sequence is None:
        s = socket.create_connection((address, port), timeout=timeout)
    else:
        s = socket.socket()
        s.settimeout(timeout)
        with repaired(s, SENDING):
            s.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("I", sequence))
        s.connect((address, port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


@contextlib.contextmanager
def repaired(s, queue):
    """TCP_REPAIR of tcp(7), with which sequence numbers can be read, and set before the first."""
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    yield
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, 0)
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)


def sequence(s, queue):
    """The next number that we send, or await."""
    with repaired(s, queue):
        return s.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) % (1 << 32)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def reset_seen(s):
    """The error that a reset by the other end leaves, when it is there."""
    errors = select.poll()
    errors.register(s, 0)
    if not errors.poll(10_000):
        return "nothing"
    error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.errorcode.get(error, "none")


def fill(s, quiet):
    """Sends until nothing more has gone for `quiet` seconds."""
    s.setblocking(False)
    while select.select([], [s], [], quiet)[1]:
        try:
            s.send(b"x" * PIECE)
        except BlockingIOError:
            pass


def before_the_reset(s, state, ends, who):
    """Brings a connection into `state`; both ends call it: `ends` says which this is, `who` which resets."""
    if state == "open":
        s.sendall(b"x")
        assert read_exactly(s, 1) == b"x"
    elif state == "ended-by-" + ends:
        s.shutdown(socket.SHUT_WR)
        assert read_exactly(s, 1) == b"x"  # the other end has seen it
    elif state == "full":  # both ways, and nobody reads
        fill(s, quiet=2 if ends == who else 0.5)
    else:
        assert s.recv(1) == b""
        s.sendall(b"x")


def read_all(s, pause=0.0):
    """Size and digest of all that comes, and how it ended."""
    total, summed, how = 0, hashlib.blake2b(digest_size=8), "end"
    while True:
        try:
            piece = s.recv(PIECE)
        except OSError as e:
            how = errno.errorcode.get(e.errno, type(e).__name__)
            break
        if not piece:
            break
        total += len(piece)
        summed.update(piece)
        if pause:
            select.select([], [], [], pause)
    return [total, summed.hexdigest(), how]


def read_exactly(s, size):
    out = bytearray()
    while len(out) < size:
        piece = s.recv(min(PIECE, size - len(out)))
        if not piece:
            raise EOFError(f"{len(out)} of {size} bytes")
        out += piece
    return bytes(out)


def outcome(action):
    """What it returns, or the name of its error."""
    try:
        return action()
    except TimeoutError as e:
        return "ETIMEDOUT" if e.errno else "nothing"
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)


def both_ways(s, to_send, pause=0.0):
    """Sends all and then the end, while it reads all."""
    heard = []
    reader = threading.Thread(target=lambda: heard.append(read_all(s, pause)))
    reader.start()
    s.sendall(to_send)
    s.shutdown(socket.SHUT_WR)
    reader.join()
    return heard[0]
