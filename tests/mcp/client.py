"""Clients of MCP for tests: over standard input and output, and over HTTP."""

import contextlib
import http.client
import json
import os
import pathlib
import queue
import subprocess
import threading

MODERN = "2026-07-28"
LIMIT = 60  # seconds for whatever is waited for
META = "io.modelcontextprotocol/"


def fixture_server():
    """The program that the tests talk to; tests/CMakeLists.txt builds it."""
    default = pathlib.Path(__file__).parents[2] / "build/ci/tests/mcp_fixture_server"
    return os.environ.get("PYRO_MCP_FIXTURES", str(default))


def meta(capabilities=None, version=MODERN, **more):
    return {
        META + "protocolVersion": version,
        META + "clientCapabilities": capabilities or {},
        META + "clientInfo": {"name": "pyro-tests", "version": "1"},
        **more,
    }


class Stdio:
    """A server that this test started, with every message that came from it."""

    def __init__(self, words, env=None, **popen):
        self.child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, **popen
        )
        self.messages = queue.Queue()
        self.kept = []
        self.ids = iter(range(1, 10**9))
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.messages.put(json.loads(line))
        self.messages.put(None)

    def send(self, message):
        self.send_line(json.dumps(message).encode())

    def send_line(self, line):
        with self.lock:
            self.child.stdin.write(line + b"\n")
            self.child.stdin.flush()

    def next(self, wanted=lambda message: True):
        """The first message not taken yet that is wanted."""
        for n, message in enumerate(self.kept):
            if wanted(message):
                return self.kept.pop(n)
        while True:
            message = self.messages.get(timeout=LIMIT)
            assert message is not None, f"the server ended: {self.child.stderr.read()[-2000:]}"
            if wanted(message):
                return message
            self.kept.append(message)

    def answer(self, number):
        return self.next(lambda m: m.get("id") == number and "method" not in m)

    def request(self, method, params=None, number=None):
        number = next(self.ids) if number is None else number
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return number

    def call(self, method, params=None):
        return self.answer(self.request(method, params))

    def modern(self, method, params=None, capabilities=None, **more):
        return self.call(method, {**(params or {}), "_meta": meta(capabilities, **more)})

    def initialize(self, capabilities=None, version="2025-11-25"):
        params = {
            "protocolVersion": version,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "pyro-tests", "version": "1"},
        }
        answer = self.call("initialize", params)
        self.notify("notifications/initialized")
        return answer["result"]

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def end(self):
        """Closes the input; the exit code."""
        self.child.stdin.close()
        code = self.child.wait(timeout=LIMIT)
        self.reader.join(timeout=LIMIT)
        return code


@contextlib.contextmanager
def stdio(words=None, **more):
    server = Stdio(words or [fixture_server()], **more)
    try:
        yield server
    finally:
        if server.child.poll() is None:
            server.child.kill()
        server.child.wait(timeout=LIMIT)
        server.reader.join(timeout=LIMIT)
        for stream in (server.child.stdin, server.child.stdout, server.child.stderr):
            with contextlib.suppress(OSError):
                stream.close()


class Http:
    """One client of a server at a URL, of either era."""

    def __init__(self, url, token=None):
        self.host = url.split("/")[2]
        self.token = token

    def connect(self):
        return http.client.HTTPConnection(self.host, timeout=LIMIT)

    def headers(self, message, **more):
        found = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self.token:
            found["Authorization"] = f"Bearer {self.token}"
        params = message.get("params", {})
        if META + "protocolVersion" in params.get("_meta", {}):
            found["MCP-Protocol-Version"] = params["_meta"][META + "protocolVersion"]
            found["Mcp-Method"] = message["method"]
            name = params.get("name", params.get("uri"))
            if isinstance(name, str):
                found["Mcp-Name"] = name
        return {k: v for k, v in {**found, **more}.items() if v is not None}

    def post(self, message, connection=None, method="POST", body=None, **headers):
        """(status, headers, messages) of one request."""
        mine = connection or self.connect()
        try:
            text = json.dumps(message) if body is None else body
            names = {k.replace("_", "-"): v for k, v in headers.items()}
            mine.request(method, "/mcp", text if method == "POST" else None, self.headers(message, **names))
            response = mine.getresponse()
            return response.status, dict(response.getheaders()), messages_of(response)
        finally:
            if connection is None:
                mine.close()

    def modern(self, method, params=None, number=1, **headers):
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**(params or {}), "_meta": meta()}}
        return self.post(message, **headers)


def messages_of(response):
    text = response.read().decode()
    if "text/event-stream" in response.getheader("Content-Type", ""):
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(text)] if text else []


@contextlib.contextmanager
def http_server(*words):
    """The URL of a fixture server."""
    child = subprocess.Popen([fixture_server(), "--http", "127.0.0.1:0", *words], stdout=subprocess.PIPE, text=True)
    try:
        url = child.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
    finally:
        child.terminate()
        assert child.wait(timeout=LIMIT) == 0
        child.stdout.close()
