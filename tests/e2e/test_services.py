"""Services: named programs that run on in a workspace."""

import concurrent.futures
import json
import os
import re
import signal
import time

import harness
import pytest
import workspaces
from harness import ending, finish, read_until
from workspaces import ok

SECRET = "s3cr3t-value-of-the-test"
# The first look is the only one: a later one may have little time left, and then says so.
ONE_LOOK = ("--ready-timeout-seconds", "8", "--ready-interval-ms", "60000")
# Answers each connection to a port of the guest by running a shell command: perl is in the environment.
SERVER = """
use IO::Socket::INET;
$SIG{PIPE} = "IGNORE";
my $listen = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die "listen: $!";
while (my $client = $listen->accept()) {
  my $line = <$client>;
  while (my $head = <$client>) { last if $head =~ /^\\r?$/; }
  eval $ARGV[1];
  close $client;
}
"""


@pytest.fixture(scope="module")
def shared(host):
    """One for all tests that leave its machine alone."""
    with workspaces.one(host, "--name", "services", "--secret", f"TOKEN={SECRET}", "--env", "FROM_CREATE=c", keep=True) as it:
        it.write("server.pl", SERVER.encode())
        yield it


@pytest.fixture
def space(shared):
    """The shared one; every service of it is stopped afterwards."""
    yield shared
    for service in shared.json("service list")["services"]:
        if service["state"] in ("starting", "running"):
            ok(shared.pyro("service stop", service["service_name"], "--timeout-seconds", "1"))


def start(space, name, *command, options=(), **kwargs):
    return space.host.pyro("workspace", "service", "start", *options, "--json", space.id, name, "--", *command, **kwargs)


def started(space, name, script, *options):
    return ok(start(space, name, "sh", "-c", script, options=options)).json


def failed(space, name, script, *options):
    done = start(space, name, "sh", "-c", script, options=options)
    assert done.code != 0, done
    return done.json["error"]


def status(space, name):
    return space.json("service status", name)


def wait_state(space, name, state, bound=60):
    harness.wait_until(lambda: status(space, name)["state"] == state, bound=bound, what=f"{name} {state}")
    return status(space, name)


def processes(space):
    return space.sh("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done").decode()


def wait_no_process(space, word):
    harness.wait_until(lambda: word not in processes(space), what=f"no process {word}")


# ---- start and readiness


def test_start_list_status_stop(space):
    it = started(space, "web", "echo up; exec sleep 1000")
    assert it["state"] == "running"
    assert it["readiness"] is None
    assert it["ready_at"] >= it["started_at"]
    assert it["pid"] > 1
    assert it["command"] == "sh -c 'echo up; exec sleep 1000'"
    listed = space.json("service list")
    assert listed["running_count"] == 1
    (row,) = [s for s in listed["services"] if s["service_name"] == "web"]
    assert row["state"] == "running"
    counts = space.status()
    assert counts["running_service_count"] == 1
    assert counts["service_count"] >= 1
    stopped = space.json("service stop", "web")
    assert stopped["state"] == "stopped"
    assert stopped["stop_reason"] == "sigterm"
    assert stopped["exit_code"] == 143
    assert stopped["ended_at"] >= stopped["started_at"]
    assert space.json("service stop", "web")["stop_reason"] == "sigterm"  # twice
    assert space.status()["running_service_count"] == 0


def test_ready_when_a_file_appears(space):
    it = started(space, "file", "sleep 0.5; touch .ready; exec sleep 1000", "--ready-file", ".ready", "--ready-interval-ms", "100")
    assert it["readiness"] == {"type": "file", "path": "/workspace/.ready"}
    assert it["ready_at"] > it["started_at"]
    # That of an earlier run does not count.
    ok(space.pyro("service stop", "file"))
    error = failed(space, "file", "exec sleep 1000", "--ready-file", ".ready", "--ready-timeout-seconds", "8")
    assert "before the service was started" in error["message"]


def test_ready_when_a_port_takes_connections(space):
    it = started(space, "tcp", "sleep 0.3; exec perl server.pl 8101 1", "--ready-tcp", "8101", "--ready-interval-ms", "100")
    assert it["state"] == "running"
    assert it["readiness"] == {"type": "tcp", "address": "localhost:8101"}


