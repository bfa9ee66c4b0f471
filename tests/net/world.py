"""A network for the engine: this process's own namespace is the host's, and beyond a veth is a world.

The tests run in a network, mount and process namespace that dev/checks.sh makes for them
(see SANDBOX there), so nothing they do is seen outside, and a kill leaves nothing behind.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
TAP_GUEST = os.environ.get("PYRO_TAP_GUEST", str(HERE.parents[1] / "build" / "ci" / "tests" / "tap_guest"))
V4, V4_OTHER = "93.184.216.34", "93.184.216.35"
V6 = "2606:2800:220:1::34"
V6_OURS, V6_ROUTER = "2a00:99::1", "2a00:99::2"  # the host has a public address
ENGINE = "10.255.255.1"
BOUND = 60

# Hosts of the world that are not there, each in its own way.
NO_HOST, PROHIBITED, SILENT = "93.184.216.100", "93.184.216.101", "93.184.216.102"
NO_NETWORK = "93.184.217.1"

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=BOUND, **more)


def wait_until(condition, what, bound=20.0):
    """The first true value of `condition()`; for what the kernel gives no event for."""
    end = time.monotonic() + bound
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {bound} s")
        select.select([], [], [], 0.02)
    return value


def set_namespace(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class World:
    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        mine = os.readlink("/proc/self/ns/net")
        there = f"/proc/{self.holder.pid}/ns/net"
        wait_until(lambda: os.readlink(there) != mine, "the world")
        self.there = os.open(there, os.O_RDONLY)
        self.path = there
        pid = str(self.holder.pid)
        run("sh", "-ec", f"""
            ip link set lo up
            ip link add out type veth peer name in netns {pid}
            ip addr add 10.99.0.1/30 dev out
            ip -6 addr add {V6_OURS}/64 dev out nodad
            ip link set out up
            ip route add default via 10.99.0.2
            ip -6 route add default via {V6_ROUTER}
            ip route add throw {NO_NETWORK}""")
        # The answers that a router gives are not to be rationed.
        self.run("sh", "-ec", f"""
            ip link set lo up
            ip addr add 10.99.0.2/30 dev in
            ip -6 addr add {V6_ROUTER}/64 dev in nodad
            ip link set in up
            ip addr add {V4}/32 dev lo
            ip addr add {V4_OTHER}/32 dev lo
            ip -6 addr add {V6}/128 dev lo nodad
            echo 1 > /proc/sys/net/ipv4/ip_forward
            echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
            ip route add unreachable {NO_HOST}
            ip route add prohibit {PROHIBITED}
            ip route add blackhole {SILENT}""")

    def close(self):
        self.holder.kill()
        self.holder.wait()
        os.close(self.there)
        os.close(self.home)

    def words(self, *words):
        return ["nsenter", f"--net={self.path}", *words]

    def run(self, *words):
        return run(*self.words(*words))

    def open_socket(self, *words):
        """A socket of the world, whoever uses it."""
        set_namespace(self.there)
        try:
            return socket.socket(*words)
        finally:
            set_namespace(self.home)

    def listen(self, port, family=socket.AF_INET, backlog=1024):
        listener = self.open_socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        listener.listen(backlog)
        return listener

    @contextlib.contextmanager
    def server(self, handler, family=socket.AF_INET):
        """Calls `handler(connection)` for each connection in a thread; yields its port and results."""
        results, threads = [], []
        with self.listen(0, family) as listener:
            def accept():
                while True:
                    try:
                        connection = listener.accept()[0]
                    except OSError:
                        return
                    thread = threading.Thread(target=serve, args=(connection,), daemon=True)
                    thread.start()
                    threads.append(thread)

            def serve(connection):
                connection.settimeout(BOUND)
                with connection:
                    try:
                        results.append(handler(connection))
                    except OSError as e:
                        results.append(f"{type(e).__name__} {e.errno}")

            accepting = threading.Thread(target=accept, daemon=True)
            accepting.start()
            try:
                yield listener.getsockname()[1], results
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                accepting.join(BOUND)
                for thread in threads:
                    thread.join(BOUND)

    @contextlib.contextmanager
    def program(self, *words, port, **more):
        """A program of the world that listens on `port`."""
        with subprocess.Popen(self.words(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more) as p:
            def listens():
                assert p.poll() is None, f"{words[0]} ended with {p.returncode}"
                # Not by a connection: iperf3 takes it for its client's.
                look = self.words("ss", "-Hltn", f"sport = :{port}")
                return subprocess.run(look, capture_output=True, check=True, timeout=BOUND).stdout

            try:
                wait_until(listens, f"{words[0]} on port {port}")
                yield p
            finally:
                p.kill()

    # ---- the guest

    def guest_words(self, options, words):
        return [TAP_GUEST, *options, "--", *words]

    def guest(self, *words, options=(), before=(), timeout=BOUND, check=True):
        """A program in a guest to its end; `before` are words that start the guest in another way."""
        done = subprocess.run([*before, *self.guest_words(options, words)], capture_output=True, timeout=timeout, cwd=HERE)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def guest_python(self, script, options=(), before=(), timeout=BOUND):
        """A script in a guest, which has everything of peers.py; the JSON of what it prints last."""
        done = self.guest(sys.executable, "-c", "from peers import *\n" + script, options=options, before=before, timeout=timeout)
        return json.loads(done.stdout.splitlines()[-1])

    def direct_python(self, script, timeout=BOUND):
        """The same in the engine's place: what a direct connection sees."""
        done = subprocess.run([sys.executable, "-c", "from peers import *\n" + script], capture_output=True,
                              timeout=timeout, cwd=HERE)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @contextlib.contextmanager
    def started(self, script, options=()):
        """A script in a guest that says "ready"; lines go both ways."""
        words = self.guest_words(options, [sys.executable, "-uc", "from peers import *\n" + script])
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE) as p:
            watchdog = threading.Timer(BOUND * 2, p.kill)
            watchdog.start()
            try:
                assert p.stdout.readline() == "ready\n"
                yield p
            finally:
                watchdog.cancel()
                p.kill()


def echo(s):
    """Of a server: what comes goes back."""
    while piece := s.recv(100):
        s.sendall(piece)


def stats(path):
    return json.loads(pathlib.Path(path).read_text())


def memory_kib(pid, which="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {which}")


def reload_policy(guest):
    os.kill(guest.pid, signal.SIGHUP)
    assert guest.stdout.readline() == "policy\n"


def restart_engine(guest):
    os.kill(guest.pid, signal.SIGUSR1)
    assert guest.stdout.readline() == "engine\n"


