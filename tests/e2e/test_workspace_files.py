"""Files into a workspace and out of it: sync, export, diff, single files, the disk of a stopped one."""

import concurrent.futures
import os
import signal
import subprocess
import tarfile

import harness
import pytest
import workspaces
from harness import finish
from workspaces import ok

ODD = [b"new\nline", b"not-utf8-\xff\xfe", b"quote\"back\\slash", b" space ", b"tab\there"]


@pytest.fixture(scope="module")
def shared(host, tmp_path_factory):
    """One that each test resets first."""
    seed = tmp_path_factory.mktemp("seeds") / "seed"
    workspaces.write_seed(seed)
    with workspaces.one(host, "--seed-path", seed, keep=True) as workspace:
        workspace.seed = seed
        yield workspace


@pytest.fixture
def fresh(shared):
    ok(shared.pyro("reset"))
    return shared


@pytest.fixture
def changes(short_tmp):
    folder = short_tmp / "changes"
    (folder / "sub").mkdir(parents=True)
    (folder / "text").write_text("pushed\n")
    (folder / "sub" / "more").write_text("more\n")
    (folder / "link").symlink_to("sub/more")
    return folder


def test_sync_adds_and_replaces_and_keeps_the_rest(fresh, changes):
    done = fresh.json("sync push", changes)
    assert done["workspace_sync"]["destination"] == "/workspace"
    assert fresh.read("text") == b"pushed\n"
    assert fresh.read("sub/more") == b"more\n"
    assert fresh.read("sub/deep/file") == b"deep\n"
    assert fresh.sh("readlink link; stat -c %U:%G text") == b"sub/more\nroot:root\n"


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tgz", "tar.zst"])
def test_sync_of_an_archive_to_a_folder(fresh, changes, kind):
    archive = changes.parent / f"changes.{kind}"
    plain = changes.parent / "plain.tar" if kind == "tar.zst" else archive
    with tarfile.open(plain, "w:gz" if kind in ("tar.gz", "tgz") else "w") as tar:
        tar.add(changes, ".")
    if kind == "tar.zst":
        subprocess.run(["zstd", "-q", plain, "-o", archive], check=True)
    assert fresh.json("sync push", archive, "--dest", "/workspace/in/here")["workspace_sync"]["destination"] == "/workspace/in/here"
    assert fresh.read("in/here/text") == b"pushed\n"
    assert fresh.read("text").startswith(b"line 0\n")


@pytest.mark.parametrize("dest", ["/etc", "../outside", "/workspace/../etc", "/workspacer"])
def test_sync_outside_is_refused(shared, changes, dest):
    done = shared.pyro("sync push", changes, "--dest", dest)
    assert done.code in (1, 2), done
    assert done.text


@pytest.mark.parametrize("what", ["link", "cut", "missing", "into-a-file"])
def test_a_failing_sync_leaves_all_as_it_was(fresh, changes, what):
    source, options = changes, []
    if what == "link":
        (changes / "zz").symlink_to("/etc/passwd")
    elif what == "cut":
        source = changes.parent / "cut.tar"
        (changes / "zz").write_bytes(os.urandom(300_000))
        with tarfile.open(source, "w") as tar:
            for name in ("text", "sub", "zz"):
                tar.add(changes / name, name)
        os.truncate(source, 150_000)
    elif what == "missing":
        source = changes / "nothing"
    else:
        options = ["--dest", "text/below"]
    done = fresh.pyro("sync push", source, *options)
    assert done.code in (1, 2), done
    assert fresh.json("diff")["changed"] is False
    ok(fresh.pyro("sync push", changes / "sub"))
    assert fresh.read("more") == b"more\n"


