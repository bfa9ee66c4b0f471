"""Time: a TTL that is kept without anybody looking, and a workspace that rests."""

import time

import harness
import pytest
import workspaces
from workspaces import ok


def until_nobody(workspace, since, ttl):
    """Runs no command while it waits. Not before its time, and not later than this waits."""
    harness.wait_until(lambda: not workspace.host.qemus(workspace.id), what="its end")
    assert time.time() - since >= ttl - 0.5
    harness.wait_until(lambda: workspace.query("SELECT state FROM workspace") == [("stopped",)], what="the record of it")


def lives_for(workspace, seconds):
    """From now on, however long its creation took; when that began."""
    return workspace.json("update", "--ttl-seconds", str(seconds))["expires_at"] - seconds


def test_an_expired_workspace_is_stopped(host):
    with workspaces.one(host, "--ttl-seconds", "1000") as workspace:
        made = workspace.created
        assert made["expires_at"] == pytest.approx(made["created_at"] + 1000)
        assert (made["ttl_seconds"], made["ttl_action"]) == (1000, "stop")
        workspace.sh("echo written > file")
        until_nobody(workspace, lives_for(workspace, 3), 3)
        assert workspace.status()["state"] == "stopped"
        assert len(workspace.logs()) == 1
        refused = workspace.pyro("start")
        assert refused.code == 1
        assert "--ttl-seconds" in refused.text
        ok(workspace.pyro("update", "--no-ttl"))
        ok(workspace.pyro("start"))
        assert workspace.read("file") == b"written\n"
        assert workspace.status()["expires_at"] is None


def test_an_expired_workspace_is_deleted_when_that_is_wanted(host):
    workspace = workspaces.create(host, "--name", "brief", "--ttl-seconds", "1000", "--ttl-action", "delete")
    since = lives_for(workspace, 5)
    harness.wait_until(lambda: not workspace.folder.exists(), what="its end")
    assert time.time() - since >= 4.5
    assert workspace.id not in workspaces.listed(host)
    assert host.pyro("workspace", "status", "brief").code == 1


def test_a_new_time_counts_from_now(host):
    with workspaces.one(host, "--ttl-seconds", "1000") as workspace:
        before = time.time()
        since = lives_for(workspace, 2)
        assert before <= since <= time.time()
        until_nobody(workspace, since, 2)
        assert workspace.status()["state"] == "stopped"


def test_a_stopped_one_is_deleted_on_time(host):
    workspace = workspaces.create(host, "--ttl-seconds", "1000", "--ttl-action", "delete")
    ok(workspace.pyro("stop"))
    lives_for(workspace, 5)
    harness.wait_until(lambda: not workspace.folder.exists(), what="its end")
    assert workspace.id not in workspaces.listed(host)


def assert_right_clock(workspace):
    before = time.time()
    guest = float(workspace.sh("date +%s.%N"))
    assert before - 2 < guest < time.time() + 2


def test_one_in_which_nothing_runs_costs_no_cpu(host):
    with workspaces.one(host) as workspace:
        workspace.sh("true")
        qemu, supervisor = workspace.qemu(), workspace.supervisor()
        # A second after the last call it is asked; the pause may need a moment on a busy machine.
        harness.wait_until(lambda: harness.stands_still(qemu), what="the pause")

        def costs_nothing():
            """A machine that waits for a processor looks as one that rests: it may still have something to do."""
            used = (harness.cpu_ticks(qemu), harness.cpu_ticks(supervisor))
            harness.let_pass(3)
            return harness.cpu_ticks(qemu) - used[0] <= 1 and harness.cpu_ticks(supervisor) - used[1] <= 1

        harness.wait_until(costs_nothing, what="a time in which it costs nothing")
        assert costs_nothing()
        assert_right_clock(workspace)
        ok(workspace.pyro("status"))
        harness.wait_until(lambda: harness.stands_still(qemu), what="another pause")
        workspace.write("file", b"written while it rested")
        assert workspace.read("file") == b"written while it rested"
        harness.wait_until(lambda: harness.stands_still(qemu), what="another pause")
        ok(workspace.pyro("snapshot create", "rested"))
        ok(workspace.pyro("stop"))


def test_one_in_which_something_runs_goes_on(host):
    with workspaces.one(host) as workspace:
        workspace.sh("(setsid sh -c 'while :; do date +%s >> ticks; sleep 0.2; done' &) >/dev/null 2>&1")
        # A pause would begin about a second after that, and end with the read: as a gap.
        harness.let_pass(15)
        ticks = [int(line) for line in workspace.read("ticks").split()]
        assert ticks[-1] - ticks[0] >= 6
        assert max(b - a for a, b in zip(ticks, ticks[1:])) < 8
