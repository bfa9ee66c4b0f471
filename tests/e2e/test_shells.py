"""Shells: programs on a terminal that outlive the command that opened them."""

import concurrent.futures
import json
import os
import re
import signal
import time

import harness
import pytest
import workspaces
from harness import ending, finish, read_until
from workspaces import ok

SECRET = "s3cr3t-value-of-the-test"


@pytest.fixture(scope="module")
def shared(host):
    """One for all tests that leave its machine alone."""
    with workspaces.one(host, "--name", "shells", "--secret", f"TOKEN={SECRET}", keep=True) as workspace:
        yield workspace


@pytest.fixture
def shell(shared):
    """A shell without a prompt that has said that it is there; closed afterwards."""
    with opened(shared) as it:
        yield it


class Shell:
    def __init__(self, workspace, *options):
        self.workspace = workspace
        self.opened = workspace.json("shell open", *options)
        self.id = self.opened["shell_id"]
        self.cursor = 0

    def pyro(self, command, *words, **kwargs):
        return self.workspace.pyro(f"shell {command}", self.id, *words, **kwargs)

    def json(self, command, *words, **kwargs):
        return ok(self.pyro(command, *words, "--json", **kwargs)).json

    def write(self, text, *options):
        return self.json("write", "--input", text, *options)

    def read(self, *options):
        """What was printed since the last read."""
        got = self.json("read", "--cursor", str(self.cursor), *options)
        self.cursor = got["next_cursor"]
        return got["output"]

    def read_until(self, wanted):
        """The output up to something; the terminal's own sequences are left out."""
        seen = []

        def found():
            seen.append(self.read("--plain"))
            return wanted in "".join(seen)

        harness.wait_until(found, bound=60, what=f"{wanted!r} in the shell")
        return "".join(seen)

    def state(self):
        (row,) = [s for s in self.workspace.json("shell list")["shells"] if s["shell_id"] == self.id]
        return row

    def wait_stopped(self):
        harness.wait_until(lambda: self.state()["state"] == "stopped", bound=30, what="the end of the shell")
        return self.state()


class opened:  # noqa: N801
    def __init__(self, workspace, *options):
        self.workspace, self.options = workspace, options

    def __enter__(self):
        self.shell = Shell(self.workspace, *self.options)
        # Written in two pieces, so that the echo of the line is not taken for its output.
        self.shell.write("PS1= PS2=; bind 'set enable-bracketed-paste off'; echo it-is-'ready'")
        self.shell.read_until("it-is-ready\n")
        return self.shell

    def __exit__(self, *_):
        self.workspace.pyro("shell close", self.shell.id)


def processes(workspace):
    return workspace.sh("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done").decode()


def wait_for_process(workspace, command):
    harness.wait_until(lambda: f"\n{command} \n" in processes(workspace), what=command)


# ---- open, write, read


def test_a_shell_keeps_its_state_between_commands(shell):
    shell.write("cd /tmp; there=value; f() { echo \"$there in $PWD\"; }")
    shell.write("f")
    assert "value in /tmp\n" in shell.read_until("in /tmp\n")


def test_open_says_what_it_opened(shared):
    it = Shell(shared, "--cwd", "/tmp", "--cols", "77", "--rows", "11")
    try:
        expected = {"cwd": "/tmp", "cols": 77, "rows": 11, "state": "running", "ended_at": None, "exit_code": None}
        assert expected.items() <= it.opened.items()
        assert re.fullmatch(r"shell-\d+", it.id)
        it.write("stty size; pwd")
        text = it.read_until("/tmp\n")
        assert "11 77\n" in text
        assert it.json("resize", "--cols", "90", "--rows", "20")["cols"] == 90
        it.write("stty size")
        it.read_until("20 90\n")
    finally:
        ok(it.pyro("close"))


def test_id_only(shared):
    done = ok(shared.pyro("shell open", "--id-only"))
    assert re.fullmatch(rb"shell-\d+\n", done.out)
    ok(shared.pyro("shell close", done.out.decode().strip()))


