"""Fixtures of the end-to-end tests. They run the pyro that is installed in PYRO_TEST_PREFIX."""

import os
import pathlib
import shutil
import signal
import tempfile

import harness
import pytest

# Background jobs of shell scripts start with SIGINT ignored, and so would every pyro started here.
# A handler becomes the default again at exec.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def host():
    """This user's pyro with debian:12 installed and its template built; at the end nothing is left.

    Environments are kept from session to session, unless PYRO_TEST_FRESH_PULL=1 asks for an empty cache.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pyro-e2e-", dir="/tmp"))
    cache = None
    try:
        if os.environ.get("PYRO_TEST_FRESH_PULL") == "1":
            cache = tempfile.mkdtemp(prefix="pyro-e2e-cache-", dir="/var/tmp")
        host = harness.Host(folder, cache=cache)
        pulled = host.pyro("env", "pull", harness.ENVIRONMENT, timeout=540)
        assert pulled.code == 0, pulled
        first = host.run("true")
        assert first.code == 0, first
        yield host
        host.assert_nothing_left()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if cache:
            shutil.rmtree(cache, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean(host):
    """Each test leaves nothing behind."""
    yield
    host.assert_nothing_left()


@pytest.fixture
def private(host):
    """The same with a cache of its own: debian:12 is in it, a template is not."""
    cache = tempfile.mkdtemp(prefix="pyro-e2e-cache-", dir="/var/tmp")
    try:
        own = harness.copy_environment(host, cache)
        yield own
        own.assert_nothing_left()
    finally:
        shutil.rmtree(cache, ignore_errors=True)


@pytest.fixture
def short_tmp():
    folder = tempfile.mkdtemp(prefix="pyro-e2e-", dir="/tmp")
    yield pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
