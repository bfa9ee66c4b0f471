"""The MCP server that comes with the package: `pyro mcp serve`, a program of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from . import _paths
from .errors import Invalid, Unavailable


class Server:
    """Made by create_server()."""

    def __init__(self, profile: str | None, project_path: str | None, host_paths: Sequence[str]) -> None:
        self._profile = profile
        self._project_path = project_path
        self._host_paths = tuple(host_paths)

    def command(self, transport: str = "stdio", address: str = "127.0.0.1:0") -> list[str]:
        """The words of the program, for a client that starts servers itself."""
        words = [_paths.executable(), "mcp", "serve"]
        if self._profile is not None:
            words += ["--profile", self._profile]
        if self._project_path is not None:
            words += ["--project-path", self._project_path]
        for path in self._host_paths:
            words += ["--host-path", path]
        if transport == "streamable-http":
            words += ["--http", address]
        elif transport != "stdio":
            raise Invalid(f"there is no transport {transport!r}", 'use "stdio" or "streamable-http"')
        return words

    def run(self, transport: str = "stdio", *, address: str = "127.0.0.1:0") -> None:
        """Serves until the client leaves, or until Ctrl-C: on standard input and output, or over HTTP on `address`."""
        with subprocess.Popen(self.command(transport, address)) as server:
            try:
                code = server.wait()
            except BaseException:
                # Ctrl-C of a terminal has reached it too; whatever else ends this ends it.
                server.terminate()
                server.wait()
                raise
        if code != 0:
            raise Unavailable(f"pyro mcp serve ended with {code}", "the reason stands in its standard error")


def create_server(
    *, profile: str | None = None, project_path: str | None = None, host_paths: Sequence[str] = ()
) -> Server:
    """The MCP server of pyro, for `.run(transport="stdio")`.

    `profile` chooses how many tools a model sees: vm-run, workspace-core or workspace-full; `project_path` is the
    folder of the host that new workspaces begin with; tools read and write on the host below that, below `host_paths`
    and below the current folder alone.
    """
    return Server(profile, project_path, host_paths)