def test_ready_when_a_url_answers(space):
    serve = (
        "exec perl server.pl 8102 'my $s = -e \"/tmp/fine\" ? \"200 Fine\" : \"503 Wait\"; "
        "print $client \"HTTP/1.1 $s\\r\\n\\r\\n\"; open(A, \">>/tmp/answers\"); print A \"$s\\n\"; close A'"
    )
    error = failed(space, "http", serve, "--ready-http", "http://127.0.0.1:8102/health", "--ready-timeout-seconds", "8")
    assert re.search("HTTP status 503|no answer within", error["message"]), error  # the last look may have had little time
    assert b"503" in space.sh("cat /tmp/answers")
    space.sh("touch /tmp/fine")
    it = started(space, "http", serve, "--ready-http", "http://127.0.0.1:8102/health?full=1")
    assert it["readiness"] == {"type": "http", "url": "http://127.0.0.1:8102/health?full=1"}


def test_ready_when_a_command_succeeds(space):
    it = started(space, "command", "sleep 0.4; touch /tmp/there; exec sleep 1000", "--ready-command", "test -e /tmp/there", "--ready-interval-ms", "100")
    assert it["state"] == "running"
    error = failed(space, "never", "exec sleep 1001", "--ready-command", "echo because of this; exit 4", *ONE_LOOK)
    assert "exited with 4: because of this" in error["message"]


def test_one_that_is_not_ready_in_time_is_cleaned_up(space):
    script = "trap '' HUP; echo its last words; echo and errors >&2; sleep 1002 & sleep 1003"
    error = failed(space, "late", script, "--ready-tcp", "8103", "--ready-timeout-seconds", "8")
    assert error["code"] == "deadline"
    assert "connection refused" in error["message"]
    assert "its last words" in error["hint"]
    assert "and errors" in error["hint"]
    it = status(space, "late")
    assert (it["state"], it["stop_reason"]) == ("failed", "readiness_timeout")
    assert "connection refused" in it["last_error"]
    wait_no_process(space, "sleep 100")


@pytest.mark.parametrize("answer", ["print $client \"HTTP/1.1 302 Found\\r\\nLocation: /\\r\\n\\r\\n\"", "print $client \"HTTP/1.1 200 OK\\r\\n\\r\\n\"; while (print $client \"x\" x 65536) {}"])
def test_redirects_for_ever_and_endless_bodies(space, answer):
    it = started(space, "odd", f"exec perl server.pl 8104 '{answer}'", "--ready-http", "http://localhost:8104/")
    assert it["state"] == "running"


@pytest.mark.parametrize("answer", ["while (print $client \"x\" x 65536) {}", "print $client \"HTTP/1.1 200 OK\\r\\n\"; while (print $client \"A: \" . \"x\" x 4096 . \"\\r\\n\") {}", "sleep 1000"])
def test_what_is_no_answer(space, answer):
    error = failed(space, "odd", f"exec perl server.pl 8105 '{answer}'", "--ready-http", "http://localhost:8105/", "--ready-timeout-seconds", "3")
    assert error["code"] == "deadline"
    assert "it was not ready within 3 s" in error["message"]


def test_dies_while_starting(space):
    # It ends after the first look: at the second one the probe, a command, lets it go on.
    script = "echo no use; while ! test -e /tmp/looked; do sleep 0.1; done; exit 3"
    error = failed(space, "dead", script, "--ready-command", "test -e /tmp/once && touch /tmp/looked; touch /tmp/once; echo still nothing; exit 4", "--ready-interval-ms", "100")
    assert "it ended before it was ready (exit code 3); the last probe: " in error["message"]
    assert "exited with 4: still nothing" in error["message"]
    assert "no use" in error["hint"]
    it = status(space, "dead")
    assert it["stop_reason"] == "exited_before_ready"
    assert it["last_error"] in error["message"]
    assert "Stop reason: exited_before_ready" in ok(space.pyro("service logs", "dead")).err.decode()
    error = ok_error(start(space, "nothing", "/no/such/program"))
    assert error["code"] == "not_found"
    assert status(space, "nothing")["state"] == "failed"


def ok_error(done):
    assert done.code != 0, done
    return done.json["error"]


def test_a_start_that_is_given_up_leaves_nothing(space):
    starting = space.host.start("workspace", "service", "start", "--ready-tcp", "8107", space.id, "given", "--", "sleep", "1004")
    with ending(starting):
        harness.wait_until(lambda: "sleep 1004" in processes(space), what="the service")
        os.kill(starting.pid, signal.SIGINT)
        assert finish(starting).code != 0
    wait_no_process(space, "sleep 1004")
    assert wait_state(space, "given", "stopped")["pid"] is None


# ---- what services do


def test_forks_and_exits(space):
    it = started(space, "daemon", "(setsid sh -c 'echo from the daemon; sleep 1005' &) ; exit 0")
    harness.wait_until(lambda: "from the daemon" in space.json("service logs", "daemon")["stdout"], what="its output")
    harness.wait_until(lambda: space.sh(f"test -d /proc/{it['pid']} || echo gone") == b"gone\n", what="the end of its parent")
    assert status(space, "daemon")["state"] == "running"
    ok(space.pyro("service stop", "daemon"))
    wait_no_process(space, "sleep 1005")


