"""Timeouts, interrupts, and the size of what a command may write."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import harness
import pytest
from harness import ending, finish, read_until

STUBBORN = """
trap '' TERM INT HUP
setsid sh -c "trap '' TERM; echo child; while :; do sleep 100; done" &
while :; do sleep 100; done
"""
HANDLES_INT = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done"
KEEPS_INT = "trap 'echo caught' INT; echo ready; while :; do sleep 0.05; done"


def test_a_timeout_says_so_and_has_its_code(host):
    done = host.run("sh", "-c", "echo before; sleep 1000", options=["--timeout-seconds", "8"])
    assert done.code == 124
    assert done.out == b"before\n"
    assert "pyro: the command was stopped after 8 s (--timeout-seconds)\n" in done.text
    assert "exit_code=124" in done.text


def test_a_timeout_in_json(host):
    answer = host.run("sleep", "1000", options=["--timeout-seconds", "1", "--json"]).json
    assert answer["timed_out"] is True
    assert answer["exit_code"] == 124
    assert answer["duration_ms"] >= 1000
    assert answer["cleanup"]["deleted"] is True


def test_a_timeout_ends_a_group_that_ignores_sigterm_and_a_child_in_another_session(host):
    done = host.run("sh", "-c", STUBBORN, options=["--timeout-seconds", "8", "--json"])
    assert (done.code, done.json["timed_out"]) == (124, True), done
    assert done.json["stdout"] == "child\n"
    # Eight seconds and one of grace, and on a busy host more.
    assert 8000 <= done.json["duration_ms"] < 30000


def test_the_timeout_counts_from_the_start_of_the_command(host):
    """A boot takes longer than this timeout; the command does not, but on a very busy host."""
    done = host.run("echo", "in time", options=["--boot", "cold", "--timeout-seconds", "1", "--json"])
    if done.json["timed_out"]:
        assert done.json["duration_ms"] >= 1000, done
    else:
        assert (done.code, done.json["stdout"]) == (0, "in time\n"), done
        assert done.json["timing"]["start"] > done.json["duration_ms"]


def test_the_guests_clock_keeps_pace_while_it_works(host):
    """A timeout in the guest is a timeout on the host, however busy the guest is."""
    script = (
        "$| = 1; use Time::HiRes 'time'; my $child = fork // die; if (!$child) { 1 while 1 } "
        "while (<STDIN>) { print time, qq(\\n) } kill 9, $child; wait"
    )
    process = host.start_run("perl", "-e", script, stdin=subprocess.PIPE)
    with ending(process):

        def ask():
            """When it was asked, the guest's time, and when that was here."""
            before = time.monotonic()
            process.stdin.write(b"?\n")
            said = float(read_until(process.stdout, b"\n"))
            return before, said, time.monotonic()

        first = ask()
        harness.let_pass(6)
        last = ask()
        process.stdin.close()
        assert process.wait(60) == 0
    # As long as it was here at least and at most, and a tenth.
    assert (last[0] - first[2]) * 0.9 <= last[1] - first[1] <= (last[2] - first[0]) * 1.1, (first, last)


def test_the_time_to_live_ends_a_run(host):
    start = time.monotonic()
    done = host.run("sleep", "1000", options=["--ttl-seconds", "5", "--timeout-seconds", "100"])
    assert done.code == 125, done
    assert time.monotonic() - start < 40


def interrupted_run(host, script, **kwargs):
    process = host.start_run("sh", "-c", script, options=["--timeout-seconds", "100"], **kwargs)
    return process


def test_ctrl_c_reaches_the_command_which_may_handle_it(host):
    process = interrupted_run(host, HANDLES_INT)
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.killpg(process.pid, signal.SIGINT)
        assert read_until(process.stdout, b"\n") == b"caught\n"
        assert finish(process).code == 3
    host.assert_nothing_left()


def test_ctrl_c_ends_a_command_that_does_not_handle_it(host):
    process = interrupted_run(host, "echo ready; exec sleep 1000")
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.killpg(process.pid, signal.SIGINT)
        assert finish(process).code == 130
    host.assert_nothing_left()


def test_the_second_ctrl_c_ends_a_command_that_goes_on(host):
    process = interrupted_run(host, KEEPS_INT)
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.killpg(process.pid, signal.SIGINT)
        read_until(process.stdout, b"caught\n")
        os.killpg(process.pid, signal.SIGINT)
        assert finish(process).code in (130, 137, 143)
    host.assert_nothing_left()


