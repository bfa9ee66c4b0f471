"""kill -9 at every named fault point: what the next commands find, and that nothing is lost or left.

Whoever gets to the armed point stands still there (src/sys/fault.h) while the victim is killed: the
supervisor, its QEMU, or the command that asked. Every test run kills the supervisor at every point and
the others at one point of each stage; PYRO_TEST_NIGHTLY=1 has all of them killed everywhere.
"""

import contextlib
import os
import signal

import harness
import pytest
import workspaces
from workspaces import ok

KILLED = -9
VICTIMS = ("supervisor", "qemu", "command")

# What has the point reached, in a workspace that was started with it armed.
STARTED = {
    "exec.journaled": ["exec", "--", "sh", "-c", "echo ran"],
    "exec.ended": ["exec", "--", "sh", "-c", "echo ran"],
    "exec.recorded": ["exec", "--", "sh", "-c", "echo ran"],
    "forward.done": ["sync push", "SOURCE"],
    "forward.recorded": ["sync push", "SOURCE"],
    "snapshot.created": ["snapshot create", "second"],
    "snapshot.held": ["snapshot create", "second"],
    "snapshot.added": ["snapshot create", "second"],
    "snapshot.frozen": ["snapshot create", "second"],
    "snapshot.recorded": ["snapshot create", "second"],
    "snapshot.dropped": ["snapshot delete", "first"],
    "layer.forgotten": ["reset"],
    "reset.created": ["reset", "--snapshot", "first"],
    "reset.stopped": ["reset", "--snapshot", "first"],
    "reset.recorded": ["reset", "--snapshot", "first"],
    "stop.begun": ["stop"],
    "stop.machine": ["stop"],
    "stop.recorded": ["stop"],
    "update.named": ["update", "--name", "other"],
}
CREATE = [
    "create.folder", "create.named", "create.furnished", "create.empty_record", "create.recorded", "create.layered",
    "create.started",
]  # fmt: skip
START = ["start.greeted", "start.machine", "start.recorded"]
DELETE = ["delete.recorded", "delete.machine", "delete.secrets", "delete.named", "delete.renamed", "delete.folder"]
SYNC = ["client.sync.sent", "client.sync.answered"]
# There is no machine (any more, or yet) that could be killed.
NO_MACHINE = {
    *CREATE[:-1], "layer.forgotten", "reset.stopped", "reset.recorded", "stop.machine", "stop.recorded",
    *DELETE[1:],
}  # fmt: skip
# The command does not need its machine any more, or gets another.
MACHINE_HAD = {
    "exec.ended", "exec.recorded", "forward.done", "forward.recorded", "snapshot.dropped", "reset.created", "update.named",
}  # fmt: skip
EVERY_DAY = {
    "qemu": {
        "exec.journaled", "forward.done", "snapshot.held", "snapshot.recorded", "reset.created", "stop.begun",
        "create.started", "start.greeted", "delete.recorded", "client.sync.sent",
    },
    "command": {
        "exec.journaled", "forward.done", "snapshot.held", "reset.stopped", "stop.begun", "create.layered",
        "start.greeted", "delete.recorded", "client.sync.sent",
    },
}  # fmt: skip


def cases(points):
    """(point, victim) for everything that can be killed there."""
    return [(point, v) for point in points for v in VICTIMS if not (v == "qemu" and point in NO_MACHINE)]


def today(points):
    """Those of this test run."""
    every_night = os.environ.get("PYRO_TEST_NIGHTLY") == "1"
    return [(p, v) for p, v in cases(points) if every_night or v == "supervisor" or p in EVERY_DAY[v]]


@pytest.fixture
def source(short_tmp):
    """A folder to push: three files that arrive together or not at all."""
    folder = short_tmp / "source"
    (folder / "new").mkdir(parents=True)
    for name in ("new/1", "new/2", "kept"):
        (folder / name).write_text("pushed\n")
    return folder


@pytest.fixture
def seed(short_tmp):
    folder = short_tmp / "seed"
    folder.mkdir()
    (folder / "seeded").write_text("seeded\n")
    return folder


