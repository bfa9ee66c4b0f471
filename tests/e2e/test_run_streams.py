"""pyro run passes the command's words, input, output and exit code on, byte for byte and in time."""

import hashlib
import os
import re
import subprocess

import harness
import pytest
from harness import ending, finish, read_until

ALL_BYTES = bytes(range(256))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_words_keep_their_boundaries(host):
    words = [b"a b", b"new\nline", b"", b"*", b"$HOME", b"\"q'\\", b"\xff\xfe\x80", "héß".encode(), b"-n", b"--"]
    done = host.run("sh", "-c", 'printf "%s\\0" "$@"', "sh", *words)
    assert done.code == 0, done
    assert done.out == b"".join(word + b"\0" for word in words)


def test_words_reach_a_program_without_a_shell(host):
    done = host.run("/usr/bin/printf", "%s|", "$HOME", "a;b", "`id`", "x\ty")
    assert (done.code, done.out) == (0, b"$HOME|a;b|`id`|x\ty|")


def test_many_long_words(host):
    words = [f"{n:04}" + "w" * 996 for n in range(100)]
    done = host.run("sh", "-c", 'printf "%s\\n" "$@"', "sh", *words)
    assert done.out.decode().split("\n") == [*words, ""], done.code


@pytest.mark.parametrize("code", [0, 1, 42, 124, 255])
def test_exit_code_is_the_commands(host, code):
    assert host.run("sh", "-c", f"exit {code}").code == code


@pytest.mark.parametrize("signo", [1, 9, 11, 15])
def test_a_signal_is_128_plus_its_number(host, signo):
    done = host.run("sh", "-c", f"kill -{signo} $$", options=["--json"])
    assert done.code == 128 + signo
    assert (done.json["exit_code"], done.json["signal"], done.json["timed_out"]) == (128 + signo, signo, False)


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "/etc/passwd/below"])
def test_127_when_the_program_is_not_there(host, program):
    done = host.run(program)
    assert done.code == 127
    assert f"pyro: {program}: not found in the guest" in done.text


@pytest.mark.parametrize("program", ["/etc/passwd", "/etc"])
def test_126_when_the_program_cannot_be_executed(host, program):
    done = host.run(program)
    assert done.code == 126
    assert f"pyro: {program}: cannot be executed in the guest" in done.text


def test_stdout_and_stderr_stay_apart(host):
    done = host.run("sh", "-c", "echo one; echo two >&2; echo three")
    assert done.out == b"one\nthree\n"
    assert "two\n" in done.text
    assert "one" not in done.text


def test_all_byte_values_pass_through_stdin_and_stdout(host):
    data = ALL_BYTES * 16384  # 4 MiB
    done = host.run("cat", input=data)
    assert done.code == 0, done.text
    assert (len(done.out), sha256(done.out)) == (len(data), sha256(data))


def test_all_byte_values_pass_through_stderr(host):
    data = ALL_BYTES * 2048
    done = host.run("sh", "-c", "cat >&2", input=data)
    assert done.code == 0
    assert data in done.err
    assert done.out == b""


def test_a_file_as_standard_input(host, tmp_path):
    data = os.urandom(8 << 20)
    (tmp_path / "data").write_bytes(data)
    with open(tmp_path / "data", "rb") as file:
        done = host.run("sha256sum", stdin=file)
    assert done.out.split()[0].decode() == sha256(data), done


@pytest.mark.parametrize("kind", ["/dev/null", "pipe", "file"])
def test_empty_standard_input_ends_at_once(host, tmp_path, kind):
    """Not all of these can be waited for with epoll."""
    if kind == "pipe":
        done = host.run("cat", input=b"", timeout=40)
    else:
        (tmp_path / "empty").touch()
        with open(kind if kind == "/dev/null" else tmp_path / "empty", "rb") as file:
            done = host.run("cat", stdin=file, timeout=40)
    assert (done.code, done.out) == (0, b""), done


def test_a_command_that_reads_little_of_its_input(host):
    done = host.run("head", "-c", "3", input=ALL_BYTES * 32768)
    assert (done.code, done.out) == (0, ALL_BYTES[:3])


def test_a_command_that_closes_its_input_goes_on(host):
    done = host.run("sh", "-c", "exec <&-; echo still here", input=ALL_BYTES * 32768)
    assert (done.code, done.out) == (0, b"still here\n")


def test_a_command_that_never_reads_its_input(host):
    done = host.run("true", input=ALL_BYTES * 32768)
    assert done.code == 0, done


def test_endless_input_does_not_keep_a_command_that_never_reads(host):
    with open("/dev/zero", "rb") as zero:
        done = host.run("sh", "-c", "sleep 1; exit 3", stdin=zero, timeout=60)
    assert done.code == 3, done


