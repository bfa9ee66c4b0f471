"""The package as it is installed in PYRO_TEST_PREFIX, with a library of the test's own below it."""

import os
import pathlib
import select
import signal
import sys
import threading

import pytest

PREFIX = pathlib.Path(os.environ.get("PYRO_TEST_PREFIX", "/usr/local"))
PACKAGES = PREFIX / "lib" / "python3" / "dist-packages"
sys.path.insert(0, str(PACKAGES))
# Background jobs of shell scripts start with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


class FakeApi:
    """Answers operations by functions of the test: `on["exec_vm"] = lambda call: {...}`."""

    class Call:
        def __init__(self, arguments, deliver, output, interrupt_fd, stdin_fd):
            self.arguments, self.deliver, self.output = arguments, deliver, output
            self.interrupt_fd, self.stdin_fd = interrupt_fd, stdin_fd
            self.thread = threading.current_thread()

        def interrupted(self, seconds=0):
            """Whether it was interrupted. As in the library nothing is read, so once is for good."""
            return bool(select.select([self.interrupt_fd], [], [], seconds)[0])

        def wait_for_interrupt(self):
            assert self.interrupted(60), "nobody interrupted the call"

    def __init__(self):
        self.on = {}
        self.calls = []  # (operation, arguments)

    def call(self, operation, arguments, deliver, output, interrupt_fd, stdin_fd):
        self.calls.append((operation, arguments))
        return self.on[operation](self.Call(arguments, deliver, output, interrupt_fd, stdin_fd))


@pytest.fixture
def api(monkeypatch):
    from pyro_mcp import _session

    fake = FakeApi()
    monkeypatch.setattr(_session, "open_api", lambda: fake)
    yield fake
    assert not _session._live, "a call is still under way"


@pytest.fixture
def own_folders(monkeypatch, tmp_path):
    """The real library, with records and sockets of the test's own. It starts no guest."""
    for name in ("PYRO_HOME", "PYRO_RUNTIME_DIR", "PYRO_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def wait_until(condition):
    for _ in range(3000):
        if condition():
            return
        select.select([], [], [], 0.02)
    raise AssertionError("the expected state did not come")


def waits_for_the_end_of_a_call():
    """Whether the main thread does, in Call.end()."""
    from pyro_mcp import _session

    frame = sys._current_frames()[threading.main_thread().ident]
    waits = frame.f_code is threading.Condition.wait.__code__
    while frame and frame.f_code is not _session.Call.end.__code__:
        frame = frame.f_back
    return waits and frame is not None


@pytest.fixture
def press_again():
    """Ctrl-C while a call is ended; returns when it is raised there."""
    presses = []

    def note(number, frame):
        presses.append(number)
        raise KeyboardInterrupt

    def press():
        wait_until(waits_for_the_end_of_a_call)
        before = len(presses)
        os.kill(os.getpid(), signal.SIGINT)
        wait_until(lambda: len(presses) > before)

    handler = signal.signal(signal.SIGINT, note)
    yield press
    signal.signal(signal.SIGINT, handler)
