"""The documentation is true: what it names exists, and what it shows runs. pages.py says how blocks are marked."""

import os
import pathlib
import re
import subprocess

import pages
import pytest
from pages import PAGES, ROOT

MAPS = [ROOT / "ARCHITECTURE.md", ROOT / "AGENTS.md", ROOT / "CONTRIBUTING.md"]
# What begins like this in `code` is a path of the repository.
TOP = re.compile(r"^(?:\./)?(?:src|docs|dev|tools|tests|fuzz|bench|cmake|include|examples|bindings)(?:/|$)|^[\w.-]+\.md$|^\.(?:clang|ci)")
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


def is_piece(block, text):
    """Whether these lines are in that text, one after the other; how far they are indented does not matter."""
    wanted = [line.strip() for line in block.strip("\n").split("\n")]
    lines = [line.strip() for line in text.split("\n")]
    return any(lines[at : at + len(wanted)] == wanted for at in range(len(lines)))


PIECES = [(page, block) for page in PAGES for block in pages.blocks(page.read_text()) if block.kind == "piece"]


@pytest.mark.parametrize("page, block", PIECES, ids=[f"{p.name}:{b.line}" for p, b in PIECES])
def test_shown_code_is_that_of_its_file(page, block):
    assert is_piece(block.text, (ROOT / block.detail).read_text()), f"{page.name} shows what {block.detail} does not have:\n{block.text}"


# Where programs find the library: the installation that is tested, when one is named.
PREFIX = os.environ.get("PYRO_TEST_PREFIX")
FIND = {"CMAKE_PREFIX_PATH": PREFIX, "PKG_CONFIG_PATH": f"{PREFIX}/lib/pkgconfig"} if PREFIX else {}


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
        stdin=subprocess.DEVNULL, timeout=120, check=False, env={**os.environ, **FIND},
    )
    assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}"
    assert pages.mismatch(expected, done.stdout) is None, done.stdout


ERRORS = ROOT / "docs" / "reference" / "errors.md"
TROUBLE = ROOT / "docs" / "guides" / "troubleshooting.md"


def first_cells(text, section=None):
    """What stands as `code` in the first column of tables; of one section only, when it is named."""
    if section:
        text = re.split(r"^#{2,3} ", text.split(f"# {section}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    return [code for row in re.findall(r"^\| (`[^|]*) \|", text, re.M) for code in re.findall(r"`([^`]+)`", row)]


def words_in(path, pattern):
    found = re.findall(pattern, (ROOT / path).read_text())
    assert found, f"{path} has none: is the pattern still right?"
    return found


def test_each_error_code_has_its_place_in_the_docs():
    codes = words_in("src/base/result.cc", r'Errc::k\w+, "(\w+)"')
    assert first_cells(ERRORS.read_text(), "Codes") == codes
    assert re.findall(r"^### (\w+)$", TROUBLE.read_text(), re.M) == codes


def test_each_reason_of_the_network_is_in_the_docs():
    reasons = words_in("src/policy/decide.cc", r'case Reason::k\w+:\s*return "([\w-]+)"')
    reasons += words_in("src/net/net_event.h", r'constexpr const char\* k\w+ = "([\w-]+)"')
    drops = words_in("src/net/packet.cc", r'case Drop::k\w+:\s*return "([\w-]+)"')
    section = "Why the network did what it did"
    assert sorted(first_cells(ERRORS.read_text(), section)) == sorted(reasons + drops)


def source_text():
    """Every literal of the source, as the compiler joins them."""
    text = "\n".join(path.read_text() for path in [*(ROOT / "src").rglob("*.cc"), *(ROOT / "src").rglob("*.h")] if not path.stem.endswith(("_test", "_fuzz")))
    return re.sub(r'(?<!\\)"\s*"', "", text).replace('\\"', '"')


def unknown_messages(page, source):
    """Of the messages in a page's tables those with a piece that the source does not have."""
    messages = [m for m in first_cells(page) if " " in m]
    return [m for m in messages if not all(piece.strip() in source for piece in m.split("..."))]


def test_messages_in_troubleshooting_are_those_of_the_source():
    page, source = TROUBLE.read_text().split("## By code", 1)[1], source_text()
    assert len([m for m in first_cells(page) if " " in m]) > 40
    # The kernel's own words.
    assert unknown_messages(page, source + "Permission denied No space left on device") == []
    assert unknown_messages("| `there is no workspace ...` | a |\n| `there is no workplace ...` | b |\n", source) == ["there is no workplace ..."]


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
    assert is_piece("a\n  b\n", "x\n  a\n    b\ny\n") and not is_piece("a\ny\n", "a\nb\ny\n")
    (block,) = pages.blocks("<!-- test: piece a/b.c -->\n```c\nint x;\n```\n")
    assert (block.kind, block.detail, block.text) == ("piece", "a/b.c", "int x;\n")
    marked = "<!-- test: run -->\n\n```console\n$ echo a\na\n$ cat <<E\n> b\n> E\nb\n```\n"
    (block,) = pages.blocks(marked)
    assert block.kind == "run" and pages.problem(block) is None
    assert pages.commands(block.text) == [("echo a", ["a"]), ("cat <<E\nb\nE", ["b"])]
    (block,) = pages.blocks("<!-- test: file a/b.toml -->\n```toml\nx = 1\n```\n")
    assert (block.kind, block.detail, block.text) == ("file", "a/b.toml", "x = 1\n")
    (block,) = pages.blocks("text\n\n<!-- test: none, it needs the Internet -->\n\n    $ true\n\nmore\n")
    assert (block.kind, block.detail, block.language) == ("none", "it needs the Internet", "indented")
    first, each = pages.blocks("<!-- test: first mkdir a -->\n<!-- test: each -->\n\n    ls a  # list\n    ls b\n")
    assert pages.for_guest(first) == [("mkdir a", None)] and pages.problem(first) is None
    assert pages.for_guest(each) == [("ls a  # list", None), ("ls b", None)] and pages.problem(each) is None
    assert [b.kind for b in pages.blocks("<!-- Made. test: page, others compare it -->\n\n    a\n\ntext\n\n    b\n")] == ["page"] * 2
    for text in ("```console\n$ true\n```\n", "text\n\n    $ true\n", "<!-- test: run -->\nwords\n\n    true\n",
                 "<!-- test: run -->\n```sh\ntrue\n```\n", "<!-- test: guest -->\n```console\ntrue\n```\n",
                 "<!-- test: none, no -->\n\n    true\n"):
        assert [pages.problem(b) is None for b in pages.blocks(text)] == [False], text
    assert pages.mismatch(["a", "b...", "...", "d"], "a\nbcd\nx\ny\nd\n") is None
    assert pages.mismatch([], "") is None and pages.mismatch(["..."], "x\ny\n") is None
    for expected, output in ((["a"], "x\na\n"), (["a"], "a\nx\n"), (["b", "a"], "a\nb\n"), (["a"], ""), (["...", "a"], "b\n")):
        assert pages.mismatch(expected, output) is not None