def test_syncs_and_snapshots_take_turns(fresh, changes):
    """Eight writers, each with a file, a patch and a folder after each other, and snapshots in between."""

    def write(n):
        patch = f"--- /dev/null\n+++ b/patched.{n}\n@@ -0,0 +1 @@\n+{n}\n"
        fresh.write(f"written.{n}", b"%d\n" % n)
        ok(fresh.pyro("patch apply", input=patch.encode()))
        ok(fresh.pyro("sync push", changes, "--dest", f"pushed.{n}"))

    def snapshots(_):
        for n in range(4):
            ok(fresh.pyro("snapshot create", f"turn-{n}"))

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        taken = pool.submit(snapshots, None)
        list(pool.map(write, range(8)))
        taken.result()
    for n in range(8):
        assert fresh.read(f"written.{n}") == fresh.read(f"patched.{n}") == b"%d\n" % n
        assert fresh.read(f"pushed.{n}/text") == b"pushed\n"
    kinds = [e["kind"] for e in fresh.json("summary")["events"]]
    assert [kinds.count(k) for k in ("file_write", "patch", "sync")] == [8, 8, 8]
    for n in range(4):
        ok(fresh.pyro("snapshot delete", f"turn-{n}"))


def bytes_read(process):
    with open(f"/proc/{process.pid}/io") as io:
        return int(io.readline().split()[1])


def test_who_waits_for_a_sync_can_leave_or_stop_it(fresh, short_tmp):
    """A client that sends no more holds up other syncs, and nobody who ends the guest."""
    with open(short_tmp / "large", "wb") as large:
        large.truncate(4 << 30)
    words = ("workspace", "sync", "push", fresh.id, short_tmp)
    first = fresh.host.start(*words)
    harness.wait_until(lambda: bytes_read(first) > 16 << 20, what="a sync under way")
    first.send_signal(signal.SIGSTOP)
    second = fresh.host.start("workspace", "snapshot", "create", fresh.id, "late")
    third = fresh.host.start(*words)
    assert fresh.sh("echo alive") == b"alive\n"
    assert (second.poll(), third.poll()) == (None, None)
    # It hears signals before it connects.
    harness.wait_until(lambda: harness.has_a_connection(third), what="one that waits")
    third.send_signal(signal.SIGINT)
    assert finish(third).code == 130
    ok(fresh.pyro("stop"))
    assert finish(second).code == 1
    first.send_signal(signal.SIGCONT)
    assert finish(first).code in (1, 4)
    ok(fresh.pyro("start"))
    assert fresh.snapshots() == ["baseline"]
    assert fresh.json("diff")["changed"] is False


def test_export(fresh, short_tmp):
    fresh.sh("mkfifo pipe; chmod 600 bare")
    out = short_tmp / "out"
    out.mkdir()
    done = fresh.json("export", "bare", "--output", out / "bare")
    assert (done["artifact_type"], done["bytes_written"]) == ("file", 21)
    assert (out / "bare").read_text() == "no newline at the end"
    assert (out / "bare").stat().st_mode & 0o777 == 0o600
    assert fresh.json("export", "link", "--output", out / "link")["artifact_type"] == "symlink"
    assert os.readlink(out / "link") == "text"
    done = fresh.json("export", "/workspace", "--output", out / "all")
    assert (done["artifact_type"], done["skipped"]) == ("directory", ["pipe"])
    expected = workspaces.tree(fresh.seed)
    expected["bare"] = ("0o600", b"no newline at the end")
    assert workspaces.tree(out / "all") == expected
    assert sorted(p.name for p in out.iterdir()) == ["all", "bare", "link"]


def test_export_to_what_is_there(fresh, short_tmp):
    (short_tmp / "file").write_text("old")
    ok(fresh.pyro("export", "bare", "--output", short_tmp / "file"))
    assert (short_tmp / "file").read_text() == "no newline at the end"
    (short_tmp / "folder").mkdir()
    (short_tmp / "folder" / "mine").touch()
    for source in ("sub", "bare"):
        done = fresh.pyro("export", source, "--output", short_tmp / "folder")
        assert done.code == 1, done
        assert "exists already" in done.text
    assert fresh.pyro("export", "sub", "--output", short_tmp / "file").code == 1
    for source in ("no/such", "../etc/passwd", "/etc/passwd"):
        assert fresh.pyro("export", source, "--output", short_tmp / "none").code in (1, 2)
    assert fresh.pyro("export", "sub", "--output", short_tmp / "no" / "folder").code == 1
    assert sorted(p.name for p in short_tmp.iterdir()) == ["file", "folder"]
    assert [p.name for p in (short_tmp / "folder").iterdir()] == ["mine"]


