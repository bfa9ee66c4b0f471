"""A workspace from create to delete: states, names, labels, commands and their log."""

import concurrent.futures
import os
import signal
import subprocess
import tarfile
import time

import harness
import pytest
import workspaces
from harness import ending, finish, read_until
from workspaces import ok


@pytest.fixture(scope="module")
def shared(host):
    """One for all tests that only run commands in it."""
    with workspaces.one(host, "--name", "shared", "--env", "FROM_CREATE=c", "--label", "kind=test", keep=True) as workspace:
        yield workspace


@pytest.fixture
def seed(short_tmp):
    folder = short_tmp / "seed"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("text\n")
    (folder / "sub" / "tool").write_text("#!/bin/sh\necho tool\n")
    (folder / "sub" / "tool").chmod(0o750)
    (folder / "link").symlink_to("sub/tool")
    return folder


SEEDED = ["file", "link", "sub", "sub/tool"]


@pytest.mark.parametrize("kind", ["folder", "tar", "tar.gz", "tgz", "tar.zst"])
def test_create_from(host, seed, kind):
    source, mode = seed, "directory"
    if kind != "folder":
        mode = "archive"
        source = seed.parent / f"seed.{kind}"
        packed = {"tar.gz": "gz", "tgz": "gz"}.get(kind, "")
        plain = seed.parent / "plain.tar" if kind == "tar.zst" else source
        with tarfile.open(plain, f"w:{packed}") as archive:
            for name in ("file", "link", "sub"):
                archive.add(seed / name, name)
        if kind == "tar.zst":
            subprocess.run(["zstd", "-q", plain, "-o", source], check=True)
    with workspaces.one(host, "--seed-path", source) as workspace:
        assert workspace.created["state"] == "started"
        assert workspace.created["workspace_seed"]["mode"] == mode
        assert workspace.created["workspace_seed"]["seed_path"] == str(source)
        assert workspace.created["workspace_seed"]["entry_count"] == 4
        assert workspace.created["workspace_seed"]["bytes_written"] == 25
        assert workspace.paths() == SEEDED
        script = "stat -c '%n %a %u:%g %F' file sub/tool; readlink link; ./link"
        assert workspace.sh(script) == b"file 644 0:0 regular file\nsub/tool 750 0:0 regular file\nsub/tool\ntool\n"
        assert workspace.json("diff")["changed"] is False


def test_create_from_what_git_tracks(host, seed):
    for words in (["init", "-q"], ["add", "file", "sub"]):
        subprocess.run(["git", *words], cwd=seed, check=True)
    with workspaces.one(host, "--seed-path", seed, "--git-tracked") as workspace:
        assert workspace.paths() == ["file", "sub", "sub/tool"]


def test_create_prints_only_the_id(host):
    words = ["create", "--id-only", "--mem-mib", workspaces.MEM_MIB, harness.ENVIRONMENT]
    done = ok(host.pyro("workspace", *words))
    workspace = workspaces.Workspace(host, {"workspace_id": done.out.decode().rstrip("\n")})
    assert list(workspaces.listed(host)).count(workspace.id) == 1
    ok(workspace.pyro("delete"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--seed-path", "/does/not/exist"], "/does/not/exist"),
        (["--seed-path", "/dev/null"], "/dev/null"),
        (["--net-allow", "github.com"], "character 11: there are no ports"),
        (["--network-policy", "off", "--net-deny", "github.com"], "off has no rules"),
        (["--policy", "/does/not/exist"], "/does/not/exist"),
        (["--smolfile", "/does/not/exist"], "/does/not/exist"),
        (["--git-tracked"], "git"),
        (["--name", "ws-abcdefgh"], "no name for a workspace"),
        (["--secret", "A=1", "--secret", "A=2"], "twice"),
    ],
)
def test_a_refused_create_leaves_nothing(host, options, reason):
    before = workspaces.listed(host)
    done = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, *options, harness.ENVIRONMENT)
    assert done.code in (1, 2, 4), done
    assert reason in done.text
    assert workspaces.listed(host) == before


