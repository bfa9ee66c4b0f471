"""The same for asyncio: AsyncPyro has the methods of Pyro as coroutines.

Cancelling the task gives the call up in order: the command in the guest is interrupted, and the cancellation goes on
when it has ended. A second cancellation goes on at once, and what the first began goes on by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._async_operations import AsyncOperations, AsyncWorkspaceOperations
from ._client import Chunk, Listener, Progress
from ._session import Call, Event, Session, Stdin
from .errors import Conflict, NotFound

if TYPE_CHECKING:
    from . import types

R = TypeVar("R")
# What takes back what a call did, of its result.
Undo = Callable[[Any], Coroutine[Any, Any, None]]


class _Pending:
    """A call, as its event loop sees it."""

    def __init__(self, session: Session, operation: str, arguments: dict[str, Any], stdin: Stdin, output: bool) -> None:
        loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self._ended = asyncio.Event()

        def post(event: Event) -> None:
            loop.call_soon_threadsafe(self._take, event)

        self.call: Call = session.call(operation, arguments, post, output=output, stdin=stdin)

    def _take(self, event: Event) -> None:
        self.events.put_nowait(event)
        if event[0] in ("result", "error"):
            self._ended.set()

    async def end(self) -> None:
        """Gives the call up in order and waits for its end, on no thread: those of the loop's executor are few."""
        self.call.give_up()
        await self._ended.wait()

    async def end_and_undo(self, undo: Undo) -> None:
        """For a task of its own, which nobody cancels but asyncio.run() at its end: that waits for it all the same."""
        while not self._ended.is_set():
            try:
                await self.end()
            except asyncio.CancelledError:
                continue
        if self.call.final and self.call.final[0] == "result":
            await undo(self.call.final[1])


# Those that are under way: the loop alone does not keep a task.
_undoing: set[asyncio.Task[None]] = set()


class AsyncExecStream(Generic[R]):
    """A command under way: an asynchronous iterator of chunks, and then `await stream.result()`."""

    def __init__(self, session: Session, listener: Listener, operation: str, arguments: dict[str, Any], stdin: Stdin) -> None:
        self._listener = listener
        self._final: Event | None = None
        self._pending = _Pending(session, operation, arguments, stdin, True)
        self._call = self._pending.call
        try:
            self._call.begin()
        except BaseException:
            self._call.end()
            raise

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while self._final is None:
            try:
                kind, value = await self._pending.events.get()
                if kind == "stdout" or kind == "stderr":
                    self._call.taken()
                    return Chunk(kind, value)
                if kind in ("result", "error"):
                    self._final = (kind, value)
                else:
                    self._listener.hear(kind, value)
            except BaseException:
                await self.close()
                raise
        if self._final[0] == "error":
            raise self._final[1]
        raise StopAsyncIteration

    async def result(self) -> R:
        """What the call returned; what comes until then is passed over."""
        async for _ in self:
            pass
        assert self._final is not None
        value: R = self._final[1]
        return value

    def interrupt(self) -> None:
        """Ctrl-C to the command: it gets SIGINT, and is killed when it has not ended two seconds later.

        What it still writes, and the end of the call, come as before. A second time has no effect.
        """
        self._call.interrupt()

    async def close(self) -> None:
        """Interrupts the command, unless it has ended, and waits for its end."""
        if self._final is None:
            self._final = ("error", Conflict("this stream is closed", "start the command again"))
            await self._pending.end()

    async def __aenter__(self) -> AsyncExecStream[R]:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_final", True) is None and hasattr(self, "_call"):
            self._call.abandon()


class AsyncWorkspace(AsyncWorkspaceOperations):
    """A workspace of one `async with` block: created when it begins, deleted when it ends."""

    def __init__(self, pyro: AsyncPyro, arguments: dict[str, Any]) -> None:
        self._pyro = pyro
        self._arguments = arguments
        self._info: types.WorkspaceInfo | None = None

    @property
    def info(self) -> types.WorkspaceInfo:
        """What create_workspace() returned."""
        if self._info is None:
            raise Conflict("this workspace is not created", "use it as the context of an `async with` block")
        return self._info

    @property
    def id(self) -> str:
        return self.info["workspace_id"]

    async def _call(self, operation: str, arguments: dict[str, Any], stdin: Stdin = None) -> Any:
        return await self._pyro._call(operation, arguments, stdin)

    def _stream(self, operation: str, arguments: dict[str, Any], stdin: Stdin = None) -> AsyncExecStream[Any]:
        return self._pyro._stream(operation, arguments, stdin)

    async def __aenter__(self) -> AsyncWorkspace:
        self._info = await self._pyro._call("workspace.create", self._arguments, undo=self._delete)
        return self

    async def _delete(self, info: types.WorkspaceInfo) -> None:
        try:
            await self._pyro.delete_workspace(info["workspace_id"])
        except NotFound:
            pass  # the block has deleted it

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._delete(self.info)


class AsyncPyro(AsyncOperations):
    """Pyro for asyncio. `on_progress` and `on_warning` are called on the event loop."""

    def __init__(
        self, *, on_progress: Callable[[Progress], None] | None = None, on_warning: Callable[[str], None] | None = None
    ) -> None:
        self._session = Session("AsyncPyro")
        self._listener = Listener(on_progress, on_warning)

    async def _call(
        self,
        operation: str,
        arguments: dict[str, Any],
        stdin: Stdin = None,
        undo: Undo | None = None,
    ) -> Any:
        """`undo`: of a call that had returned when it was given up."""
        pending = _Pending(self._session, operation, arguments, stdin, False)
        call = pending.call
        try:
            call.begin()
            while True:
                kind, value = await pending.events.get()
                if kind == "result":
                    return value
                if kind == "error":
                    raise value
                self._listener.hear(kind, value)
        except BaseException:
            call.give_up()
            if undo:
                task = asyncio.create_task(pending.end_and_undo(undo))
                _undoing.add(task)
                task.add_done_callback(_undoing.discard)
                await asyncio.shield(task)
            else:
                await pending.end()
            raise

    def _stream(self, operation: str, arguments: dict[str, Any], stdin: Stdin = None) -> AsyncExecStream[Any]:
        return AsyncExecStream(self._session, self._listener, operation, arguments, stdin)

    def _workspace(self, arguments: dict[str, Any]) -> AsyncWorkspace:
        return AsyncWorkspace(self, arguments)

    async def close(self) -> None:
        """Takes no new calls; those under way in other tasks go on to their end."""
        self._session.close()

    async def __aenter__(self) -> AsyncPyro:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
