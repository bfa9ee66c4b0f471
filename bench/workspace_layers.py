"""Snapshot and reset of a small and of a large workspace."""

import program
import workspace
from report import Figure, median, spread

NAME = "workspace-layers"
ABOUT = "snapshot and reset with 10 MB and with 4 GB in the workspace, whole commands, beside a warm run"
SMALL_MB, LARGE_MB = 10, 4096
BOUND_RATIO = 1.25
BOUND_SAME_MS = 5  # so near to each other they count as the same
BOUND_SNAPSHOT_MS = 50
BOUND_RESET = 1.5


def fill(space, megabytes):
    """Data that no layer can leave out or shrink, written and synced; then a snapshot of it."""
    chunk = min(megabytes, 64)
    space.shell(
        f"head -c {chunk}M /dev/urandom > seed && n=0; while [ $n -lt {megabytes // chunk} ]; do cp seed f$n; n=$((n+1)); done; rm seed; sync"
    )
    space.pyro("snapshot", "create", "@", "full")


def ratio_figure(what, small, large):
    """large / small; within BOUND_SAME_MS of each other it counts as 1."""
    a, b = median(small), median(large)
    same = abs(a - b) <= BOUND_SAME_MS
    note = f"{a:.1f} ms / {b:.1f} ms" + (f", within {BOUND_SAME_MS} ms" if same else "")
    return Figure(f"{what}: 4 GB / 10 MB", 1.0 if same else max(a, b) / min(a, b), "", BOUND_RATIO, note)


def run(options):
    count = options.count(20, quick=4)
    times = {"small": {"snapshot": [], "reset": []}, "large": {"snapshot": [], "reset": []}}
    warm = []
    with workspace.home() as env:
        spaces = {"small": workspace.create("small", env), "large": workspace.create("large", env)}
        fill(spaces["small"], SMALL_MB)
        fill(spaces["large"], LARGE_MB)
        for n in range(count):
            for size, space in spaces.items():
                space.shell("echo change >> log; sync")
                times[size]["snapshot"].append(space.pyro("snapshot", "create", "@", f"s{n}").ms)
                space.pyro("snapshot", "delete", "@", f"s{n}")
                times[size]["reset"].append(space.pyro("reset", "@", "--snapshot", "full").ms)
            warm.append(program.pyro_run("true", options=["--mem-mib", workspace.MEM_MIB]).checked("a warm run").ms)
    small, large = times["small"], times["large"]
    resets = small["reset"] + large["reset"]
    snapshots = small["snapshot"] + large["snapshot"]
    return [
        ratio_figure("snapshot", small["snapshot"], large["snapshot"]),
        ratio_figure("reset", small["reset"], large["reset"]),
        Figure("snapshot, whole command", median(snapshots), "ms", BOUND_SNAPSHOT_MS, spread(snapshots), snapshots),
        Figure("reset / warm run", median(resets) / median(warm), "", BOUND_RESET, f"{median(resets):.0f} ms / {median(warm):.0f} ms", resets),
        Figure("warm run, whole command", median(warm), "ms", None, spread(warm), warm),
    ]