def test_text_output(shell):
    done = ok(shell.pyro("write", "--input", "echo a-'line'"))
    assert done.out == b""
    assert f"shell_id={shell.id}" in done.err.decode()
    shell.read_until("a-line\n")
    done = ok(shell.pyro("read", "--plain"))
    assert b"a-line\n" in done.out
    assert b"next_cursor=" in done.err


def test_write_without_a_newline(shell):
    assert shell.write("echo half-", "--no-newline")["input_length"] == len("echo half-")
    assert shell.write("'whole'")["input_length"] == len("'whole'\n")
    shell.read_until("half-whole\n")


def test_cursors_give_each_byte_once(shell):
    shell.write("seq 1 2000")
    text = []

    def found():
        got = shell.json("read", "--cursor", str(shell.cursor), "--max-chars", "700")
        assert got["cursor"] == shell.cursor
        assert got["missed_bytes"] == 0
        assert len(got["output"]) <= 700
        shell.cursor = got["next_cursor"]
        text.append(got["output"])
        return "\n2000\r\n" in "".join(text)

    harness.wait_until(found, bound=60, what="2000 lines")
    numbers = re.findall(r"^(\d+)\r$", "".join(text), re.MULTILINE)
    assert numbers == [str(n) for n in range(1, 2001)]


def test_a_reader_that_falls_behind_is_told_how_much_it_missed(shell):
    shell.write("seq 1 400000; echo it-is-'over'")  # 2.6 MB
    harness.wait_until(lambda: "it-is-over" in tail(shell), bound=120, what="the end of a flood")
    got = shell.json("read", "--cursor", str(shell.cursor))
    assert got["missed_bytes"] > 1_000_000
    assert got["cursor"] == shell.cursor + got["missed_bytes"]
    assert got["truncated"] is True
    assert len(got["output"]) == 65536


def tail(shell):
    """The end of what there is."""
    cursor, text = 0, ""
    while True:
        got = shell.json("read", "--cursor", str(cursor), "--max-chars", "1000000")
        text = got["output"] or text
        if got["next_cursor"] == cursor:
            return text
        cursor = got["next_cursor"]


def test_characters_are_never_split(shell):
    shell.write("for i in $(seq 200); do printf '\\303\\244\\342\\202\\254\\360\\237\\220\\247'; done; echo; echo it-is-'over'")
    got, text = None, ""
    while "it-is-over" not in text:
        got = shell.json("read", "--cursor", str(shell.cursor), "--max-chars", "7")
        assert "�" not in got["output"]
        shell.cursor = got["next_cursor"]
        text += got["output"]
    assert "ä€🐧" * 200 in text


def test_bytes_that_are_no_text(shell):
    shell.write("printf 'a\\377b\\033[31mred\\033[0m\\n'; echo it-is-'over'")
    assert "a�bred\n" in shell.read_until("it-is-over\n")


def test_plain_shows_what_a_terminal_would(shell):
    shell.write("printf '10%%\\r20%%\\r100%%\\n'; printf 'abX\\bc\\n'; printf 'long line\\r\\033[Kshort\\n'; echo it-is-'over'")
    text = shell.read_until("it-is-over\n")
    assert "\n100%\nabc\nshort\n" in text


def test_escape_sequence_bombs(shell):
    shell.write("for i in $(seq 300); do printf '\\033[9999999C\\033[9999b\\033]0;title'; done; printf '\\007\\033[0m\\n'; echo it-is-'over'")
    text = shell.read_until("it-is-over\n")
    assert len(text) < 1_000_000
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)


