"""Running pyro, always with a limit."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from report import BenchError

ENVIRONMENT = "debian:12"
RUN_LIMIT = 120  # seconds for a whole `pyro run`, a boot and its wait in the queue included


@dataclasses.dataclass
class Run:
    ms: float
    status: int | None  # None: killed at its limit
    out: str
    err: str

    def checked(self, what):
        if self.status is None:
            raise BenchError(f"{what} did not end within its limit; stderr ends: {self.err[-300:]}")
        if self.status != 0:
            raise BenchError(f"{what} ended with {self.status}; stderr ends: {self.err[-300:]}")
        return self


def run(words, limit=RUN_LIMIT, env=None):
    """Runs a program in a process group of its own; what is over its limit is killed and says so."""
    begin = time.monotonic()
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=None if env is None else {**os.environ, **env},
    ) as child:
        try:
            out, err = child.communicate(timeout=limit)
            status = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            status = None
        except BaseException:  # Ctrl-C reaches only us: the child has a session of its own
            os.killpg(child.pid, signal.SIGKILL)
            raise
    ms = (time.monotonic() - begin) * 1000
    return Run(ms, status, out.decode(errors="replace"), err.decode(errors="replace"))


def pyro_run(*command, options=(), limit=RUN_LIMIT):
    return run(["pyro", "run", *options, ENVIRONMENT, "--", *command], limit)


def timing(done):
    """The stages of a `pyro run --json`, in milliseconds."""
    try:
        return {name: float(ms) for name, ms in json.loads(done.out)["timing"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"pyro run --json printed no timing ({error!r})") from error


def make_ready():
    """Pulls the environment and builds the template, so that no sample pays for them."""
    run(["pyro", "env", "pull", ENVIRONMENT], limit=900).checked("pyro env pull")
    pyro_run("true", limit=300).checked("the first pyro run")


def library_env():
    """What a program with pyro's library in it needs to find the helpers of the pyro in PATH."""
    pyro = shutil.which("pyro")
    if pyro is None:
        raise BenchError("pyro is not in PATH")
    libexec = pathlib.Path(pyro).resolve().parent.parent / "libexec" / "pyro"
    return {"PYRO_LIBEXEC": str(libexec)} if libexec.is_dir() else {}


def bench_program(name):
    folder = os.environ.get("PYRO_BENCH_PROGRAMS")
    if not folder:
        raise BenchError("PYRO_BENCH_PROGRAMS is not set; start this with ./dev/bench")
    path = pathlib.Path(folder) / name
    if not path.is_file():
        raise BenchError(f"{path} is missing; build it: ninja pyro_benches")
    return str(path)