def test_a_seed_with_an_escaping_link_is_refused(host, seed):
    (seed / "out").symlink_to("../../etc/passwd")
    done = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, "--seed-path", seed, harness.ENVIRONMENT)
    assert done.code == 2, done
    assert '"out" is a symlink that leads out' in done.text


def test_an_unreadable_seed_is_refused(host):
    """A file that nobody can read, root neither: the kernel made it to be written."""
    before = workspaces.listed(host)
    source = "/proc/sys/net/ipv4/route"
    done = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, "--seed-path", source, harness.ENVIRONMENT)
    assert done.code == 3, done
    assert '"flush" cannot be read' in done.text
    assert workspaces.listed(host) == before
    assert_nothing_staged(host)


def assert_nothing_staged(host):
    assert sorted(p.name for p in (host.home / "sandboxes").iterdir() if p.name.startswith("ws-")) == sorted(workspaces.listed(host))
    staging = host.home / "staging"
    assert not staging.exists() or list(staging.iterdir()) == []


@pytest.mark.parametrize("packed", ["tar.gz", "tar.zst"])
def test_an_archive_that_grows_without_end_is_refused(host, short_tmp, packed):
    """9 GiB of zeros in one file, and a few KiB or MiB here."""
    archive = short_tmp / f"bomb.{packed}"
    head = tarfile.TarInfo("zeros")
    head.size = 9 << 30
    (short_tmp / "head").write_bytes(head.tobuf())
    pack = "gzip -1" if packed == "tar.gz" else "zstd -q"
    # In members, of which one is packed once.
    script = (
        f"head -c 67108864 /dev/zero | {pack} > zeros; (({pack} < head); for i in $(seq 144); do cat zeros; done; "
        f"head -c 1024 /dev/zero | {pack}) > bomb.{packed}"
    )
    subprocess.run(["sh", "-c", script], cwd=short_tmp, check=True, timeout=500)
    assert archive.stat().st_size < 64 << 20
    before = workspaces.listed(host)
    done = host.pyro(
        "workspace", "create", "--mem-mib", workspaces.MEM_MIB, "--seed-path", archive, harness.ENVIRONMENT, timeout=300
    )
    assert done.code in (1, 2), done
    assert "8.0 GiB" in done.text
    assert workspaces.listed(host) == before
    assert_nothing_staged(host)


def test_allow_host_compat_is_shown_and_changes_nothing(host):
    with workspaces.one(host, "--allow-host-compat") as workspace:
        assert workspace.created["allow_host_compat"] is True
        assert workspace.status()["allow_host_compat"] is True
        assert workspace.status()["execution_mode"] == "guest_serial"
        assert workspace.sh("cat /proc/1/comm")


GONE = {
    "sync push": ["."],
    "export": [".", "--output", "out"],
    "diff": [],
    "snapshot create": ["one"],
    "snapshot list": [],
    "snapshot delete": ["one"],
    "reset": [],
    "file list": [],
    "file read": ["file"],
    "file write": ["file"],
    "patch apply": [],
    "disk export": [".", "--output", "out"],
    "disk list": [],
    "disk read": ["file"],
    "summary": [],
    "status": [],
    "logs": [],
    "update": ["--label", "a=b"],
    "stop": [],
    "start": [],
    "delete": [],
}


@pytest.fixture(scope="module")
def gone(host):
    with workspaces.one(host, "--name", "was-there") as workspace:
        pass
    return workspace


@pytest.mark.parametrize("command", GONE)
def test_one_that_is_no_more(gone, short_tmp, command):
    words = [short_tmp / "out" if w == "out" else short_tmp if w == "." and command == "sync push" else w for w in GONE[command]]
    patch = b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"
    for name in (gone.id, "was-there"):
        done = gone.host.pyro("workspace", *command.split(), name, *words, "--json", input=patch)
        assert done.code == 1, done
        assert done.json["error"]["code"] == "not_found", done
        assert name in done.json["error"]["message"]
    assert list(short_tmp.iterdir()) == []