def test_fails_and_leaves_children(space):
    started(space, "parent", "sleep 1006 & sleep 0.5; exit 5")
    it = wait_state(space, "parent", "exited")
    assert it["exit_code"] == 5
    wait_no_process(space, "sleep 1006")


def test_ignores_sigterm(space):
    started(space, "deaf", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    harness.wait_until(lambda: space.json("service logs", "deaf")["stdout"] == "deaf\n", what="its trap")
    began = time.monotonic()
    it = space.json("service stop", "deaf", "--timeout-seconds", "1")
    assert time.monotonic() - began >= 1
    assert it["stop_reason"] == "sigkill"
    assert it["exit_code"] == 137


def test_sigterm_reaches_all_of_it(space):
    script = "trap 'echo parent >> /tmp/terms; exit 0' TERM; sh -c \"trap 'echo child >> /tmp/terms; exit 0' TERM; echo up > /tmp/up; while :; do sleep 0.1; done\" & while :; do sleep 0.1; done"
    started(space, "family", script, "--ready-file", "/tmp/up", "--ready-interval-ms", "50")
    space.json("service stop", "family")
    assert sorted(space.sh("cat /tmp/terms").split()) == [b"child", b"parent"]


def test_children_have_the_whole_grace(space):
    child = "trap 'sleep 0.5; echo flushed >> /tmp/flushed; exit 0' TERM; echo up > /tmp/child-up; while :; do sleep 0.1; done"
    # Its parent dies of SIGTERM at once.
    started(space, "parent", f'sh -c "{child}" & wait', "--ready-file", "/tmp/child-up", "--ready-interval-ms", "50")
    assert space.json("service stop", "parent")["stop_reason"] == "sigterm"
    assert space.sh("cat /tmp/flushed") == b"flushed\n"


def test_restart_on_failure(space):
    started(space, "fragile", "echo run >> /tmp/runs; test $(wc -l < /tmp/runs) -ge 3 && exec sleep 1007; exit 1", "--restart", "on-failure")
    harness.wait_until(lambda: space.sh("cat /tmp/runs 2>/dev/null | wc -l").strip() == b"3", bound=60, what="the third run")
    it = wait_state(space, "fragile", "running")
    assert it["restart_count"] == 2
    assert it["exit_code"] is None
    assert "started again" in json.dumps(space.json("service logs", "fragile")["entries"])
    assert space.json("service stop", "fragile")["state"] == "stopped"


def test_restart_policies_end_with_stop_and_success(space):
    started(space, "fine", "exit 0", "--restart", "on-failure")
    assert wait_state(space, "fine", "exited")["restart_count"] == 0
    started(space, "again", "exit 0", "--restart", "always")
    harness.wait_until(lambda: status(space, "again")["restart_count"] >= 1, what="a second run")
    assert space.json("service stop", "again")["state"] == "stopped"


def test_restart_by_hand(space):
    first = started(space, "web", "echo run-$FROM_CREATE-$OWN; exec sleep 1008", "--env", "OWN=o")
    harness.wait_until(lambda: "run-c-o" in space.json("service logs", "web")["stdout"], what="its output")
    second = space.json("service restart", "web")
    assert second["state"] == "running"
    assert second["pid"] != first["pid"]
    harness.wait_until(lambda: space.json("service logs", "web")["stdout"].count("run-c-o\n") == 2, what="output of both runs")


# ---- logs


def test_logs_keep_streams_and_times_apart(space):
    began = time.time()
    started(space, "talk", "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; exec sleep 1009")
    harness.wait_until(lambda: "three" in space.json("service logs", "talk")["stdout"], what="its output")
    logs = space.json("service logs", "talk")
    assert logs["stdout"] == "one\nthree\n"
    assert logs["stderr"] == "two\n"
    entries = [e for e in logs["entries"] if e["stream"] != "pyro"]
    assert [e["text"] for e in entries] == ["one\n", "two\n", "three\n"]
    assert began - 60 < entries[0]["at"] < entries[1]["at"] < entries[2]["at"]
    text = ok(space.pyro("service logs", "talk", "--tail-lines", "1"))
    assert text.out == b"three\n"
    text = ok(space.pyro("service logs", "talk", "--timestamps"))
    assert re.match(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z one\n", text.out)


def test_the_last_lines_of_one_that_has_ended(space):
    """What pyro says of the end is no line of the service."""
    started(space, "crash", "echo one; echo two >&2; exit 7")
    wait_state(space, "crash", "exited")
    logs = space.json("service logs", "crash", "--tail-lines", "1")
    assert (logs["stdout"], logs["stderr"], logs["truncated"]) == ("", "two\n", True)
    assert any("exit code 7" in e["text"] for e in logs["entries"] if e["stream"] == "pyro")
    everything = space.json("service logs", "crash", "--all")
    assert (everything["stdout"], everything["stderr"], everything["truncated"]) == ("one\n", "two\n", False)


def test_follow_logs(space):
    started(space, "ticks", "for i in 1 2 3 4 5 6 7 8 9 10; do echo tick $i; sleep 0.2; done")
    follower = space.host.start("workspace", "service", "logs", space.id, "ticks", "--follow")
    with ending(follower):
        assert b"tick 1\n" in read_until(follower.stdout, b"tick 10\n")
        assert finish(follower).code == 0


def test_logs_are_not_in_the_workspace(space, tmp_path):
    # No command has the word in one piece, so whatever does has it from the log.
    started(space, "web", "echo word-in-''the-log; exec sleep 1010")
    harness.wait_until(lambda: "word-in-the-log" in space.json("service logs", "web")["stdout"], what="its output")
    space.write("seen", b"word-in-the-log")
    search = "grep -rlF word-in-''the-log /workspace /tmp /var/log || true"
    assert space.sh(search) == b"/workspace/seen\n"  # so it would be found
    space.sh("rm /workspace/seen")
    assert space.sh(search) == b""
    assert "word-in-the-log" not in json.dumps(space.json("diff"))
    ok(space.pyro("export", "/workspace", "--output", str(tmp_path / "exported")))
    exported = [p for p in (tmp_path / "exported").rglob("*") if p.is_file()]
    assert "server.pl" in [p.name for p in exported]
    for path in exported:
        assert b"word-in-the-log" not in path.read_bytes(), path


def test_a_flood_without_newlines_stays_within_the_bound(space):
    started(space, "flood", "head -c 30000000 /dev/zero | tr '\\0' x; sleep 1")
    harness.wait_until(lambda: status(space, "flood")["state"] == "exited", bound=90, what="the end of the flood")
    assert status(space, "flood")["exit_code"] == 0
    folder = space.folder / "services" / "flood"
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 8 << 20
    logs = space.json("service logs", "flood", "--all")
    assert logs["truncated"] is True
    assert 4_000_000 < len(logs["stdout"]) < 9_000_000
    assert set(logs["stdout"]) == {"x"}


def test_secrets_are_mapped_and_never_shown(space):
    # A character at a time, without other programs: the start of a value is held for a second.
    slowly = 'r=$T; while [ "$r" ]; do printf %s "${r%"${r#?}"}"; r=${r#?}; done; echo; echo "whole $T" >&2; exec sleep 1011'
    started(space, "secret", slowly, "--secret-env", "TOKEN=T")
    harness.wait_until(lambda: "whole" in space.json("service logs", "secret")["stderr"], what="its output")
    logs = space.json("service logs", "secret")
    assert logs["stdout"] == "[redacted:TOKEN]\n"
    assert logs["stderr"] == "whole [redacted:TOKEN]\n"
    for path in space.folder.rglob("*"):
        # Not the disks: 16 GiB with holes, and what the guest writes into its own is its affair.
        if path.is_file() and path.name not in ("secrets.json", "baseline.erofs") and "layers" not in path.parts:
            assert SECRET.encode() not in path.read_bytes(), path
    error = failed(space, "careless", f"echo {SECRET}; sleep 1")
    assert "--secret-env TOKEN" in error["hint"]
    assert SECRET not in json.dumps(error)
    error = failed(space, "leaks", "echo $T; exit 1", "--secret-env", "TOKEN=T", "--ready-tcp", "8108")
    assert SECRET not in json.dumps(error)
    assert "[redacted:TOKEN]" in error["hint"]
    # A value that the end of a long line would cut in two.
    probe = ["--ready-command", 'printf "%0190d%s\\n" 0 "$T"; false', *ONE_LOOK]
    error = failed(space, "probed", "exec sleep 1012", "--secret-env", "TOKEN=T", *probe)
    assert "exited with 1: 000" in error["message"]
    assert SECRET[:6] not in json.dumps([error, status(space, "probed")])


# ---- names and ports


@pytest.mark.parametrize("name", ["a/b", "../x", ".hidden", "x" * 64, "ä"])
def test_names_that_are_none(space, name):
    error = ok_error(start(space, name, "true"))
    assert error["code"] == "invalid"
    assert error["message"].endswith("is no name for a service")
    assert "1 to 63 letters" in error["hint"]


@pytest.mark.parametrize("name", ["", "-x"])
def test_names_that_are_no_arguments(space, name):
    done = start(space, name, "true")
    assert done.code == 2, done


def test_a_name_that_is_taken(space):
    started(space, "web", "exec sleep 1012")
    done = start(space, "web", "true")
    assert done.json["error"]["code"] == "conflict"
    ok(space.pyro("service stop", "web"))
    started(space, "web", "exec sleep 1013")
    assert space.pyro("service status", "nobody", "--json").json["error"]["code"] == "not_found"


@pytest.mark.parametrize("ports", [["0"], ["65536"], ["x"], ["1:2:3"], ["80:"], [":80"], ["8080", "8080"], ["1:80", "1:81"], ["-1"]])
def test_ports_that_are_none(space, ports):
    options = [f"--publish={p}" for p in ports]
    assert ok_error(start(space, "web", "true", options=options))["code"] == "invalid"


def test_ports_that_the_policy_does_not_allow(space):
    error = ok_error(start(space, "web", "true", options=["--publish", "18080:8080"]))
    assert error["code"] == "denied"
    assert "egress+published-ports" in error["hint"]


# ---- many, and their ends


def test_fifty_services_and_twenty_shells(host):
    with workspaces.one(host) as space:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: started(space, f"s{n}", f"echo I am {n}; exec sleep 100000"), range(50)))
            shells = list(pool.map(lambda _: space.json("shell open")["shell_id"], range(20)))
        assert len(set(shells)) == 20
        counts = space.status()
        assert (counts["service_count"], counts["running_service_count"]) == (50, 50)
        for shell in shells:
            ok(space.pyro("shell write", shell, "--input", "echo shell-is-'alive'"))
        for shell in shells:
            harness.wait_until(lambda s=shell: "shell-is-alive" in space.json("shell read", s)["output"], what="an answer")
        for n in (0, 49):
            assert space.json("service logs", f"s{n}")["stdout"] == f"I am {n}\n"
        assert space.sh("echo exec works") == b"exec works\n"
        began = time.monotonic()
        space.json("stop")
        assert time.monotonic() - began < 90
        # They have 10 s for it together, which is not enough on a very busy host.
        reasons = {s["stop_reason"] for s in space.json("service list")["services"]}
        assert "sigterm" in reasons and reasons <= {"sigterm", "sigkill"}


