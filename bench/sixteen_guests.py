"""Many guests at once, and the memory that each has for itself."""

import contextlib
import os
import pathlib
import selectors
import subprocess
import tempfile
import time

import program
from report import BenchError, Figure, median, spread

NAME = "sixteen-guests"
ABOUT = "16 guests alive at once: private memory of each"
GUESTS = 16
BOUND_MIB = 64
UP_LIMIT = 180  # seconds until all of them are up
END_LIMIT = 60


def processes():
    """{pid: (parent, name)} of everything that runs."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = (entry / "stat").read_text()
            name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
            found[int(entry.name)] = (int(rest[1]), name)
    return found


def holds_file_below(pid, folder):
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(link).startswith(folder + "/"):
                return True
    return False


def machines_of(folder):
    """The QEMU processes of the supervisors whose records lie in `folder`."""
    table = processes()
    ours = set()
    for pid, (_, name) in table.items():
        with contextlib.suppress(OSError):
            if name == "pyro-supervisor" and holds_file_below(pid, folder):
                ours.add(pid)
    family = set(ours)
    while grown := {pid for pid, (parent, _) in table.items() if parent in family} - family:
        family |= grown
    return sorted(pid for pid in family if table[pid][1].startswith("qemu"))


def memory_of(pid):
    """{'private', 'rss', 'pss'} in MiB."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError as error:
        raise BenchError(f"the memory of QEMU {pid} cannot be read ({error.strerror}); run this as root") from error
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {
        "private": (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024,
        "rss": kib["Rss"] / 1024,
        "pss": kib["Pss"] / 1024,
    }


def start_guest(folder):
    words = ["pyro", "run", "--timeout-seconds", "600", program.ENVIRONMENT, "--", "sh", "-c", "echo up; read x"]
    env = {**os.environ, "PYRO_HOME": folder}
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def wait_until_up(guests):
    until = time.monotonic() + UP_LIMIT
    with selectors.DefaultSelector() as selector:
        for guest in guests:
            selector.register(guest.stdout, selectors.EVENT_READ, guest)
        while selector.get_map():
            ready = selector.select(max(0, until - time.monotonic()))
            if not ready:
                raise BenchError(f"{len(selector.get_map())} of {len(guests)} guests were not up after {UP_LIMIT} s")
            for key, _ in ready:
                if os.read(key.fd, 100) != b"up\n":
                    raise BenchError("a guest did not come up: " + key.data.stderr.read().decode(errors="replace")[-300:])
                selector.unregister(key.fileobj)


@contextlib.contextmanager
def guests_up(count, folder):
    """Guests that are up and wait for a line; gone at the end whatever happens."""
    guests = []
    try:
        for _ in range(count):
            guests.append(start_guest(folder))
        wait_until_up(guests)
        yield guests
    finally:
        for guest in guests:
            with contextlib.suppress(OSError):
                guest.stdin.close()  # `read` ends, so the command does
        until = time.monotonic() + END_LIMIT
        for guest in guests:
            try:
                guest.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                guest.kill()
                guest.wait()
            guest.stdout.close()
            guest.stderr.close()


def run(options):
    program.make_ready()
    with tempfile.TemporaryDirectory(prefix="pyro-bench-") as folder:
        begin = time.monotonic()
        with guests_up(GUESTS, folder):
            up_ms = (time.monotonic() - begin) * 1000
            pids = machines_of(folder)
            if len(pids) != GUESTS:
                raise BenchError(f"found {len(pids)} QEMU processes for {GUESTS} guests")
            memory = [memory_of(pid) for pid in pids]
    private, rss, pss = ([m[key] for m in memory] for key in ("private", "rss", "pss"))
    return [
        Figure("private memory, the largest", max(private), "MiB", BOUND_MIB, spread(private), private),
        Figure("resident memory", median(rss), "MiB", None, spread(rss), rss),
        Figure("proportional memory", median(pss), "MiB", None, spread(pss), pss),
        Figure("all of them together", sum(pss), "MiB", None, "sum of the proportional memory"),
        Figure("all of them up after", up_ms, "ms"),
    ]
