"""The same change in a small and in a large tree."""

import tempfile

import workspace
from report import Figure, median, spread

NAME = "workspace-diff"
ABOUT = "diff of 20 changed files in a tree of 500 files and in one of 50,000, whole commands"
BOUND = 1.3
CHANGE = "for n in $(seq 100 119); do echo changed >> d0000/f000$n.txt; done; sync"


def run(options):
    count = options.count(20, quick=4)
    times = {500: [], 50_000: []}
    with workspace.home() as env, tempfile.TemporaryDirectory(prefix="pyro-bench-", dir="/var/tmp") as folder:
        spaces = {}
        for files in times:
            seed = f"{folder}/{files}"
            workspace.make_tree(seed, files)
            spaces[files] = workspace.create(f"files{files}", env, seed)
            spaces[files].shell(CHANGE)
            spaces[files].pyro("diff", "@")
        for _ in range(count):
            for files, space in spaces.items():
                times[files].append(space.pyro("diff", "@").ms)
    small, large = times[500], times[50_000]
    return [
        Figure("50,000 files / 500", median(large) / median(small), "", BOUND, f"{median(large):.1f} ms / {median(small):.1f} ms"),
        Figure("of 500 files", median(small), "ms", None, spread(small), small),
        Figure("of 50,000 files", median(large), "ms", None, spread(large), large),
    ]
