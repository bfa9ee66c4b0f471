"""What pyro adds to starting a program in a guest that is up."""

import json

import program
from report import Figure, median, spread

NAME = "exec-in-live-guest"
ABOUT = "a second exec of `true` in a live guest against the guest's own fork, exec and wait"
BOUND_MS = 2.0
LABELS = {
    "exec": "exec through the agent",
    "guest_fork": "guest's fork and exec",
    "guest_vfork": "guest's vfork and exec",
    "guest_posix_spawn": "guest's posix_spawn",
    "static_added": "added to a static program",
    "static_exec": "static program through the agent",
    "static_fork": "guest's fork and exec of it",
    "ping": "ping of the agent",
    "spawn": "request to exec, in the agent",
}


def run(options):
    program.make_ready()
    words = [
        program.bench_program("pyro_bench_exec_latency"),
        *("--spawn-program", program.bench_program("pyro_bench_guest_spawn")),
        *("--environment", program.ENVIRONMENT),
        *("--rounds", str(options.count(200, quick=40))),
    ]
    done = program.run(words, limit=300, env=program.library_env()).checked("pyro_bench_exec_latency")
    samples = json.loads(done.out)
    added = samples["added"]
    figures = [Figure("added by pyro", median(added), "ms", BOUND_MS, "exec minus fork, by round: " + spread(added, 2), added)]
    for key, label in LABELS.items():
        figures.append(Figure(label, median(samples[key]), "ms", None, spread(samples[key], 2), samples[key]))
    return figures