def test_output_comes_as_it_is_written(host):
    """The first line is here while the command still waits for an answer."""
    process = host.start_run("sh", "-c", "echo first; read answer; echo got $answer", stdin=subprocess.PIPE)
    with ending(process):
        read_until(process.stdout, b"first\n")
        assert process.poll() is None
        process.stdin.write(b"hello\n")
        assert read_until(process.stdout, b"\n") == b"got hello\n"
        assert finish(process).code == 0


def test_input_is_passed_as_it_comes(host):
    process = host.start_run("sh", "-c", "while read line; do echo [$line]; done", stdin=subprocess.PIPE)
    with ending(process):
        for word in (b"one", b"two", b"three"):
            process.stdin.write(word + b"\n")
            assert read_until(process.stdout, b"\n") == b"[" + word + b"]\n"
        process.stdin.close()
        process.stdin = None
        assert finish(process).code == 0


def test_output_of_a_child_that_outlives_the_command_does_not_delay_it(host):
    done = host.run("sh", "-c", "setsid sleep 1000 & echo ended", options=["--timeout-seconds", "60"], timeout=45)
    assert (done.code, done.out) == (0, b"ended\n")


def test_a_reader_that_went_away_ends_the_run(host):
    process = host.start_run("yes")
    with ending(process):
        read_until(process.stdout, b"y\n")
        process.stdout.close()
        process.stdout = None
        assert finish(process).code == 141
    host.assert_nothing_left()


def test_standard_output_can_be_closed_from_the_start(host):
    script = f'exec "{harness.PYRO}" run {harness.ENVIRONMENT} -- sh -c "exit 7" >&-'
    done = subprocess.run(["sh", "-c", script], env=host.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert done.returncode == 7, done


def test_a_full_disk_under_standard_output_is_an_error_of_pyro(host):
    with open("/dev/full", "wb") as full:
        process = host.start_run("sh", "-c", "echo lost; sleep 1000", stdout=full, options=["--timeout-seconds", "60"])
        with ending(process):
            done = finish(process)
    assert done.code == 125
    assert "No space left on device" in done.text


LINES = re.compile(
    r"\[run\] phase=create environment=debian:12\n"
    r"\[run\] phase=start vm_id=(?P<vm>vm-[0-9a-f]{10})\n"
    r"\[run\] phase=execute vm_id=(?P=vm)\n"
    r"\[run\] environment=debian:12 execution_mode=guest_serial exit_code=3 duration_ms=\d+\n"
)


def test_the_lines_on_stderr_have_their_layout(host):
    done = host.run("sh", "-c", "exit 3")
    assert LINES.fullmatch(done.text), done
    assert done.out == b""


def test_json_has_every_field(host):
    done = host.run("sh", "-c", "echo out; echo err >&2; exit 5", options=["--json"])
    answer = done.json
    assert done.code == 5
    assert done.err == b""
    assert set(answer) == {
        "cleanup", "command", "duration_ms", "environment", "execution_mode", "exit_code", "refused", "signal",
        "stderr", "stderr_truncated", "stdout", "stdout_truncated", "timed_out", "timing", "vm_id", "warnings",
    }  # fmt: skip
    assert answer["cleanup"] == {"deleted": True, "reason": "post_exec_cleanup", "vm_id": answer["vm_id"]}
    assert answer["command"] == "sh -c 'echo out; echo err >&2; exit 5'"
    assert (answer["stdout"], answer["stderr"], answer["exit_code"]) == ("out\n", "err\n", 5)
    assert (answer["environment"], answer["execution_mode"]) == ("debian:12", "guest_serial")
    assert (answer["signal"], answer["timed_out"]) == (None, False)
    assert (answer["refused"], answer["warnings"]) == ([], [])
    assert {"spawn", "restore", "first_reply", "exec", "teardown", "total"} <= set(answer["timing"])
    assert list(answer) == sorted(answer)


def test_json_replaces_what_is_not_utf8_and_adds_the_bytes(host):
    answer = host.run("printf", r"a\377\303\251b\n", options=["--json"]).json
    assert answer["stdout"] == "a\ufffdéb\n"
    assert answer["stdout_base64"] == "Yf/DqWIK"
    assert "stderr_base64" not in answer


def test_json_is_bounded_and_says_so(host):
    answer = host.run("sh", "-c", "yes | head -c 75000000", options=["--json", "--timeout-seconds", "100"]).json
    assert answer["stdout_truncated"] is True
    assert answer["stderr_truncated"] is False
    assert len(answer["stdout"]) == 64 << 20
    assert answer["exit_code"] == 0