CHANGE = r"""
sed -i 's/^line 3$/changed/; s/^line 33$/&\nadded/' text
rm sub/deep/file
chmod -x sub/tool
printf 'now\nwith\n' > bare
printf 'filled' > empty
mkdir new; echo new > 'new/with space'; printf 'x' > new/bare; : > new/empty
printf '#!/bin/sh\n' > run; chmod 755 run
ln -sfn bare link
mv text renamed
"""


FILES_AND_LINKS = """
ln -sfn text to-link
rm link-to-file; printf '#!/bin/sh\\n' > link-to-file; chmod 755 link-to-file
ln -s ../outside new-link
"""
# Both ways. GNU patch removes what goes only in the end, so it cannot put anything in its place.
FILES_AND_FOLDERS = """
rm to-folder; mkdir -p to-folder/deep; echo in > to-folder/in; echo in > to-folder/deep/in
rm link-to-folder; mkdir link-to-folder; echo in > link-to-folder/in
rm -r folder-to-file; echo now > folder-to-file
"""
SCRIPTS = {"git": CHANGE + FILES_AND_LINKS + FILES_AND_FOLDERS, "patch": CHANGE + FILES_AND_LINKS}


@pytest.mark.parametrize("tool", ["git", "patch"])
def test_a_diff_applies_with_real_tools(fresh, short_tmp, tool):
    fresh.sh(SCRIPTS[tool])
    diff = fresh.json("diff")
    assert {e["artifact_type"] for e in diff["entries"] if not e["text_patched"]} == {"directory"}, "a patch has no folders"
    target = workspaces.patched(fresh.seed, ok(fresh.pyro("diff")).out, short_tmp / "copy", tool)
    ok(fresh.pyro("export", ".", "--output", short_tmp / "out"))
    expected, found = workspaces.tree(short_tmp / "out"), workspaces.tree(target)
    assert expected.pop("sub/deep") == ("directory",), "git and patch remove a folder that they emptied"
    assert found == expected


def test_what_a_binary_file_stands_in_the_way_of_is_no_patch(fresh, short_tmp):
    fresh.write("folder-to-file/in", b"\0binary")
    ok(fresh.pyro("export", ".", "--output", short_tmp / "seed"))
    with workspaces.one(fresh.host, "--seed-path", short_tmp / "seed") as other:
        other.sh("rm -r folder-to-file; echo now > folder-to-file; echo more >> text")
        patch = ok(other.pyro("diff")).out
        for tool in ("git", "patch"):
            target = workspaces.patched(short_tmp / "seed", patch, short_tmp / tool, tool)
            assert (target / "folder-to-file" / "in").read_bytes() == b"\0binary"
            assert (target / "text").read_text().endswith("more\n")


def test_diff_names_every_kind_of_change(fresh):
    fresh.sh("echo x >> text; rm empty; rm link; mkdir link; chmod 700 sub/tool; head -c 3000 /dev/zero > new.bin")
    diff = fresh.json("diff")
    found = {e["path"]: e["status"] for e in diff["entries"]}
    expected = {
        "text": "modified", "empty": "deleted", "link": "type_changed", "sub/tool": "mode_changed", "new.bin": "added",
    }  # fmt: skip
    assert found == expected
    assert diff["summary"]["total"] == 5
    fresh.sh("rmdir link; ln -s text link; chmod 755 sub/tool; rm new.bin; : > empty; sed -i '$d' text")
    assert fresh.json("diff")["changed"] is False, "what is as it was is no change"


