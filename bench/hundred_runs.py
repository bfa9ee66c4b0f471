"""Many runs started at the same moment: they queue, and all of them end well."""

import concurrent.futures
import time

import program
from report import Figure, spread

NAME = "hundred-runs"
ABOUT = "100 runs started at once: the time of all together, and how many failed"
LIMIT = 900  # seconds for each, its time in the queue included


def run(options):
    count = options.count(100, quick=10)
    program.make_ready()
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        pending = [pool.submit(program.pyro_run, "true", limit=LIMIT) for _ in range(count)]
        runs = [p.result() for p in pending]
    seconds = time.monotonic() - begin
    bad = [r for r in runs if r.status != 0]
    reason = f"the first: {bad[0].status}, {bad[0].err.strip()[-200:]}" if bad else ""
    times = [r.ms for r in runs]
    return [
        Figure("all together", seconds, "s", None, f"{count} runs, {seconds * 1000 / count:.0f} ms each"),
        Figure("failed", len(bad), "", 0, reason),
        Figure("from start to end of one", sorted(times)[len(times) // 2], "ms", None, spread(times, 0), times),
    ]
