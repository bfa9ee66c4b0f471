"""compile_commands.json, read for the tools that run the compiler or clang-tidy on single files."""

import json
import pathlib
import shlex

ROOT = pathlib.Path(__file__).resolve().parent.parent


def load(build):
    """{source path: (folder, arguments)} of the project's own sources, without launcher and output."""
    database = pathlib.Path(build) / "compile_commands.json"
    if not database.exists():
        raise SystemExit(f"{database} is missing: configure a build first, for example cmake --preset dev")
    commands = {}
    for entry in json.loads(database.read_text()):
        source = pathlib.Path(entry["file"]).resolve()
        if source.is_relative_to(ROOT):
            commands[source] = (entry["directory"], flags_of(shlex.split(entry["command"])))
    return commands


def flags_of(words):
    """Compiler and flags; the launcher (ccache), -c, -o and the source are left out."""
    if words and pathlib.Path(words[0]).name == "ccache":
        words = words[1:]
    flags, skip = [], False
    for position, word in enumerate(words):
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT", "-MQ"):
            skip = True
        elif word in ("-c", "-MD", "-MMD") or (position > 0 and word.endswith(".cc")):
            continue
        else:
            flags.append(word)
    return flags