def test_names_and_labels(host, shared):
    with workspaces.one(host, "--name", "taken", "--label", "a=1", "--label", "b=2") as first:
        again = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, "--name", "taken", harness.ENVIRONMENT)
        assert again.code == 1
        assert first.id in again.text
        assert host.pyro("workspace", "exec", "taken", "--", "echo", "here").out == b"here\n"
        assert shared.pyro("update", "--name", "taken").code == 1
        assert shared.status()["name"] == "shared"
        changed = first.json("update", "--name", "other", "--label", "b=3", "--remove-label", "a")
        assert (changed["name"], changed["labels"]) == ("other", {"b": "3"})
        assert host.pyro("workspace", "status", "taken").code == 1
        assert host.pyro("workspace", "status", "other", "--json").json["workspace_id"] == first.id
        assert first.json("update", "--clear-name")["name"] in (None, "")
        ok(first.pyro("update", "--name", "taken"))
    with workspaces.one(host, "--name", "taken") as second:
        assert second.id != first.id
    for words in (["status"], ["exec", "--", "true"], ["delete"], ["logs"], ["start"]):
        assert first.pyro(*words).code in (1, 125), words
        assert "no workspace" in first.pyro(*words).text


def test_streams_and_exit_codes(shared):
    done = shared.exec("sh", "-c", "printf out; printf err >&2; exit 7")
    assert (done.code, done.out) == (7, b"out")
    assert done.err.startswith(b"err")
    assert shared.exec("/no/such/program").code == 127
    assert shared.exec("/etc/passwd").code == 126
    assert shared.exec("sh", "-c", "kill -9 $$").code == 137
    done = shared.exec("sh", "-c", "printf out; printf err >&2; exit 7", options=["--json"])
    assert done.code == 7
    assert {k: done.json[k] for k in ("stdout", "stderr", "exit_code", "timed_out")} == {
        "stdout": "out", "stderr": "err", "exit_code": 7, "timed_out": False,
    }  # fmt: skip


def test_stdin_folder_and_variables(shared):
    blob = os.urandom(300_000)
    assert shared.exec("cat", input=blob).out == blob
    assert shared.exec("pwd").out == b"/workspace\n"
    assert shared.exec("pwd", options=["--cwd", "/tmp"]).out == b"/tmp\n"
    shared.sh("mkdir -p deep/er")
    assert shared.exec("pwd", options=["--cwd", "deep/er"]).out == b"/workspace/deep/er\n"
    assert shared.exec("pwd", options=["--cwd", "/no/such"]).code != 0
    script = "echo $FROM_CREATE $MINE"
    assert shared.sh(script, options=["--env", "MINE=m"]) == b"c m\n"
    assert shared.sh(script, options=["--env", "FROM_CREATE=e"]) == b"e\n"
    assert shared.sh(script) == b"c\n"


def test_a_timeout(shared):
    start = time.monotonic()
    done = shared.exec("sh", "-c", "echo begun; sleep 1000", options=["--timeout-seconds", "5"])
    assert (done.code, done.out) == (124, b"begun\n")
    assert time.monotonic() - start < 60
    entry = shared.logs()[-1]
    assert (entry["exit_code"], entry["timed_out"], entry["stdout"]) == (124, True, "begun\n")


def test_ctrl_c(shared):
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"
    process = shared.start_exec("sh", "-c", script)
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.kill(process.pid, signal.SIGINT)
        done = finish(process)
    assert b"caught" in done.out, done
    assert shared.logs()[-1]["stdout"] == "ready\ncaught\n"
    assert shared.sh("echo fine") == b"fine\n"


def test_a_killed_client_ends_its_command(shared):
    process = shared.start_exec("sh", "-c", "echo ready; exec sleep 4321", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        process.kill()
    harness.wait_until(lambda: shared.logs()[-1]["ended_at"], what="the end of the command")
    assert shared.exec("sh", "-c", "pidof sleep || ps ax | grep '[s]leep 4321'").out == b""
    entry = next(e for e in shared.logs() if "4321" in e["command"])
    assert entry["stdout"] == "ready\n"


def test_several_at_once(shared):
    """Each sees what the others have written: they run together."""
    script = "touch met.$1; while [ $(ls met.* | wc -l) -lt 6 ]; do sleep 0.05; done; echo $1"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda n: shared.exec("sh", "-c", script, "sh", str(n)), range(6)))
    assert [r.out for r in results] == [f"{n}\n".encode() for n in range(6)]
    last = shared.logs()[-6:]
    assert sorted(e["stdout"] for e in last) == [f"{n}\n" for n in range(6)]
    sequences = [e["sequence"] for e in shared.logs()]
    assert sequences == sorted(set(sequences))


