"""kill -9 at every named fault point: what the next commands find, and that nothing is lost or left.

A point kills the process that was armed with it: the supervisor that a command starts, or, for
"client." and "export.", the command itself.
"""

import harness
import pytest
import workspaces
from workspaces import ok

KILLED = -9

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
START = ["start.machine", "start.recorded"]
DELETE = ["delete.recorded", "delete.machine", "delete.named", "delete.folder"]
CLIENT = [
    "client.create.seeded", "client.create.answered", "client.sync.answered", "export.staged", "export.renamed",
]  # fmt: skip


# tests/docs/test_faults.py compares this with the source.
POINTS = {*STARTED, *CREATE, *START, *DELETE, *CLIENT}


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


def assert_gone(host, workspace):
    """`delete` works, and nothing of it is left."""
    ok(workspace.pyro("delete"))
    assert workspaces.listed(host) == {}
    harness.wait_until(lambda: not host.supervisors(), what="the end of the supervisor")
    assert not list((host.home / "sandboxes").glob("*"))
    assert not list((host.home / "names").glob("*"))
    assert not list(host.runtime.glob("*.sock"))


def assert_sane(host, workspace, state):
    """One truth, nobody left, no orphan, and it can be used again."""
    workspace.wait_for_nobody()
    assert not host.qemus()
    assert workspaces.listed(host) == {workspace.id: state}
    status = workspace.status()
    assert status["state"] == state
    assert host.pyro("workspace", "status", "fix", "--json").json["workspace_id"] == workspace.id
    ok(workspace.pyro("start"))
    workspace.assert_no_orphans()
    assert workspace.sh("cat seeded") == b"seeded\n"
    return status


@pytest.mark.parametrize("point", STARTED)
def test_a_supervisor_killed_in_a_started_workspace(host, stopped, source, point):
    ok(stopped.pyro("start", env={"PYRO_FAULT": point}))
    command, *words = [str(source) if word == "SOURCE" else word for word in STARTED[point]]
    done = stopped.pyro(command, *words)
    if command != "stop":  # which has what it wanted, when it looks again
        assert done.code == (125 if command == "exec" else done.code) != 0, done
    stopped.wait_for_nobody()
    logged = stopped.logs()
    status = assert_sane(host, stopped, "stopped")

    snapshots = stopped.snapshots()
    paths = stopped.paths()
    if command == "reset":
        assert status["reset_count"] in (0, 1)
        assert (status["reset_count"] == 1) == (point in ("reset.recorded", "layer.forgotten"))
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
        assert logged[1]["exit_code"] == (0 if point == "exec.recorded" else None)
    if command == "sync push":
        whole = {"new", "new/1", "new/2"}
        assert whole <= set(paths), "the guest had answered"
        assert stopped.read("kept") == b"pushed\n"
    if command == "snapshot create":
        assert snapshots == ["baseline", "first", *(["second"] if point == "snapshot.recorded" else [])]
    elif command == "snapshot delete":
        assert snapshots == ["baseline"]
    else:
        assert snapshots == ["baseline", "first"]
    if point in ("stop.begun", "stop.machine"):
        assert "its supervisor was ended" in status["last_error"]
    if command == "update":
        assert host.pyro("workspace", "status", "other").code == 1
    for name in snapshots[1:]:
        ok(stopped.pyro("reset", "--snapshot", name))
        assert stopped.read("kept") == b"old\n"
        assert ("after" in stopped.paths()) == (name == "second")
    stopped.assert_no_orphans()
    assert_gone(host, stopped)
    with_name = workspaces.create(host, "--name", "fix")
    assert_gone(host, with_name)


@pytest.mark.parametrize("point", START)
def test_a_supervisor_killed_while_a_workspace_starts(host, stopped, point):
    done = stopped.pyro("start", "--json", env={"PYRO_FAULT": point})
    assert done.code != 0, done
    assert_sane(host, stopped, "stopped")
    assert stopped.read("after") == b"after the snapshot\n"
    assert stopped.logs()[0]["stdout"] == "said\n"
    assert stopped.snapshots() == ["baseline", "first"]
    assert_gone(host, stopped)


