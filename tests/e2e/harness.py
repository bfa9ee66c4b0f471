"""What the end-to-end tests share: starting the installed pyro, and finding what it started.

Every test session has its own folder for records and sockets, so what is in there is the session's.
Environments and templates are kept from session to session where the caller's settings put them.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import time

PREFIX = pathlib.Path(os.environ.get("PYRO_TEST_PREFIX", "/usr/local"))
PYRO = PREFIX / "bin" / "pyro"
LIBEXEC = PREFIX / "libexec" / "pyro"
ENVIRONMENT = "debian:12"
# How long something that ends by itself may take to be gone on a busy machine.
GONE = 30.0
POLL = 0.02


@dataclasses.dataclass
class Done:
    """A pyro that has ended."""

    code: int
    out: bytes
    err: bytes

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def text(self):
        return self.err.decode("utf-8", "replace")

    def __str__(self):
        return f"exit code {self.code}\nstdout: {self.out[-2000:]!r}\nstderr:\n{self.text[-4000:]}"


def wait_until(condition, bound=GONE, what="the expected state"):
    """The first true value of `condition()`; for what the kernel gives no event for."""
    end = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {bound} s")
        select.select([], [], [], POLL)


def let_pass(seconds):
    """A time in which something must not happen, or any moment of something that is under way."""
    select.select([], [], [], seconds)


def wait_gone(pids, bound=GONE):
    """Waits for the end of processes that need not be our children."""
    end = time.monotonic() + bound
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"process {pid} ({name_of(pid)}) is still there after {bound} s"
        finally:
            os.close(fd)


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0


def state_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return "X"


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descriptors(pid):
    """{number: what it is open on}"""
    found = {}
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
            except OSError:
                continue
    except OSError:
        pass
    return found


def has_a_connection(process):
    """Whether a started pyro talks to somebody: to a supervisor, say."""
    return any(target.startswith("socket:") for target in descriptors(process.pid).values())


def status_field(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1].strip()
    return ""


@functools.cache
def said_errors():
    """Of each command the codes that its reference says its errors have."""
    page = (pathlib.Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    said = re.findall(r"^## pyro ([^\n]+)$(?:(?!^## ).)*?^Errors \(`error\.code`\): ([^\n]*)\.$", page, re.M | re.S)
    assert len(said) == page.count("\n## pyro ")
    return {tuple(command.split()): set(re.findall(r"`(\w+)`", codes)) for command, codes in said}


def expect_said_error(words, stdout):
    """An error in JSON has one of the codes that the command's reference names."""
    try:
        code = json.loads(stdout)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return
    commands = [command for command in said_errors() if words[: len(command)] == command]
    for command in sorted(commands, key=len)[-1:]:
        assert code in said_errors()[command], f"{words}: an error of the code {code}, which its reference does not name"


