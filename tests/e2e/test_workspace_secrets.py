"""Values of secrets are in the guest and in secrets.json, and nowhere else."""

import os
import pathlib
import sqlite3
import subprocess

import harness
import pytest
import workspaces
from workspaces import ok

LITERAL = "sesame-0pen-literal"
FILED = "sesame-0pen-from-a-file"
VALUES = [LITERAL.encode(), FILED.encode()]


@pytest.fixture(scope="module")
def shared(host, tmp_path_factory):
    file = tmp_path_factory.mktemp("secrets") / "secret"
    file.write_text(FILED + "\n")
    with workspaces.one(host, "--secret", f"LIT={LITERAL}", "--secret-file", f"FILED={file}", keep=True) as workspace:
        yield workspace


def assert_nowhere(workspace, done):
    for value in VALUES:
        assert value not in done.out + done.err, done
    return done


def test_they_are_in_the_guest_and_their_names_outside(shared):
    assert shared.created["secrets"] == [
        {"name": "FILED", "source_kind": "file"}, {"name": "LIT", "source_kind": "literal"},
    ]  # fmt: skip
    assert shared.status()["secrets"] == shared.created["secrets"]
    lengths = shared.sh("wc -c < /run/pyro-secrets/LIT; wc -c < /run/pyro-secrets/FILED; stat -c '%a %U' /run/pyro-secrets/LIT")
    assert lengths.decode().split() == [str(len(LITERAL)), str(len(FILED)), "400", "root"]
    assert shared.sh("stat -f -c %T /run/pyro-secrets") == b"tmpfs\n"
    script = "echo ${#LIT} ${#OTHER}"
    assert shared.sh(script, options=["--secret-env", "LIT", "--secret-env", "FILED=OTHER"]).split() == [b"19", b"23"]
    assert shared.sh(script).split() == [b"0", b"0"]
    done = shared.exec("true", options=["--secret-env", "NONE"])
    assert done.code == 125
    assert "has no secret" in done.text


# Without a process in between: the start of a value is held back for a second only.
SPLIT = "v=$(cat /run/pyro-secrets/LIT); printf '<%.7s' $v; printf '%s>' ${v#???????}"


@pytest.mark.parametrize("after", ["create", "reset", "restart"])
def test_output_is_redacted(shared, after):
    if after == "reset":
        ok(shared.pyro("reset"))
    elif after == "restart":
        ok(shared.pyro("stop"))
        ok(shared.pyro("start"))
    done = assert_nowhere(shared, shared.exec("sh", "-c", "cat /run/pyro-secrets/LIT; cat /run/pyro-secrets/FILED >&2"))
    assert done.out == b"[redacted:LIT]"
    assert done.err.startswith(b"[redacted:FILED]")
    assert shared.sh("echo a$LIT; echo $LIT$LIT", options=["--secret-env", "LIT"]) == (
        b"a[redacted:LIT]\n[redacted:LIT][redacted:LIT]\n"
    )
    assert shared.sh(SPLIT) == b"<[redacted:LIT]>"
    done = shared.exec("sh", "-c", "cat /run/pyro-secrets/LIT", options=["--json"])
    assert assert_nowhere(shared, done).json["stdout"] == "[redacted:LIT]"
    assert shared.exec("sh", "-c", f"echo {LITERAL}").out == b"[redacted:LIT]\n"
    logs = assert_nowhere(shared, shared.pyro("logs", "--json")).json["entries"]
    assert logs[-1]["command"] == "sh -c 'echo [redacted:LIT]'"
    assert logs[-1]["stdout"] == "[redacted:LIT]\n"


def test_they_cannot_be_shown_by_what_names_a_workspace(shared, host):
    before = workspaces.listed(host)
    secret = f"NEW={LITERAL}"
    for words in (
        ["--env", f"TOKEN=a {LITERAL}"],
        ["--label", f"token={LITERAL}"],
        ["--label", f"{LITERAL}=token"],
        ["--name", LITERAL],
    ):
        done = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, "--secret", secret, *words, harness.ENVIRONMENT)
        assert_nowhere(shared, done)
        assert done.code == 2, done
        assert "the value of the secret NEW stands in the workspace's name, labels or variables" in done.text
    assert workspaces.listed(host) == before
    for words in (["--label", f"token={FILED}"], ["--label", f"{LITERAL}=x"], ["--name", LITERAL]):
        done = assert_nowhere(shared, shared.pyro("update", *words))
        assert done.code == 2, done
    assert shared.status()["labels"] == {}