def test_ctrl_c_on_a_terminal(host):
    master, slave = pty.openpty()

    def take_terminal():
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    process = interrupted_run(
        host, HANDLES_INT, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal
    )
    os.close(slave)
    with ending(process):
        read_until(master, b"ready\r\n")
        os.write(master, b"\x03")
        assert b"caught\r\n" in read_until(master, b"exit_code=3")
        assert process.wait(30) == 3
    os.close(master)
    host.assert_nothing_left()


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_ends_at_once(private, signo):
    """While the template is being built."""
    process = private.start_run("true")
    with ending(process):
        read_until(process.stderr, b"phase=template")
        qemu = private.qemu()
        os.kill(process.pid, signo)
        assert finish(process, 20).code == 128 + signo
        harness.wait_gone([qemu])
    private.assert_nothing_left()


def test_sigterm_ends_the_command(host):
    process = interrupted_run(host, "echo ready; exec sleep 1000")
    with ending(process):
        read_until(process.stdout, b"ready\n")
        os.kill(process.pid, signal.SIGTERM)
        assert finish(process).code in (130, 143)
    host.assert_nothing_left()


def peak_mib(pid):
    return int(harness.status_field(pid, "VmHWM").split()[0]) / 1024


@pytest.mark.parametrize("channel", ["stdout", "stderr"])
def test_output_without_end_takes_no_memory_on_the_host(host, channel):
    """What passes through is many times what may be held: the peaks stay where they were after a tenth."""
    size = 192 << 20 if channel == "stdout" else 48 << 20
    script = f"head -c {size} /dev/zero" + (" >&2" if channel == "stderr" else "")
    process = host.start_run("sh", "-c", script, options=["--timeout-seconds", "500"])
    with ending(process):
        supervisor = host.supervisor()
        wanted = process.stdout if channel == "stdout" else process.stderr
        received, peaks = 0, []
        while chunk := os.read(wanted.fileno(), 1 << 20):
            # Not at the end, when they may be gone.
            if received // (16 << 20) != (received + len(chunk)) // (16 << 20) < size // (16 << 20):
                peaks.append((peak_mib(process.pid), peak_mib(supervisor)))
            received += len(chunk)
        assert process.wait(60) == 0
    assert received >= size
    assert len(peaks) > 1
    assert max(map(max, peaks)) < 64, peaks
    first, last = peaks[0], peaks[-1]
    assert last[0] - first[0] < 8 and last[1] - first[1] < 8, peaks


def test_a_reader_that_stops_reading_stops_the_command(host):
    """Nothing on the way buffers what nobody takes."""
    process = host.start_run("sh", "-c", "head -c 1000000000 /dev/zero; echo done >&2", options=["--timeout-seconds", "500"])
    with ending(process):
        supervisor = host.supervisor()
        read_until(process.stdout, b"\0")
        before = (peak_mib(process.pid), peak_mib(supervisor))
        ready, _, _ = select.select([process.stderr], [], [], 0)
        text = os.read(process.stderr.fileno(), 65536) if ready else b""
        ready, _, _ = select.select([process.stderr], [], [], 3)
        assert not ready and b"done" not in text
        after = (peak_mib(process.pid), peak_mib(supervisor))
        assert after[0] < before[0] + 8 and after[1] < before[1] + 8
        assert process.poll() is None
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
    host.assert_nothing_left()


def test_a_full_guest_disk_is_the_guests_problem(host):
    script = "dd if=/dev/zero of=/fill bs=1M 2>&1; rm /fill; echo after > /fill && cat /fill"
    done = host.run("sh", "-c", script, options=["--timeout-seconds", "200"])
    assert done.code == 0, done
    assert b"No space left on device" in done.out
    assert done.out.endswith(b"after\n")
    written = int(re.search(rb"(\d+) bytes", done.out).group(1))
    assert written < 1 << 30


def test_no_line_of_a_run_comes_after_the_summary(host):
    done = host.run("sh", "-c", "echo err >&2")
    assert done.text.splitlines()[-1].startswith("[run] environment=debian:12 ")


def test_standard_input_of_a_terminal_is_not_passed(host):
    master, slave = pty.openpty()
    done = subprocess.run(
        [harness.PYRO, "run", "debian:12", "--", "wc", "-c"],
        stdin=slave, capture_output=True, env=host.env, timeout=60, check=False,
    )  # fmt: skip
    os.close(slave)
    os.close(master)
    assert (done.returncode, done.stdout.strip()) == (0, b"0")
