"""Guests that end, fall silent or turn against themselves, and hosts that take something away."""

import os
import re
import shutil
import signal
import subprocess
import time

import harness
import pytest
from harness import ending, finish, read_until

ENDS = {
    "panics": ("echo c > /proc/sysrq-trigger; sleep 1000", "the guest's kernel panicked"),
    "reboots": ("echo b > /proc/sysrq-trigger; sleep 1000", "the guest rebooted"),
    "reboots by system call": (
        "perl -e 'syscall(169, 0xfee1dead, 672274793, 0x01234567, 0)'; sleep 1000", "the guest rebooted"),
    "powers off": ("echo o > /proc/sysrq-trigger; sleep 1000", "the guest powered off"),
    "powers off by system call": (
        "perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)'; sleep 1000", "the guest powered off"),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_a_guest_that_ends_during_a_command_is_named(host, end):
    script, reason = ENDS[end]
    done = host.run("sh", "-c", "echo before; " + script, options=["--timeout-seconds", "60"])
    assert done.code == 125
    assert reason in done.text, done
    assert "console" in done.text
    assert done.out == b"before\n"


def test_a_guest_that_ends_is_an_error_in_json(host):
    done = host.run("sh", "-c", "echo b > /proc/sysrq-trigger; sleep 1000", options=["--json"])
    assert done.code == 125
    assert done.json["error"]["code"] == "unavailable"
    assert "the guest rebooted" in done.json["error"]["message"]


def test_console_lines_in_an_error_are_whole_lines_of_text(host):
    done = host.run("sh", "-c", "echo c > /proc/sysrq-trigger; sleep 1000")
    console = done.text.split("console:\n", 1)[1]
    assert "\\x0d" not in console
    lines = [line for line in console.splitlines() if line and not line.startswith("hint:")]
    assert lines and all(re.match(r"\[ *\d+\.\d+\]", line) for line in lines), console
    assert len(console) < 4096


def test_qemu_killed_during_a_run(host):
    process = host.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.kill(host.qemu(), signal.SIGKILL)
        done = finish(process, 30)
    assert done.code == 125
    assert "QEMU was killed by signal 9" in done.text, done
    assert "hint: " in done.text
    host.assert_nothing_left()


def test_supervisor_killed_during_a_run(host):
    process = host.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        qemu = host.qemu()
        os.kill(host.supervisor(), signal.SIGKILL)
        done = finish(process, 30)
        harness.wait_gone([qemu])
    assert done.code == 125
    assert done.text.splitlines()[-1] != "", done
    assert "pyro: " in done.text
    host.assert_nothing_left()


def test_supervisor_stopped_by_sigterm_ends_the_run(host):
    process = host.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.kill(host.supervisor(), signal.SIGTERM)
        done = finish(process, 30)
    assert done.code == 125, done
    host.assert_nothing_left()


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM])
def test_pyro_killed_during_a_command_takes_all_with_it(host, signo):
    process = host.start_run("sh", "-c", "trap '' TERM; trap 'echo caught' INT; echo ready; while :; do sleep 0.1; done", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        pids = [*host.supervisors(), *host.qemus()]
        assert len(pids) == 2
        os.kill(process.pid, signo)
        if signo == signal.SIGTERM:  # the first goes to the command, as SIGINT
            read_until(process.stdout, b"caught\n")
            os.kill(process.pid, signo)
        process.wait(30)
        harness.wait_gone(pids)
    host.assert_nothing_left()


def test_pyro_killed_while_the_template_is_built(private):
    process = private.start_run("true")
    with ending(process):
        read_until(process.stderr, b"phase=template")
        pids = [private.supervisor(), private.qemu()]
        assert list(private.templates.glob(".building-*"))
        process.kill()
        harness.wait_gone(pids)
    private.assert_nothing_left()
    assert not [p for p in private.templates.iterdir() if p.is_dir()]


def test_pyro_killed_right_after_create(host):
    process = host.start_run("sleep", "1000")
    with ending(process):
        read_until(process.stderr, b"phase=create")
        process.kill()
    host.assert_nothing_left()


def test_pyro_killed_right_after_start(host):
    process = host.start_run("sleep", "1000")
    with ending(process):
        read_until(process.stderr, b"phase=start")
        process.kill()
    host.assert_nothing_left()


def test_what_a_killed_supervisor_left_is_cleared_away_by_the_next_run(host):
    process = host.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"])
    with ending(process):
        read_until(process.stdout, b"ready\n")
        supervisor, qemu = host.supervisor(), host.qemu()
        os.kill(process.pid, signal.SIGSTOP)  # it must not clean up itself
        os.kill(supervisor, signal.SIGKILL)
        harness.wait_gone([qemu])
        process.kill()
    assert [p.name for p in (host.home / "sandboxes").iterdir()]
    assert host.run("true").code == 0
    assert not list((host.home / "sandboxes").iterdir())


def test_killing_everything_leaves_the_agent(host):
    done = host.run("sh", "-c", "kill -9 -1; echo survived")
    assert (done.code, done.out) == (0, b"survived\n")


def test_a_fork_bomb_is_bounded(host):
    start = time.monotonic()
    done = host.run("bash", "-c", "f() { f | f & }; f; sleep 1000", options=["--timeout-seconds", "3", "--json"])
    assert (done.code, done.json["timed_out"]) == (124, True), done
    assert time.monotonic() - start < 60


def test_a_memory_hog_is_killed_and_the_agent_answers(host):
    script = 'print "start\\n"; my @a; push @a, "x" x 1e6 while 1'
    done = host.run("perl", "-e", script, options=["--timeout-seconds", "120", "--json"], timeout=200)
    assert done.code == 137, done
    assert (done.json["signal"], done.json["timed_out"]) == (9, False)


def test_a_hogs_parent_goes_on(host):
    script = "perl -e 'my @a; push @a, q(x) x 1e6 while 1'; echo code $?"
    done = host.run("sh", "-c", script, options=["--timeout-seconds", "120"], timeout=200)
    assert (done.code, done.out) == (0, b"code 137\n"), done


def test_unmounting_everything_leaves_the_agent(host):
    done = host.run("sh", "-c", "umount -a -l 2>/dev/null; exit 7")
    assert done.code == 7, done


def test_deleting_everything_leaves_the_agent(host):
    """Everything but what is not the guest's own to delete."""
    script = "rm -rf --one-file-system --no-preserve-root / 2>/dev/null; echo gone; test ! -e /usr/bin/rm; exit $?"
    done = host.run("sh", "-c", script, options=["--timeout-seconds", "300"], timeout=330)
    assert (done.code, done.out) == (0, b"gone\n"), done


def test_a_command_that_stops_its_own_processes(host):
    done = host.run("sh", "-c", "kill -STOP $$", options=["--timeout-seconds", "1"])
    assert done.code == 124


SILENT = r"""
#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/mount.h>
int main(void) {
  mkdir("/dev", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
  int fd = open("/dev/console", O_WRONLY);
  dprintf(fd, "the silent agent says this\n");
  for (;;) pause();
}
"""


@pytest.fixture
def silent_libexec(short_tmp):
    """Helper programs whose agent never answers."""
    shutil.copy(harness.LIBEXEC / "pyro-supervisor", short_tmp)
    (short_tmp / "silent.c").write_text(SILENT)
    subprocess.run(["cc", "-static", "-O1", "-o", short_tmp / "pyro-agent", short_tmp / "silent.c"], check=True)
    return short_tmp


@pytest.mark.parametrize("boot", ["cold", "template"])
def test_a_guest_that_never_answers(host, silent_libexec, boot):
    before = set(host.templates.iterdir())
    start = time.monotonic()
    done = host.run(
        "true", options=["--boot", boot],
        env={"PYRO_LIBEXEC": silent_libexec, "PYRO_BOOT_TIMEOUT_SECONDS": 15},
    )  # fmt: skip
    assert done.code == 125
    assert "did not answer within 15.0 s" in done.text, done
    assert "the silent agent says this" in done.text
    assert "hint: run: pyro doctor" in done.text
    assert time.monotonic() - start < 75
    host.assert_nothing_left()
    for path in set(host.templates.iterdir()) - before:
        assert path.is_file() and path.stat().st_size == 0, path  # lock files only
        path.unlink()


def test_a_guest_without_a_program_to_start(host, short_tmp):
    """The kernel itself gives up."""
    shutil.copy(harness.LIBEXEC / "pyro-supervisor", short_tmp)
    (short_tmp / "pyro-agent").write_bytes(b"no program")
    done = host.run("true", options=["--boot", "cold"], env={"PYRO_LIBEXEC": short_tmp, "PYRO_BOOT_TIMEOUT_SECONDS": 30})
    assert done.code == 125
    assert "the guest's kernel panicked" in done.text, done


def test_helper_programs_that_are_missing(host, short_tmp):
    done = host.run("true", env={"PYRO_LIBEXEC": short_tmp})
    assert done.code == 125
    assert "hint: reinstall pyro" in done.text, done
    doctor = host.pyro("doctor", env={"PYRO_LIBEXEC": short_tmp})
    assert doctor.code == 1
    assert "pyro-supervisor is missing; reinstall pyro" in doctor.out.decode()


def test_the_console_of_a_guest_is_bounded_in_memory(host):
    """A guest that writes to its console for a while costs the supervisor nothing."""
    script = "echo ready; read go; head -c 400000 /dev/zero | tr '\\0' x > /dev/console; echo written; sleep 1000"
    process = host.start_run("sh", "-c", script, options=["--timeout-seconds", "100"], stdin=subprocess.PIPE)
    with ending(process):
        read_until(process.stdout, b"ready\n")
        supervisor = host.supervisor()
        before = int(harness.status_field(supervisor, "VmHWM").split()[0])
        process.stdin.write(b"go\n")
        read_until(process.stdout, b"written\n", 90)
        after = int(harness.status_field(supervisor, "VmHWM").split()[0])
        assert after - before < 1024, (before, after)
        process.kill()
    host.assert_nothing_left()


def test_a_guests_console_cannot_steer_the_terminal(host):
    done = host.run("sh", "-c", "printf '\\033]0;title\\007' > /dev/console; echo b > /proc/sysrq-trigger; sleep 1000")
    assert b"\033" not in done.err and b"\007" not in done.err
    assert "title" in done.text, done
