"""Many workspaces in which nothing runs."""

import pathlib
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
QUIET = 12  # seconds
WATCHED = 10  # seconds


def total_ns(pids):
    """CPU that the threads of these processes have had, to the nanosecond (/proc/PID/schedstat of Linux)."""
    threads = [task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in threads)


def wait_for_rest(pids):
    """Until no machine has used CPU for some time.

    That is longer than the ten seconds after which QEMU ends threads that waited for work in vain.
    """
    until = time.monotonic() + SETTLE
    while True:
        before = total_ns(pids)
        time.sleep(QUIET)  # the interval is what is measured
        if total_ns(pids) == before:
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
        before = total_ns(pids)
        time.sleep(WATCHED)
        cpu = (total_ns(pids) - before) / 1e9
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
