"""The synchronous half: Pyro, streams of output, workspaces as contexts."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from ._operations import Operations, WorkspaceOperations
from ._session import Call, Event, Session, Stdin, next_of
from .errors import Conflict, NotFound

if TYPE_CHECKING:
    from . import types
    from ._server import Server

R = TypeVar("R")


class Chunk(NamedTuple):
    """A piece of what a command wrote, as it came."""

    stream: Literal["stdout", "stderr"]
    data: bytes

    @property
    def text(self) -> str:
        """As UTF-8, with U+FFFD for what is not. A piece may begin or end within a character."""
        return self.data.decode("utf-8", "replace")


class Progress(NamedTuple):
    """How far a long call is."""

    phase: str  # pull, queue, template, create, seed, start, execute, cleanup, ...
    detail: str  # for people; may be empty
    of: float | None  # 0 to 1, where it is known


class Listener:
    """What a client is told on the way of any of its calls, on the thread that waits for the call."""

    def __init__(self, on_progress: Callable[[Progress], None] | None, on_warning: Callable[[str], None] | None) -> None:
        self._on_progress = on_progress
        self._on_warning = on_warning

    def hear(self, kind: str, value: Any) -> None:
        if kind == "progress" and self._on_progress:
            self._on_progress(Progress(*value))
        elif kind == "warning" and self._on_warning:
            self._on_warning(value)


class ExecStream(Generic[R]):
    """A command under way: an iterator of chunks, and then its result.

        with pyro.stream_exec_workspace("fix", command="make") as stream:
            for chunk in stream:
                ...
        print(stream.result["exit_code"])

    Leaving the block early, or Ctrl-C, interrupts the command and waits for its end.
    """

    def __init__(self, session: Session, listener: Listener, operation: str, arguments: dict[str, Any], stdin: Stdin) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._listener = listener
        self._final: Event | None = None
        self._call: Call = session.call(operation, arguments, self._events.put, output=True, stdin=stdin)
        try:
            self._call.begin()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        while self._final is None:
            try:
                kind, value = next_of(self._events)
                if kind == "stdout" or kind == "stderr":
                    self._call.taken()
                    return Chunk(kind, value)
                if kind in ("result", "error"):
                    self._final = (kind, value)
                else:
                    self._listener.hear(kind, value)
            except BaseException:
                self.close()
                raise
        kind, value = self._final
        if kind == "error":
            raise value
        raise StopIteration(value)

    @property
    def result(self) -> R:
        """What the call returned; what comes until then is passed over."""
        for _ in self:
            pass
        assert self._final is not None
        value: R = self._final[1]
        return value

    def interrupt(self) -> None:
        """Ctrl-C to the command: it gets SIGINT, and is killed when it has not ended two seconds later.

        What it still writes, and the end of the call, come as before. A second time has no effect.
        """
        self._call.interrupt()

    def close(self) -> None:
        """Interrupts the command, unless it has ended, and waits for its end."""
        if self._final is None:
            self._final = ("error", Conflict("this stream is closed", "start the command again"))
            self._call.end()

    def __enter__(self) -> ExecStream[R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_final", True) is None and hasattr(self, "_call"):
            self._call.abandon()


class Workspace(WorkspaceOperations):
    """A workspace of one block: created when it begins, deleted when it ends.

    It has the operations of Pyro that take a workspace, without that parameter: `workspace.exec(command=...)`.
    """

    def __init__(self, pyro: Pyro, arguments: dict[str, Any]) -> None:
        self._pyro = pyro
        self._arguments = arguments
        self._info: types.WorkspaceInfo | None = None

    @property
    def info(self) -> types.WorkspaceInfo:
        """What create_workspace() returned."""
        if self._info is None:
            raise Conflict("this workspace is not created", "use it as the context of a `with` block")
        return self._info

    @property
    def id(self) -> str:
        return self.info["workspace_id"]

    def _call(self, operation: str, arguments: dict[str, Any], stdin: Stdin = None) -> Any:
        return self._pyro._call(operation, arguments, stdin)

    def _stream(self, operation: str, arguments: dict[str, Any], stdin: Stdin = None) -> ExecStream[Any]:
        return self._pyro._stream(operation, arguments, stdin)

    def __enter__(self) -> Workspace:
        self._info = self._pyro._call("workspace.create", self._arguments, undo=self._delete)
        return self

    def _delete(self, info: types.WorkspaceInfo) -> None:
        try:
            self._pyro.delete_workspace(info["workspace_id"])
        except NotFound:
            pass  # the block has deleted it

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._delete(self.info)


class Pyro(Operations):
    """Runs commands in microVMs of their own. For any number of threads; not across a fork.

    `on_progress` and `on_warning` are told what there is to know of a call, by the thread that waits for it. Ctrl-C
    gives a call up in order: the command in the guest gets SIGINT, is killed when it has not ended two seconds later,
    and KeyboardInterrupt is raised at its end.
    """

    def __init__(
        self, *, on_progress: Callable[[Progress], None] | None = None, on_warning: Callable[[str], None] | None = None
    ) -> None:
        self._session = Session("Pyro")
        self._listener = Listener(on_progress, on_warning)

    def _call(
        self, operation: str, arguments: dict[str, Any], stdin: Stdin = None, undo: Callable[[Any], object] | None = None
    ) -> Any:
        """`undo`: of a call that had returned when it was given up."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        call = self._session.call(operation, arguments, events.put, stdin=stdin)
        try:
            call.begin()
            while True:
                kind, value = next_of(events)
                if kind == "result":
                    return value
                if kind == "error":
                    raise value
                self._listener.hear(kind, value)
        except BaseException:
            try:
                call.end()
            finally:
                if undo and call.final and call.final[0] == "result":
                    undo(call.final[1])
            raise

    def _stream(self, operation: str, arguments: dict[str, Any], stdin: Stdin = None) -> ExecStream[Any]:
        return ExecStream(self._session, self._listener, operation, arguments, stdin)

    def _workspace(self, arguments: dict[str, Any]) -> Workspace:
        return Workspace(self, arguments)

    def create_server(
        self, *, profile: str | None = None, project_path: str | None = None, host_paths: Sequence[str] = ()
    ) -> Server:
        """The MCP server that comes with this package; see pyro_mcp.create_server()."""
        from ._server import create_server

        return create_server(profile=profile, project_path=project_path, host_paths=host_paths)

    def close(self) -> None:
        """Takes no new calls; those under way in other threads go on to their end."""
        self._session.close()

    def __enter__(self) -> Pyro:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
