"""Snapshots and reset."""

import concurrent.futures

import pytest
import workspaces
from workspaces import ok


@pytest.fixture
def chain(host):
    """Three snapshots on top of each other; `n` says in which one is."""
    with workspaces.one(host, "--name", "fix", "--label", "a=b") as workspace:
        for n in ("one", "two", "three"):
            workspace.sh(f"echo {n} > n; echo {n} > file.{n}")
            done = workspace.json("snapshot create", n)
            assert done["snapshot"]["snapshot_name"] == n
        workspace.sh("echo last > n")
        yield workspace


def content(workspace):
    return workspace.read("n").decode().strip(), [p for p in workspace.paths() if p != "n"]


FILES = {"one": ["file.one"], "two": ["file.one", "file.two"], "three": ["file.one", "file.three", "file.two"]}


def test_reset_to_each(chain):
    assert chain.snapshots() == ["baseline", "one", "two", "three"]
    count = 0
    for name in ("two", "one", "three", "two"):
        done = chain.json("reset", "--snapshot", name)
        count += 1
        assert done["reset_count"] == count
        assert done["last_reset_at"]
        assert done["workspace_reset"]["snapshot_name"] == name
        assert content(chain) == (name, FILES[name])
        assert (chain.status()["name"], chain.status()["labels"]) == ("fix", {"a": "b"})
    ok(chain.pyro("reset"))
    assert chain.paths() == []
    assert chain.snapshots() == ["baseline", "one", "two", "three"]
    chain.assert_no_orphans()


def test_reset_clears_what_ran(chain):
    chain.sh("echo rooted > /root/gone; (sleep 1000 &) >/dev/null 2>&1")
    ok(chain.pyro("reset", "--snapshot", "one"))
    assert chain.logs() == []
    assert chain.sh("ls /root; pidof sleep || echo none") == b"none\n"
    assert [e["sequence"] for e in chain.logs()][-1] >= 1


@pytest.mark.parametrize("gone", ["one", "two", "three"])
def test_a_snapshot_goes_and_the_others_stay(chain, gone):
    ok(chain.pyro("snapshot delete", gone))
    rest = [n for n in ("one", "two", "three") if n != gone]
    assert chain.snapshots() == ["baseline", *rest]
    assert chain.pyro("reset", "--snapshot", gone).code == 1
    assert content(chain)[0] == "last"
    for name in rest:
        ok(chain.pyro("reset", "--snapshot", name))
        assert content(chain) == (name, FILES[name])
    for name in rest:
        ok(chain.pyro("snapshot delete", name))
    assert content(chain)[0] == rest[-1]
    ok(chain.pyro("reset"))
    chain.assert_no_orphans()
    assert len(chain.query("SELECT id FROM layer")) == 1, "nothing stands on the others any more"


def test_a_snapshot_survives_stop_and_start(chain):
    ok(chain.pyro("stop"))
    assert chain.snapshots() == ["baseline", "one", "two", "three"]
    refused = chain.pyro("snapshot create", "four")
    assert refused.code == 1
    assert "pyro workspace start" in refused.text
    ok(chain.pyro("snapshot delete", "three"))
    assert chain.status()["state"] == "stopped"
    done = chain.json("reset", "--snapshot", "two")
    assert done["state"] == "started"
    assert content(chain) == ("two", FILES["two"])


@pytest.mark.parametrize("name", ["one", "baseline", "", "a/b", "-x", "x" * 64])
def test_names_that_are_refused(chain, name):
    before = chain.snapshots()
    assert chain.pyro("snapshot create", "--", name).code in (1, 2)
    assert chain.snapshots() == before


def test_what_is_not_there(chain):
    for words in (["snapshot delete", "none"], ["snapshot delete", "baseline"], ["reset", "--snapshot", "none"]):
        done = chain.pyro(*words)
        assert done.code in (1, 2), done
    assert content(chain)[0] == "last"
    assert chain.status()["reset_count"] == 0


def test_two_resets_at_once(chain):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        names = ("one", "two")
        done = list(pool.map(lambda n: chain.pyro("reset", "--snapshot", n, "--json"), names))
    good = [n for n, d in zip(names, done, strict=True) if d.code == 0]
    assert good, done
    assert all(d.code == 0 or d.json["error"]["message"] for d in done), done
    now, files = content(chain)
    assert now in good
    assert files == FILES[now]
    assert chain.status()["reset_count"] == len(good)
    chain.assert_no_orphans()


def test_a_snapshot_while_somebody_writes(chain):
    process = chain.start_exec("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > busy; done", options=["--timeout-seconds", "100"])
    try:
        for n in range(4):
            ok(chain.pyro("snapshot create", f"busy{n}"))
    finally:
        process.kill()
        process.communicate()
    for n in (0, 3):
        ok(chain.pyro("reset", "--snapshot", f"busy{n}"))
        assert chain.read("n") == b"last\n"
