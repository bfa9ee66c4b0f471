"""The conformance suite of MCP against the fixture server: its required server scenarios, of both eras.

The suite comes from the npm registry, in the version named here.
"""

import re
import subprocess

import client
import npm
import pytest

PACKAGE = "@modelcontextprotocol/conformance"
VERSION = "0.2.0-alpha.12"
REQUIRED = {"2026-07-28": 37, "2025-11-25": 30}
RUN_LIMIT = 240


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """(node, the suite's program)"""
    node, modules = npm.installed(tmp_path_factory.mktemp("conformance"), f"{PACKAGE}@{VERSION}")
    return node, modules / PACKAGE / "dist/index.js"


@pytest.mark.timeout(npm.INSTALL_LIMIT + RUN_LIMIT)
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
    assert block, listing[:500]
    return {line.strip()[2:] for line in block.group(1).splitlines()}
