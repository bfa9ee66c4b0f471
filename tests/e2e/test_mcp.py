"""`pyro mcp serve` on real guests: a whole session of both eras, what is cancelled ends in the guest,
and what stays when a client goes."""

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


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_session_from_create_to_delete_with_a_published_port(host, era):
    with serve(host) as server:
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
        assert server.end() == 0


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


def sleeps(space):
    return b"sleep\0003000" in space.sh("cat /proc/[0-9]*/cmdline")


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


def test_the_project_seeds_a_workspace_with_what_git_tracks(host):
    project = host.folder / "project"
    project.mkdir()
    (project / "tracked.txt").write_text("yes\n")
    (project / "other.txt").write_text("no\n")
    for words in (["init", "-q"], ["add", "tracked.txt"]):
        subprocess.run(["git", "-C", project, *words], check=True, timeout=60)
    with serve(host, "--project-path", str(project)) as server:
        call = Tools(server)
        space = call("workspace_create", environment=harness.ENVIRONMENT, mem_mib=int(workspaces.MEM_MIB))["workspace_id"]
        try:
            listed = call("workspace_exec", workspace_id=space, command=["ls", "/workspace"])["stdout"]
            assert listed == "tracked.txt\n"
        finally:
            call("workspace_delete", workspace_id=space)
        assert server.end() == 0


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


def test_http_needs_the_token_that_was_printed(host):
    words = [harness.PYRO, "mcp", "serve", "--http", "127.0.0.1:0"]
    child = subprocess.Popen(words, env=host.env, cwd=host.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        token = child.stderr.readline().split()[-1]
        url = child.stderr.readline().split()[-1]
        assert client.Http(url).modern("server/discover")[0] == 401
        assert client.Http(url, token).modern("tools/list")[0] == 200
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=client.LIMIT) == 0
        assert time.monotonic() - begin < 10
    finally:
        child.kill()
        child.wait(timeout=client.LIMIT)
        child.stderr.close()


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