def test_a_long_output_is_cut_in_the_log_only(shared):
    done = shared.exec("sh", "-c", "echo begin; head -c 300000 /dev/zero | tr '\\0' x; echo end")
    assert len(done.out) == 300_000 + len("begin\nend\n")
    entry = shared.logs()[-1]
    assert entry["stdout_truncated"] is True
    assert entry["stdout_bytes"] == len(done.out)
    begin, mark, end = entry["stdout"].partition(f"\n[... {len(done.out) - 65_536} bytes left out ...]\n")
    assert mark
    assert (len(begin), len(end)) == (32_768, 32_768)
    assert begin.startswith("begin\nxxx")
    assert end.endswith("xend\n")
    assert mark.encode() in shared.pyro("logs").out


def test_status_shows_what_was_done(shared):
    before = shared.status()
    shared.exec("false")
    after = shared.status()
    assert after["command_count"] == before["command_count"] + 1
    assert after["last_command"] == {"command": "false", "exit_code": 1}
    assert after["last_activity_at"] > before["last_activity_at"]
    assert after["expires_at"] is None
    text = shared.pyro("status").out.decode()
    assert f"Workspace ID: {shared.id}\n" in text
    assert "Labels: kind=test\n" in text


def test_stop_keeps_what_was_written_and_start_has_it(host):
    with workspaces.one(host, "--name", "kept") as workspace:
        workspace.sh("echo written > file; mkdir d; echo rooted > /root/gone")
        done = workspace.json("stop")
        assert done["state"] == "stopped"
        assert not host.qemus(workspace.id)
        assert ok(workspace.pyro("stop")).code == 0, "it is so already"
        refused = workspace.exec("true")
        assert refused.code == 125
        assert f"pyro workspace start {workspace.id}" in refused.text
        assert workspace.logs()[0]["exit_code"] == 0
        assert workspace.json("start")["state"] == "started"
        assert ok(workspace.pyro("start")).code == 0
        assert workspace.sh("cat file; ls -d d; ls /root") == b"written\nd\n"
        assert [e["sequence"] for e in workspace.logs()] == [1, 2]
        workspace.assert_no_orphans()


def test_the_log_survives_the_end_of_its_supervisor(host):
    with workspaces.one(host) as workspace:
        workspace.sh("echo first; echo one >&2; echo kept > file; sync")
        os.kill(workspace.supervisor(), signal.SIGKILL)
        workspace.wait_for_nobody()
        status = workspace.status()
        assert status["state"] == "stopped"
        assert "its supervisor was ended" in status["last_error"]
        ok(workspace.pyro("start"))
        assert workspace.status()["last_error"] is None
        workspace.sh("cat file")
        entries = workspace.logs()
        assert [(e["sequence"], e["stdout"], e["stderr"]) for e in entries] == [(1, "first\n", "one\n"), (2, "kept\n", "")]


def test_ten_at_once(host):
    words = ["create", "--id-only", "--mem-mib", workspaces.MEM_MIB, harness.ENVIRONMENT]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        made = list(pool.map(lambda _: host.pyro("workspace", *words), range(10)))
        try:
            ids = [ok(done).out.decode().strip() for done in made]
            assert len(set(ids)) == 10
            outs = list(pool.map(lambda i: host.pyro("workspace", "exec", i, "--", "sh", "-c", f"echo {i} > me; cat me"), ids))
            assert [ok(done).out.decode().strip() for done in outs] == ids
            states = workspaces.listed(host)
            assert [states[i] for i in ids] == ["started"] * 10
        finally:
            ids = [done.out.decode().strip() for done in made if done.code == 0]
            gone = host.pyro("workspace", "delete", *ids)
    assert gone.code == 0, gone
    assert not set(ids) & set(workspaces.listed(host))
