"""Fixtures of the network tests: the kernel is the guest, the engine is real, the world is a namespace."""

import atexit
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bad_link  # noqa: E402
import world as worlds  # noqa: E402


# An ordinary user is root here, and pytest would look for root's own folder.
TEMPORARY = tempfile.mkdtemp(prefix="pyro-net-")
os.environ["PYTEST_DEBUG_TEMPROOT"] = TEMPORARY
# After pytest has tidied up there.
atexit.register(shutil.rmtree, TEMPORARY, ignore_errors=True)


@pytest.fixture(scope="session")
def world():
    devices = set(os.listdir("/proc/sys/net/ipv4/conf")) - {"all", "default"}
    if devices != {"lo"}:
        pytest.fail("these tests need a network namespace of their own: run ./dev/test --fast, or tests/net/sandbox pytest ...")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as e:
        pytest.skip(f"/dev/net/tun: {e.strerror}")
    made = worlds.World()
    yield made
    made.close()


@pytest.fixture(scope="session")
def far(world):
    """Hosts of the world behind a link that is as bad as a test wants it."""
    made = bad_link.Link(world)
    yield made
    made.close()
