"""What a call of a tool costs over MCP, and that many at once keep apart."""

import contextlib
import http.client
import json
import subprocess
import threading
import time

import workspace
from report import BenchError, Figure, median, spread

NAME = "mcp-calls"
ABOUT = "`pyro mcp serve`: a tool call and the list of tools over stdio; 1,000 mixed calls from 8 clients over HTTP"
STATUS_MS, LIST_MS = 2, 1
CLIENTS, CALLS = 8, 1000
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIMIT = 60


def message(number, method, params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": META}}


def status_of(space):
    return "tools/call", {"name": "workspace_status", "arguments": {"workspace_id": space}}


class Stdio:
    def __init__(self, env):
        self.child = workspace.start(["pyro", "mcp", "serve"], env)
        self.number = 0

    def call(self, method, params):
        """(milliseconds, the answer)"""
        self.number += 1
        line = json.dumps(message(self.number, method, params)).encode() + b"\n"
        begin = time.monotonic()
        self.child.stdin.write(line)
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        ms = (time.monotonic() - begin) * 1000
        found = json.loads(answer or b"{}")
        if found.get("id") != self.number or "result" not in found:
            raise BenchError(f"{method} was answered with {answer[:300]}")
        return ms, found["result"]


def timed(client, count, method, params):
    for _ in range(5):
        client.call(method, params)
    return [client.call(method, params)[0] for _ in range(count)]


@contextlib.contextmanager
def http_server(env):
    child = workspace.start(["pyro", "mcp", "serve", "--http", "127.0.0.1:0"], env, stderr=subprocess.PIPE)
    try:
        token = child.stderr.readline().decode().split()[-1]
        url = child.stderr.readline().decode().split()[-1]
        yield url.split("/")[2], token
    finally:
        child.terminate()
        child.communicate(timeout=LIMIT)


def one_client(number, where, token, spaces, found):
    """Its share of the calls, one after the other: what is wrong with each answer, or None."""
    connection = http.client.HTTPConnection(where, timeout=LIMIT)
    for n in range(CALLS // CLIENTS):
        mine = number * CALLS + n
        space = spaces[mine % len(spaces)]
        kinds = [status_of(space), ("tools/list", {}), ("resources/read", {"uri": f"pyro://workspaces/{space}/status"})]
        method, params = kinds[n % 3]
        try:
            found.append(problem(connection, token, message(mine, method, params), space))
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            found.append(repr(error))
    connection.close()


def problem(connection, token, asked, space):
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": asked["method"],
    }
    name = asked["params"].get("name", asked["params"].get("uri"))
    if name:
        headers["Mcp-Name"] = name
    connection.request("POST", "/mcp", json.dumps(asked), headers)
    answer = json.loads(connection.getresponse().read())
    if answer["id"] != asked["id"]:
        return "crossed"
    result = answer["result"]
    if asked["method"] == "tools/list":
        return None if result["tools"] else "empty"
    text = result["content" if "content" in result else "contents"][0]["text"]
    return None if json.loads(text)["workspace_id"] == space else "crossed"


def many(env, spaces):
    found = []
    with http_server(env) as (where, token):
        begin = time.monotonic()
        threads = [threading.Thread(target=one_client, args=(n, where, token, spaces, found)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begin
    wrong = [f for f in found if f is not None] + ["lost"] * (CALLS - len(found))
    return wrong, seconds


def run(options):
    count = options.count(300, quick=50)
    with workspace.home() as env:
        spaces = [workspace.create(f"mcp-{n}", env, mem_mib="256").id_of() for n in range(2)]
        client = Stdio(env)
        try:
            status = timed(client, count, *status_of(spaces[0]))
            tools = timed(client, count, "tools/list", {})
        finally:
            client.child.stdin.close()
            client.child.wait(timeout=LIMIT)
            client.child.stdout.close()
        wrong, seconds = many(env, spaces)
    return [
        Figure("workspace_status over stdio", median(status), "ms", STATUS_MS, spread(status, 2), status),
        Figure("tools/list over stdio", median(tools), "ms", LIST_MS, spread(tools, 2), tools),
        Figure(f"of {CALLS} calls from {CLIENTS} clients lost or crossed", len(wrong), "", 0, "; ".join(sorted(set(wrong)))[:200]),
        Figure(f"{CALLS} calls from {CLIENTS} clients", seconds * 1000, "ms"),
    ]