def test_wait_for_idle(shell):
    shell.write("for i in 1 2 3; do echo part $i; sleep 0.3; done; echo it-is-'over'")
    got = shell.json("read", "--cursor", str(shell.cursor), "--wait-for-idle-ms", "8000")
    assert got["idle"] is True
    assert "it-is-over" in got["output"]
    shell.write("while :; do echo busy; sleep 0.1; done")
    # Printed each 100 ms: not silent for as long as that, nor is there an answer before the end of its time.
    began = time.monotonic()
    got = shell.json("read", "--wait-for-idle-ms", "8000", "--wait-timeout-ms", "9000")
    assert got["idle"] is False and time.monotonic() - began >= 8.9
    ok(shell.pyro("signal"))


def test_many_readers_of_one_shell(shell):
    shell.write("seq 1 500; echo it-is-'over'")
    shell.read_until("it-is-over\n")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reads = list(pool.map(lambda _: shell.json("read", "--max-chars", "1000000"), range(4)))
    assert len({r["output"] for r in reads}) == 1
    assert "\n500\r\n" in reads[0]["output"]


def test_follow(shell):
    follower = shell.workspace.host.start("workspace", "shell", "read", shell.workspace.id, shell.id, "--follow")
    with ending(follower):
        shell.write("echo fol-'lowed'")
        assert b"fol-lowed" in read_until(follower.stdout, b"fol-lowed\r\n")
        shell.write("exit 3")
        assert finish(follower).code == 0
    assert shell.wait_stopped()["exit_code"] == 3


# ---- signals and ends


def test_signals_reach_what_is_in_the_foreground(shell):
    shell.write("sleep 1000")
    wait_for_process(shell.workspace, "sleep 1000")
    assert shell.json("signal", "--signal", "INT")["signal"] == "INT"
    shell.write("echo ended-with-$?")
    shell.read_until("ended-with-130\n")
    shell.write("sleep 1001")
    wait_for_process(shell.workspace, "sleep 1001")
    ok(shell.pyro("signal", "--signal", "TSTP"))
    shell.read_until("Stopped")
    assert shell.state()["state"] == "running"
    # It goes on where it stands, which is in the background now.
    ok(shell.pyro("signal", "--signal", "CONT"))
    shell.write("jobs")
    shell.read_until("Running")
    shell.write("kill %1; wait")


@pytest.mark.parametrize(("name", "code"), [("KILL", 137), ("QUIT", 131)])
def test_what_ends_the_foreground_leaves_the_shell(shell, name, code):
    seconds = 3000 + code
    shell.write(f"sleep {seconds}")
    wait_for_process(shell.workspace, f"sleep {seconds}")
    ok(shell.pyro("signal", "--signal", name))
    shell.write("echo ended-with-$?")
    shell.read_until(f"ended-with-{code}\n")
    assert shell.state()["state"] == "running"


def test_a_program_that_exits_while_it_is_read(shell):
    def start(*options):
        return shell.workspace.host.start("workspace", "shell", "read", shell.workspace.id, shell.id, *options)

    with ending(start("--follow")) as follower, ending(start("--wait-for-idle-ms", "500000", "--json")) as reader:
        read_until(follower.stdout, b"it-is-ready\r\n")
        harness.wait_until(lambda: harness.has_a_connection(reader), what="a reader that waits")
        shell.write("echo last-'words'; exit 7")
        followed, read = finish(follower), finish(reader)
    assert followed.code == 0
    assert b"last-words\r\n" in followed.out
    assert b"state=stopped" in followed.err
    assert "last-words\r\n" in read.json["output"]
    assert read.json["state"] == "stopped"
    assert read.json["exit_code"] == 7
    assert read.json["idle"] is True
    row = shell.wait_stopped()
    assert row["exit_code"] == 7
    assert row["end_reason"] == "exited"
    got = shell.json("read", "--plain")
    assert "last-words\n" in got["output"]
    assert got["state"] == "stopped"
    refused = shell.pyro("write", "--input", "x", "--json")
    assert refused.code == 1
    assert refused.json["error"]["code"] == "conflict"


