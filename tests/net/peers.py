"""What scripts in a guest, and servers in the world, have in common."""

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
RESET = struct.pack("ii", 1, 0)


def tell(value):
    print(json.dumps(value), flush=True)


def data(size, seed=1):
    return random.Random(seed).randbytes(size)


def digest(content):
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def connect(address, port, timeout=20):
    s = socket.create_connection((address, port), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


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
