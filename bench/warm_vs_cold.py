"""A warm `pyro run` against the same command with a boot of its own."""

import program
from report import Figure, interleave, median, spread

NAME = "warm-vs-cold"
ABOUT = "a warm `pyro run debian:12 -- true` against a cold one, whole command, and the stages of both"
BOUND = 0.10


def run(options):
    counts = {"warm": options.count(20, quick=6), "cold": max(1, options.count(20, quick=8) // 4)}
    program.make_ready()
    whole = {"warm": [], "cold": []}
    stages = {"warm": {}, "cold": {}}
    boot = {"warm": "template", "cold": "cold"}
    for how in interleave(counts):
        whole[how].append(program.pyro_run("true", options=["--boot", boot[how]]).checked(f"a {how} run").ms)
        # A run of its own for the stages: the measured one is the command as users type it.
        if len(whole[how]) <= counts["cold"]:
            done = program.pyro_run("true", options=["--boot", boot[how], "--json"]).checked(f"a {how} run with --json")
            for stage, ms in program.timing(done).items():
                stages[how].setdefault(stage, []).append(ms)
    warm, cold = median(whole["warm"]), median(whole["cold"])
    figures = [
        Figure("warm / cold", warm / cold, "", BOUND, f"{warm:.0f} ms / {cold:.0f} ms"),
        Figure("warm, whole command", warm, "ms", None, spread(whole["warm"]), whole["warm"]),
        Figure("cold, whole command", cold, "ms", None, spread(whole["cold"]), whole["cold"]),
    ]
    for how, found in stages.items():
        figures += [Figure(f"{how} stage {s}", median(ms), "ms", None, spread(ms), ms) for s, ms in found.items()]
    return figures
