"""What pyro adds to the echo of a terminal."""

import json

import program
import workspace
from report import Figure, median, spread

NAME = "shell-echo"
ABOUT = "from a write to an open shell to its echo, by two calls of the C++ library, minus the echo of the same program on a terminal within the guest"
BOUND_MS = 3.0


def run(options):
    with workspace.home() as env:
        workspace.create("echo", env)
        words = [
            program.bench_program("pyro_bench_shell_echo"),
            *("--workspace", "echo"),
            *("--guest-pty", program.bench_program("pyro_bench_guest_pty")),
            *("--rounds", str(options.count(200, quick=40))),
        ]
        done = program.run(words, limit=300, env={**env, **program.library_env()}).checked("pyro_bench_shell_echo")
    samples = json.loads(done.out)
    figures = []
    for name in ("bash", "cat"):
        mine, guest = samples[name], samples[f"guest_{name}"]
        added = median(mine) - median(guest)
        figures.append(Figure(f"added to the echo of {name}", added, "ms", BOUND_MS, f"medians {median(mine):.2f} - {median(guest):.2f}"))
        figures.append(Figure(f"echo of {name} in a shell", median(mine), "ms", None, spread(mine, 2), mine))
        figures.append(Figure(f"echo of {name} in the guest", median(guest), "ms", None, spread(guest, 2), guest))
    return figures
