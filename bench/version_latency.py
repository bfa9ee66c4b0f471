"""How long `pyro --version` takes, and what is loaded for it."""

import os
import shutil
import subprocess
import time

from report import BenchError, Figure, interleave, median, spread

NAME = "version-latency"
ABOUT = "`pyro --version` beside `/bin/true`, and libraries that are loaded without being used"
BOUND_MS = 10.0


def spawn_ms(path, words):
    with open(os.devnull, "r+b") as null:
        actions = [(os.POSIX_SPAWN_DUP2, null.fileno(), fd) for fd in (0, 1, 2)]
        begin = time.perf_counter()
        pid = os.posix_spawn(path, words, os.environ, file_actions=actions)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ms = (time.perf_counter() - begin) * 1000
    if status != 0:
        raise BenchError(f"{words} ended with {status}")
    return ms


def libraries(path, *options):
    """Names of the shared objects that ldd prints, without what every program has."""
    done = subprocess.run(["ldd", *options, path], capture_output=True, text=True, timeout=60)
    names = [line.split()[0].rsplit("/", 1)[-1] for line in done.stdout.splitlines() if line.startswith("\t")]
    return [n for n in names if not n.startswith(("linux-vdso", "ld-linux"))]


def run(options):
    pyro = shutil.which("pyro")
    if pyro is None:
        raise BenchError("pyro is not in PATH")
    true = shutil.which("true") or "/bin/true"
    count = options.count(50, quick=20)
    times = {"pyro": [], "true": []}
    spawn_ms(pyro, ["pyro", "--version"])  # the file's pages are in memory from here on
    for which in interleave({"pyro": count, "true": count}):
        words = (pyro, ["pyro", "--version"]) if which == "pyro" else (true, ["true"])
        times[which].append(spawn_ms(*words))
    unused = libraries(pyro, "-u")  # direct dependencies none of whose symbols it uses
    return [
        Figure("pyro --version", median(times["pyro"]), "ms", BOUND_MS, spread(times["pyro"], 2), times["pyro"]),
        Figure("/bin/true", median(times["true"]), "ms", None, spread(times["true"], 2), times["true"]),
        Figure("libraries loaded and not used", len(unused), "", 0, ", ".join(unused) or "loads " + ", ".join(libraries(pyro))),
    ]