def test_single_files(fresh, short_tmp):
    blob = os.urandom(200_000)
    done = fresh.json("file write", "a/b/blob", "--mode", "0750", input=blob)
    assert done["bytes_written"] == len(blob)
    assert fresh.read("a/b/blob") == blob
    assert fresh.sh("stat -c %a a/b/blob") == b"750\n"
    (short_tmp / "input").write_text("from a file")
    ok(fresh.pyro("file write", "text", "--input", short_tmp / "input"))
    assert fresh.read("/workspace/text") == b"from a file"
    assert fresh.pyro("file read", "text", "--max-bytes", "3").code == 1
    for path in ("none", "sub", "/etc/passwd"):
        assert fresh.pyro("file read", path).code in (1, 2), path
    done = fresh.pyro("file write", "sub/tool/below", input=b"x")
    assert done.code == 2
    assert done.text.startswith('pyro: the destination: "sub/tool" is not a folder'), done
    listed = {e["path"]: e["artifact_type"] for e in fresh.json("file list")["entries"]}
    assert listed["/workspace/sub"] == "directory"
    assert listed["/workspace/link"] == "symlink"
    assert "/workspace/sub/tool" not in listed
    assert [e["path"] for e in fresh.json("file list", "sub")["entries"]] == ["/workspace/sub/deep", "/workspace/sub/tool"]


def test_the_disk_of_a_stopped_workspace_is_only_read(fresh, short_tmp):
    fresh.sh("echo written > file")
    assert fresh.pyro("disk list").code == 1, "it is started"
    ok(fresh.pyro("stop"))
    stamps = {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in (fresh.folder / "layers").iterdir()}
    paths = [e["path"] for e in fresh.json("disk list", "--recursive")["entries"]]
    assert "/workspace/file" in paths
    assert "/workspace/sub/deep/file" in paths
    assert ok(fresh.pyro("disk read", "file")).out == b"written\n"
    ok(fresh.pyro("disk export", ".", "--output", short_tmp / "out"))
    assert workspaces.tree(short_tmp / "out") == {**workspaces.tree(fresh.seed), "file": ("0o644", b"written\n")}
    assert stamps == {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in (fresh.folder / "layers").iterdir()}
    assert fresh.status()["state"] == "stopped"
    ok(fresh.pyro("start"))
    assert fresh.read("file") == b"written\n"


def test_odd_names_go_in_and_come_out(host, short_tmp):
    seed = short_tmp / "seed"
    seed.mkdir()
    for name in ODD:
        (seed / os.fsdecode(name)).write_bytes(b"content\n")
    with workspaces.one(host, "--seed-path", seed) as workspace:
        assert sorted(workspace.sh("printf '%s\\0' *").split(b"\0")[:-1]) == sorted(ODD)
        assert len(workspace.json("file list")["entries"]) == len(ODD)
        text = ok(workspace.pyro("file list")).out
        assert len(text.splitlines()) == len(ODD), "a newline in a name makes no line"
        assert workspace.read(ODD[1]) == b"content\n"
        workspace.sh("for f in ./*; do echo more >> \"$f\"; done; for f in ./*; do cp \"$f\" \"$f.copy\"; done")
        ok(workspace.pyro("export", ".", "--output", short_tmp / "out"))
        expected = sorted([*ODD, *(name + b".copy" for name in ODD)])
        assert sorted(os.listdir(os.fsencode(short_tmp / "out"))) == expected
        diff = workspace.json("diff")
        assert (diff["summary"]["modified"], diff["summary"]["added"]) == (5, 5)
        patched = workspaces.patched(seed, ok(workspace.pyro("diff")).out, short_tmp / "copy", "git")
        subprocess.run(["diff", "-r", patched, short_tmp / "out"], check=True)


def test_summary(fresh, changes, short_tmp):
    fresh.sh("echo x >> text")
    ok(fresh.pyro("sync push", changes, "--dest", "in"))
    ok(fresh.pyro("export", "text", "--output", short_tmp / "out"))
    text = ok(fresh.pyro("summary")).out.decode()
    for part in ("echo x >> text", "/workspace/in", str(short_tmp / "out")):
        assert part in text, text
