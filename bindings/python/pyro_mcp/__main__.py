"""`python -m pyro_mcp ...` is the program `pyro` of this package."""

import os
import sys

from pyro_mcp._paths import executable

if __name__ == "__main__":
    program = executable()
    os.execv(program, [program, *sys.argv[1:]])
