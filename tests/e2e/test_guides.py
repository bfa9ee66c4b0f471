"""Every block of the documentation that needs a guest, and every script of examples/shell.

tests/docs/pages.py says how blocks are marked. The blocks of a page are run in its order, in one
folder of its own, with the installed pyro in PATH: what one makes, the next one has.
"""

import pathlib
import re
import socket
import subprocess
import sys

import harness
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "docs"))

import pages  # noqa: E402

GUIDES = [page for page in pages.PAGES if any(pages.for_guest(block) for block in pages.blocks(page.read_text()))]
EXAMPLES = sorted((ROOT / "examples" / "shell").glob("*"))
# How long one command of a page may take: the first of its kind may have to boot a template.
PATIENCE = 120


@pytest.fixture(scope="module", autouse=True)
def alone():
    """Pages name ports of the host, and dev/test runs as root and as an ordinary user side by side: one waits for the other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:

        def taken():
            try:
                lock.bind("\0pyro-test-guides")
            except OSError:
                return False
            return True

        harness.wait_until(taken, bound=300, what="the end of the other half's guides")
        yield


@pytest.fixture
def folder(host, tmp_path):
    """Where a page or an example is run. What it left behind after a failure is deleted."""
    yield tmp_path
    listed = host.pyro("workspace", "list", "--json").json["workspaces"]
    for workspace in listed:
        if workspace["workspace_id"] not in host.kept:
            host.pyro("workspace", "delete", workspace["workspace_id"])


def settings(host, home):
    env = dict(host.env)
    env.setdefault("XDG_CACHE_HOME", str(host.cache.parent))
    env["HOME"] = str(home)  # what a page configures there is its own
    env["PATH"] = f"{harness.PREFIX / 'bin'}:{env.get('PATH', '/usr/bin:/bin')}"
    env["LC_ALL"] = "C.UTF-8"
    return env


def run(host, folder, *words):
    """A command as a reader would run it, but that both streams are one."""
    return subprocess.run(
        words, cwd=folder, env=settings(host, folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=PATIENCE, check=False,
    )


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_happens(host, folder, page):
    for block in pages.blocks(page.read_text()):
        if block.kind == "file":
            target = folder / block.detail
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        for command, expected in pages.for_guest(block):
            done = run(host, folder, "sh", "-c", command)
            where = f"{page.name}, the block in line {block.line}: {command}\n{done.stdout}"
            assert done.returncode == 0, where
            if expected is not None:
                problem = pages.mismatch(expected, done.stdout)
                assert problem is None, f"{problem}\n{where}"


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_an_example_runs(host, folder, script):
    done = run(host, folder, str(script))
    assert done.returncode == 0, done.stdout
    # What it promises to print stands in its head.
    promised = re.findall(r"^# Prints: (.+)$", script.read_text(), re.M)
    assert promised
    for line in promised:
        assert line in done.stdout.splitlines(), f"{line!r} is not in:\n{done.stdout}"