@pytest.fixture
def stopped(host, seed):
    """A stopped workspace in which everything that can be acknowledged was."""
    with workspaces.one(host, "--name", "fix", "--seed-path", seed) as workspace:
        workspace.write("kept", b"old\n")
        ok(workspace.pyro("snapshot create", "first"))
        workspace.write("after", b"after the snapshot\n")
        workspace.sh("echo said")
        ok(workspace.pyro("stop"))
        workspace.wait_for_nobody()  # its supervisor would serve a test that wants one with a fault
        yield workspace


def struck(host, words, victim, fault=None, halts="supervisor"):
    """A command during which the victim was killed, at the point that `fault` or an earlier command armed."""
    with harness.ending(host.start("workspace", *words, env={"PYRO_FAULT": fault})) as process:

        def halted():
            found = [process.pid] if halts == "command" else host.supervisors()
            found = [pid for pid in found if harness.state_of(pid) == "T"]
            if not found and process.poll() is not None:
                raise AssertionError(f"it never came to the point: {harness.finish(process)}")
            return found

        [halting] = harness.wait_until(halted, what="the point")
        try:
            there = {"supervisor": host.supervisors, "qemu": host.qemus, "command": lambda: [process.pid]}
            [pid] = there[victim]()
            os.kill(pid, signal.SIGKILL)
            harness.wait_gone([pid])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(halting, signal.SIGCONT)
        done = harness.finish(process)
    assert (done.code == KILLED) == (victim == "command"), done
    return done


def settled(host):
    """{id: state} once whoever is left has done what it still does."""

    def truth():
        nobody = not host.supervisors()  # before the list: who goes may still change what it says
        found = workspaces.listed(host)
        fine = all(host.qemus(i) if state == "started" else state == "stopped" for i, state in found.items())
        return fine and (nobody or "started" in found.values()) and (found,)

    return harness.wait_until(truth, what="one truth")[0]


def assert_gone(host, workspace):
    """`delete` works, and nothing of it is left."""
    ok(workspace.pyro("delete"))
    assert workspaces.listed(host) == {}
    assert_nothing(host)


def assert_nothing(host):
    harness.wait_until(lambda: not host.supervisors(), what="the end of the supervisor")
    assert not list((host.home / "sandboxes").glob("*"))
    assert not list((host.home / "names").glob("*"))
    assert not list(host.runtime.glob("*.sock"))


def assert_sane(host, workspace, state, name="fix"):
    """One truth, nobody left, no orphan, and it can be used again."""
    assert settled(host) == {workspace.id: state}
    if state == "stopped":
        assert not host.qemus()
    status = workspace.status()
    assert status["state"] == state
    assert host.pyro("workspace", "status", name, "--json").json["workspace_id"] == workspace.id
    ok(workspace.pyro("start"))
    workspace.assert_no_orphans()
    assert workspace.sh("cat seeded") == b"seeded\n"
    return status


def finished(workspace, command):
    """Whether the command has had its effect: without anybody who waits for it, it still goes to its end."""
    if command == "exec":
        return workspace.logs()[1]["ended_at"]
    if command == "sync push":
        return "new/1" in workspace.paths()
    if command == "snapshot create":
        return "second" in workspace.snapshots()
    if command == "snapshot delete":
        return "first" not in workspace.snapshots()
    status = workspace.status()
    if command == "reset":
        return status["reset_count"] == 1 and status["state"] == "started"
    return status["name"] == "other" if command == "update" else status["state"] == "stopped"


