#!/usr/bin/python3
"""A network for guests: net_world.py NAME ADDRESS [NAME ADDRESS]...

Two network namespaces, joined by a pair of devices: the host's, which PYRO_NET_NAMESPACE names, and a
world that has every address of IPv4. There a name server knows the names, and port 80 and 443 say which
address was asked. Prints the id of the process that holds the host's, and ends with its standard input.
Needs a user namespace, or root: see `world` in test_workspace_network.py.
"""

import contextlib
import ctypes
import os
import pathlib
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "net"))
from name_server import AAAA, A, NameServer  # noqa: E402

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
NAME_SERVER = "9.9.9.9"
HOST = """
ip link set lo up
ip link add out type veth peer name in netns "$1"
ip addr add 203.0.113.1/30 dev out
ip link set out up
ip route add default via 203.0.113.2
"""
# Each address of IPv4 is one of its own.
WORLD = """
ip link set lo up
ip addr add 203.0.113.2/30 dev in
ip link set in up
ip route add local default dev lo
"""


class Here:
    """This namespace, as name_server.py wants one."""

    @staticmethod
    def open_socket(*words):
        return socket.socket(*words)


def say_address(listener):
    while True:
        with listener.accept()[0] as connection, contextlib.suppress(OSError):
            connection.sendall(connection.getsockname()[0].encode() + b"\n")


def world(names, ready, go):
    if LIBC.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    os.write(ready, b"1")
    os.read(go, 1)
    subprocess.run(["sh", "-ec", WORLD], check=True)
    records = {(name, A): [(A, 60, address)] for name, address in names} | {(name, AAAA): [] for name, _ in names}
    for port in (80, 443):
        listener = socket.create_server(("0.0.0.0", port))
        threading.Thread(target=say_address, args=(listener,), daemon=True).start()
    with NameServer(Here, NAME_SERVER, records, port=53):
        os.write(ready, b"1")
        sys.stdin.read()


def main():
    names = list(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    ready, its_ready = os.pipe()
    its_go, go = os.pipe()
    child = os.fork()
    if child == 0:
        world(names, its_ready, its_go)
        os._exit(0)
    os.close(its_ready)
    assert os.read(ready, 1) == b"1"
    subprocess.run(["sh", "-ec", HOST, "sh", str(child)], check=True)
    os.write(go, b"1")
    assert os.read(ready, 1) == b"1"
    print(os.getpid(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
