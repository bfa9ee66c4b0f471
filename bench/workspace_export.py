"""A large tree out of a guest, beside tar in the same guest."""

import pathlib
import shutil
import tempfile

import seed_folder
import workspace
from report import Figure, median, spread

NAME = "workspace-export"
ABOUT = "exporting 50,000 files and 500 MB, beside `tar cf - . | cat >/dev/null` in the same guest"
BOUND = 1.3


def run(options):
    count = options.count(3, quick=1)
    tar, export, listing = [], [], []
    with workspace.home() as env, tempfile.TemporaryDirectory(prefix="pyro-bench-", dir="/var/tmp") as folder:
        seed = pathlib.Path(folder, "seed")
        seed_folder.make_tree(seed, 0.1 if options.quick else 1)
        space = workspace.create("export", env, str(seed), mem_mib="1024")
        target = f"{folder}/out"
        space.pyro("export", "@", ".", "--output", target)  # both sides start with what the guest has cached
        shutil.rmtree(target)
        for _ in range(count):
            tar.append(space.shell("tar cf - . | cat > /dev/null").ms)
            export.append(space.pyro("export", "@", ".", "--output", target).ms)
            shutil.rmtree(target)
            listing.append(space.pyro("file", "list", "@", "--recursive", "--json").ms)
    return [
        Figure("export / tar in the guest", median(export) / median(tar), "", BOUND, f"{median(export):.0f} ms / {median(tar):.0f} ms"),
        Figure("export", median(export), "ms", None, spread(export, 0), export),
        Figure("tar in the guest", median(tar), "ms", None, spread(tar, 0), tar),
        Figure("listing all of it", median(listing), "ms", None, spread(listing, 0), listing),
    ]
