"""How long `import pyro_mcp` takes."""

import os
import pathlib
import shutil
import time

import program
from report import BenchError, Figure, interleave, median, spread

NAME = "python-import"
ABOUT = "`python3 -c 'import pyro_mcp'` minus `python3 -c pass`, alternating"
BOUND_MS = 50.0
PYTHON = "/usr/bin/python3"  # Debian's, which the package is built for


def packages():
    """The folder of pyro_mcp beside the pyro in PATH."""
    pyro = shutil.which("pyro")
    folder = pathlib.Path(pyro or "/").resolve().parent.parent / "lib" / "python3" / "dist-packages"
    if not (folder / "pyro_mcp").is_dir():
        raise BenchError(f"there is no {folder / 'pyro_mcp'}: build with pybind11-dev and libpython3-dev, and install")
    # As pip does after an installation: a module is not compiled anew for each start.
    program.run([PYTHON, "-m", "compileall", "-q", folder / "pyro_mcp"], 120).checked("compileall")
    return folder


def start_ms(script, env):
    begin = time.perf_counter()
    program.run([PYTHON, "-c", script], 60, env).checked(f"python3 -c {script!r}")
    return (time.perf_counter() - begin) * 1000


def run(options):
    env = {"PYTHONPATH": os.fspath(packages())}
    scripts = {"import": "import pyro_mcp", "pass": "pass"}
    times = {name: [] for name in scripts}
    for script in scripts.values():
        start_ms(script, env)  # files are in memory from here on
    count = options.count(40, quick=10)
    for name in interleave({name: count for name in scripts}):
        times[name].append(start_ms(scripts[name], env))
    base = median(times["pass"])
    added = [ms - base for ms in times["import"]]
    return [
        Figure("import pyro_mcp", median(added), "ms", BOUND_MS, "more than python3 -c pass: " + spread(added), added),
        Figure("python3 -c pass", base, "ms", None, spread(times["pass"]), times["pass"]),
    ]
