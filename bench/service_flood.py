"""What a service that prints much costs an exec beside it."""

import pathlib
import time

import workspace
from report import BenchError, Figure, median, spread

NAME = "service-flood"
ABOUT = "`exec -- /bin/true` beside a service that prints 200 MB, against beside one that only spins the CPU"
BOUND = 1.25
FLOOD_BYTES = 200_000_000
LOG_BOUND_MIB = 8
SPIN = ("sh", "-c", "while :; do :; done")


def log_bytes(env, space_id):
    folder = pathlib.Path(env["PYRO_HOME"], "sandboxes", space_id, "services", "flood")
    return sum(path.stat().st_size for path in folder.iterdir())


def some_execs(space, count):
    samples = []
    for _ in range(count):
        done, _ = space.exec_json("/bin/true")
        samples.append(done.ms)
    return samples


def state(space):
    _, status = space.json("service", "status", "@", "flood")
    return status["state"]


def run(options):
    flood = FLOOD_BYTES if not options.quick else FLOOD_BYTES // 10
    spinning, flooding, largest = [], [], 0
    with workspace.home() as env:
        space = workspace.create("flood", env)
        _, status = space.json("status", "@")
        some_execs(space, 3)  # the guest learns the way
        begin = time.monotonic()
        space.pyro("service", "start", "@", "flood", "--", "sh", "-c", f"yes 0123456789abcdef | head -c {flood}")
        # In turns, so that both meet the same weather: the flood waits while it is stopped.
        while state(space) == "running":
            flooding += some_execs(space, 4)
            largest = max(largest, log_bytes(env, status["workspace_id"]))
        seconds = time.monotonic() - begin
        _, ended = space.json("service", "status", "@", "flood")
        if ended["exit_code"] != 0:
            raise BenchError(f"the flood ended as {ended}")
        space.pyro("service", "start", "@", "spin", "--", *SPIN)
        spinning += some_execs(space, max(8, len(flooding)))
        space.pyro("service", "stop", "@", "spin")
    if len(flooding) < 4:
        raise BenchError("the flood was over at once")
    ratio = median(flooding) / median(spinning)
    return [
        Figure("exec beside the flood / beside the spin", ratio, "times", BOUND, f"n={len(flooding)}"),
        Figure("largest log", largest / (1 << 20), "MiB", LOG_BOUND_MIB),
        Figure("exec beside the flood", median(flooding), "ms", None, spread(flooding), flooding),
        Figure("exec beside the spin", median(spinning), "ms", None, spread(spinning), spinning),
        Figure("the whole flood", seconds, "s", None, f"{flood / 1e6:.0f} MB, {flood / seconds / 1e6:.1f} MB/s"),
    ]
