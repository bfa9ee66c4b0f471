"""A link between the host and far hosts of the world that delays, loses and reorders packets.

Kernels usually have netem for that; not every one does, and its module is root's. So the link is two
TUN devices, one in the host's namespace and one in the world's, and this program between them:

    bad_link.py FD FD KIND     until it is ended; then a line of JSON: how many were lost, and late
"""

import collections
import contextlib
import fcntl
import heapq
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

import world as worlds

FAR_V4, FAR_V6 = "93.184.218.34", "2606:2800:220:2::34"
OUR_V4, THEIR_V4 = "10.98.0.1", "10.98.0.2"
OUR_V6, THEIR_V6 = "2a00:98::1", "2a00:98::2"

# Seconds on the way; of a thousand packets so many are lost, and so many are `late` by so much.
Kind = collections.namedtuple("Kind", "delay lost late by")
KINDS = {
    "slow": Kind(0.02, 0, 0, 0),
    "bad": Kind(0.005, 20, 50, 0.008),
}
LONGEST_QUEUE = 1000  # packets in a direction; more are lost, as by a router

# linux/if_tun.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def open_tun(name):
    """A TUN device in the caller's namespace."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Link:
    """The devices and routes; what is between them is a process for each `between`."""

    def __init__(self, world):
        self.world = world
        ours = open_tun("far")
        worlds.set_namespace(world.there)
        try:
            theirs = open_tun("near")
        finally:
            worlds.set_namespace(world.home)
        self.fds = (ours, theirs)
        # The default queue of a TUN is 500 packets; a drop there is not ours to count.
        worlds.run("sh", "-ec", f"""
            ip link set far mtu 1500 txqueuelen 10000 up
            ip addr add {OUR_V4} peer {THEIR_V4} dev far
            ip -6 addr add {OUR_V6} peer {THEIR_V6} dev far nodad
            ip route add {FAR_V4} via {THEIR_V4} dev far
            ip -6 route add {FAR_V6} via {THEIR_V6} dev far""")
        world.run("sh", "-ec", f"""
            ip link set near mtu 1500 txqueuelen 10000 up
            ip addr add {THEIR_V4} peer {OUR_V4} dev near
            ip -6 addr add {THEIR_V6} peer {OUR_V6} dev near nodad
            ip addr add {FAR_V4}/32 dev lo
            ip -6 addr add {FAR_V6}/128 dev lo nodad""")

    def close(self):
        for fd in self.fds:
            os.close(fd)

    @contextlib.contextmanager
    def between(self, kind, counts):
        """Packets go through as `kind` says; what became of them is in the dict `counts` afterwards."""
        words = [sys.executable, __file__, *map(str, self.fds), kind]
        with subprocess.Popen(words, pass_fds=self.fds, stdout=subprocess.PIPE, text=True) as p:
            try:
                assert p.stdout.readline() == "ready\n"
                yield
            finally:
                p.terminate()
                counts.update(json.loads(p.stdout.readline() or "{}"))


class Direction:
    def __init__(self, source, target, kind, seed):
        self.source, self.target, self.kind = source, target, kind
        self.random = random.Random(seed)
        self.waiting, self.number, self.lost, self.late = [], 0, 0, 0

    def take(self, now):
        """What the device has."""
        while True:
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            if self.random.randrange(1000) < self.kind.lost or len(self.waiting) >= LONGEST_QUEUE:
                self.lost += 1
                continue
            due = now + self.kind.delay
            if self.random.randrange(1000) < self.kind.late:
                self.late += 1
                due += self.kind.by
            self.number += 1
            heapq.heappush(self.waiting, (due, self.number, packet))

    def give(self, now):
        """What has been on its way for long enough; returns when the next one will have been."""
        while self.waiting and self.waiting[0][0] <= now:
            try:
                os.write(self.target, heapq.heappop(self.waiting)[2])
            except OSError:
                self.lost += 1
        return self.waiting[0][0] if self.waiting else None


def main():
    ours, theirs, kind = int(sys.argv[1]), int(sys.argv[2]), KINDS[sys.argv[3]]
    both = [Direction(ours, theirs, kind, 1), Direction(theirs, ours, kind, 2)]
    ended, ender = os.pipe()
    os.set_blocking(ender, False)
    signal.set_wakeup_fd(ender)
    signal.signal(signal.SIGTERM, lambda *_: None)
    print("ready", flush=True)
    while True:
        times = [due for d in both if (due := d.give(time.monotonic())) is not None]
        pause = max(0.0, min(times) - time.monotonic()) if times else None
        if ended in select.select([ours, theirs, ended], [], [], pause)[0]:
            break
        now = time.monotonic()
        for d in both:
            d.take(now)
    print(json.dumps({"lost": sum(d.lost for d in both), "late": sum(d.late for d in both)}), flush=True)


if __name__ == "__main__":
    main()