class Host:
    """One user's pyro: its settings and everything it started."""

    def __init__(self, folder, env=None, cache=None):
        self.folder = pathlib.Path(folder)
        self.runtime = self.folder / "run"
        self.home = self.folder / "state"
        self.env = {k: v for k, v in (env or os.environ).items() if not k.startswith("PYRO_")}
        for name in ("PYRO_ACCELERATOR", "PYRO_DEBIAN_MIRROR"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.env["PYRO_HOME"] = str(self.home)
        self.env["PYRO_RUNTIME_DIR"] = str(self.runtime)
        if cache:
            self.env["PYRO_CACHE_DIR"] = str(cache)
        self.kept = set()  # ids of workspaces that outlive a test: of module-scoped fixtures
        self.before = set(self.half_built())

    @property
    def cache(self):
        if "PYRO_CACHE_DIR" in self.env:
            return pathlib.Path(self.env["PYRO_CACHE_DIR"])
        base = self.env.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return pathlib.Path(base) / "pyro"

    @property
    def install_dir(self):
        return self.cache / "environments" / "linux-x86_64" / "debian_12-1.0.0"

    @property
    def templates(self):
        return self.cache / "templates"

    def with_cache(self, cache):
        return Host(self.folder, self.env, cache)

    def settings(self, extra):
        env = dict(self.env)
        for key, value in (extra or {}).items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    def pyro(self, *words, input=None, stdin=None, timeout=120, env=None):
        """Runs pyro to its end. Standard input is empty unless given."""
        feed = {"input": input} if input is not None else {"stdin": stdin or subprocess.DEVNULL}
        done = subprocess.run(
            [PYRO, *words], capture_output=True, timeout=timeout, env=self.settings(env), check=False, **feed
        )
        expect_said_error(words, done.stdout)
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *words, options=(), **kwargs):
        """pyro run OPTIONS debian:12 -- WORDS"""
        return self.pyro("run", *options, ENVIRONMENT, "--", *words, **kwargs)

    def start(self, *words, env=None, **kwargs):
        """Starts pyro in a session of its own; the caller ends it (see `ending`)."""
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        settings.update(kwargs)
        return subprocess.Popen([PYRO, *words], env=self.settings(env), start_new_session=True, bufsize=0, **settings)

    def start_run(self, *words, options=(), **kwargs):
        return self.start("run", *options, ENVIRONMENT, "--", *words, **kwargs)

    def supervisors(self, workspace=None):
        """Supervisors of this session, or of one workspace: they hold its budget files or a folder's lock."""
        marks = (str(self.runtime) + "/budget.", str(self.home / "sandboxes") + "/")
        if workspace:
            marks = (f"{marks[1]}{workspace}/",)
        return [
            pid
            for pid in all_pids()
            if name_of(pid) == "pyro-supervisor"
            and state_of(pid) not in "ZX"
            and any(target.startswith(marks) for target in descriptors(pid).values())
        ]

    def qemus(self, workspace=None):
        """Machines of this session, or of one workspace."""
        ours = set(self.supervisors(workspace))
        return [p for p in all_pids() if parent_of(p) in ours and name_of(p).startswith("qemu") and state_of(p) not in "ZX"]

    def supervisor(self):
        """The one supervisor, once it is there."""
        return wait_until(self.supervisors, what="a supervisor")[0]

    def qemu(self):
        """The one QEMU, once it is there."""
        return wait_until(self.qemus, what="a QEMU")[0]

    def left_behind(self):
        """Everything that should not be there when no pyro runs, but for the workspaces in `kept`."""
        kept = set()
        for workspace in self.kept:
            kept.update(self.supervisors(workspace), self.qemus(workspace))
        left = [f"process {pid} {name_of(pid)}" for pid in [*self.supervisors(), *self.qemus()] if pid not in kept]
        for folder in (self.runtime, self.home / "sandboxes", self.home / "names", self.home / "staging"):
            for path in folder.glob("*"):
                plain = folder == self.runtime and path.suffix != ".sock"
                named = folder.name == "names" and path.is_symlink() and os.readlink(path) in self.kept
                if not (plain or named or path.stem in self.kept):
                    left.append(str(path))
        return left + [path for path in self.half_built() if path not in self.before]

    def half_built(self):
        """What a build or a pull works in. The cache is kept from run to run, and one may have been killed in it."""
        building = [*self.templates.glob(".building-*"), *self.install_dir.parent.glob(".staging*")]
        return [str(path) for path in building if path.is_dir()]

    def assert_nothing_left(self, bound=GONE):
        try:
            wait_until(lambda: not self.left_behind(), bound)
        except AssertionError:
            assert not self.left_behind()


def cpu_ticks(pid):
    """What a process has used of the processors."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def stands_still(pid):
    """Whether it uses none for a while: a machine that rests."""
    before = cpu_ticks(pid)
    let_pass(1.5)
    return cpu_ticks(pid) == before


class ending:
    """Context of a started pyro: whatever happens, it and its guests are gone afterwards."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def read_until(stream, wanted, bound=60.0):
    """Reads an unbuffered pipe or terminal until `wanted` was in it; what was read so far."""
    seen = b""
    fd = stream if isinstance(stream, int) else stream.fileno()
    end = time.monotonic() + bound
    while wanted not in seen:
        ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{wanted!r} did not come within {bound} s; so far: {seen[-3000:]!r}"
        try:
            chunk = os.read(fd, 65536)
        except OSError:  # a terminal whose other end is closed
            chunk = b""
        assert chunk, f"the end came before {wanted!r}: {seen[-3000:]!r}"
        seen += chunk
    return seen


def finish(process, timeout=60):
    """The rest of a started pyro's output and its exit code."""
    out, err = process.communicate(timeout=timeout)
    return Done(process.returncode, out or b"", err or b"")


def copy_environment(host, cache):
    """A cache of its own with the environment in it but no template."""
    target = pathlib.Path(cache) / "environments" / "linux-x86_64"
    target.mkdir(parents=True)
    subprocess.run(["cp", "-a", "--reflink=auto", host.install_dir, target], check=True)
    for name in ("host.json", "qemu.json"):
        if (host.cache / name).exists():
            shutil.copy(host.cache / name, pathlib.Path(cache) / name)
    return host.with_cache(cache)


def real_issues(report):
    """Of `doctor --json`, without the advice to a user who may not open /dev/kvm, or not ping."""
    advice = ("/dev/kvm is there", "guests cannot ping")
    return [issue for issue in report["issues"] if not issue.startswith(advice)]