@pytest.mark.parametrize(("point", "victim"), today(STARTED))
def test_killed_in_a_started_workspace(host, stopped, source, point, victim):
    ok(stopped.pyro("start", env={"PYRO_FAULT": point}))
    command, *words = [str(source) if word == "SOURCE" else word for word in STARTED[point]]
    done = struck(host, [*command.split(), stopped.id, *words], victim)
    if victim == "command":
        harness.wait_until(lambda: finished(stopped, command), what="the end of what it began")
    elif victim == "qemu":
        assert done.code == 0 if point in MACHINE_HAD else done.code != 0, done
    elif command != "stop":  # which has what it wanted, when it looks again
        assert done.code == (125 if command == "exec" else done.code) != 0, done
    lasts = victim == "command" and command != "stop"
    state = "started" if lasts or (victim == "qemu" and command == "reset") else "stopped"
    assert settled(host) == {stopped.id: state}
    logged = stopped.logs()
    renamed = command == "update" and victim != "supervisor"
    status = assert_sane(host, stopped, state, "other" if renamed else "fix")

    snapshots = stopped.snapshots()
    paths = stopped.paths()
    if command == "reset":
        was_reset = victim != "supervisor" or point in ("reset.recorded", "layer.forgotten")
        assert status["reset_count"] == (1 if was_reset else 0)
    if status["reset_count"] == 0:
        assert [entry["command"] for entry in logged][:1] == ["sh -c 'echo said'"]
        assert (logged[0]["exit_code"], logged[0]["stdout"]) == (0, "said\n")
        assert stopped.read("after") == b"after the snapshot\n"
        if "new" not in paths:
            assert stopped.read("kept") == b"old\n"
    elif words:
        assert stopped.read("kept") == b"old\n"
        assert "after" not in paths
    else:
        assert paths == ["seeded"]
    if command == "exec":
        assert len(logged) == 2
        ended = point == "exec.recorded" or (victim != "supervisor" and point == "exec.ended")
        # Between the journal and the guest it sees that its client has gone a moment after it sent the command on.
        assert (logged[1]["exit_code"] == 0) == ended or (point, victim) == ("exec.journaled", "command")
        assert logged[1]["exit_code"] is None or victim == "command" or ended
    if command == "sync push":
        whole = {"new", "new/1", "new/2"}
        assert whole <= set(paths), "the guest had answered"
        assert stopped.read("kept") == b"pushed\n"
    if command == "snapshot create":
        taken = victim == "command" or (victim == "supervisor" and point == "snapshot.recorded")
        assert snapshots == ["baseline", "first", *(["second"] if taken else [])]
    elif command == "snapshot delete":
        assert snapshots == ["baseline"]
    else:
        assert snapshots == ["baseline", "first"]
    if victim == "supervisor" and point in ("stop.begun", "stop.machine"):
        assert "its supervisor was ended" in status["last_error"]
    if victim == "qemu" and state == "stopped":
        assert status["last_error"]
    assert host.pyro("workspace", "status", "fix" if renamed else "other").code == 1
    for name in snapshots[1:]:
        ok(stopped.pyro("reset", "--snapshot", name))
        assert stopped.read("kept") == b"old\n"
        assert ("after" in stopped.paths()) == (name == "second")
    stopped.assert_no_orphans()
    assert_gone(host, stopped)
    assert_gone(host, workspaces.create(host, "--name", "fix"))


@pytest.mark.parametrize("words", [["start"], ["reset", "--snapshot", "first"]], ids=["start", "reset"])
@pytest.mark.parametrize(("point", "victim"), today(START))
def test_killed_while_a_workspace_starts(host, stopped, words, point, victim):
    command, *rest = words
    done = struck(host, [command, stopped.id, *rest], victim, fault=point)
    [state] = settled(host).values()
    if victim == "supervisor":
        assert done.code != 0, done
    if victim != "command":
        assert state == "stopped"
    status = assert_sane(host, stopped, state)
    assert victim != "qemu" or status["last_error"]
    assert status["reset_count"] == (1 if command == "reset" else 0)
    assert stopped.read("kept") == b"old\n"
    assert ("after" in stopped.paths()) == (command == "start")
    if command == "start":
        assert stopped.logs()[0]["stdout"] == "said\n"
    assert stopped.snapshots() == ["baseline", "first"]
    assert_gone(host, stopped)


def create_words(seed):
    return ["create", "--mem-mib", workspaces.MEM_MIB, "--name", "fix", "--seed-path", seed, harness.ENVIRONMENT]


@pytest.mark.parametrize(("point", "victim"), today([*CREATE, *START]))
def test_killed_in_create(host, seed, point, victim):
    done = struck(host, create_words(seed), victim, fault=point)
    assert done.code in {"supervisor": (1, 4), "qemu": (0, 1, 4), "command": (KILLED,)}[victim], done
    left = settled(host)
    assert left or done.code != 0
    if left:  # its creation was in the record; at most the answer is missing
        assert point in ("create.started", "start.machine", "start.recorded")
        assert victim == "command" or list(left.values()) == ["stopped"]
        workspace = workspaces.Workspace(host, {"workspace_id": next(iter(left))})
        assert_sane(host, workspace, left[workspace.id])
        assert_gone(host, workspace)
    else:
        assert_nothing(host)
    with workspaces.one(host, "--name", "fix"):
        assert not list((host.home / "staging").glob("*"))


