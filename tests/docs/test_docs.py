"""The documentation is true: what it names exists, and what it shows runs. pages.py says how blocks are marked."""

import pathlib
import re
import subprocess

import pages
import pytest
from pages import PAGES, ROOT

MAPS = [ROOT / "ARCHITECTURE.md", ROOT / "AGENTS.md", ROOT / "CONTRIBUTING.md"]
# What begins like this in `code` is a path of the repository.
TOP = re.compile(r"^(?:\./)?(?:src|docs|dev|tools|tests|fuzz|bench|cmake|include)(?:/|$)|^[\w.-]+\.md$|^\.(?:clang|ci)")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def paths_in_code(text):
    """Repository paths among the `code` of a page; of `./dev/test --fast` the first word."""
    for code in re.findall(r"`([^`\n]+)`", text):
        word = code.split()[0]
        if TOP.match(word) and not re.search(r"[<>*]", word):
            yield word.removeprefix("./").rstrip("/")


def missing_paths(text):
    return [path for path in paths_in_code(text) if not (ROOT / path).exists()]


def missing_links(page, text):
    return [link for link in LINK.findall(text) if "://" not in link and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.name)
def test_named_paths_exist(page):
    text = page.read_text()
    assert list(paths_in_code(text)), f"{page.name} names no path: is the pattern still right?"
    assert missing_paths(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert missing_links(page, page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_block_says_how_it_is_tested(page):
    problems = [(block.line, what) for block in pages.blocks(page.read_text()) if (what := pages.problem(block))]
    assert problems == []


def runnable():
    for page in PAGES:
        for block in pages.blocks(page.read_text()):
            if block.kind == "run":
                for command, expected in pages.commands(block.text):
                    yield pytest.param(page, command, expected, id=f"{page.name}: {command}")


@pytest.mark.parametrize("page, command, expected", runnable())
def test_shown_commands_run(page, command, expected):
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL, timeout=120, check=False,
    )
    assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}"
    assert pages.mismatch(expected, done.stdout) is None, done.stdout


def test_every_decision_is_in_the_index():
    pages = {path.name for path in (ROOT / "docs" / "adr").glob("0*.md")}
    listed = set(LINK.findall((ROOT / "docs" / "adr" / "README.md").read_text()))
    assert pages == listed


def test_every_package_has_its_reason():
    lines = [line for line in (ROOT / "dev" / "packages").read_text().splitlines() if line and line[0] not in "#["]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+\s+# .{8,}", line)] == []


def test_the_checks_above_can_fail():
    assert missing_paths("see `src/nothing.h` and `./dev/nothing -x`") == ["src/nothing.h", "dev/nothing"]
    assert missing_paths("see `src/base/result.h`, `foo_test.cc` and `src/<module>/x`") == []
    assert missing_links(ROOT / "README.md", "[a](nothing.md) [b](LICENSE) [c](https://example.org)") == ["nothing.md"]
    marked = "<!-- test: run -->\n\n```console\n$ echo a\na\n$ cat <<E\n> b\n> E\nb\n```\n"
    (block,) = pages.blocks(marked)
    assert block.kind == "run" and pages.problem(block) is None
    assert pages.commands(block.text) == [("echo a", ["a"]), ("cat <<E\nb\nE", ["b"])]
    (block,) = pages.blocks("<!-- test: file a/b.toml -->\n```toml\nx = 1\n```\n")
    assert (block.kind, block.detail, block.text) == ("file", "a/b.toml", "x = 1\n")
    (block,) = pages.blocks("text\n\n<!-- test: none, it needs the Internet -->\n\n    $ true\n\nmore\n")
    assert (block.kind, block.detail, block.language) == ("none", "it needs the Internet", "indented")
    assert [b.kind for b in pages.blocks("<!-- Made. test: page, others compare it -->\n\n    a\n\ntext\n\n    b\n")] == ["page"] * 2
    for text in ("```console\n$ true\n```\n", "text\n\n    $ true\n", "<!-- test: run -->\nwords\n\n    true\n",
                 "<!-- test: run -->\n```sh\ntrue\n```\n", "<!-- test: guest -->\n```console\ntrue\n```\n",
                 "<!-- test: none, no -->\n\n    true\n"):
        assert [pages.problem(b) is None for b in pages.blocks(text)] == [False], text
    assert pages.mismatch(["a", "b...", "...", "d"], "a\nbcd\nx\ny\nd\n") is None
    assert pages.mismatch([], "") is None and pages.mismatch(["..."], "x\ny\n") is None
    for expected, output in ((["a"], "x\na\n"), (["a"], "a\nx\n"), (["b", "a"], "a\nb\n"), (["a"], ""), (["...", "a"], "b\n")):
        assert pages.mismatch(expected, output) is not None
