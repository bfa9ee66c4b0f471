"""The jail around QEMU, and the template's memory that no guest can write."""

import os
import pathlib
import stat

import harness
import pytest
from harness import descriptors, ending, read_until, status_field


@pytest.fixture
def running(host):
    """A clone that runs a command: its QEMU and its supervisor."""
    process = host.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        yield host.qemu(), host.supervisor()


def access_mode(pid, number):
    for line in pathlib.Path(f"/proc/{pid}/fdinfo/{number}").read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8) & os.O_ACCMODE
    raise AssertionError("no flags")


def identity(path):
    info = os.stat(path)
    return info.st_dev, info.st_ino


def template_files(host):
    return {identity(path): path for path in host.templates.glob("*/*") if path.name in ("memory", "state")}


def test_qemu_holds_no_template_writable(host, running):
    """Neither through a descriptor nor through a shared mapping; so does its supervisor."""
    qemu, supervisor = running
    files = template_files(host)
    assert files
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    held = 0
    for pid in (qemu, supervisor):
        for number in descriptors(pid):
            if identity(f"/proc/{pid}/fd/{number}") in files:
                assert access_mode(pid, number) == os.O_RDONLY
                held += 1
    mapped = [line.split() for line in pathlib.Path(f"/proc/{qemu}/maps").read_text().splitlines()]
    inodes = {inode for _, inode in files}
    of_template = [words for words in mapped if len(words) > 4 and int(words[4]) in inodes]
    assert of_template, "QEMU maps the template's memory"
    assert held >= 1
    for words in of_template:
        assert words[1][3] == "p", words  # private: writes stay in the process


def test_qemu_holds_no_file_of_the_host_writable(host, running):
    qemu, _ = running
    for number, target in descriptors(qemu).items():
        try:
            info = os.stat(f"/proc/{qemu}/fd/{number}")
        except OSError:
            continue
        if stat.S_ISREG(info.st_mode) and access_mode(qemu, number) != os.O_RDONLY:
            assert info.st_nlink == 0 or target.startswith("/memfd:"), (number, target)
        if stat.S_ISBLK(info.st_mode) or stat.S_ISDIR(info.st_mode):
            assert access_mode(qemu, number) == os.O_RDONLY, (number, target)


def test_writing_all_of_a_guests_memory_leaves_the_template_as_it_was(host):
    before = {path: path.stat() for path in template_files(host).values()}
    script = "my $x = 'z' x 3e8; print length $x"
    assert host.run("perl", "-e", script, options=["--timeout-seconds", "100"]).out == b"300000000"
    for path, was in before.items():
        now = path.stat()
        assert (now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_blocks) == (
            was.st_mtime_ns, was.st_ctime_ns, was.st_size, was.st_blocks)  # fmt: skip
    assert harness.real_issues(host.pyro("doctor", "--json").json) == []  # it hashes every template


def test_qemu_is_nobody_on_the_host(running):
    qemu, _ = running
    uids = {int(word) for word in status_field(qemu, "Uid").split()}
    gids = {int(word) for word in status_field(qemu, "Gid").split()}
    assert 0 not in uids | gids
    assert len(uids) == 1
    if os.geteuid() != 0:
        assert uids == {os.geteuid()}
    else:
        assert status_field(qemu, "Groups") == ""


def test_qemu_cannot_gain_rights(running):
    qemu, supervisor = running
    assert status_field(qemu, "NoNewPrivs") == "1"
    assert status_field(qemu, "Seccomp") == "2"
    assert int(status_field(qemu, "Seccomp_filters") or 2) >= 2  # the jail's and QEMU's own
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status_field(qemu, kind), 16) == 0, kind
    assert status_field(supervisor, "NoNewPrivs") == "1"


@pytest.mark.parametrize("kind", ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"])
def test_qemu_has_its_own_namespaces(running, kind):
    qemu, _ = running
    assert os.readlink(f"/proc/{qemu}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")


def test_qemu_has_no_network(running):
    qemu, _ = running
    lines = pathlib.Path(f"/proc/{qemu}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]
    assert pathlib.Path(f"/proc/{qemu}/net/route").read_text().count("\n") <= 1


def test_qemu_sees_nothing_of_the_host_but_programs(running):
    """Its root holds system folders, read-only; no home, no cache, no /etc, no /proc."""
    qemu, _ = running
    mounts = [line.split() for line in pathlib.Path(f"/proc/{qemu}/mountinfo").read_text().splitlines()]
    points = {words[4] for words in mounts}
    assert points <= {"/", "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin"} | {
        point for point in points if point.startswith("/usr/")
    }, points  # fmt: skip
    for words in mounts:
        assert "ro" in words[5].split(","), words


def test_qemus_sockets_are_not_reachable_by_name(running):
    """Everything between QEMU and its supervisor is a pair without a name."""
    qemu, _ = running
    named = {}
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if len(words) > 7:
            named[words[6]] = words[7]
    for target in descriptors(qemu).values():
        if target.startswith("socket:["):
            assert target[8:-1] not in named, target


def test_prune_keeps_what_is_in_use_and_removes_the_rest(private):
    process = private.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        (template,) = [p for p in private.templates.iterdir() if p.is_dir()]
        report = private.pyro("env", "prune", "--json").json
        assert report["deleted_templates"] == []
        assert report["kept_in_use"] == [f"template {template.name}"]
        assert template.is_dir()
        process.kill()
        harness.wait_gone([*private.supervisors(), *private.qemus()])
    report = private.pyro("env", "prune", "--json").json
    assert report["deleted_templates"] == [template.name]
    assert report["deleted_environment_dirs"] == []
    assert (report["count"], report["kept_in_use"]) == (1, [])
    assert report["freed_bytes"] > 1 << 20
    assert not template.exists()
    assert private.install_dir.is_dir()
    text = private.pyro("env", "prune")
    assert text.out.decode().startswith("Deleted: 0\n"), text


def test_two_runs_at_once_do_not_see_each_other(host):
    first = host.start_run("sh", "-c", "echo mine > /dev/shm/f; echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(first):
        read_until(first.stdout, b"ready\n")
        assert host.run("test", "-e", "/dev/shm/f").code == 1
        first.kill()
