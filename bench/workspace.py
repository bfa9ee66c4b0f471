"""Workspaces to measure in, gone at the end whatever happens."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

import program
from report import BenchError

MEM_MIB = "512"
LIMIT = 900  # seconds for a command on a large tree


class Workspace:
    def __init__(self, name, env):
        self.name = name
        self.env = env

    def pyro(self, *words, limit=LIMIT):
        """`pyro workspace WORDS`, with "@" standing for this workspace."""
        words = [self.name if w == "@" else w for w in words]
        return program.run(["pyro", "workspace", *words], limit, self.env).checked("pyro workspace " + " ".join(words[:2]))

    def json(self, *words):
        done = self.pyro(*words, "--json")
        try:
            return done, json.loads(done.out)
        except ValueError as error:
            raise BenchError(f"{words[0]} --json printed no JSON ({error})") from error

    def id_of(self):
        return self.json("status", "@")[1]["workspace_id"]

    def shell(self, script):
        return self.pyro("exec", "@", "--timeout-seconds", "800", "--", "sh", "-c", script)

    def exec_json(self, *command):
        done = self.pyro("exec", "@", "--json", "--", *command)
        try:
            return done, json.loads(done.out)
        except ValueError as error:
            raise BenchError(f"exec --json printed no JSON ({error})") from error


def start(words, env, **more):
    """A process that is spoken with over its standard input and output."""
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **env}, **more)


@contextlib.contextmanager
def home():
    """A folder of records of the benchmark's own, on a real disk."""
    with tempfile.TemporaryDirectory(prefix="pyro-bench-", dir="/var/tmp") as folder:
        env = {"PYRO_HOME": folder}
        try:
            yield env
        finally:
            program.run(["pyro", "workspace", "delete", "--all"], LIMIT, env)


def create(name, env, seed=None, mem_mib=MEM_MIB, options=()):
    program.make_ready()
    words = ["pyro", "workspace", "create", program.ENVIRONMENT, "--name", name, "--mem-mib", mem_mib, "--id-only", *options]
    program.run(words + (["--seed-path", seed] if seed else []), LIMIT, env).checked("pyro workspace create")
    return Workspace(name, env)


def make_tree(folder, files, per_folder=500, size=200):
    """Small text files in folders of `per_folder`."""
    for n in range(files):
        path = pathlib.Path(folder, f"d{n // per_folder:04}", f"f{n:06}.txt")
        if n % per_folder == 0:
            path.parent.mkdir(parents=True)
        path.write_text((f"line of file {n}\n" * (1 + size // 20))[:size])
