"""pyro workspace patch apply, with patches that git and diff wrote."""

import subprocess

import pytest
import workspaces
from test_workspace_files import CHANGE, FILES_AND_FOLDERS, FILES_AND_LINKS
from workspaces import ok


@pytest.fixture(scope="module")
def shared(host, tmp_path_factory):
    """One that each test resets first."""
    seed = tmp_path_factory.mktemp("seeds") / "seed"
    workspaces.write_seed(seed)
    (seed / "dos").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    for name in (b"caf\xc3\xa9", b"not-utf8-\xff", b"quote\"back\\slash", b"with space", b"tab\there", b"new\nline"):
        (seed / name.decode(errors="surrogateescape")).write_bytes(b"odd\n")
    with workspaces.one(host, "--seed-path", seed, keep=True) as workspace:
        workspace.seed = seed
        yield workspace


@pytest.fixture
def fresh(shared):
    ok(shared.pyro("reset"))
    return shared


@pytest.fixture
def repository(shared, short_tmp):
    """The seed as git has it; change it, then take git_diff() of it."""
    folder = short_tmp / "repository"
    subprocess.run(["cp", "-a", shared.seed, folder], check=True)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "seed")
    return folder


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, timeout=60).stdout


def git_diff(folder, *options):
    git(folder, "add", "-A")
    return git(folder, "diff", "--cached", *options, "HEAD")


def apply(workspace, patch):
    return workspace.json("patch apply", input=patch)


def exported(workspace, target):
    """What a patch can say of /workspace: its files and links."""
    ok(workspace.pyro("export", ".", "--output", target))
    return files_of(target)


def files_of(folder):
    return {name: what for name, what in workspaces.tree(folder).items() if what != ("directory",)}


