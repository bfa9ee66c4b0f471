"""A reader of the documentation, who runs its commands in a folder, with the installed pyro in PATH."""

import contextlib
import socket
import subprocess

import harness

# How long one command may take: the first of its kind may have to boot a template.
PATIENCE = 120


@contextlib.contextmanager
def alone():
    """The documentation names ports of the host, and dev/test runs as root and as an ordinary user side by side: one waits for the other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:

        def taken():
            try:
                lock.bind("\0pyro-test-reader")
            except OSError:
                return False
            return True

        harness.wait_until(taken, bound=500, what="the end of the other half's reader")
        yield


def settings(host, home):
    env = dict(host.env)
    env.setdefault("XDG_CACHE_HOME", str(host.cache.parent))
    env["HOME"] = str(home)  # what is configured there is its own
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        env.pop(name, None)
    env["PATH"] = f"{harness.PREFIX / 'bin'}:{env.get('PATH', '/usr/bin:/bin')}"
    env["LC_ALL"] = "C.UTF-8"
    return env


def run(host, folder, *words):
    """A command as a reader would run it, but that both streams are one."""
    return subprocess.run(
        words, cwd=folder, env=settings(host, folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=PATIENCE, check=False,
    )  # fmt: skip