def test_the_folder_of_a_command_is_shown_without_them(shared):
    shared.sh(f"mkdir -p {LITERAL}")
    for words in ([], ["--json"]):
        done = assert_nowhere(shared, ok(shared.exec("true", options=["--cwd", LITERAL, *words])))
        assert b"[redacted:LIT]" in done.out + done.err
    shared.sh(f"rmdir {LITERAL}")


def test_what_nearly_is_one_comes_at_once(shared):
    assert shared.exec("sh", "-c", f"printf {LITERAL[:-1]}").out == LITERAL[:-1].encode()


def test_answers_do_not_have_them(shared, short_tmp):
    shared.sh("echo file > file")
    ok(shared.pyro("snapshot create", "one"))
    for words in (["status"], ["logs"], ["summary"], ["diff"], ["snapshot list"], ["file list"], ["update", "--label", "a=b"]):
        assert_nowhere(shared, ok(shared.pyro(*words)))
        assert_nowhere(shared, ok(shared.pyro(*words, "--json")))
    assert_nowhere(shared, ok(shared.host.pyro("workspace", "list", "--json")))
    assert_nowhere(shared, shared.exec("true", options=["--cwd", f"/{LITERAL}"]))
    ok(shared.pyro("export", ".", "--output", short_tmp / "out"))
    assert subprocess.run(["grep", "-r", LITERAL, short_tmp], capture_output=True, check=False).returncode == 1
    ok(shared.pyro("snapshot delete", "one"))


def written(path):
    """What is in a file, a piece at a time, without its holes. Pieces overlap."""
    size = path.stat().st_size
    with open(path, "rb", buffering=0) as file:
        at = 0
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return
            yield os.pread(file.fileno(), (1 << 20) + 64, at)
            at += 1 << 20


def test_no_file_of_the_host_has_them_but_one(shared):
    shared.sh("cat /run/pyro-secrets/*; sync")
    ok(shared.pyro("snapshot create", "kept"))
    shared.sh("echo $LIT", options=["--secret-env", "LIT"])
    for when in ("started", "stopped"):
        if when == "stopped":
            ok(shared.pyro("stop"))
            shared.wait_for_nobody()
        for folder in (shared.host.home, shared.host.runtime):
            for path in folder.rglob("*"):
                if path.is_file() and path.name != "secrets.json":
                    found = any(value in part for part in written(path) for value in VALUES)
                    assert not found, (when, path)
    assert (shared.folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(shared.folder / "workspace.db") as db:
        assert LITERAL not in "\n".join(db.iterdump())
    ok(shared.pyro("start"))


def test_no_process_of_the_host_shows_them(shared):
    process = shared.start_exec("sh", "-c", "echo ready; sleep 1000", options=["--secret-env", "LIT", "--timeout-seconds", "100"])
    with harness.ending(process):
        harness.read_until(process.stdout, b"ready\n")
        ours = [process.pid, shared.supervisor(), shared.qemu()]
        for pid in ours:
            for name in ("cmdline", "environ"):
                text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
                assert not any(value in text for value in VALUES), (harness.name_of(pid), name)


@pytest.mark.parametrize("options", [["--secret", "A"], ["--secret", "=x"], ["--secret", "A="], ["--secret-file", "A=/none"]])
def test_refused_ones(host, options):
    done = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, *options, harness.ENVIRONMENT)
    assert done.code in (1, 2), done


def test_one_that_is_not_utf8_is_refused_and_not_shown(host, short_tmp):
    (short_tmp / "secret").write_bytes(b"hidden\xff\xfehidden")
    words = ["--secret-file", f"A={short_tmp}/secret", harness.ENVIRONMENT]
    done = host.pyro("workspace", "create", "--mem-mib", workspaces.MEM_MIB, *words)
    assert done.code in (1, 2), done
    assert b"hidden" not in done.out + done.err
