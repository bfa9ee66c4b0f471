"""What a new `pyro workspace exec` adds to a command."""

import workspace
from report import BenchError, Figure, median, spread

NAME = "workspace-exec"
ABOUT = "`pyro workspace exec -- /bin/true`, a new process each, minus the agent's part of the same call"
BOUND_MS = 15


def run(options):
    count = options.count(40, quick=8)
    added, whole, stages = [], [], {}
    with workspace.home() as env:
        space = workspace.create("exec", env)
        for n in range(count + 3):
            done, result = space.exec_json("/bin/true")
            if "agent" not in result["timing"]:
                raise BenchError("exec --json has no stage agent")
            if n < 3:  # the guest learns the way
                continue
            whole.append(done.ms)
            added.append(done.ms - result["timing"]["agent"])
            for stage, ms in result["timing"].items():
                stages.setdefault(stage, []).append(ms)
    return [
        Figure("added to the agent's time", median(added), "ms", BOUND_MS, spread(added), added),
        Figure("whole command", median(whole), "ms", None, spread(whole), whole),
        *(Figure(f"stage {s}", median(ms), "ms", None, spread(ms), ms) for s, ms in stages.items()),
    ]
