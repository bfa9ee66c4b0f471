"""Making the baseline of a workspace from a folder, against copying that folder with tar."""

import os
import pathlib
import random
import shutil
import tempfile

import program
from report import Figure, interleave, median, spread

NAME = "seed-folder"
ABOUT = "a baseline image of 50,000 files against `tar c | tar x` of the same folder"
BOUND = 2.5
MIB = 2**20


def make_tree(root, scale):
    """20,000 small files in one folder, 30,000 in 300 folders, and files of 4 MiB up to 500 MB."""
    dice = random.Random(1)  # the same tree every time
    noise = dice.randbytes(4 * MIB)
    total = 0

    def add(path, size):
        nonlocal total
        path.write_bytes(noise[:size])
        total += size

    (root / "flat").mkdir(parents=True)
    for i in range(int(20_000 * scale)):
        add(root / "flat" / f"f{i}", dice.randrange(200, 8_000))
    for folder in range(int(300 * scale)):
        path = root / f"d{folder % 20}" / f"e{folder}"
        path.mkdir(parents=True)
        for i in range(100):
            add(path / f"g{i}.txt", dice.randrange(100, 20_000))
    big = 0
    while total < 500e6 * scale:
        add(root / f"big{big}", 4 * MIB)
        big += 1
    return total


def run(options):
    count = options.count(5, quick=2)
    maker = program.bench_program("pyro_bench_seed_folder")
    times = {"seed": [], "tar": []}
    with tempfile.TemporaryDirectory(prefix="pyro-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        work = pathlib.Path(name)
        source, copy, staging = work / "source", work / "copy", work / "staging"
        size = make_tree(source, 0.1 if options.quick else 1)
        staging.mkdir()
        words = {
            "seed": [maker, str(source), str(staging), str(work / "image")],
            "tar": ["sh", "-c", 'tar c -C "$1" . | tar x -C "$2"', "sh", str(source), str(copy)],
        }
        for round_, how in enumerate(interleave({"tar": count + 1, "seed": count + 1})):
            copy.mkdir()
            done = program.run(words[how], limit=600).checked(how)
            if round_ >= 2:  # the first of each brings the source into memory
                times[how].append(done.ms)
            shutil.rmtree(copy)
            (work / "image").unlink(missing_ok=True)
            os.sync()  # what one wrote is not the other's to wait for
            options.progress(f"{how}: {done.ms:.0f} ms")
    seed, tar = median(times["seed"]), median(times["tar"])
    return [
        Figure("seed / tar", seed / tar, "", BOUND, f"{seed:.0f} ms / {tar:.0f} ms, {size / 1e6:.0f} MB"),
        Figure("seed, folder to image on disk", seed, "ms", None, spread(times["seed"]), times["seed"]),
        Figure("tar c | tar x", tar, "ms", None, spread(times["tar"]), times["tar"]),
    ]