def test_close_ends_everything_in_it_and_can_be_done_twice(shared):
    with opened(shared) as it:
        it.write("sleep 2001 & sleep 2002")
        wait_for_process(shared, "sleep 2002")
        closed = it.json("close")
        assert closed["closed"] is True
        assert closed["state"] == "stopped"
        assert closed["end_reason"] == "closed"
        harness.wait_until(lambda: "sleep 200" not in processes(shared), what="their end")
        assert it.json("close")["state"] == "stopped"
        gone = it.pyro("read")
        assert gone.code == 1
        assert "it was closed" in gone.err.decode()


def test_what_is_no_shell(shared):
    for name, code in (("shell-999", "not_found"), ("shell-0", "invalid"), ("bash", "invalid"), ("shell-1x", "invalid")):
        done = shared.pyro("shell read", name, "--json")
        assert done.code != 0
        assert done.json["error"]["code"] == code, (name, done)
    done = shared.pyro("shell open", "--cwd", "/no/such/folder", "--json")
    assert done.json["error"]["code"] == "invalid", done


# ---- secrets


def test_secrets_are_mapped_and_never_shown(shared):
    with opened(shared, "--secret-env", "TOKEN=T") as it:
        it.write("echo \"<$T>\"; for i in $(seq ${#T}); do printf %s \"${T:i-1:1}\"; done; echo; echo it-is-'over'")
        text = it.read_until("it-is-over\n")
        assert "<[redacted:TOKEN]>\n[redacted:TOKEN]\n" in text
        assert SECRET not in json.dumps(it.json("read", "--max-chars", "1000000"))
    assert shared.pyro("shell open", "--secret-env", "NOPE").code != 0


# ---- lives


def test_a_shell_ends_with_its_workspace(host):
    with workspaces.one(host, "--name", "ending") as workspace:
        first = Shell(workspace)
        workspace.json("stop")
        assert first.state()["end_reason"] == "workspace_stopped"
        stopped = workspace.pyro("shell open", "--json")
        assert stopped.json["error"]["code"] == "conflict"
        workspace.json("start")
        assert "its workspace was stopped" in first.pyro("read").err.decode()
        second = Shell(workspace)
        assert second.id != first.id
        workspace.json("reset")
        assert workspace.json("shell list")["shells"] == []
        third = Shell(workspace)
        assert third.id not in (first.id, second.id)
        supervisor = workspace.supervisor()
        supervisor_gone = [supervisor]
        os.kill(supervisor, signal.SIGKILL)
        harness.wait_gone(supervisor_gone)
        after = third.pyro("write", "--input", "x")
        assert after.code != 0
        assert "supervisor" in after.err.decode()
        assert third.state()["end_reason"] == "supervisor_lost"


def test_ends_with_the_deletion_of_its_workspace(host):
    with workspaces.one(host, "--name", "deleted") as workspace:
        it = Shell(workspace)
        it.write("echo it-is-'ready'")
        with ending(host.start("workspace", "shell", "read", workspace.id, it.id, "--follow")) as follower:
            read_until(follower.stdout, b"it-is-ready")
            supervisor, qemu = workspace.supervisor(), workspace.qemu()
            workspace.json("delete")
            finish(follower)
        harness.wait_gone([supervisor, qemu])
        gone = it.pyro("read", "--json")
        assert gone.json["error"]["code"] == "not_found"


def test_a_shell_keeps_its_machine_awake_and_without_one_it_rests(host):
    with workspaces.one(host) as workspace:
        with opened(workspace) as it:
            it.write("for i in $(seq 75); do echo at $(date +%s); sleep 0.2; done; echo it-is-'over'")
            # A pause would begin about a second after the call, and end with the next one: as a gap.
            harness.let_pass(15)
            times = [int(at) for at in re.findall(r"at (\d+)\n", it.read_until("it-is-over\n"))]
            assert times[-1] - times[0] >= 10
            assert max(b - a for a, b in zip(times, times[1:])) < 8
        qemu = workspace.qemu()
        harness.wait_until(lambda: harness.stands_still(qemu), what="the pause")
