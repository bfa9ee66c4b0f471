#!/usr/bin/python3
"""Checks that every header of src/ and include/ compiles alone, with the flags of its module.

What was checked is remembered in BUILD/headers and checked again only when the header, or anything
that it includes, is newer.

Usage: check_headers.py BUILD [HEADER...]    or    check_headers.py --self-test
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import compile_db  # noqa: E402


def is_fresh(stamp):
    """Whether nothing in the dependency file `stamp` is newer than it."""
    if not stamp.exists():
        return False
    checked = stamp.stat().st_mtime
    text = re.sub(r"^.*?:", "", stamp.read_text().replace("\\\n", " "), count=1)
    try:
        return all(os.stat(name).st_mtime <= checked for name in text.split())
    except FileNotFoundError:
        return False


def check(header, folder, flags, stamps):
    """The compiler's complaint about `header`, or an empty text."""
    stamp = stamps / (re.sub(r"\W", "_", str(header)) + ".d")
    if is_fresh(stamp):
        return ""
    stamp.unlink(missing_ok=True)
    done = subprocess.run(
        flags + ["-Werror", "-fsyntax-only", "-x", "c++", "-MD", "-MT", "header", "-MF", str(stamp), "-"],
        cwd=folder, input=f'#include "{header}"\n', capture_output=True, text=True, check=False,
    )
    if done.returncode:
        stamp.unlink(missing_ok=True)
        return f"{header} does not compile alone:\n{done.stderr}"
    return ""


def check_all(build, headers):
    commands = compile_db.load(build)
    if not commands:
        raise SystemExit(f"{build} compiles nothing of this project")
    of_module, of_tests = {}, {}
    for source, command in sorted(commands.items()):
        if source.name.endswith("_test.cc"):
            of_tests.setdefault(source.parent, command)
        elif not source.name.endswith("_fuzz.cc"):
            of_module.setdefault(source.parent, command)
    fallback = next(iter(of_module.values()))
    def command_of(header):
        commands = of_tests if header.name == "testing.h" else of_module
        return commands.get(header.parent, fallback)

    stamps = pathlib.Path(build).resolve() / "headers"
    stamps.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check, header, *command_of(header), stamps) for header in headers]
        return [job.result() for job in jobs if job.result()]


def self_test():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "good.h").write_text("#pragma once\n#include <string>\nstd::string f();\n")
        (folder / "bad.h").write_text("#pragma once\nstd::string f();\n")
        flags = ["clang++-19", "-std=c++23"]
        good = [check(folder / "good.h", name, flags, folder) for _ in range(2)]
        bad = [check(folder / "bad.h", name, flags, folder) for _ in range(2)]
    if any(good) or not all(bad):
        print(f"self-test: good {good!r}, bad {bad!r}")
        return 1
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    headers = [pathlib.Path(name).resolve() for name in sys.argv[2:]]
    if not headers:
        headers = [p for top in ("src", "include") for p in sorted((compile_db.ROOT / top).rglob("*.h*"))]
    complaints = check_all(sys.argv[1], headers)
    print("\n".join(complaints), end="")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
