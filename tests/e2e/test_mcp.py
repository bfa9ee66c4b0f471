"""`pyro mcp serve` on real guests: a whole session of both eras over both transports, what is cancelled ends in the
guest, what a model may name of the host, and what stays when a client goes."""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import harness
import network
import pytest
import workspaces

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "mcp"))
import client  # noqa: E402


class OverHttp:
    """A server over HTTP, asked as client.Stdio is."""

    def __init__(self, http):
        self.http, self.session, self.ids = http, {}, itertools.count(1)
        self.connection = http.connect()

    def post(self, message):
        return self.http.post(message, self.connection, **self.session)

    def initialize(self):
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "pyro-tests", "version": "1"}}
        status, headers, _ = self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        assert status == 200
        self.session = {"Mcp_Session_Id": headers["Mcp-Session-Id"]}
        self.notify("notifications/initialized")

    def notify(self, method, params=None):
        assert self.post({"jsonrpc": "2.0", "method": method, "params": params or {}})[0] == 202

    def call(self, method, params=None):
        number = next(self.ids)
        _, _, messages = self.post({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        assert messages[-1]["id"] == number
        return messages[-1]

    def modern(self, method, params=None):
        number = next(self.ids)
        params = {**(params or {}), "_meta": client.meta()}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        _, _, messages = self.http.post(message, self.connection)
        assert messages[-1]["id"] == number
        return messages[-1]


class Tools:
    """The tools of a server, called one after the other."""

    def __init__(self, server, modern=True):
        self.server, self.modern = server, modern
        if not modern:
            server.initialize()

    def answer(self, name, /, **arguments):
        params = {"name": name, "arguments": arguments}
        found = self.server.modern("tools/call", params) if self.modern else self.server.call("tools/call", params)
        assert "result" in found, found
        return found["result"]

    def __call__(self, name, /, **arguments):
        result = self.answer(name, **arguments)
        assert not result.get("isError"), result
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]


def serve(host, *words):
    return client.stdio([harness.PYRO, "mcp", "serve", *words], env=host.env, cwd=str(host.folder))


@contextlib.contextmanager
def serve_http(host, *words):
    """The URL of a server over HTTP and its token."""
    words = [harness.PYRO, "mcp", "serve", "--http", "127.0.0.1:0", *words]
    child = subprocess.Popen(words, env=host.env, cwd=host.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        token = child.stderr.readline().split()[-1]
        yield child.stderr.readline().split()[-1], token
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=client.LIMIT) == 0
        assert time.monotonic() - begin < 30
    finally:
        child.kill()
        child.wait(timeout=client.LIMIT)
        child.stderr.close()


@contextlib.contextmanager
def served(host, transport, *words):
    """A server that ends in order."""
    if transport == "stdio":
        with serve(host, *words) as server:
            yield server
            assert server.end() == 0
    else:
        with serve_http(host, *words) as (url, token):
            yield OverHttp(client.Http(url, token))


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_session_from_create_to_delete_with_a_published_port(host, era, transport):
    with served(host, transport) as server:
        call = Tools(server, era == "modern")
        created = call(
            "workspace_create", environment=harness.ENVIRONMENT, mem_mib=int(workspaces.MEM_MIB),
            network_policy="egress+published-ports", name="mcp-" + era,
        )
        space = created["workspace_id"]
        try:
            call("workspace_file_write", workspace_id=space, path="guest_server.pl", text=network.GUEST_SERVER.decode())
            ran = call("workspace_exec", workspace_id=space, command="echo out; echo err >&2; exit 3")
            assert (ran["stdout"], ran["stderr"], ran["exit_code"]) == ("out\n", "err\n", 3)
            started = call(
                "service_start", workspace_id=space, service_name="web", command=["perl", "guest_server.pl", "8080"],
                readiness={"type": "tcp", "address": "8080"}, published_ports=[{"guest_port": 8080}],
            )
            port = started["published_ports"][0]["host_port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=client.LIMIT) as page:
                assert page.status == 200
            shell = call("shell_open", workspace_id=space)["shell_id"]
            call("shell_write", workspace_id=space, shell_id=shell, input="echo from-the-$((1+1))nd-shell")
            harness.wait_until(
                lambda: "from-the-2nd-shell" in call("shell_read", workspace_id=space, shell_id=shell)["output"],
                what="the shell's answer",
            )
            assert "guest_server.pl" in json.dumps(call("workspace_diff", workspace_id=space))
            missing = call.answer("workspace_status", workspace_id="nobody")
            text = missing["content"][0]["text"]
            assert missing["isError"] and "code: not_found" in text and "next: call workspace_list" in text
        finally:
            assert call("workspace_delete", workspace_id=space)["deleted"]


def test_a_cancelled_call_ends_its_command_in_the_guest(host):
    with workspaces.one(host) as space, serve(host) as server:
        arguments = {"workspace_id": space.id, "command": ["sleep", "3000"], "timeout_seconds": 3600}
        params = {"name": "workspace_exec", "arguments": arguments, "_meta": client.meta()}
        number = server.request("tools/call", params)
        harness.wait_until(lambda: sleeps(space), what="the command's beginning")
        server.notify("notifications/cancelled", {"requestId": number})
        harness.wait_until(lambda: not sleeps(space), what="the command's end")
        assert server.modern("server/discover")["result"]  # and the server goes on
        assert server.end() == 0
        assert not [m for m in server.kept if m.get("id") == number]


def post_and_leave(http, name, arguments, **session):
    """A request over HTTP whose answer nobody has read: its connection, and the message."""
    params = {"name": name, "arguments": arguments, **({} if session else {"_meta": client.meta()})}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    connection = http.connect()
    headers = {k.replace("_", "-"): v for k, v in session.items()}
    connection.request("POST", "/mcp", json.dumps(message), http.headers(message, **headers))
    return connection


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_call_that_is_cancelled_over_http_ends_its_command_in_the_guest(host, era):
    """A closed response cancels in the newer era; in the older one a notification does, and nothing else."""
    with workspaces.one(host) as space, serve_http(host) as (url, token):
        server = OverHttp(client.Http(url, token))
        if era == "legacy":
            server.initialize()
        arguments = {"workspace_id": space.id, "command": ["sleep", "3000"], "timeout_seconds": 3600}
        connection = post_and_leave(server.http, "workspace_exec", arguments, **server.session)
        harness.wait_until(lambda: sleeps(space), what="the command's beginning")
        if era == "modern":
            connection.close()
        else:
            server.notify("notifications/cancelled", {"requestId": 7})
            response = connection.getresponse()
            assert response.status == 200 and b"data:" not in response.read()
            connection.close()
        harness.wait_until(lambda: not sleeps(space), what="the command's end")
        assert server.modern("server/discover")["result"]


def test_a_run_whose_response_is_closed_leaves_nothing(host):
    with serve_http(host) as (url, token):
        http = client.Http(url, token)
        arguments = {"environment": harness.ENVIRONMENT, "command": ["sleep", "3000"], "timeout_seconds": 3600}
        connection = post_and_leave(http, "vm_run", arguments)
        harness.wait_until(host.qemus, what="the guest's beginning")
        connection.close()
        host.assert_nothing_left()


def sleeps(space):
    return b"sleep\0003000" in space.sh("cat /proc/[0-9]*/cmdline 2>/dev/null; true")


@pytest.mark.parametrize("how", ["input", "killed"])
def test_when_the_client_goes_commands_end_and_workspaces_stay(host, how):
    with workspaces.one(host) as space, serve(host) as server:
        arguments = {"workspace_id": space.id, "command": ["sleep", "3000"], "timeout_seconds": 3600}
        server.request("tools/call", {"name": "workspace_exec", "arguments": arguments, "_meta": client.meta()})
        harness.wait_until(lambda: sleeps(space), what="the command's beginning")
        if how == "input":
            assert server.end() == 0
        else:
            server.child.send_signal(signal.SIGKILL)
            server.child.wait(timeout=client.LIMIT)
        harness.wait_until(lambda: not sleeps(space), what="the command's end")
        assert space.status()["state"] == "started"


@pytest.mark.parametrize("folder", [".", "below/it"], ids=["checkout", "folder-in-it"])
def test_the_project_seeds_a_workspace_with_what_git_tracks(host, tmp_path, folder):
    checkout = tmp_path / "checkout"
    project = checkout / folder
    project.mkdir(parents=True)
    (project / "tracked.txt").write_text("yes\n")
    (project / ".env").write_text("no\n")
    for words in (["init", "-q"], ["add", os.path.join(folder, "tracked.txt")]):
        subprocess.run(["git", "-C", checkout, *words], check=True, timeout=60)
    with serve(host, "--project-path", str(project)) as server:
        call = Tools(server)
        space = call("workspace_create", environment=harness.ENVIRONMENT, mem_mib=int(workspaces.MEM_MIB))["workspace_id"]
        try:
            listed = call("workspace_exec", workspace_id=space, command=["ls", "-A", "/workspace"])["stdout"]
            assert listed == "tracked.txt\n"
        finally:
            call("workspace_delete", workspace_id=space)
        assert server.end() == 0


def test_paths_of_the_host_lie_in_the_folders_of_the_server(host, tmp_path):
    project, private, out = (tmp_path / name for name in ("project", "private", "out"))
    for folder in (project, private, out):
        folder.mkdir()
    (project / "code").mkdir()
    (project / "code/mine.txt").write_text("mine\n")
    (private / "key").write_text("secret\n")
    (project / "link").symlink_to(private)
    with serve(host, "--project-path", str(project), "--host-path", str(out)) as server:
        call = Tools(server)
        create = {"environment": harness.ENVIRONMENT, "mem_mib": int(workspaces.MEM_MIB)}

        def denied(name, **arguments):
            text = call.answer(name, **arguments)["content"][0]["text"]
            assert "code: denied" in text and "--host-path" in text and "ask the user" in text, text

        for path in (private, project / "link", project / "../private", "/etc"):
            denied("workspace_create", **create, seed_path=str(path))
        denied("workspace_create", **create, secrets=[{"name": "KEY", "file_path": str(private / "key")}])
        denied("workspace_create", **create, policy_file=str(private / "key"))
        denied("vm_run", environment=harness.ENVIRONMENT, command="true", policy_file="/etc/hostname")
        space = call("workspace_create", **create, seed_path=str(project / "code/."))["workspace_id"]
        try:
            denied("workspace_sync_push", workspace_id=space, source_path=str(project / "link"))
            denied("workspace_export", workspace_id=space, path="mine.txt", output_path=str(private / "new"))
            denied("workspace_export", workspace_id=space, path="mine.txt", output_path=str(project / "link/new"))
            call("workspace_export", workspace_id=space, path="mine.txt", output_path=str(out / "copy.txt"))
            # What a guest made is exported as it is, and leads no further than any other link.
            call("workspace_exec", workspace_id=space, command=["ln", "-s", str(private), "way-out"])
            call("workspace_export", workspace_id=space, path="way-out", output_path=str(out / "way-out"))
            denied("workspace_sync_push", workspace_id=space, source_path=str(out / "way-out"))
        finally:
            call("workspace_delete", workspace_id=space)
        assert (out / "copy.txt").read_text() == "mine\n" and sorted(os.listdir(private)) == ["key"]
        assert server.end() == 0


def test_ids_of_what_is_gone_say_what_to_call(host):
    with serve(host) as server:
        call = Tools(server)

        def gone(following, name, **arguments):
            result = call.answer(name, **arguments)
            text = result["content"][0]["text"]
            assert result["isError"] and "code: not_found" in text and f"next: call {following}" in text, text

        machine = {"environment": harness.ENVIRONMENT, "mem_mib": int(workspaces.MEM_MIB)}
        vm = call("vm_create", **machine)["vm_id"]
        call("vm_start", vm_id=vm)
        call("vm_exec", vm_id=vm, command="true")
        for name in ("vm_status", "vm_start", "vm_stop", "vm_delete"):
            gone("vm_create", name, vm_id=vm)
        space = call("workspace_create", **machine)["workspace_id"]
        shell = call("shell_open", workspace_id=space)["shell_id"]
        call("service_start", workspace_id=space, service_name="idle", command="sleep 3000")
        call("workspace_reset", workspace_id=space)
        gone("shell_list", "shell_write", workspace_id=space, shell_id=shell, input="x")
        gone("service_list", "service_logs", workspace_id=space, service_name="idle")
        call("workspace_delete", workspace_id=space)
        gone("workspace_list", "workspace_exec", workspace_id=space, command="true")
        gone("workspace_list", "workspace_delete", workspace_id=space)
        assert server.end() == 0


def test_a_thousand_calls_of_eight_clients_are_answered_each(host):
    """Six clients over HTTP and two with servers of their own; every answer names what its request did."""
    def ask(server, who):
        call = Tools(server)
        for n in range(125):
            if n % 5 == 0:
                ran = call("workspace_exec", workspace_id=space.id, command=["echo", f"{who}-{n}"])
                assert ran["stdout"] == f"{who}-{n}\n"
            elif n % 5 == 1:
                text = call.answer("workspace_status", workspace_id=f"nobody-{who}-{n}")["content"][0]["text"]
                assert f"nobody-{who}-{n}" in text
            elif n % 5 == 2:
                assert server.modern("tools/list")["result"]["tools"]
            elif n % 5 == 3:
                assert call("workspace_status", workspace_id=space.id)["workspace_id"] == space.id
            else:
                call("workspace_file_write", workspace_id=space.id, path=f"{who}.txt", text=str(n))
                assert call("workspace_file_read", workspace_id=space.id, path=f"{who}.txt")["content"] == str(n)
        return who

    with workspaces.one(host) as space, serve_http(host) as (url, token), serve(host) as one, serve(host) as two:
        servers = [one, two, *(OverHttp(client.Http(url, token)) for _ in range(6))]
        with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
            done = list(pool.map(ask, servers, range(len(servers))))
        assert done == list(range(8))
        assert len(space.logs()) == 8 * 25
        assert (one.end(), two.end()) == (0, 0)


def test_resources_of_a_workspace(host):
    with workspaces.one(host) as space, serve(host) as server:
        space.sh("echo seen-in-the-log")
        uris = [r["uri"] for r in server.modern("resources/list")["result"]["resources"]]
        assert f"pyro://workspaces/{space.id}/logs" in uris
        for uri in uris:
            read = server.modern("resources/read", {"uri": uri})
            assert json.loads(read["result"]["contents"][0]["text"]), read
        logs = server.modern("resources/read", {"uri": f"pyro://workspaces/{space.id}/logs"})["result"]
        assert "seen-in-the-log" in logs["contents"][0]["text"]
        ref = {"type": "ref/resource", "uri": "pyro://workspaces/{workspace_id}/logs"}
        params = {"ref": ref, "argument": {"name": "workspace_id", "value": space.id[:3]}}
        assert space.id in server.modern("completion/complete", params)["result"]["completion"]["values"]
        assert server.end() == 0


def test_a_run_says_how_far_it_is(host):
    with serve(host, "--profile", "vm-run") as server:
        assert [t["name"] for t in server.modern("tools/list")["result"]["tools"]] == ["vm_run"]
        params = {
            "name": "vm_run",
            "arguments": {"environment": harness.ENVIRONMENT, "command": "echo hello"},
            "_meta": client.meta(progressToken="p"),
        }
        number = server.request("tools/call", params)
        assert server.answer(number)["result"]["structuredContent"]["stdout"] == "hello\n"
        steps = [m["params"] for m in server.kept if m.get("method") == "notifications/progress"]
        values = [s["progress"] for s in steps]
        assert values and values == sorted(set(values)) and all(s["message"] for s in steps)
        assert server.end() == 0


def test_a_long_call_is_heard_of_until_it_ends(host):
    """Clients give a request up after a minute without progress; nothing tells it of a command but time."""
    with workspaces.one(host) as space, serve(host) as server:
        arguments = {"workspace_id": space.id, "command": "while [ ! -e done ]; do sleep 0.1; done", "timeout_seconds": 300}
        params = {"name": "workspace_exec", "arguments": arguments, "_meta": client.meta(progressToken="p")}
        number = server.request("tools/call", params)
        steps = []
        while len([s for s in steps if "so far" in s["message"]]) < 2:
            steps.append(server.next(lambda m: m.get("method") == "notifications/progress")["params"])
        space.sh("touch done")
        assert server.answer(number)["result"]["structuredContent"]["exit_code"] == 0
        values = [s["progress"] for s in steps]
        assert values == sorted(set(values)) and steps[-1]["message"].startswith("execute, ")
        assert server.end() == 0


def test_http_needs_the_token_that_was_printed(host):
    with serve_http(host) as (url, token):
        assert client.Http(url).modern("server/discover")[0] == 401
        assert client.Http(url, token).modern("tools/list")[0] == 200


def test_install_writes_what_starts_this_very_server(host):
    config = host.folder / "mcp.json"
    config.write_text('{"mcpServers": {"other": {"command": "x"}}}\n')
    done = host.pyro("mcp", "install", "cursor", "--config", str(config), "--profile", "workspace-core")
    assert done.code == 0, done
    servers = json.loads(config.read_text())["mcpServers"]
    assert servers["other"] == {"command": "x"}
    with client.stdio([servers["pyro"]["command"], *servers["pyro"]["args"]], env=host.env, cwd=os.fspath(host.folder)) as server:
        assert len(server.modern("tools/list")["result"]["tools"]) == 16
        assert server.end() == 0