@pytest.mark.parametrize("point", [*CREATE, *START])
def test_a_supervisor_killed_in_create(host, seed, point):
    words = ["create", "--mem-mib", workspaces.MEM_MIB, "--name", "fix", "--seed-path", seed, harness.ENVIRONMENT]
    done = host.pyro("workspace", *words, "--json", env={"PYRO_FAULT": point})
    assert done.code in (1, 4), done
    harness.wait_until(lambda: not host.supervisors(), what="the end of the supervisor")
    assert not host.qemus()
    left = workspaces.listed(host)
    if left:  # its creation was in the record; only the answer is missing
        assert point in ("create.started", "start.recorded")
        assert list(left.values()) == ["stopped"]
        workspace = workspaces.Workspace(host, {"workspace_id": next(iter(left))})
        assert_sane(host, workspace, "stopped")
        assert_gone(host, workspace)
    else:
        assert not list((host.home / "sandboxes").glob("*"))
        assert not list((host.home / "names").glob("*"))
    with workspaces.one(host, "--name", "fix"):
        assert not list((host.home / "staging").glob("*"))


@pytest.mark.parametrize("point", DELETE)
def test_a_supervisor_killed_in_delete(host, stopped, point):
    ok(stopped.pyro("start", env={"PYRO_FAULT": point}))
    stopped.pyro("delete")  # does it itself when the supervisor does not live to
    harness.wait_until(lambda: not host.supervisors(), what="the end of the supervisor")
    assert workspaces.listed(host) == {}
    assert host.pyro("workspace", "status", stopped.id).code == 1
    assert host.pyro("workspace", "status", "fix").code == 1
    host.assert_nothing_left()
    assert_gone(host, workspaces.create(host, "--name", "fix"))


def test_a_create_killed_before_it_asks(host, seed):
    words = ["create", "--mem-mib", workspaces.MEM_MIB, "--name", "fix", "--seed-path", seed, harness.ENVIRONMENT]
    assert host.pyro("workspace", *words, env={"PYRO_FAULT": "client.create.seeded"}).code == KILLED
    assert workspaces.listed(host) == {}
    with workspaces.one(host, "--name", "fix"):
        assert not list((host.home / "staging").glob("*"))


def test_a_create_killed_before_it_says_so(host, seed):
    words = ["create", "--mem-mib", workspaces.MEM_MIB, "--name", "fix", "--seed-path", seed, harness.ENVIRONMENT]
    assert host.pyro("workspace", *words, env={"PYRO_FAULT": "client.create.answered"}).code == KILLED
    [(found, state)] = workspaces.listed(host).items()
    assert state == "started"
    workspace = workspaces.Workspace(host, {"workspace_id": found})
    assert workspace.sh("cat seeded") == b"seeded\n"
    assert_gone(host, workspace)
    with workspaces.one(host):
        assert not list((host.home / "staging").glob("*"))


def test_a_sync_killed_before_it_says_so(host, stopped, source):
    ok(stopped.pyro("start"))
    assert stopped.pyro("sync push", source, env={"PYRO_FAULT": "client.sync.answered"}).code == KILLED
    assert stopped.read("kept") == b"pushed\n"
    assert {"new/1", "new/2"} <= set(stopped.paths())


@pytest.mark.parametrize("point", ["export.staged", "export.renamed"])
def test_a_killed_export(host, stopped, short_tmp, point):
    ok(stopped.pyro("start"))
    folder = short_tmp / "exports"
    folder.mkdir()
    done = stopped.pyro("export", ".", "--output", folder / "out", env={"PYRO_FAULT": point})
    assert done.code == KILLED
    assert (folder / "out").exists() == (point == "export.renamed")
    if (folder / "out").exists():
        assert sorted(p.name for p in (folder / "out").iterdir()) == ["after", "kept", "seeded"]
    ok(stopped.pyro("export", "kept", "--output", folder / "next"))
    names = {"next", "out"} if point == "export.renamed" else {"next"}
    assert {p.name for p in folder.iterdir()} == names, "what the killed one left is cleared away"
