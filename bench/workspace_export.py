"""A large tree out of a guest, beside tar in the same guest."""

import pathlib
import tempfile
import time

import seed_folder
import workspace
from report import Figure, median, spread

NAME = "workspace-export"
ABOUT = "exporting 50,000 files and 500 MB, beside `tar cf - . | cat >/dev/null` in the same guest"
BOUND = 1.3
# ext4 gives no inode away again that was freed within this time, and looks at each of them whenever
# it makes a file (recently_deleted() of Linux): whoever makes files after 50,000 were removed, as
# the staging of a seed is, is several times slower, be it tar or pyro.
FORGOTTEN = 301  # seconds


def run(options):
    count = options.count(3, quick=1)
    tar, export, listing = [], [], []
    with workspace.home() as env, tempfile.TemporaryDirectory(prefix="pyro-bench-", dir="/var/tmp") as folder:
        seed = pathlib.Path(folder, "seed")
        seed_folder.make_tree(seed, 0.1 if options.quick else 1)
        space = workspace.create("export", env, str(seed), mem_mib="1024")
        if not options.quick:
            options.progress(f"{FORGOTTEN} s until the file system forgets what was removed")
            time.sleep(FORGOTTEN)
        space.pyro("export", "@", ".", "--output", f"{folder}/first")  # both sides start with what the guest has cached
        for number in range(count):
            tar.append(space.shell("tar cf - . | cat > /dev/null").ms)
            export.append(space.pyro("export", "@", ".", "--output", f"{folder}/out{number}").ms)
            listing.append(space.pyro("file", "list", "@", "--recursive", "--json").ms)
    return [
        Figure("export / tar in the guest", median(export) / median(tar), "", BOUND, f"{median(export):.0f} ms / {median(tar):.0f} ms"),
        Figure("export", median(export), "ms", None, spread(export, 0), export),
        Figure("tar in the guest", median(tar), "ms", None, spread(tar, 0), tar),
        Figure("listing all of it", median(listing), "ms", None, spread(listing, 0), listing),
    ]