def test_who_waits_is_told_that_the_supervisor_is_gone(host):
    with workspaces.one(host) as space:
        started(space, "web", "echo up; exec sleep 100000")
        follower = host.start("workspace", "service", "logs", space.id, "web", "--follow")
        starting = host.start("workspace", "service", "start", "--ready-tcp", "8110", space.id, "late", "--", "sleep", "1014")
        with ending(follower), ending(starting):
            read_until(follower.stdout, b"up\n")
            harness.wait_until(lambda: "sleep 1014" in processes(space), what="the service")
            supervisor = space.supervisor()
            os.kill(supervisor, signal.SIGKILL)
            for waiting, name in ((follower, "web"), (starting, "late")):
                done = finish(waiting)
                assert done.code != 0, done
                said = done.err.decode()
                assert f"the service {name} has ended" in said, said
                assert "its supervisor was ended" in said, said
                assert f"pyro workspace start {space.id}" in said, said
        harness.wait_gone([supervisor])
        assert "Stop reason: supervisor_lost" in ok(space.pyro("service logs", "web")).err.decode()


def test_services_end_with_their_workspace(host):
    with workspaces.one(host) as space:
        script = "trap 'echo flushed > /workspace/on-term; exit 0' TERM; touch /workspace/up; while :; do sleep 0.1; done"
        started(space, "db", script, "--ready-file", "up")
        space.json("stop")
        it = status(space, "db")
        assert (it["state"], it["stop_reason"], it["exit_code"]) == ("stopped", "sigterm", 0)
        assert space.pyro("service restart", "db").code == 1
        space.json("start")
        assert space.read("on-term") == b"flushed\n"
        assert space.json("service restart", "db")["state"] == "running"
        supervisor = space.supervisor()
        os.kill(supervisor, signal.SIGKILL)
        harness.wait_gone([supervisor])
        it = status(space, "db")
        assert (it["state"], it["stop_reason"]) == ("stopped", "supervisor_lost")
        assert it["pid"] is None
        space.json("start")
        started(space, "db", "exec sleep 100000")
        space.json("reset")
        assert space.json("service list")["services"] == []
        assert not (space.folder / "services" / "db").exists()