@pytest.mark.parametrize(("point", "victim"), today(DELETE))
def test_killed_in_delete(host, stopped, point, victim):
    ok(stopped.pyro("start", env={"PYRO_FAULT": point}))
    done = struck(host, ["delete", stopped.id], victim)
    assert victim != "qemu" or done.code == 0, done
    harness.wait_until(lambda: not host.supervisors(), what="the end of the supervisor")
    assert workspaces.listed(host) == {}
    assert host.pyro("workspace", "status", stopped.id).code == 1
    assert host.pyro("workspace", "status", "fix").code == 1
    host.assert_nothing_left()
    assert_gone(host, workspaces.create(host, "--name", "fix"))


@pytest.mark.parametrize(
    ("point", "look"),
    [("delete.recorded", "status"), ("delete.secrets", "list"), ("delete.named", "status"), ("delete.named", "create"),
     ("delete.renamed", "list")],
)  # fmt: skip
def test_a_command_killed_in_delete(host, point, look):
    """A stopped workspace has no supervisor: the command deletes it by itself."""
    workspace = workspaces.create(host, "--name", "fix", "--secret", "TOKEN=a very secret value")
    ok(workspace.pyro("stop"))
    workspace.wait_for_nobody()
    struck(host, ["delete", workspace.id], "command", point, halts="command")
    kept = list((host.home / "sandboxes").rglob("secrets.json"))
    assert len(kept) == (1 if point == "delete.recorded" else 0)
    if look == "status":  # by id first: the name may be gone already
        assert workspace.pyro("status").code == 1
        assert host.pyro("workspace", "status", "fix").code == 1
    if look == "create":
        assert_gone(host, workspaces.create(host, "--name", "fix"))
    assert workspaces.listed(host) == {}
    assert_nothing(host)


@pytest.mark.parametrize("point", ["client.create.seeded", "client.create.answered"])
def test_a_create_that_is_killed_itself(host, seed, point):
    struck(host, create_words(seed), "command", point, halts="command")
    left = workspaces.listed(host)
    assert list(left.values()) == (["started"] if point == "client.create.answered" else [])
    for found in left:
        workspace = workspaces.Workspace(host, {"workspace_id": found})
        assert workspace.sh("cat seeded") == b"seeded\n"
        assert_gone(host, workspace)
    with workspaces.one(host, "--name", "fix"):
        assert not list((host.home / "staging").glob("*"))


@pytest.mark.parametrize(("point", "victim"), today(SYNC))
def test_killed_in_a_sync_that_is_under_way(host, stopped, source, point, victim):
    ok(stopped.pyro("start"))
    done = struck(host, ["sync", "push", stopped.id, source], victim, point, halts="command")
    answered = point == "client.sync.answered"
    assert (done.code == 0) == (answered and victim != "command"), done
    state = "started" if victim == "command" else "stopped"
    assert_sane(host, stopped, state)
    assert stopped.read("kept") == (b"pushed\n" if answered else b"old\n")
    assert ({"new/1", "new/2"} <= set(stopped.paths())) == answered
    assert stopped.read("after") == b"after the snapshot\n"
    ok(stopped.pyro("sync push", source))
    assert stopped.read("kept") == b"pushed\n"
    assert_gone(host, stopped)
    assert_gone(host, workspaces.create(host, "--name", "fix"))


@pytest.mark.parametrize("point", ["export.staged", "export.renamed"])
def test_a_killed_export(host, stopped, short_tmp, point):
    ok(stopped.pyro("start"))
    folder = short_tmp / "exports"
    folder.mkdir()
    struck(host, ["export", stopped.id, ".", "--output", folder / "out"], "command", point, halts="command")
    assert (folder / "out").exists() == (point == "export.renamed")
    if (folder / "out").exists():
        assert sorted(p.name for p in (folder / "out").iterdir()) == ["after", "kept", "seeded"]
    ok(stopped.pyro("export", "kept", "--output", folder / "next"))
    names = {"next", "out"} if point == "export.renamed" else {"next"}
    assert {p.name for p in folder.iterdir()} == names, "what the killed one left is cleared away"
