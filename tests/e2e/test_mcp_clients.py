"""The official clients of MCP with `pyro mcp serve`: a whole session, as their users would have it."""

import json
import pathlib
import shutil
import subprocess
import sys

import harness
import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "mcp"))
import npm  # noqa: E402

TYPESCRIPT = "@modelcontextprotocol/client@2.4.0"
PYTHON = "mcp==1.30.0"


@pytest.mark.parametrize(("mode", "era"), [("auto", "modern"), ("legacy", "legacy")])
def test_the_typescript_client_has_a_workspace_with_a_published_port(host, tmp_path, mode, era):
    node, _ = npm.installed(tmp_path, TYPESCRIPT)
    script = shutil.copy(HERE / "mcp_session.mjs", tmp_path)
    words = [node, script, mode, harness.ENVIRONMENT, harness.PYRO, "mcp", "serve"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=host.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["era"], found["stdout"]) == (era, "hello from the guest\n")
    assert (found["page"], found["logs"], found["deleted"]) == ("served", True, True)
    assert found["tools"] > 40 and found["steps"] > 0


PYTHON_SESSION = """
import asyncio, json, sys, urllib.request
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SERVE = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;"
    r'while (my $c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nserved"; close $c }'
)

async def main(environment, command, *args):
    import os
    parameters = StdioServerParameters(command=command, args=list(args), env=dict(os.environ))
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        async def call(name, **arguments):
            result = await session.call_tool(name, arguments)
            assert not result.isError, result.content[0].text
            return result.structuredContent
        created = await call(
            "workspace_create", environment=environment, mem_mib=256, network_policy="egress+published-ports"
        )
        space = created["workspace_id"]
        try:
            ran = await call("workspace_exec", workspace_id=space, command="echo hello from the guest")
            service = await call(
                "service_start", workspace_id=space, service_name="web", command=["perl", "-e", SERVE],
                readiness={"type": "tcp", "address": "8080"}, published_ports=[{"guest_port": 8080}],
            )
            port = service["published_ports"][0]["host_port"]
            page = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/").read().decode())
        finally:
            deleted = await call("workspace_delete", workspace_id=space)
        found = {"tools": len(tools), "stdout": ran["stdout"], "page": page, "deleted": deleted["deleted"]}
        print(json.dumps(found))

asyncio.run(main(*sys.argv[1:]))
"""


def test_the_python_client_has_a_workspace_with_a_published_port(host, tmp_path):
    python = tmp_path / "venv/bin/python"
    for words in ([sys.executable, "-m", "venv", tmp_path / "venv"], [python, "-m", "pip", "install", "-q", PYTHON]):
        made = subprocess.run(words, capture_output=True, text=True, timeout=280)
        if made.returncode != 0:
            pytest.skip(f"the Python client could not be installed: {(made.stdout + made.stderr).strip()[-300:]}")
    words = [python, "-c", PYTHON_SESSION, harness.ENVIRONMENT, harness.PYRO, "mcp", "serve"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=host.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["stdout"], found["page"], found["deleted"]) == ("hello from the guest\n", "served", True)
    assert found["tools"] > 40
