#!/usr/bin/python3
"""Runs clang-tidy on source files, two at a time.

Usage: tidy.py BUILD --all
       tidy.py BUILD --changed [--max N]    files changed since origin/main; where that is the same
                                            commit or missing, in the commits of the last 24 hours;
                                            with --max the N most recently committed of them
       tidy.py BUILD FILE...

Prints what was chosen, findings, and as the last line `checked N files, left out M`.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import compile_db  # noqa: E402


def git(*words):
    done = subprocess.run(["git", "-C", str(compile_db.ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.split("\n") if done.returncode == 0 else []


def changed_files():
    """(description, paths, most recently committed first); uncommitted changes come first of all."""
    head, base = git("rev-parse", "HEAD")[:1], git("rev-parse", "--verify", "-q", "origin/main")[:1]
    local = git("diff", "--name-only", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    if base and base != head:
        names, what = git("log", "--format=", "--name-only", "origin/main..HEAD"), "changed since origin/main"
    else:
        names, what = git("log", "--format=", "--name-only", "--since=24 hours ago"), "changed in the commits of the last 24 hours"
    return what, [compile_db.ROOT / name for name in dict.fromkeys(local + names) if name]


def with_users(files, commands):
    """Sources among `files`, and for a header the source of the same name."""
    chosen = dict.fromkeys(f for f in files if f in commands)
    for header in (f for f in files if f.suffix == ".h"):
        source = header.with_suffix(".cc")
        if source in commands:
            chosen.setdefault(source)
    return list(chosen)


def check(build, source):
    started = time.monotonic()
    words = ["clang-tidy-19", "-p", str(build), "--quiet"]
    # The analyzer does not follow a coroutine across its suspension: it reports Asio's own frames as
    # uninitialized, in every file that has one.
    if "co_await" in source.read_text(errors="replace"):
        words.append("--checks=-clang-analyzer-*")
    done = subprocess.run(
        [*words, str(source)], cwd=compile_db.ROOT, capture_output=True, text=True, check=False
    )
    noise = ("warnings generated", "warning generated", "Suppressed ", "Use -header-filter")
    errors = [line for line in done.stderr.split("\n") if line and not any(word in line for word in noise)]
    text = done.stdout + ("\n".join(errors) if done.returncode else "")
    return source, done.returncode, text.strip(), time.monotonic() - started


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, words = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    commands = compile_db.load(build)
    limit = None
    if "--max" in words:
        at = words.index("--max")
        limit = int(words[at + 1])
        del words[at : at + 2]
    if words == ["--all"]:
        what, files = "all sources", sorted(commands)
    elif words == ["--changed"]:
        what, names = changed_files()
        files = with_users(names, commands)
    else:
        what, files = "as given", [pathlib.Path(name).resolve() for name in words]
    left_out = len(files) - limit if limit is not None and len(files) > limit else 0
    files = files[: len(files) - left_out]
    print(f"clang-tidy on {len(files)} files ({what})", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, status, text, seconds in pool.map(lambda source: check(build, source), files):
            print(f"{source.relative_to(compile_db.ROOT)}: {'FAILED' if status else 'ok'} ({seconds:.0f} s)", flush=True)
            if status:
                failed += 1
                print(text, flush=True)
    print(f"checked {len(files)} files, left out {left_out}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
