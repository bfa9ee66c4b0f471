"""Many workspaces in which nothing runs."""

import time

import sixteen_guests
import workspace
from report import BenchError, Figure, median, spread

NAME = "workspace-idle"
ABOUT = "30 workspaces alive: CPU they use while nothing runs, and how the next command finds one"
GUESTS = 30
BOUND_WAKE_MS = 5
BOUND_CLOCK_MS = 5
SETTLE = 60  # seconds until the last must rest
WATCHED = 10  # seconds


def total_ticks(pids):
    return sum(workspace.cpu_ticks(pid) for pid in pids)


def wait_for_rest(pids):
    """Until no machine uses CPU for two seconds."""
    until = time.monotonic() + SETTLE
    while True:
        before = total_ticks(pids)
        time.sleep(2)  # the interval is what is measured
        if total_ticks(pids) == before:
            return
        if time.monotonic() > until:
            raise BenchError(f"the machines still use CPU after {SETTLE} s")


def clock_error_ms(space):
    """How far the guest's clock is outside the time in which it was read."""
    begin = time.time()
    done = space.pyro("exec", "@", "--", "date", "+%s.%N")
    end = time.time()
    guest = float(done.out)
    return max(begin - guest, guest - end, 0) * 1000


def run(options):
    guests = options.count(GUESTS, quick=6)
    with workspace.home() as env:
        spaces = [workspace.create(f"idle{n}", env, mem_mib="256") for n in range(guests)]
        pids = sixteen_guests.machines_of(env["PYRO_HOME"])
        if len(pids) != guests:
            raise BenchError(f"found {len(pids)} QEMU processes for {guests} workspaces")
        wait_for_rest(pids)
        before = total_ticks(pids)
        time.sleep(WATCHED)
        cpu = (total_ticks(pids) - before) * workspace.tick_seconds()
        memory = [sixteen_guests.memory_of(pid)["private"] for pid in pids]
        wakes = [space.exec_json("/bin/true")[1]["timing"]["wake"] for space in spaces]
        wait_for_rest(pids)
        clocks = [clock_error_ms(space) for space in spaces[:10]]
    return [
        Figure("CPU of all machines while nothing runs", cpu, "s", 0, f"{guests} workspaces, {WATCHED} s"),
        Figure("until it is awake", median(wakes), "ms", BOUND_WAKE_MS, spread(wakes), wakes),
        Figure("clock wrong after a rest", max(clocks), "ms", BOUND_CLOCK_MS, spread(clocks), clocks),
        Figure("private memory of a machine", median(memory), "MiB", None, spread(memory), memory),
    ]
