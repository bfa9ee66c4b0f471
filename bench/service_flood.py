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


def flood_status(space):
    return space.json("service", "status", "@", "flood")[1]


def service(space, name, *command):
    """Starts one. What sends a signal to all of it, unless it has ended."""
    space.pyro("service", "start", "@", name, "--", *command)
    _, status = space.json("service", "status", "@", name)
    group = status["pid"]  # each service leads one
    return lambda signal: space.shell(f"kill -{signal} -{group} || ! test -e /proc/{group}")


def run(options):
    flood = FLOOD_BYTES if not options.quick else FLOOD_BYTES // 10
    spinning, flooding, largest, seconds = [], [], 0, 0.0
    with workspace.home() as env:
        space = workspace.create("flood", env)
        space_id = space.id_of()
        some_execs(space, 3)  # the guest learns the way
        signal_spin = service(space, "spin", *SPIN)
        signal_spin("STOP")
        signal_flood = service(space, "flood", "sh", "-c", f"yes 0123456789abcdef | head -c {flood}")
        # In turns, so that both meet the same weather: one of the two is stopped while the other goes on.
        while True:
            begin = time.monotonic()
            samples = some_execs(space, 4)
            largest = max(largest, log_bytes(env, space_id))
            if flood_status(space)["state"] != "running":
                seconds += time.monotonic() - begin
                break
            flooding += samples
            signal_flood("STOP")
            seconds += time.monotonic() - begin
            signal_spin("CONT")
            spinning += some_execs(space, 4)
            signal_spin("STOP")
            signal_flood("CONT")
        ended = flood_status(space)
        if ended["exit_code"] != 0:
            raise BenchError(f"the flood ended as {ended}")
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
