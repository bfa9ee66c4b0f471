"""Pages of the documentation, their blocks of code, and what is to be done with each.

Right before a block (fenced, or indented by four blanks) a comment says how it is tested:

  <!-- test: run -->            console, run by test_docs.py in the repository, without a guest
  <!-- test: guest -->          console, run by tests/e2e/test_guides.py; all of a page in one folder
  <!-- test: each -->           the same, but each line is a command, and what it prints is left out
  <!-- test: file NAME -->      written to NAME in that folder before what follows it
  <!-- test: piece FILE -->     a piece of that file, which another test compiles or runs
  <!-- test: none, REASON -->   neither, and why
  <!-- test: page, REASON -->   among a page's first five lines: the same for all of its blocks

A line <!-- test: first COMMAND --> anywhere is no block: it is run in that folder where it stands.

In a console block each line that begins with `$ ` is a command for sh, and lines that begin with
`> ` right after it go on with it. The other lines are its output, on both streams together: exactly,
but that `...` stands for anything within a line, and alone on a line for any number of lines.
"""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MARK = re.compile(r"^<!-- test: (run|guest|each|file \S+|piece \S+|none, \S.*|page, \S.*) -->$")
FIRST = re.compile(r"^<!-- test: first (\S.*) -->$")
PAGE = re.compile(r"test: page, (\S.*?) -->")


@dataclasses.dataclass
class Block:
    line: int  # of the page, from 1
    language: str  # of a fence; "indented"
    text: str
    kind: str = ""  # run, guest, each, file, piece, first, none, page; "" without a marker
    detail: str = ""  # the reason, or the name of the file


def blocks(text):
    """Every block of a page."""
    lines = text.split("\n")
    of_page = next((found[1] for line in lines[:5] if (found := PAGE.search(line))), None)
    at, before = 0, ""  # the last line that is not empty
    while at < len(lines):
        line, block = lines[at], None
        if line.startswith("```"):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("```")), len(lines))
            block = Block(at + 1, line[3:].strip(), "\n".join(lines[at + 1 : end]) + "\n")
            at = end
        elif line.startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = at
            while end < len(lines) and lines[end].startswith("    "):
                end += 1
            block = Block(at + 1, "indented", "\n".join(piece[4:] for piece in lines[at:end]) + "\n")
            at = end - 1
        if block:
            if found := MARK.match(before):
                block.kind, _, block.detail = found[1].replace(",", "", 1).partition(" ")
            elif of_page:
                block.kind, block.detail = "page", of_page
            yield block
            before = ""
        elif found := FIRST.match(line):
            yield Block(at + 1, "", found[1] + "\n", "first")
        elif line.strip():
            before = line.strip()
        at += 1


def commands(text):
    """(command, expected lines) of a console block."""
    found = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif not found:
            raise ValueError(f"a console block begins with a command, not with {line!r}")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (found[-1][0] + "\n" + line[2:], [])
        else:
            found[-1][1].append(line)
    return found


def for_guest(block):
    """(command, expected lines) of a block that test_guides.py runs; None for the lines: anything."""
    if block.kind == "guest":
        return commands(block.text)
    if block.kind in ("each", "first"):
        return [(line, None) for line in block.text.splitlines() if line.strip()]
    return []


def problem(block):
    """What is wrong with a block, or None."""
    if not block.kind:
        return "it has no marker: <!-- test: run, guest, file NAME, piece FILE or none, REASON -->"
    if block.kind in ("run", "guest"):
        if block.language != "console":
            return "what is run is a ```console block"
        try:
            commands(block.text)
        except ValueError as error:
            return str(error)
    if block.kind == "each" and not block.text.strip():
        return "it holds no command"
    if block.kind in ("none", "page") and len(block.detail.split()) < 3:
        return "its reason says nothing"
    return None


def mismatch(expected, output):
    """None when the output is as expected, else where it is not."""
    lines = [line.rstrip() for line in output.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    wanted = [line.rstrip() for line in expected]
    while wanted and not wanted[-1]:
        wanted.pop()
    at, anything = 0, False
    for line in wanted:
        if line == "...":
            anything = True
            continue
        pattern = re.compile(".*".join(re.escape(piece) for piece in line.split("...")))
        start = at
        while anything and at < len(lines) and not pattern.fullmatch(lines[at]):
            at += 1
        if at == len(lines) or not pattern.fullmatch(lines[at]):
            return f"expected {line!r}, got {lines[start] if start < len(lines) else 'the end'!r}"
        at, anything = at + 1, False
    if at < len(lines) and not anything:
        return f"unexpected {lines[at]!r}"
    return None
