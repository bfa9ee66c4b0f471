"""Cold boots in a row while every core is busy with something else."""

import contextlib
import os
import subprocess
import sys

import program
from report import BenchError, Figure, median, spread

NAME = "boot-soak"
ABOUT = "60 cold boots in a row with every core busy: none hangs, none needs a retry"
BOOT_LIMIT = 90  # seconds for one boot and its command
# Burns a core until it is told to stop, or for its time: it never outlives a benchmark for long.
BURN = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


@contextlib.contextmanager
def busy_cores(seconds):
    """One busy process for each core; yields a check that all of them still run."""
    cores = len(os.sched_getaffinity(0))
    burners = []
    try:
        for _ in range(cores):
            burners.append(subprocess.Popen([sys.executable, "-c", BURN, str(seconds)], stdin=subprocess.DEVNULL))
        yield lambda: all(b.poll() is None for b in burners)
    finally:
        for burner in burners:
            burner.kill()
        for burner in burners:
            burner.wait()


def run(options):
    boots = options.count(60, quick=6)
    program.make_ready()
    times, failed, hung, retried = [], [], 0, 0
    with busy_cores(boots * BOOT_LIMIT) as still_busy:
        for i in range(boots):
            done = program.pyro_run("true", options=["--boot", "cold"], limit=BOOT_LIMIT)
            retried += "trying emulation" in done.err  # what the supervisor says before its one retry
            if done.status is None:
                hung += 1
            elif done.status != 0:
                failed.append(f"boot {i + 1} ended with {done.status}: {done.err.strip()[-200:]}")
            else:
                times.append(done.ms)
            options.progress(f"boot {i + 1} of {boots}: {done.ms:.0f} ms")
        if not still_busy():
            raise BenchError("the processes that keep the cores busy ended early; the boots had it too easy")
    figures = [
        Figure("boots that hung", hung, "", 0, f"of {boots}, limit {BOOT_LIMIT} s each"),
        Figure("boots that failed", len(failed), "", 0, "; ".join(failed[:3])),
        Figure("boots that needed a retry", retried, "", 0),
    ]
    if times:
        figures.append(Figure("boot, command and exit", median(times), "ms", None, spread(times, 0), times))
    return figures
