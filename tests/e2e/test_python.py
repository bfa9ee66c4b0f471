"""pyro_mcp on real guests: a session in a workspace, Ctrl-C, asyncio, the guide and the examples."""

import asyncio
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import harness
import network
import pytest

PACKAGES = harness.PREFIX / "lib" / "python3" / "dist-packages"
sys.path.insert(0, str(PACKAGES))
import pyro_mcp  # noqa: E402
from pyro_mcp import errors  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "embedding-python.md"
EXAMPLES = sorted((ROOT / "examples" / "python").glob("*.py"))
MEM_MIB = 256
TRAP = "trap 'echo bye; exit 7' INT; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def settings(host, monkeypatch):
    """This process has the settings of the session's host."""
    for name, value in host.env.items():
        if name.startswith(("PYRO_", "XDG_")):
            monkeypatch.setenv(name, value)


@pytest.fixture
def pyro(settings):
    with pyro_mcp.Pyro() as pyro:
        yield pyro


def test_run_in_vm(pyro):
    done = pyro.run_in_vm("debian:12", command=["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in", mem_mib=MEM_MIB)
    assert (done["stdout"], done["stderr"], done["exit_code"]) == ("in", "err\n", 3)
    assert done["cleanup"]["deleted"] is True
    refused = pyro.run_in_vm("debian:12", command="true", mem_mib=MEM_MIB, net_allow=["example.com:443"])
    assert refused["refused"] == []


def test_the_life_of_a_vm(pyro):
    vm = pyro.create_vm("debian:12", mem_mib=MEM_MIB)["vm_id"]
    assert pyro.start_vm(vm)["state"] == "started"
    assert pyro.network_info_vm(vm)["network_enabled"] is False
    with pyro.stream_exec_vm(vm, command="seq 20000") as stream:
        output = b"".join(chunk.data for chunk in stream if chunk.stream == "stdout")
    assert output.split() == [b"%d" % n for n in range(1, 20001)]
    assert stream.result["exit_code"] == 0
    with pytest.raises(errors.NotFound):
        pyro.status_vm(vm)


def test_the_network_of_a_vm(pyro):
    vm = pyro.create_vm("debian:12", mem_mib=MEM_MIB, net_allow=["192.0.2.1:80"])["vm_id"]
    try:
        pyro.start_vm(vm)
        info = pyro.network_info_vm(vm)
        assert (info["vm_id"], info["network_enabled"], info["engine"]) == (vm, True, "userspace")
        live = info["live"]
        assert (live["running"], live["error"], live["restarts"]) == (True, None, 0)
        assert [address["guest"] for address in live["addresses"]] == ["10.255.255.2", "fd70:7972:6f00::2"]
        assert len(live["policy_hash"]) == 64
        assert live["sizes"]["tcp"] == 0 and live["counters"]["refused"] == 0
    finally:
        assert pyro.delete_vm(vm)["state"] == "deleted"


def test_a_session_in_a_workspace(pyro, tmp_path):
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed" / "a.txt").write_text("one\n")
    secrets = [{"name": "TOKEN", "value": "correct-horse"}]
    with pyro.workspace("debian:12", mem_mib=MEM_MIB, seed_path=tmp_path / "seed", secrets=secrets, labels={"k": "v"}) as space:
        assert space.info["labels"] == {"k": "v"} and space.info["secrets"] == [{"name": "TOKEN", "source_kind": "literal"}]

        done = space.exec(command=["sh", "-c", "echo $T; cat a.txt"], secret_env={"TOKEN": "T"}, env={"X": "y"})
        assert done["stdout"] == "[redacted:TOKEN]\none\n"
        assert "correct-horse" not in str(space.logs())

        space.write_file("a.txt", text="two\n")
        assert "-one\n+two\n" in space.diff()["patch"]
        space.create_snapshot("two")
        space.export("a.txt", output_path=tmp_path / "out.txt")
        assert (tmp_path / "out.txt").read_text() == "two\n"

        space.reset()
        assert space.read_file("a.txt")["content"] == "one\n"
        space.reset(snapshot="two")
        assert space.read_file("a.txt")["content"] == "two\n"
        with pytest.raises(errors.NotFound, match="nothing"):
            space.read_file("nothing")
        with pytest.raises(errors.NotFound):
            space.reset(snapshot="never")

        done = space.exec(command="sleep 60", timeout_seconds=1)
        assert done["timed_out"] is True and done["exit_code"] == 124
    assert pyro.list_workspaces()["workspaces"] == []


def test_a_shell(pyro):
    with pyro.workspace("debian:12", mem_mib=MEM_MIB) as space:
        shell = space.open_shell()["shell_id"]
        space.write_shell(shell, input="echo $((6 * 7))")
        seen, cursor = "", 0
        while "42" not in seen:
            read = space.read_shell(shell, cursor=cursor, plain=True, wait_for_idle_ms=100)
            seen, cursor = seen + read["output"], read["next_cursor"]
        space.signal_shell(shell, signal_name="INT")
        assert space.close_shell(shell)["shell_id"] == shell


def test_a_service_with_a_published_port(pyro):
    with pyro.workspace("debian:12", mem_mib=MEM_MIB, network_policy="egress+published-ports") as space:
        service = space.start_service(
            "web",
            command="exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9) or die; "
            'while ($c = $s->accept) { while (<$c>) { last if /^\\r/ } print $c "HTTP/1.0 200 OK\\r\\n\\r\\npublished\\n"; close $c }\'',
            readiness={"type": "tcp", "address": "8080"},
            ready_interval_ms=50,
            published_ports=[{"guest_port": 8080}],
        )
        assert service["state"] == "running" and service["ready_at"] is not None
        port = service["published_ports"][0]["host_port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=network.PATIENCE) as answer:
            assert answer.read() == b"published\n"
        assert space.stop_service("web")["state"] == "stopped"
        with pytest.raises(errors.DeadlineExceeded):
            space.start_service("never", command="sleep 60", readiness={"type": "file", "path": "x"}, ready_timeout_seconds=1)


def test_ctrl_c_ends_the_command_in_the_guest(pyro):
    with pyro.workspace("debian:12", mem_mib=MEM_MIB) as space:
        with pytest.raises(KeyboardInterrupt), space.stream_exec(command=TRAP, timeout_seconds=600) as stream:
            assert next(stream).data == b"ready\n"
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
            list(stream)
        entry = space.logs()["entries"][-1]
        assert entry["exit_code"] == 7 and entry["stdout"] == "ready\nbye\n"
        assert space.exec(command="echo on")["stdout"] == "on\n"


def test_a_command_that_ignores_ctrl_c_is_killed(pyro):
    with pyro.workspace("debian:12", mem_mib=MEM_MIB) as space:
        with space.stream_exec(command="trap '' INT; echo ready; while :; do sleep 0.1; done", timeout_seconds=600) as stream:
            assert next(stream).data == b"ready\n"
        running = space.exec(command="cat /proc/[0-9]*/comm 2>/dev/null; true")["stdout"].split()
        assert "sh" in running and "sleep" not in running


def test_asyncio_and_cancellation(settings):
    async def main():
        async with pyro_mcp.AsyncPyro() as pyro, pyro.workspace("debian:12", mem_mib=MEM_MIB) as space:
            found = await asyncio.gather(*(space.exec(command=f"echo {n}") for n in range(4)))
            assert [done["stdout"] for done in found] == [f"{n}\n" for n in range(4)]
            stream = space.stream_exec(command=TRAP, timeout_seconds=600)
            assert (await stream.__anext__()).data == b"ready\n"
            task = asyncio.create_task(stream.result())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return (await space.logs())["entries"][-1]

    entry = asyncio.run(main())
    assert entry["exit_code"] == 7 and entry["stdout"] == "ready\nbye\n"


BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)


def test_the_code_of_the_guide_runs(host):
    assert len(BLOCKS) > 5
    done = run_python(host, "-c", "\n".join(BLOCKS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the command was interrupted, and has ended" in done.stdout


SHOWN = {
    "run.py": ["git version", "stdout: '1\\n", "exit code 3"],
    "typed_readiness.py": ["state: running", "the host reads: ready to be used"],
    "workspace_session.py": ["+goodbye", "lines taken out: 100", "as it began: hello", "as it was kept: goodbye"],
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(host, example):
    done = run_python(host, example)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in SHOWN[example.name]:
        assert words in done.stdout, done.stdout


def run_python(host, *words):
    env = {**host.settings({"PYTHONPATH": PACKAGES}), "PYTHONUNBUFFERED": "1"}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300, env=env, cwd="/", check=False)


def test_a_process_that_ends_takes_its_command_with_it(host):
    script = f"""
import pyro_mcp
pyro = pyro_mcp.Pyro()
stream = pyro.stream_run_in_vm("debian:12", mem_mib={MEM_MIB}, command="echo ready; sleep 600", timeout_seconds=600)
print(next(stream).text, end="", flush=True)
"""
    done = run_python(host, "-c", script)
    assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr
    host.assert_nothing_left()
