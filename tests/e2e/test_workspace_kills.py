"""kill -9 of machines and supervisors at work, damaged files, a machine restart, a full disk of the host."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

import harness
import pytest
import workspaces
from workspaces import ok


@pytest.fixture
def workspace(host):
    with workspaces.one(host, "--name", "fix") as made:
        made.write("kept", b"kept\n")
        ok(made.pyro("snapshot create", "first"))
        made.write("after", b"after\n")
        yield made


@pytest.fixture
def big(short_tmp):
    """A folder whose push takes a while."""
    folder = short_tmp / "big"
    (folder / "pushed").mkdir(parents=True)
    for n in range(300):
        (folder / "pushed" / str(n)).write_bytes(os.urandom(20_000))
    (folder / "kept").write_text("pushed\n")
    return folder


def kill(workspace, victim):
    pid = workspace.supervisor() if victim == "supervisor" else workspace.qemu()
    os.kill(pid, signal.SIGKILL)
    harness.wait_gone([pid])


def assert_stopped_and_usable(workspace):
    host = workspace.host
    harness.wait_until(lambda: not host.qemus(workspace.id), what="the end of the machine")
    harness.wait_until(lambda: workspaces.listed(host)[workspace.id] != "started", what="the truth in the record")
    status = workspace.status()
    assert status["state"] == "stopped"
    assert status["last_error"]
    ok(workspace.pyro("start"))
    workspace.assert_no_orphans()
    assert workspace.read("after") == b"after\n"
    assert workspace.snapshots()[:2] == ["baseline", "first"]


@pytest.mark.parametrize("victim", ["supervisor", "qemu"])
def test_killed_in_exec(workspace, victim):
    workspace.sh("echo said")
    process = workspace.start_exec("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with harness.ending(process):
        harness.read_until(process.stdout, b"ready\n")
        kill(workspace, victim)
        done = harness.finish(process)
    assert done.code == 125, done
    assert_stopped_and_usable(workspace)
    entries = workspace.logs()
    assert entries[0]["stdout"] == "said\n"
    assert entries[1]["exit_code"] is None


@pytest.mark.parametrize("victim", ["supervisor", "qemu"])
@pytest.mark.parametrize("moment", [0.02, 0.15, 0.4])
def test_killed_in_a_sync(workspace, big, victim, moment):
    process = workspace.host.start("workspace", "sync", "push", workspace.id, str(big))
    with harness.ending(process):
        harness.let_pass(moment)  # any moment will do
        kill(workspace, victim)
        done = harness.finish(process)
    assert_stopped_and_usable(workspace)
    paths = workspace.paths()
    pushed = [p for p in paths if p.startswith("pushed/")]
    assert len(pushed) == (300 if "pushed" in paths else 0), "all or nothing"
    assert workspace.read("kept") == (b"pushed\n" if pushed else b"kept\n")
    if done.code == 0:
        assert pushed, "it was acknowledged"


@pytest.mark.parametrize("victim", ["supervisor", "qemu"])
def test_killed_in_a_loop_of_snapshots(workspace, victim):
    script = 'for n in $(seq 50); do "$0" workspace snapshot create "$1" s$n >/dev/null 2>&1 && echo s$n || exit 0; done'
    words = ["sh", "-c", script, str(harness.PYRO), workspace.id]
    with subprocess.Popen(words, env=workspace.host.env, stdout=subprocess.PIPE, bufsize=0) as loop:
        harness.read_until(loop.stdout, b"s3\n")
        kill(workspace, victim)
        rest = loop.communicate(timeout=120)[0]
    acknowledged = {"s1", "s2", "s3", *rest.decode().split()}
    assert_stopped_and_usable(workspace)
    names = set(workspace.snapshots())
    assert acknowledged <= names
    ok(workspace.pyro("reset", "--snapshot", "s3"))
    assert workspace.read("after") == b"after\n"


@pytest.mark.parametrize("victim", ["supervisor", "qemu"])
@pytest.mark.parametrize("moment", ["early", "late"])
def test_killed_in_a_reset(workspace, victim, moment):
    old = workspace.qemu()
    process = workspace.host.start("workspace", "reset", workspace.id, "--snapshot", "first")
    with harness.ending(process):
        machine = old
        if moment == "late":  # nobody else ends the new one
            machine = harness.wait_until(lambda: set(workspace.host.qemus(workspace.id)) - {old}, what="the new machine").pop()
        pid = machine if victim == "qemu" else workspace.supervisor()
        with contextlib.suppress(ProcessLookupError):  # the old machine may be gone
            os.kill(pid, signal.SIGKILL)
        harness.wait_gone([pid])
        done = harness.finish(process)
    ok(workspace.pyro("start"))
    count = workspace.status()["reset_count"]
    assert count == 1 if done.code == 0 else count in (0, 1)
    assert workspace.read("kept") == b"kept\n"
    assert ("after" in workspace.paths()) == (count == 0)
    ok(workspace.pyro("reset", "--snapshot", "first"))
    workspace.assert_no_orphans()


def test_a_machine_restart(host, workspace):
    """Everything is gone at once; locks, sockets and the record stay as they were."""
    with workspaces.one(host, "--name", "other") as other:
        socket = host.runtime / f"{workspace.id}.sock"
        pids = [workspace.supervisor(), workspace.qemu(), other.supervisor(), other.qemu()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        harness.wait_gone(pids)
        assert socket.exists()
        assert workspaces.listed(host) == {workspace.id: "stopped", other.id: "stopped"}
        assert_stopped_and_usable(workspace)
        assert workspace.sh("echo fine") == b"fine\n"
        ok(host.pyro("workspace", "delete", "--all"))
        assert workspaces.listed(host) == {}


def test_a_home_that_was_moved_goes_on_where_it_is(host, workspace, short_tmp):
    """A copy has the same files, and each of them is another one."""
    ok(workspace.pyro("stop"))
    workspace.wait_for_nobody()
    elsewhere = harness.Host(short_tmp, cache=host.cache)
    subprocess.run(["cp", "-a", "--sparse=always", host.home, elsewhere.home], check=True, timeout=300)
    moved = workspaces.Workspace(elsewhere, workspace.created)
    try:
        ok(moved.pyro("start"))
        assert moved.read("after") == b"after\n"
        ok(moved.pyro("reset", "--snapshot", "first"))
        assert (moved.read("kept"), moved.paths()) == (b"kept\n", ["kept"])
        # Where it is now, a file that was changed is damaged as it is anywhere.
        ok(moved.pyro("stop"))
        layer = moved.layer_file(1)
        layer.chmod(0o600)
        os.utime(layer)
        done = moved.pyro("start")
        assert done.code == 1 and f"the layer {layer} is damaged: it was changed after it was closed" in done.text
        ok(moved.pyro("reset"))
        assert moved.paths() == []
    finally:
        ok(elsewhere.pyro("workspace", "delete", "--all"))
    elsewhere.assert_nothing_left()
    # The original knows nothing of it.
    ok(workspace.pyro("start"))
    assert workspace.read("after") == b"after\n"


def test_a_damaged_record(host, workspace):
    with workspaces.one(host, "--name", "other") as other:
        ok(workspace.pyro("stop"))
        workspace.wait_for_nobody()
        for suffix in ("-wal", "-shm"):
            (workspace.folder / f"workspace.db{suffix}").unlink(missing_ok=True)
        (workspace.folder / "workspace.db").write_bytes(os.urandom(8192))
        assert workspaces.listed(host) == {workspace.id: "damaged", other.id: "started"}
        for command in ("start", "status", "logs"):
            done = workspace.pyro(command)
            assert done.code == 1, done
            assert f"{workspace.folder}/workspace.db is damaged" in done.text
        assert other.sh("echo fine") == b"fine\n"
        ok(workspace.pyro("delete"))
        assert workspaces.listed(host) == {other.id: "started"}
        with workspaces.one(host, "--name", "fix"):
            pass


def flip(path, offset):
    """One byte of a file, as a disk that forgets would."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))


