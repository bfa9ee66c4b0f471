"""The documentation is true: what it names exists, and what it shows runs.

A ```console block right after the line `<!-- test: run -->` is run: each line that begins with `$ `
is a command for sh, run in the repository; the lines after it are expected in its output, in order
(`...` stands for anything). Commands find the installed pyro in PATH, and its library with CMake and
pkg-config. A block after `<!-- example: FILE -->` is a piece of that file, which another test compiles.
"""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MAPS = [ROOT / "ARCHITECTURE.md", ROOT / "AGENTS.md", ROOT / "CONTRIBUTING.md"]
# What begins like this in `code` is a path of the repository.
TOP = re.compile(r"^(?:\./)?(?:src|docs|dev|tools|tests|fuzz|bench|cmake|include|bindings|examples)(?:/|$)|^[\w.-]+\.md$|^\.(?:clang|ci)")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
EXAMPLE = re.compile(r"^<!-- example: (\S+) -->\n+```\w+\n(.*?)^```", re.M | re.S)
COMPILED = re.compile(r"^(.*)\n+```(?:c|cpp)$", re.M)
BLOCK = re.compile(r"^<!-- test: run -->\n+```console\n(.*?)^```", re.M | re.S)


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


def commands(text):
    """(command, expected lines) of the blocks that are marked to be run."""
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            yield command, [line for line in expected if line.strip()]


def unmatched(expected, output):
    """The first expected line that the output does not have after the ones before it, or None."""
    at = 0
    lines = output.split("\n")
    for line in expected:
        if line == "...":
            continue
        pattern = re.compile(".*".join(re.escape(piece) for piece in line.split("...")))
        while at < len(lines) and not pattern.fullmatch(lines[at].rstrip()):
            at += 1
        if at == len(lines):
            return line
        at += 1
    return None


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.name)
def test_named_paths_exist(page):
    text = page.read_text()
    assert list(paths_in_code(text)), f"{page.name} names no path: is the pattern still right?"
    assert missing_paths(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert missing_links(page, page.read_text()) == []


def is_piece(block, text):
    """Whether these lines are in that text, one after the other; how far they are indented does not matter."""
    wanted = [line.strip() for line in block.strip("\n").split("\n")]
    lines = [line.strip() for line in text.split("\n")]
    return any(lines[at : at + len(wanted)] == wanted for at in range(len(lines)))


SHOWN = [(page, name, block) for page in PAGES for name, block in EXAMPLE.findall(page.read_text())]


@pytest.mark.parametrize("page, name, block", SHOWN, ids=[f"{p.name}: {n}, {b.strip()[:40]}" for p, n, b in SHOWN])
def test_shown_code_is_that_of_its_example(page, name, block):
    assert is_piece(block, (ROOT / name).read_text()), f"{page.name} shows what {name} does not have:\n{block}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_that_is_compiled_names_its_example(page):
    unnamed = [line for line in COMPILED.findall(page.read_text()) if not line.startswith("<!-- example: ")]
    assert unnamed == []


# Where programs find the library: the installation that is tested, when one is named.
PREFIX = os.environ.get("PYRO_TEST_PREFIX")
FIND = {"CMAKE_PREFIX_PATH": PREFIX, "PKG_CONFIG_PATH": f"{PREFIX}/lib/pkgconfig"} if PREFIX else {}
RUNNABLE = [(page, command, expected) for page in PAGES for command, expected in commands(page.read_text())]


@pytest.mark.parametrize("page, command, expected", RUNNABLE, ids=[f"{p.name}: {c}" for p, c, _ in RUNNABLE])
def test_shown_commands_run(page, command, expected):
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
        env={**os.environ, **FIND},
    )
    assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}{done.stderr}"
    assert unmatched(expected, done.stdout + done.stderr) is None


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
    assert list(commands("<!-- test: run -->\n```console\n$ echo a\na\n$ true\n```\n")) == [("echo a", ["a"]), ("true", [])]
    assert list(commands("```console\n$ echo a\n```\n")) == []
    assert is_piece("a\n  b\n", "x\n  a\n    b\ny\n") and not is_piece("a\ny\n", "a\nb\ny\n")
    assert EXAMPLE.findall("<!-- example: a/b.c -->\n```c\nint x;\n```\n") == [("a/b.c", "int x;\n")]
    assert COMPILED.findall("text\n\n```cpp\nint x;\n```\n") == ["text"]
    assert unmatched(["a", "b..."], "x\na\nbcd\n") is None
    assert unmatched(["b", "a"], "a\nb\n") == "a"
