"""Damaged environments and templates, and a host without mirror, disk space, QEMU or KVM."""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess

import harness
import pytest
from harness import ending, finish, read_until

NO_MIRROR = {"PYRO_DEBIAN_MIRROR": "http://127.0.0.1:9/"}
FILES = ["rootfs.erofs", "vmlinuz", "initramfs", "environment.json"]


def change(path, how):
    """Damages a file as a bad disk or a careless program would: its mode and, here, its length stay."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    if how == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "flipped":
        with open(path, "r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x10]))
    else:
        path.unlink()
        return
    path.chmod(mode)


def inspect(host):
    return host.pyro("env", "inspect", "debian:12", "--json").json


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_environment_is_reported_and_never_used(private, name, how):
    if (name, how) == ("environment.json", "flipped"):
        # A flipped bit in its middle may be in a part that decides nothing; break its form instead.
        path = private.install_dir / name
        path.chmod(0o600)
        path.write_text(path.read_text().replace("{", "[", 1))
    else:
        change(private.install_dir / name, how)
    info = inspect(private)
    assert info["installed"] is False
    assert info["damage"], info
    done = private.run("true", env=NO_MIRROR)  # it would be repaired by a pull, which has no mirror here
    assert done.code == 125, done
    assert "phase=pull" in done.text
    assert "phase=start" not in done.text


def test_a_damaged_environment_is_in_the_list_and_in_doctor(private):
    change(private.install_dir / "vmlinuz", "truncated")
    listed = private.pyro("env", "list")
    assert "debian:12 [not installed]" in listed.out.decode()
    report = private.pyro("doctor", "--json").json
    assert any("debian:12 is damaged" in issue and "pyro env pull debian:12" in issue for issue in report["issues"])


def test_a_damaged_environment_is_pruned(private):
    change(private.install_dir / "vmlinuz", "missing")
    report = private.pyro("env", "prune", "--json").json
    assert report["deleted_environment_dirs"] == [str(private.install_dir)]
    assert not private.install_dir.exists()


def test_without_a_mirror_a_pull_fails_and_leaves_nothing(private):
    shutil.rmtree(private.install_dir)
    done = private.pyro("env", "pull", "debian:12", "--json", env=NO_MIRROR, timeout=200)
    assert done.code == 4, done
    error = done.json["error"]
    assert error["code"] == "unavailable"
    assert "127.0.0.1:9" in error["message"] + error["hint"]
    assert error["hint"]
    assert not [p for p in private.install_dir.parent.iterdir() if p.is_dir()]


def test_run_without_environment_and_mirror(private):
    shutil.rmtree(private.install_dir)
    done = private.run("true", env=NO_MIRROR, timeout=200)
    assert done.code == 125
    assert "phase=pull" in done.text
    assert "hint: " in done.text


def test_an_interrupted_pull_leaves_nothing_that_counts(private):
    shutil.rmtree(private.install_dir)
    process = private.start("env", "pull", "debian:12")
    with ending(process):
        read_until(process.stderr, b"[pull] ")
        process.kill()
    assert inspect(private)["installed"] is False
    private.pyro("env", "prune")
    harness.wait_until(lambda: private.pyro("env", "prune").code == 0 and not [
        p for p in private.install_dir.parent.iterdir() if p.is_dir()], what="an empty folder")  # fmt: skip


# One real pull: it repairs what is damaged, shows phases, and a second one at the same time waits for it.
def test_run_repairs_a_damaged_environment_and_two_pulls_do_the_work_once(private):
    change(private.install_dir / "rootfs.erofs", "flipped")
    before = private.install_dir.stat().st_ino
    repairing = private.start_run("echo", "repaired")
    with ending(repairing):
        # The first phase that only the holder of the lock comes to.
        read_until(repairing.stderr, b"[pull] phase=download", 120)
        waiting = private.pyro("env", "pull", "debian:12", timeout=500)
        assert waiting.code == 0, waiting
        done = finish(repairing, 200)
    assert (done.code, done.out) == (0, b"repaired\n"), done
    assert "wait" in waiting.text, waiting
    assert private.install_dir.stat().st_ino != before
    info = inspect(private)
    assert info["installed"] is True and info["damage"] is None


@pytest.fixture
def tiny_cache(short_tmp, host):
    """A cache on a file system with 8 MiB, in a mount namespace of its own."""
    script = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    small = host.with_cache(short_tmp)

    def pyro(*args, **env):
        return subprocess.run(
            [*words, "sh", "-c", script, short_tmp, harness.PYRO, *args],
            env=small.settings(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=400, check=False,
        )  # fmt: skip

    return pyro


def test_no_space_for_an_environment(tiny_cache):
    done = tiny_cache("env", "pull", "debian:12", "--json")
    assert done.returncode in (1, 4), done
    error = json.loads(done.stdout)["error"]
    assert re.search(r"space|MiB|GiB", error["message"]), error
    assert error["hint"]


def test_no_space_for_a_template(host, short_tmp):
    """The environment is there, its template does not fit."""
    script = (
        'mount -t tmpfs -o size=180m tmpfs "$1" && mkdir -p "$1/environments/linux-x86_64" && '
        'cp -a "$2" "$1/environments/linux-x86_64/" && shift 2 && exec "$@"'
    )
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    done = subprocess.run(
        [*words, "sh", "-c", script, "sh", short_tmp, host.install_dir, harness.PYRO, "run", "debian:12", "--", "true"],
        env=host.with_cache(short_tmp).settings(None), stdin=subprocess.DEVNULL, capture_output=True, timeout=200, check=False,
    )  # fmt: skip
    text = done.stderr.decode()
    assert done.returncode == 125, text
    assert "space" in text, text
    assert "hint: " in text


@pytest.fixture
def fake_qemu(short_tmp):
    def make(text):
        path = short_tmp / "qemu-system-x86_64"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    return make


def test_an_old_qemu_is_refused_with_its_version(host, private, fake_qemu):
    old = fake_qemu("echo 'QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11)'\n")
    done = private.run("true", env={"PYRO_QEMU": old})
    assert done.code == 125
    assert "is QEMU 5.2.0; pyro needs 7.0 or newer" in done.text, done
    assert "hint: " in done.text and "apt-get install qemu-system-x86" in done.text
    doctor = host.pyro("doctor", env={"PYRO_QEMU": old})
    assert doctor.code == 1
    assert "Runtime: FAIL" in doctor.out.decode()


def test_a_program_that_is_not_qemu(private, fake_qemu):
    done = private.run("true", env={"PYRO_QEMU": fake_qemu("echo something else\n")})
    assert done.code == 125
    assert "does not say a QEMU version: something else" in done.text, done


def test_no_qemu(private, short_tmp):
    for env in ({"PATH": short_tmp}, {"PYRO_QEMU": "/no/such/qemu"}):
        done = private.run("true", env=env)
        assert done.code == 125
        assert "QEMU is not available" in done.text, done
        assert "apt-get install qemu-system-x86" in done.text
        doctor = private.pyro("doctor", env=env)
        assert doctor.code == 1
        assert "QEMU: not found" in doctor.out.decode()


def test_a_qemu_that_the_jail_does_not_hold(private, fake_qemu):
    fake = fake_qemu("exec qemu-system-x86_64 \"$@\"\n")
    done = private.run("true", env={"PYRO_QEMU": fake})
    assert done.code == 125
    assert "QEMU did not start" in done.text, done
    assert "hint: QEMU and its libraries must lie below /usr" in done.text


def test_kvm_is_usable_only_when_it_runs_guest_code(host):
    report = host.pyro("doctor", "--json").json
    if report["kvm"]["usable"]:
        assert report["accelerator"]["in_force"] == "kvm"
    else:
        assert report["accelerator"]["in_force"] == "tcg"
        assert report["kvm"]["detail"]
        assert report["kvm"]["detail"] in report["accelerator"]["reason"]
    assert report["runtime_ok"] is True


def test_kvm_that_no_guest_comes_up_on_is_replaced_by_emulation(private):
    """As if the probe had been satisfied with what it saw."""
    own = {"PYRO_ACCELERATOR": None}
    private.run("true", env={"PYRO_ACCELERATOR": "tcg"})  # host.json is there now
    facts = json.loads((private.cache / "host.json").read_text())
    if facts["kvm_usable"]:
        pytest.skip("KVM works on this host, so no guest fails on it; tests/component plays one that does")
    facts["kvm_usable"] = True
    (private.cache / "host.json").write_text(json.dumps(facts))
    forced = private.run("true", env={"PYRO_ACCELERATOR": "kvm"}, timeout=200)
    assert forced.code == 125, forced
    assert "KVM is forced by PYRO_ACCELERATOR" in forced.text
    assert "hint: unset PYRO_ACCELERATOR" in forced.text
    assert "emulation (see" not in forced.text
    done = private.run("echo", "up", env=own, timeout=300)
    assert (done.code, done.out) == (0, b"up\n"), done
    assert "did not come up under KVM; trying emulation" in done.text
    assert json.loads((private.cache / "host.json").read_text())["kvm_usable"] is False
    again = private.run("true", env=own)
    assert again.code == 0
    assert "KVM" not in again.text, again


def test_an_accelerator_that_does_not_exist(host):
    done = host.run("true", env={"PYRO_ACCELERATOR": "magic"})
    assert done.code == 125
    assert 'PYRO_ACCELERATOR is "magic"; it can be kvm or tcg' in done.text


def templates_of(host):
    return sorted(p.name for p in host.templates.iterdir() if p.is_dir())


def test_five_runs_at_once_build_the_template_once(private):
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        runs = list(pool.map(lambda n: private.run("echo", str(n), timeout=200), range(5)))
    assert [(run.code, run.out) for run in runs] == [(0, f"{n}\n".encode()) for n in range(5)]
    built = [run for run in runs if "booting debian:12 once" in run.text]
    assert len(built) == 1, [run.text for run in runs]
    assert any("another process is building the template" in run.text for run in runs)
    assert len(templates_of(private)) == 1


def test_a_damaged_template_is_built_again(private):
    assert private.run("true").code == 0
    (name,) = templates_of(private)
    assert private.run("true").text.count("phase=template") == 0
    memory = private.templates / name / "memory"
    before = memory.stat()
    memory.chmod(0o600)
    with open(memory, "ab") as file:
        file.write(b"x")
    memory.chmod(0o400)
    done = private.run("echo", "fine")
    assert (done.code, done.out) == (0, b"fine\n"), done
    assert "phase=template" in done.text
    assert templates_of(private) == [name]
    assert (private.templates / name / "memory").stat().st_size == before.st_size


def test_a_template_that_misses_a_file_is_built_again(private):
    assert private.run("true").code == 0
    (name,) = templates_of(private)
    (private.templates / name / "state").unlink()
    done = private.run("true")
    assert done.code == 0, done
    assert "phase=template" in done.text


def test_a_cache_that_cannot_be_written(host, short_tmp):
    if os.geteuid() == 0:
        path = "/proc/nothing"  # nobody can make a folder here, root neither
    else:
        short_tmp.chmod(0o500)
        path = short_tmp / "cache"
    done = host.pyro("env", "list", env={"PYRO_CACHE_DIR": path})
    assert done.code in (1, 3), done
    assert str(path) in done.text


def test_a_runtime_folder_of_somebody_else_is_refused(host, short_tmp):
    link = short_tmp / "link"
    link.symlink_to("/tmp")
    done = host.run("true", env={"PYRO_RUNTIME_DIR": link})
    assert done.code == 125
    assert "does not belong to this user" in done.text, done
