"""Every block of the documentation that needs a guest, and every script of examples/shell.

tests/docs/pages.py says how blocks are marked. The blocks of a page are run in its order, in one
folder of its own, with the installed pyro in PATH: what one makes, the next one has.
"""

import pathlib
import re
import sys

import pytest
import reader

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "docs"))

import pages  # noqa: E402

GUIDES = [page for page in pages.PAGES if any(pages.for_guest(block) for block in pages.blocks(page.read_text()))]
EXAMPLES = sorted((ROOT / "examples" / "shell").glob("*"))


@pytest.fixture(scope="module", autouse=True)
def alone():
    with reader.alone():
        yield


@pytest.fixture
def folder(host, tmp_path):
    """Where a page or an example is run. What it left behind after a failure is deleted."""
    yield tmp_path
    listed = host.pyro("workspace", "list", "--json").json["workspaces"]
    for workspace in listed:
        if workspace["workspace_id"] not in host.kept:
            host.pyro("workspace", "delete", workspace["workspace_id"])


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_happens(host, folder, page):
    for block in pages.blocks(page.read_text()):
        if block.kind == "file":
            target = folder / block.detail
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        for command, expected in pages.for_guest(block):
            done = reader.run(host, folder, "sh", "-c", command)
            where = f"{page.name}, the block in line {block.line}: {command}\n{done.stdout}"
            assert done.returncode == 0, where
            if expected is not None:
                problem = pages.mismatch(expected, done.stdout)
                assert problem is None, f"{problem}\n{where}"


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_an_example_runs(host, folder, script):
    done = reader.run(host, folder, str(script))
    assert done.returncode == 0, done.stdout
    # What it promises to print stands in its head.
    promised = re.findall(r"^# Prints: (.+)$", script.read_text(), re.M)
    assert promised
    for line in promised:
        assert line in done.stdout.splitlines(), f"{line!r} is not in:\n{done.stdout}"
