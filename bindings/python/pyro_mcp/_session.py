"""Calls under way: each on a thread of its own, so that whoever waits for it can give it up.

A call posts what it tells as events, the last of which is ("result", value) or ("error", exception). Output comes
with credit: a caller that takes nothing stops the command in the guest and not this process's memory.
"""

from __future__ import annotations

import _thread
import atexit
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, Literal, Protocol, Union

from . import _paths
from ._native import Native
from .errors import Conflict

Kind = Literal["progress", "warning", "stdout", "stderr", "result", "error"]
Event = tuple[Kind, Any]
# Standard input of a command: bytes, an open file, or its descriptor.
Stdin = Union[None, bytes, int, IO[Any]]

# Pieces of output on their way.
_CREDIT = 64
# No wait is longer: a signal that comes just before Python begins to wait is noticed only when the wait is over.
_WAIT_SECONDS = 0.2


def next_of(events: queue.SimpleQueue[Event]) -> Event:
    """The next event, however long it takes; Ctrl-C comes through."""
    while True:
        try:
            return events.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            continue


class Api(Protocol):
    """What a session stands on; tests have one of their own."""

    def call(
        self,
        operation: str,
        arguments: dict[str, Any],
        deliver: Callable[[Kind, Any], None],
        output: bool,
        interrupt_fd: int,
        stdin_fd: int,
    ) -> dict[str, Any]: ...


def open_api() -> Api:
    return Native(_paths.libexec())


def _descriptor_of(stdin: Stdin) -> tuple[int, bool]:
    """A descriptor to read from, and whether it is ours to close."""
    if stdin is None:
        return -1, False
    if isinstance(stdin, int):
        return stdin, False
    if isinstance(stdin, (bytes, bytearray, memoryview)):
        fd = os.memfd_create("pyro-stdin", os.MFD_CLOEXEC)
        try:
            rest = memoryview(stdin)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.lseek(fd, 0, os.SEEK_SET)
        except BaseException:
            os.close(fd)
            raise
        return fd, True
    return stdin.fileno(), False


class Call:
    """One call, from begin() on. `post` is called on its thread.

    Ctrl-C can come at any moment, also while the thread is being started: whoever made a Call ends it when anything
    else than its end comes out of begin(), or of the wait for events.
    """

    def __init__(
        self, api: Api, operation: str, arguments: dict[str, Any], post: Callable[[Event], None], output: bool, stdin: Stdin
    ) -> None:
        self._work = (api, operation, arguments, output)
        self._stdin = stdin  # an open file stays open
        self._post = post
        self._pid = os.getpid()
        # Tokens. A queue and a reentrant lock, because abandon() may be called by the garbage collector, on any thread.
        self._credit: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_CREDIT):
            self._credit.put(None)
        self._abandoned = False
        self._running = False
        self._ended = threading.Event()
        self._lock = threading.RLock()  # of what follows, and of _running
        self._interrupt_fd = -1  # to write to
        self._fds: list[int] = []  # to close at the end
        self.final: Event | None = None  # once it has ended

    def begin(self) -> None:
        stdin_fd, ours = _descriptor_of(self._stdin)
        if ours:
            self._fds.append(stdin_fd)
        read, self._interrupt_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._fds += [read, self._interrupt_fd]
        _live.add(self)
        _thread.start_new_thread(self._run, (read, stdin_fd))

    def _run(self, interrupt_fd: int, stdin_fd: int) -> None:
        with self._lock:
            if self._ended.is_set():
                return  # given up before it began
            self._running = True
        api, operation, arguments, output = self._work
        final: Event
        try:
            final = ("result", api.call(operation, arguments, self._deliver, output, interrupt_fd, stdin_fd))
        except BaseException as error:  # it is raised where the call is waited for
            final = ("error", error)
        self._finish(final)

    def _finish(self, final: Event) -> None:
        self.final = final
        self._close()
        try:
            self._post(final)
        except RuntimeError:
            pass  # the event loop that waited is closed
        finally:
            self._ended.set()

    def _close(self) -> None:
        with self._lock:
            fds, self._fds = self._fds, []
        for fd in fds:
            os.close(fd)
        _live.discard(self)

    def _deliver(self, kind: Kind, value: Any) -> None:
        if kind in ("stdout", "stderr"):
            self._credit.get()
        if self._abandoned:
            self._credit.put(None)
        else:
            self._post((kind, value))

    def taken(self) -> None:
        """One piece of output was taken."""
        self._credit.put(None)

    def interrupt(self) -> None:
        """Ctrl-C to the command, once: the library kills it when it has not ended two seconds later."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._fds:
                try:
                    os.write(self._interrupt_fd, b"\3")
                except BlockingIOError:
                    pass

    def abandon(self) -> None:
        """Gives the call up and takes nothing more of it; returns at once."""
        self._abandoned = True
        self._credit.put(None)  # its thread may be waiting for one, and hands it on from here on
        self.interrupt()

    def end(self) -> None:
        """Gives the call up in order and returns when it has ended.

        Ctrl-C on the way is raised then, unless one is being handled already. One more no longer waits for the end.
        """
        first = isinstance(sys.exc_info()[1], KeyboardInterrupt)
        pressed: KeyboardInterrupt | None = None
        while True:
            try:
                self.give_up()
                while not self._ended.wait(_WAIT_SECONDS):
                    pass
                break
            except KeyboardInterrupt as press:
                if pressed:
                    raise
                pressed = press
        if pressed and not first:
            raise pressed

    def give_up(self) -> None:
        """abandon(), and the end of a call that has not begun."""
        self.abandon()
        with self._lock:
            if not self._running and not self._ended.is_set():
                self._finish(("error", Conflict("the call was given up before it began", "call again")))


# Calls under way. A thread that came back from a call after the interpreter's end would take the process down.
_live: set[Call] = set()


def _end_all() -> None:
    calls = [call for call in list(_live) if call._pid == os.getpid()]
    pressed: KeyboardInterrupt | None = None
    for step in [call.abandon for call in calls] + [call.end for call in calls]:
        try:
            step()
        except KeyboardInterrupt as press:
            pressed = press  # the others are waited for all the same
    if pressed:
        raise pressed


atexit.register(_end_all)


class Session:
    """An open library: of one process, for any number of threads."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._pid = os.getpid()
        self._api: Api | None = open_api()

    def call(
        self, operation: str, arguments: dict[str, Any], post: Callable[[Event], None], *, output: bool = False, stdin: Stdin = None
    ) -> Call:
        """A call, not begun. What is None in the arguments was not given."""
        if os.getpid() != self._pid:
            raise Conflict(
                f"this {self._what} was made in process {self._pid} and cannot be used in process {os.getpid()}, its fork",
                f"make a new {self._what} in the new process",
            )
        api = self._api
        if api is None:
            raise Conflict(f"this {self._what} is closed", f"make a new {self._what}")
        given = {name: value for name, value in arguments.items() if value is not None}
        return Call(api, operation, given, post, output, stdin)

    def close(self) -> None:
        """Takes no new calls; those under way go on to their end."""
        self._api = None