CHANGES = {
    "hunks": "sed -i 's/^line 3$/changed/; s/^line 33$/&\\nadded/; 1d' text",
    "added": "mkdir -p new/deep; echo new > new/deep/file; : > new/empty; printf bare > new/bare",
    "deleted": "rm text bare empty sub/deep/file",
    "renamed": "mkdir moved; git mv text moved/text; git mv empty moved/empty; git mv link moved/link",
    "renamed and changed": "git mv text other; sed -i 's/^line 3$/changed/' other; chmod +x other",
    "modes": "chmod +x text; chmod -x sub/tool",
    "mode and content": "chmod +x text; echo more >> text",
    "no newline any more": "printf 'line' >> text; printf '\\nmore' >> bare",
    "newline at last": "echo >> bare",
    "CRLF": "sed -i 's/two/2/' dos; printf 'four\\r\\n' >> dos; printf 'a\\r\\nb\\n' > mixed",
    "odd names": "for f in caf* not-utf8* quote* with* tab* new*; do echo more >> \"$f\"; cp \"$f\" \"copy $f\"; done",
    "odd names gone": "for f in caf* not-utf8* quote* with* tab* new*; do mv \"$f\" \"sub/$f\"; done",
    "links": "ln -sfn bare link; rm link-to-folder; ln -s ../outside new-link",
    "kinds": FILES_AND_LINKS + FILES_AND_FOLDERS,
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_git_writes(fresh, repository, short_tmp, what):
    subprocess.run(["bash", "-ec", CHANGES[what]], cwd=repository, check=True, timeout=60)
    patch = git_diff(repository, "-M")
    result = apply(fresh, patch)
    assert result["changed"] is True
    assert result["summary"]["total"] == len(result["entries"]) > 0
    assert exported(fresh, short_tmp / "out") == files_of(repository)


def test_what_diff_writes(fresh, repository, short_tmp):
    subprocess.run(["cp", "-a", repository, short_tmp / "b"], check=True)
    subprocess.run(["bash", "-ec", CHANGES["hunks"]], cwd=short_tmp / "b", check=True)
    (short_tmp / "b" / "new").write_text("new\n")
    (short_tmp / "b" / "dos").unlink()
    words = ["diff", "-urN", "--no-dereference", "-x", ".git", "repository", "b"]
    done = subprocess.run(words, cwd=short_tmp, check=False, capture_output=True, timeout=60)
    assert done.returncode == 1
    entries = apply(fresh, done.stdout)["entries"]
    assert {e["path"]: e["status"] for e in entries} == {"dos": "deleted", "new": "added", "text": "modified"}
    assert exported(fresh, short_tmp / "out") == files_of(short_tmp / "b")


GOOD = "diff --git a/text b/text\n--- a/text\n+++ b/text\n@@ -1,2 +1,2 @@\n-line 0\n+first\n line 1\n"
FAILING = {
    "second hunk": GOOD + "@@ -30,2 +30,2 @@\n line 29\n-line thirty\n+30\n",
    "second file": GOOD + "diff --git a/bare b/bare\n--- a/bare\n+++ b/bare\n@@ -1 +1 @@\n-other\n+new\n",
    "missing file": GOOD + "diff --git a/none b/none\n--- a/none\n+++ b/none\n@@ -1 +1 @@\n-other\n+new\n",
    "new file is there": GOOD + "diff --git a/bare b/bare\nnew file mode 100644\n--- /dev/null\n+++ b/bare\n@@ -0,0 +1 @@\n+new\n",
    "rename to what is there": GOOD + "diff --git a/bare b/empty\nrename from bare\nrename to empty\n",
    "more in a deleted file": GOOD + "diff --git a/dos b/dos\ndeleted file mode 100644\n--- a/dos\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\r\n",
    "more in a folder": GOOD
    + "diff --git a/folder-to-file/in b/folder-to-file/in\ndeleted file mode 100644\n--- a/folder-to-file/in\n+++ /dev/null\n@@ -1 +0,0 @@\n-in\n"
    + "diff --git a/folder-to-file b/folder-to-file\nnew file mode 100644\n--- /dev/null\n+++ b/folder-to-file\n@@ -0,0 +1 @@\n+now\n",
    "in a file": GOOD + "diff --git a/bare/in b/bare/in\nnew file mode 100644\n--- /dev/null\n+++ b/bare/in\n@@ -0,0 +1 @@\n+new\n",
    "beyond a link": GOOD + "diff --git a/link/in b/link/in\nnew file mode 100644\n--- /dev/null\n+++ b/link/in\n@@ -0,0 +1 @@\n+new\n",
    "a link taken for a file": GOOD + "diff --git a/link b/link\ndeleted file mode 100644\n--- a/link\n+++ /dev/null\n@@ -1 +0,0 @@\n-text\n\\ No newline at end of file\n",
    "outside": GOOD + "diff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n",
    "binary": GOOD + "diff --git a/bin b/bin\nnew file mode 100644\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\n",
    "cut": GOOD.rsplit(" line 1", 1)[0],
}  # fmt: skip


@pytest.mark.parametrize("what", FAILING)
def test_a_patch_that_fails_changes_nothing(fresh, what):
    done = fresh.pyro("patch apply", input=FAILING[what].encode())
    assert done.code in (1, 2), done
    assert done.text.startswith("pyro: ")
    assert fresh.json("diff")["changed"] is False
    assert apply(fresh, GOOD.encode())["changed"] is True
    assert fresh.read("text").startswith(b"first\nline 1\n")


def test_a_failing_guest_changes_nothing(fresh):
    """One of two files cannot be replaced: the other is as it was."""
    patch = GOOD + "diff --git a/zz b/zz\n--- a/zz\n+++ b/zz\n@@ -1 +1 @@\n-old\n+new\n"
    fresh.sh("echo old > zz; chattr +i zz")
    done = fresh.pyro("patch apply", input=patch.encode())
    assert done.code == 3, done
    assert (fresh.read("text"), fresh.read("zz")) == (workspaces.LINES.encode(), b"old\n")
    fresh.sh("chattr -i zz")
    assert apply(fresh, patch.encode())["changed"] is True
    assert fresh.read("zz") == b"new\n"


@pytest.mark.parametrize("script", [CHANGE, FILES_AND_LINKS + FILES_AND_FOLDERS], ids=["files", "kinds"])
def test_a_diff_goes_into_another_workspace(fresh, short_tmp, script):
    fresh.sh(script)
    patch = ok(fresh.pyro("diff")).out
    with workspaces.one(fresh.host, "--seed-path", fresh.seed) as other:
        result = apply(other, patch)
        assert result["changed"] is True
        assert ok(other.pyro("diff")).out == patch
        assert exported(other, short_tmp / "other") == exported(fresh, short_tmp / "this")
        events = [e for e in other.json("summary")["events"] if e["kind"] == "patch"]
        assert len(events) == 1
