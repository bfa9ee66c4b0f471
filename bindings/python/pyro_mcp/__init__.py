"""pyro: commands in microVMs of their own, from Python.

    from pyro_mcp import Pyro

    with Pyro() as pyro:
        done = pyro.run_in_vm("debian:12", command=["git", "--version"])
        print(done["exit_code"], done["stdout"])

`pyro_mcp.errors` has what calls raise, `pyro_mcp.types` what they return, `pyro_mcp.aio` the same for asyncio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import errors
from ._client import Chunk, ExecStream, Progress, Pyro, Workspace
from ._native import version as __version__
from ._paths import executable
from .errors import PyroError

if TYPE_CHECKING:
    from ._server import Server, create_server
    from .aio import AsyncExecStream, AsyncPyro, AsyncWorkspace

__all__ = [
    "AsyncExecStream",
    "AsyncPyro",
    "AsyncWorkspace",
    "Chunk",
    "ExecStream",
    "Progress",
    "Pyro",
    "PyroError",
    "Server",
    "Workspace",
    "__version__",
    "create_server",
    "errors",
    "executable",
]

# Loaded when they are wanted: asyncio and subprocess take longer than all the rest.
_LATER = {
    "AsyncExecStream": "aio",
    "AsyncPyro": "aio",
    "AsyncWorkspace": "aio",
    "Server": "_server",
    "create_server": "_server",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("." + _LATER[name], __name__), name)
