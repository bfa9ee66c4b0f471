"""Workspaces of the end-to-end tests: made, looked at, and gone afterwards."""

import contextlib
import sqlite3
import subprocess

import harness

# One size everywhere: a template for it is made once.
MEM_MIB = "256"
LINES = "".join(f"line {n}\n" for n in range(40))


def ok(done):
    """What a command that must succeed left."""
    assert done.code == 0, done
    return done


class Workspace:
    """One workspace of a host, by its id."""

    def __init__(self, host, created):
        self.host = host
        self.created = created
        self.id = created["workspace_id"]

    @property
    def folder(self):
        return self.host.home / "sandboxes" / self.id

    def pyro(self, command, *words, **kwargs):
        """pyro workspace COMMAND ID WORDS"""
        return self.host.pyro("workspace", *command.split(), self.id, *words, **kwargs)

    def json(self, command, *words, **kwargs):
        return ok(self.pyro(command, *words, "--json", **kwargs)).json

    def exec(self, *argv, options=(), **kwargs):
        return self.host.pyro("workspace", "exec", *options, self.id, "--", *argv, **kwargs)

    def sh(self, script, options=(), **kwargs):
        """The standard output of a shell script that succeeds."""
        return ok(self.exec("sh", "-c", script, options=options, **kwargs)).out

    def start_exec(self, *argv, options=(), **kwargs):
        return self.host.start("workspace", "exec", *options, self.id, "--", *argv, **kwargs)

    def status(self):
        return self.json("status")

    def logs(self):
        return self.json("logs")["entries"]

    def write(self, path, content):
        return ok(self.pyro("file write", path, input=content))

    def read(self, path):
        return ok(self.pyro("file read", path)).out

    def paths(self):
        """Everything below /workspace."""
        listed = self.json("file list", "--recursive")["entries"]
        return sorted(entry["path"].removeprefix("/workspace/") for entry in listed)

    def snapshots(self):
        return [s["snapshot_name"] for s in self.json("snapshot list")["snapshots"]]

    def supervisor(self):
        return harness.wait_until(lambda: self.host.supervisors(self.id), what="a supervisor")[0]

    def qemu(self):
        return harness.wait_until(lambda: self.host.qemus(self.id), what="a QEMU")[0]

    def wait_for_nobody(self):
        harness.wait_until(lambda: not self.host.supervisors(self.id), what="the end of the supervisor")

    def query(self, sql):
        """Rows of its record."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/workspace.db?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()

    def layer_file(self, number):
        return self.folder / "layers" / f"{number}.qcow2"

    def assert_no_orphans(self):
        """Each file in layers/ is named by the record, and the other way round."""
        files = sorted(path.name for path in (self.folder / "layers").iterdir())
        assert files == sorted(f"{number}.qcow2" for (number,) in self.query("SELECT id FROM layer"))


def create(host, *options, **kwargs):
    """pyro workspace create --mem-mib 256 OPTIONS debian:12, which must succeed."""
    done = host.pyro("workspace", "create", "--mem-mib", MEM_MIB, "--json", *options, harness.ENVIRONMENT, **kwargs)
    return Workspace(host, ok(done).json)


def listed(host):
    """{id: state}"""
    rows = ok(host.pyro("workspace", "list", "--json")).json["workspaces"]
    return {row["workspace_id"]: row["state"] for row in rows}


@contextlib.contextmanager
def one(host, *options, keep=False, **kwargs):
    """A workspace that is deleted afterwards. `keep`: it outlives tests."""
    workspace = create(host, *options, **kwargs)
    if keep:
        host.kept.add(workspace.id)
    try:
        yield workspace
    finally:
        done = workspace.pyro("delete")
        host.kept.discard(workspace.id)
        if workspace.id in listed(host):
            raise AssertionError(f"it could not be deleted: {done}")


def write_seed(seed):
    """A folder with a file, link and folder of each kind that changes."""
    (seed / "sub" / "deep").mkdir(parents=True)
    (seed / "text").write_text(LINES)
    (seed / "bare").write_text("no newline at the end")
    (seed / "sub" / "deep" / "file").write_text("deep\n")
    (seed / "sub" / "tool").write_text("#!/bin/sh\necho tool\n")
    (seed / "sub" / "tool").chmod(0o755)
    (seed / "empty").touch()
    (seed / "link").symlink_to("text")
    (seed / "to-folder").write_text("a file\n")
    (seed / "to-link").write_text("a file\n")
    (seed / "link-to-folder").symlink_to("text")
    (seed / "link-to-file").symlink_to("text")
    (seed / "folder-to-file" / "deep").mkdir(parents=True)
    (seed / "folder-to-file" / "in").write_text("in\n")
    (seed / "folder-to-file" / "deep" / "in").write_text("in\n")


def patched(seed, patch, target, tool):
    """A copy of the folder `seed` with a patch applied by a real program."""
    subprocess.run(["cp", "-a", seed, target], check=True)
    words = ["git", "apply", "--whitespace=nowarn", "-"] if tool == "git" else ["patch", "-p1", "-s", "--no-backup-if-mismatch"]
    subprocess.run(words, cwd=target, input=patch, check=True, timeout=60)
    return target


def tree(folder):
    """{relative path: what it is}, modes included."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.startswith(".git"):
            continue
        if path.is_symlink():
            found[name] = ("symlink", str(path.readlink()))
        elif path.is_file():
            found[name] = (oct(path.stat().st_mode & 0o777), path.read_bytes())
        else:
            found[name] = ("directory",)
    return found