def lose_record(folder, how):
    record, log = folder / "workspace.db", folder / "workspace.db-wal"
    if how == "log flipped":
        assert log.stat().st_size > 0
        flip(log, 32 + 24 + 100)  # in the first page, after the header of the log and that of its frame
    elif how == "log missing":
        log.unlink()
    elif how == "empty":
        os.truncate(record, 0)
    else:
        record.unlink()


@pytest.mark.parametrize("how", ["log flipped", "log missing", "empty", "missing"])
def test_a_record_that_is_lost_does_not_take_the_workspace_along(host, workspace, how):
    """After a kill: what was written last is in the log beside the record only."""
    pids = [workspace.supervisor(), workspace.qemu()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    harness.wait_gone(pids)
    layers = sorted((workspace.folder / "layers").iterdir())
    assert len(layers) == 2
    lose_record(workspace.folder, how)
    for _ in range(2):
        assert workspaces.listed(host) == {workspace.id: "damaged"}
    for command in ("start", "status", "logs"):
        done = workspace.pyro(command)
        assert done.code == 1, done
        assert f"{workspace.folder}/workspace.db is damaged" in done.text
    assert sorted((workspace.folder / "layers").iterdir()) == layers
    ok(workspace.pyro("delete"))
    assert workspaces.listed(host) == {}
    with workspaces.one(host, "--name", "fix"):
        pass


def test_a_record_that_cannot_be_opened_now_is_kept(host, workspace):
    ok(workspace.pyro("stop"))
    workspace.wait_for_nobody()
    record, aside = workspace.folder / "workspace.db", workspace.folder / "aside"
    record.rename(aside)
    record.mkdir()
    assert workspaces.listed(host) == {workspace.id: "unknown"}
    assert workspace.pyro("start").code in (1, 4)
    record.rmdir()
    aside.rename(record)
    ok(workspace.pyro("start"))
    assert workspace.read("after") == b"after\n"


@pytest.mark.parametrize("how", ["changed", "missing", "cut"])
def test_a_damaged_layer(workspace, how):
    ok(workspace.pyro("stop"))
    [(number,)] = workspace.query("SELECT layer FROM snapshot WHERE name = 'first'")
    layer = workspace.layer_file(number)
    if how == "missing":
        layer.unlink()
    else:
        layer.chmod(0o600)
        if how == "cut":
            os.truncate(layer, layer.stat().st_size // 2)
        else:
            with open(layer, "r+b") as file:
                file.seek(70_000)
                file.write(b"changed")
    for words in (["start"], ["reset", "--snapshot", "first"], ["disk list"]):
        done = workspace.pyro(*words)
        assert done.code == 1, done
        assert str(layer) in done.text, done
    assert workspace.status()["state"] == "stopped"
    ok(workspace.pyro("reset"))
    assert workspace.paths() == []
    assert workspace.sh("echo fine") == b"fine\n"


def test_a_damaged_baseline(workspace):
    ok(workspace.pyro("stop"))
    baseline = workspace.folder / "baseline.erofs"
    baseline.chmod(0o600)
    with open(baseline, "r+b") as file:
        file.write(b"changed")
    done = workspace.pyro("start")
    assert done.code == 1, done
    assert str(baseline) in done.text
    assert "delete it" in done.text


def test_deleted_by_two_at_once(host):
    made = workspaces.create(host)
    both = [host.start("workspace", "delete", made.id) for _ in range(2)]
    codes = [harness.finish(process).code for process in both]
    assert sorted(codes) in ([0, 0], [0, 1]), codes
    assert made.id not in workspaces.listed(host)


@pytest.fixture
def small_disk(host):
    """The same host with its state on a file system of 64 MB, which root can mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tempfile.mkdtemp(prefix="pyro-e2e-small-", dir="/tmp")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    try:
        own = harness.Host(host.folder, host.env)
        own.home = own.folder.__class__(folder) / "state"
        own.env["PYRO_HOME"] = str(own.home)
        if "PYRO_CACHE_DIR" in host.env:
            own.env["PYRO_CACHE_DIR"] = host.env["PYRO_CACHE_DIR"]
        yield own, own.home.parent
        own.assert_nothing_left()
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def fill(folder):
    """Nothing more fits on the file system."""
    with open(folder / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def fill_the_guest(workspace):
    """Nothing more fits on the disk behind /workspace. What is only reserved costs the host nothing."""
    workspace.sh(
        "mkdir fill; n=0; for size in 4G 256M 16M 1M 64K 4K; do"
        " while fallocate -l $size fill/$n 2>/dev/null; do n=$((n + 1)); done; n=$((n + 1)); done"
    )


def test_a_full_disk_of_the_guest(workspace, big):
    def refused():
        """What needs room is refused whole and says why; everything else goes on."""
        written = workspace.exec("dd", "if=/dev/zero", "of=more", "bs=64k", "count=16", "conv=fsync")
        assert written.code == 1, written
        assert b"No space left on device" in written.err
        for done in (workspace.pyro("sync push", big), workspace.pyro("file write", "kept", input=bytes(1 << 20))):
            assert done.code == 1, done
            assert "the workspace's disk is full" in done.text, done
        assert workspace.read("kept") == b"kept\n"
        assert "pushed" not in workspace.paths()
        assert workspace.sh("rm -f more; cat after") == b"after\n"

    fill_the_guest(workspace)
    refused()
    ok(workspace.pyro("snapshot create", "full"))
    kill(workspace, "qemu")
    assert_stopped_and_usable(workspace)
    refused()
    changed = {change["path"] for change in workspace.json("diff")["entries"]}
    assert {"after", "kept", "fill"} <= changed
    ok(workspace.pyro("stop"))
    ok(workspace.pyro("start"))
    refused()
    workspace.sh("rm -r fill")
    ok(workspace.pyro("sync push", big))
    assert len([p for p in workspace.paths() if p.startswith("pushed/")]) == 300
    assert workspace.read("kept") == b"pushed\n"
    ok(workspace.pyro("file write", "kept", input=bytes(1 << 20)))
    workspace.sh("dd if=/dev/zero of=more bs=64k count=16 conv=fsync")
    ok(workspace.pyro("reset", "--snapshot", "full"))
    refused()
    ok(workspace.pyro("delete"))
    with workspaces.one(workspace.host, "--name", "fix"):
        pass


def test_a_full_disk_of_the_host(small_disk, big):
    host, disk = small_disk
    with workspaces.one(host, "--name", "fix") as workspace:
        workspace.write("kept", b"kept\n")
        fill(disk)
        again = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, harness.ENVIRONMENT)
        assert again.code in (1, 4), again
        assert "space" in again.text, again
        assert workspace.pyro("snapshot create", "full").code in (1, 4)
        pushed = workspace.pyro("sync push", big)
        assert pushed.code in (1, 4, 5), pushed
        assert pushed.text
        assert workspaces.listed(host).keys() == {workspace.id}
        (disk / "filler").unlink()
        workspace.pyro("stop")  # it may say that not all could be written
        if workspace.status()["state"] != "started":
            ok(workspace.pyro("start"))
        pushed_files = [path for path in workspace.paths() if path.startswith("pushed/")]
        assert pushed_files == [], "it said that it failed"
        assert workspace.sh("cat kept") == b"kept\n"
        fill(disk)
        ok(workspace.pyro("delete"))
        (disk / "filler").unlink()
        assert workspaces.listed(host) == {}
