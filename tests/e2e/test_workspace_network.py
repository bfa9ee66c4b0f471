"""The network of a workspace, and of a run: what it may reach, shown, changed, told and kept."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time

import harness
import net_world
import network
import pytest
import workspaces
from harness import ending, finish, read_until
from network import ask_host, echo, events, shown
from workspaces import ok

HASH = re.compile(r"[0-9a-f]{64}")
# Says each line to a port of the host, and what comes back.
TALK = 'exec 3<>/dev/tcp/host.pyro.internal/{port}; while read -r line; do echo "$line" >&3; read -r back <&3 || exit 9; echo "$back"; done'
LISTEN = "exec 3<>/dev/tcp/host.pyro.internal/{port}; echo hello >&3; cat <&3"


@pytest.fixture(scope="module")
def ports():
    """Two servers on the host's loopback that echo."""
    with network.server(echo) as first, network.server(echo) as second:
        yield first, second


@pytest.fixture(scope="module")
def shared(host, ports):
    """One that may reach the first port; for tests that do not change that."""
    with workspaces.one(host, "--name", "networked", "--net-allow", rule(ports[0]), keep=True) as it:
        yield it


def rule(port):
    return f"host.pyro.internal:{port}"


def reaches(space, port):
    said = ask_host(space, port)
    assert said.startswith("hello\n") or "Connection refused" in said, said
    return said.startswith("hello\n")


def text(space, command, *words):
    return ok(space.pyro(command, *words)).out.decode()


def wait_events(space, condition):
    """Those that meet it, once there are some: they are told a moment after what they tell."""
    return harness.wait_until(lambda: [e for e in events(space) if condition(e)], what="the event")


# ---- show


def test_show(shared, ports):
    before = shown(shared)
    assert (before["workspace_id"], before["state"]) == (shared.id, "started")
    policy = before["network"]
    assert (policy["policy"], policy["allow"], policy["deny"]) == ("egress", [rule(ports[0])], [])
    assert HASH.fullmatch(policy["hash"])
    live = before["live"]
    assert (live["running"], live["error"], live["restarts"], live["policy_hash"]) == (True, None, 0, policy["hash"])
    assert [(a["guest"], a["prefix_length"], a["gateway"]) for a in live["addresses"]] == [
        ("10.255.255.2", 30, "10.255.255.1"), ("fd70:7972:6f00::2", 64, "fd70:7972:6f00::1")]
    talking = shared.start_exec("bash", "-c", LISTEN.format(port=ports[0]))
    with ending(talking):
        read_until(talking.stdout, b"hello\n")
        assert not reaches(shared, ports[1])
        now = shown(shared)["live"]
        assert now["sizes"]["tcp"] == 1
        for counter in ("allowed", "refused", "dns_queries", "frames_from_guest", "frames_to_guest", "bytes_to_guest"):
            assert now["counters"][counter] > live["counters"][counter], counter
        assert set(now["drops"].values()) == {0}
        words = text(shared, "network show")
    for line in (f"Workspace ID: {shared.id}", "State: started", "Network policy: egress", f"Network allow: {rule(ports[0])}",
                 f"Network hash: {policy['hash']}", "Network engine: running, 0 restarts", f"Engine policy hash: {policy['hash']}",
                 "Guest address: 10.255.255.2/30 via 10.255.255.1", "Guest address: fd70:7972:6f00::2/64 via fd70:7972:6f00::1"):
        assert line + "\n" in words
    assert re.search(r"^Now: .*\btcp=1\b", words, re.M)
    assert re.search(r"^Counted: allowed=[1-9]\d* .*\brefused=[1-9]", words, re.M)


# ---- set


def test_set_closes_what_is_no_longer_allowed(host, ports):
    kept, gone = ports
    with workspaces.one(host, "--net-allow", rule(kept), "--net-allow", rule(gone)) as space:
        with (ending(space.start_exec("bash", "-c", TALK.format(port=kept), stdin=subprocess.PIPE)) as staying,
              ending(space.start_exec("bash", "-c", LISTEN.format(port=gone))) as leaving):
            staying.stdin.write(b"before\n")
            read_until(staying.stdout, b"before\n")
            read_until(leaving.stdout, b"hello\n")
            assert shown(space)["live"]["sizes"]["tcp"] == 2
            changed = space.json("network set", "--net-allow", rule(kept))
            assert changed["network"]["allow"] == [rule(kept)]
            assert changed["network"]["hash"] == changed["live"]["policy_hash"] != space.created["network"]["hash"]
            assert changed["live"]["sizes"]["tcp"] == 1
            left = finish(leaving)
            assert left.code == 1 and "Connection reset by peer" in left.text
            staying.stdin.write(b"after\n")
            assert read_until(staying.stdout, b"after\n")
        assert not reaches(space, gone)
        assert reaches(space, kept)
        (closed,) = wait_events(space, lambda e: e["reason"] == "policy")
        # The rule is the new policy's.
        assert (closed["kind"], closed["port"], closed["name"], closed["rule"]) == ("end", gone, "host.pyro.internal", "preset")
        assert (closed["bytes_to_host"], closed["bytes_to_guest"]) == (6, 6)
        refused = wait_events(space, lambda e: e["protocol"] == "tcp" and not e["allow"])
        assert {(e["kind"], e["port"], e["rule"], e["reason"]) for e in refused} == {("decision", gone, "preset", "host-loopback")}
        # A deny rule says which it was.
        ok(space.pyro("network set", "--net-allow", rule(kept), "--net-allow", rule(gone), "--net-deny", rule(gone)))
        assert not reaches(space, gone)
        denied = wait_events(space, lambda e: e["reason"] == "denied" and e["protocol"] == "tcp")
        assert {(e["port"], e["rule"]) for e in denied} == {(gone, "deny[0]")}


def test_set_from_off_and_to_off(host, ports):
    with workspaces.one(host) as space:
        words = text(space, "network show")
        assert "Network policy: off\n" in words and "Network device: none\n" in words
        assert "Network engine" not in words
        assert shown(space)["live"] is None
        done = space.pyro("network set", "--net-allow", rule(ports[0]))
        assert done.code == 1
        assert f"the machine of {space.id} has no network device, which cannot be changed while it runs" in done.text
        assert shown(space)["network"]["policy"] == "off"
        # The way round is what the hint says.
        (hint,) = [line for line in done.text.splitlines() if line.startswith("hint: ")]
        stop, change, start = hint.removeprefix("hint: run: ").split("; ")
        for command in (stop, change.replace("...", f"--net-allow {rule(ports[0])}"), start):
            ok(host.pyro(*command.split()[1:]))
        assert reaches(space, ports[0]) and not reaches(space, ports[1])
        assert shown(space)["live"]["policy_hash"] == shown(space)["network"]["hash"]
        done = space.pyro("network set", "--network-policy", "off")
        assert done.code == 1 and "has a network device, which cannot be changed while it runs" in done.text
        assert reaches(space, ports[0])
        ok(space.pyro("stop"))
        ok(space.pyro("network set", "--network-policy", "off"))
        ok(space.pyro("start"))
        assert shown(space)["live"] is None
        assert space.sh("ls /sys/class/net") == b"lo\n"


def test_set_refuses_what_is_no_policy(shared):
    before = shown(shared)["network"]
    for words, code in ((["--net-allow", "127.0.0.1:80"], "invalid"), (["--network-policy", "off", "--net-allow", "a.example:1"], "invalid")):
        done = shared.pyro("network set", *words, "--json")
        assert done.code != 0 and done.json["error"]["code"] == code
    assert shown(shared)["network"] == before == shared.status()["network"]


# ---- events


def test_events(host, ports):
    with workspaces.one(host, "--net-allow", rule(ports[0])) as space:
        began = time.time()
        assert ask_host(space, ports[0], "x" * 99).startswith("x" * 99 + "\n")
        assert not reaches(space, ports[1])
        assert "Connection refused" in space.exec("bash", "-c", "exec 3<>/dev/tcp/93.184.216.50/80").text
        assert space.exec("getent", "ahosts", "a.example").code == 2
        (end,) = wait_events(space, lambda e: e["kind"] == "end")
        assert began - 1 < end["at"] < time.time() + 1
        expected = {"protocol": "tcp", "name": "host.pyro.internal", "port": ports[0], "allow": True, "rule": "allow[0]",
                    "reason": "closed", "bytes_to_host": 100, "bytes_to_guest": 100}
        assert {key: end[key] for key in expected} == expected
        assert end["address"] in ("10.255.255.1", "fd70:7972:6f00::1")
        found = wait_events(space, lambda e: e["name"] == "a.example")
        assert {(e["protocol"], e["allow"], e["address"], e["rule"], e["reason"]) for e in found} == {("dns", False, "", "preset", "not-listed")}
        told = {(e["protocol"], e["address"], e["port"], e["allow"], e["reason"]) for e in events(space)}
        assert ("tcp", "93.184.216.50", 80, False, "not-listed") in told
        assert ("tcp", "10.255.255.1", ports[1], False, "host-loopback") in told
        times = [e["at"] for e in events(space)]
        assert times == sorted(times)
        assert_text_of_events(text(space, "network events", "--all"), ports, len(times))
        assert text(space, "network events", "--tail", "1").count("\n") == 1


def assert_text_of_events(words, ports, count):
    assert words.count("\n") == count
    at = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    gateway = r"(10\.255\.255\.1|\[fd70:7972:6f00::1\])"
    for line in ("allow dns host.pyro.internal allow[0] rule", f"tcp GATEWAY:{ports[0]} (host.pyro.internal) allow[0] rule",
                 f"end tcp GATEWAY:{ports[0]} (host.pyro.internal) allow[0] closed to_host=100 to_guest=100",
                 f"tcp GATEWAY:{ports[1]} (host.pyro.internal) preset host-loopback", "tcp 93.184.216.50:80 preset not-listed", "dns a.example preset not-listed"):
        pattern = at + r"([a-z]+ )?" + re.escape(line).replace("GATEWAY", gateway) + "$"
        assert re.search(pattern, words, re.M), (line, words)


@pytest.mark.parametrize("command", ["stop", "reset", "delete"])
def test_follow_ends_with_the_machine(host, ports, command):
    with workspaces.one(host, "--net-allow", rule(ports[0])) as space:
        with ending(host.start("workspace", "network", "events", space.id, "--follow", "--json")) as follower:
            for _ in range(2):  # as they come
                assert reaches(space, ports[0])
                read_until(follower.stdout, b'"kind":"end"')
            ok(space.pyro(command))
            done = finish(follower)
            assert (done.code, done.err) == (0, b"")
            assert b"error" not in done.out


# Connects so many times to what is refused.
KNOCK = """
use Socket;
my $to = sockaddr_in(80, inet_aton("93.184.216.50"));
for (1 .. $ARGV[0]) {
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
  connect($s, $to) and die "connected";
}
"""


def test_a_follower_that_does_not_read_holds_up_nothing_and_misses_nothing(host, ports):
    count = 12000
    with workspaces.one(host, "--net-allow", rule(ports[0])) as space:
        with ending(host.start("workspace", "network", "events", space.id, "--follow", "--json")) as follower:
            assert reaches(space, ports[0])
            read_until(follower.stdout, b'"kind":"end"')
            os.kill(follower.pid, signal.SIGSTOP)
            ok(space.exec("perl", "-e", KNOCK, str(count), options=["--timeout-seconds", "400"], timeout=450))
            began = time.monotonic()
            ok(space.pyro("stop"))
            assert time.monotonic() - began < 50
            os.kill(follower.pid, signal.SIGCONT)
            done = finish(follower)
        assert done.code == 0, done.text
        # The engine may lose some, of so many; not the follower.
        kept = sum(e["address"] == "93.184.216.50" for e in events(space))
        assert 4096 <= kept <= count
        assert done.out.count(b'"address":"93.184.216.50","allow":false') == kept


def test_ctrl_c_ends_follow(shared, ports):
    with ending(shared.host.start("workspace", "network", "events", shared.id, "--follow", "--tail", "0")) as follower:
        # Once it follows, which it does not say.
        harness.wait_until(lambda: not reaches(shared, ports[1]) and select.select([follower.stdout], [], [], 1)[0], what="a follower")
        seen = read_until(follower.stdout, f":{ports[1]} ".encode())
        assert b"93.184.216.50" not in seen
        os.kill(follower.pid, signal.SIGINT)
        done = finish(follower)
        assert (done.code, done.err) == (0, b"")


# ---- kept


def test_a_policy_stays_through_stop_start_and_reset(host, ports):
    options = ("--net-allow", rule(ports[0]), "--net-deny", "a.example", "--allow-udp", "--allow-icmp")
    with workspaces.one(host, *options) as space:
        policy = space.created["network"]
        assert (policy["allow"], policy["deny"], policy["allow_udp"], policy["allow_icmp"]) == ([rule(ports[0])], ["a.example:*"], True, True)
        assert HASH.fullmatch(policy["hash"])
        assert reaches(space, ports[0])
        wait_events(space, lambda e: e["kind"] == "end")
        ended = 1
        for command in ("stop", "start", "reset"):
            answer = space.json(command)
            answer = answer.get("workspace", answer)
            assert answer["network"] == policy
            assert answer["network_policy"] == "egress"
            assert space.status()["network"] == policy
            assert shown(space)["network"] == policy
            if command == "stop":
                assert shown(space)["live"] is None
                continue
            assert shown(space)["live"]["policy_hash"] == policy["hash"]
            assert reaches(space, ports[0]) and not reaches(space, ports[1])
            ended += 1
            # Before the next machine's engine: what one does not say before it goes is lost.
            harness.wait_until(lambda n=ended: sum(e["kind"] == "end" for e in events(space)) == n, what=f"{ended} flows")
        for words in (text(space, "status"), text(space, "reset")):
            assert f"Network policy: egress\nNetwork deny: a.example:*\nNetwork allow: {rule(ports[0])}\n" in words


# ---- explain and render


def test_explain(shared, ports):
    allowed, refused = (f"tcp://host.pyro.internal:{port}" for port in ports)
    done = shared.host.pyro("policy", "explain", shared.id, allowed)
    assert (done.code, done.out.decode()) == (0, f"allow {allowed}: a rule names it (allow[0] {rule(ports[0])})\n")
    done = shared.host.pyro("policy", "explain", "networked", allowed, refused, "udp://1.1.1.1:53", "--json")
    assert done.code == 6
    assert done.json["allow"] is False
    assert [(e["endpoint"], e["allow"], e["rule_id"], e["rule"], e["reason"]) for e in done.json["endpoints"]] == [
        (allowed, True, "allow[0]", rule(ports[0]), "rule"), (refused, False, "preset", None, "host-loopback"),
        ("udp://1.1.1.1:53", False, "preset", None, "not-listed")]
    # The engine says the same.
    assert reaches(shared, ports[0]) and not reaches(shared, ports[1])
    done = shared.host.pyro("policy", "explain", shared.id, refused)
    assert (done.code, done.out.decode()) == (6, f"deny {refused}: no rule opens this port of the host (host-loopback)\n")
    done = shared.host.pyro("policy", "explain", "ws-nobody", allowed, "--json")
    assert done.json["error"]["code"] == "not_found"


def test_a_rendered_smolfile_is_the_same_workspace(host, shared, short_tmp):
    rules = [f"--net-allow={it}:*" for it in ("git.example", "*.pkg.example", "10.20.0.0/16", "[2001:db8::7]")]
    with workspaces.one(host, *rules, "--env", "KIND=a b") as space:
        rendered = ok(host.pyro("smolfile", "render", space.id)).out
        assert rendered == ok(host.pyro("smolfile", "render", space.id)).out
        file = short_tmp / "Smolfile"
        file.write_bytes(rendered)
        again = workspaces.Workspace(host, ok(host.pyro("workspace", "create", "--smolfile", file, "--json")).json)
        try:
            assert again.created["network"] == space.created["network"]
            for key in ("environment", "vcpu_count", "mem_mib"):
                assert again.created[key] == space.created[key]
            assert again.sh('printf %s "$KIND"') == b"a b"
            assert ok(host.pyro("smolfile", "render", again.id)).out == rendered
        finally:
            ok(again.pyro("delete"))
    done = host.pyro("smolfile", "render", shared.id)
    assert done.code == 2 and done.out == b""
    assert f"a Smolfile has no words for the rule allow {shared.created['network']['allow'][0]}" in done.text


def test_ports_of_a_smolfile_are_published(host, short_tmp):
    (short_tmp / "guest_server.pl").write_bytes(network.GUEST_SERVER)
    port = network.free_port()
    file = short_tmp / "Smolfile"
    file.write_text(f'image = "debian:12"\nmemory = 256\nnet = true\nports = ["{port}:8080"]\nentrypoint = ["perl", "guest_server.pl"]\ncmd = ["8080"]\n')
    done = ok(host.pyro("workspace", "create", "--smolfile", file, "--seed-path", short_tmp, "--json"))
    space = workspaces.Workspace(host, done.json)
    try:
        assert space.created["network"]["policy"] == "egress+published-ports"
        main = space.json("service status", "main")
        assert main["published_ports"] == [{"host": "127.0.0.1", "host_port": port, "guest_port": 8080, "protocol": "tcp"}]

        def answered():
            # Not yet: a reset.
            with contextlib.suppress(ConnectionError), network.connect(port) as s:
                s.sendall(b"ehello")
                return s.recv(5) == b"hello"

        harness.wait_until(answered, what="the service")
    finally:
        ok(space.pyro("delete"))
    assert network.refuses(port)


# ---- runs


def ask_script(*endpoints):
    """What each HOST/PORT says, in the words of bash."""
    return f"for i in {' '.join(endpoints)}; do exec 3<>/dev/tcp/$i && echo hello $i >&3 && head -n 1 <&3; done"


def test_a_run_reaches_what_is_allowed_and_says_what_was_not(host, ports):
    script = ask_script(*(f"host.pyro.internal/{port}" for port in ports), "93.184.216.50/80", "a.example/443")
    done = host.run("bash", "-c", script, options=["--net-allow", rule(ports[0])])
    assert done.out.decode() == f"hello host.pyro.internal/{ports[0]}\n"
    said = [line.removeprefix("pyro: the network policy refused ") for line in done.text.splitlines() if "policy refused" in line]
    assert f"tcp 10.255.255.1:{ports[1]} (host.pyro.internal): host-loopback" in said
    assert "tcp 93.184.216.50:80: not-listed" in said
    assert any(line.startswith("dns ") and "a.example" in line and "not-listed" in line for line in said)
    assert not any(f":{ports[0]} " in line for line in said)
    done = host.run("bash", "-c", script, options=["--net-allow", rule(ports[0]), "--json"])
    refused = {(e["protocol"], e["address"], e["name"], e["port"], e["reason"], e["rule"]) for e in done.json["refused"]}
    assert refused == {("tcp", "fd70:7972:6f00::1", "host.pyro.internal", ports[1], "host-loopback", "preset"),
                       ("tcp", "10.255.255.1", "host.pyro.internal", ports[1], "host-loopback", "preset"),
                       ("tcp", "93.184.216.50", "", 80, "not-listed", "preset"), ("dns", "", "a.example", 53, "not-listed", "preset")}
    assert all(e["count"] >= 1 for e in done.json["refused"])
    done = ok(host.run("bash", "-c", ask_script(f"host.pyro.internal/{ports[0]}"), options=["--net-allow", rule(ports[0]), "--json"]))
    assert done.json["refused"] == []


def test_a_run_without_a_network_has_nothing_to_refuse(host, ports):
    done = host.run("bash", "-c", ask_script(f"10.255.255.1/{ports[0]}"), options=["--json"])
    assert done.json["exit_code"] == 1
    assert "Network is unreachable" in done.json["stderr"]
    assert done.json["refused"] == []


def test_a_run_with_a_policy_file(host, ports, short_tmp):
    file = short_tmp / "policy.toml"
    file.write_text(f'[network]\nallow = ["host.pyro.internal:{ports[0]}", "host.pyro.internal:{ports[1]}"]\ndeny = ["host.pyro.internal:{ports[1]}"]\n')
    done = host.run("bash", "-c", ask_script(*(f"host.pyro.internal/{port}" for port in ports)), options=["--policy", file, "--json"])
    assert done.json["stdout"] == f"hello host.pyro.internal/{ports[0]}\n"
    assert {(e["port"], e["reason"], e["rule"]) for e in done.json["refused"]} == {(ports[1], "denied", "deny[0]")}
    checked = ok(host.pyro("policy", "check", file, "--json")).json["network"]
    with workspaces.one(host, "--policy", file) as space:
        assert space.created["network"] == checked == shown(space)["network"]
    file.write_text("[network]\nalow = []\n")
    done = host.run("true", options=["--policy", file])
    assert done.code == 125 and 'line 2, column 1: "alow"' in done.text


@pytest.fixture(scope="module")
def world(host):
    """Settings for a pyro whose guests have net_world.py for a network."""
    words = ["unshare", "--net", "--fork", "--kill-child", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    names = ["www.example.com", "93.184.216.34", "sub.www.example.com", "93.184.216.36"]
    resolv_conf = host.folder / "resolv.conf"
    resolv_conf.write_text(f"nameserver {net_world.NAME_SERVER}\n")
    with subprocess.Popen([*words, sys.executable, net_world.__file__, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as it:
        holder = it.stdout.readline().decode().strip()
        assert holder
        yield {"PYRO_NET_NAMESPACE": f"/proc/{holder}/ns/net", "PYRO_RESOLV_CONF": resolv_conf}
        it.stdin.close()
        assert it.wait(timeout=30) == 0


def listen_script(*endpoints):
    """Which address each HOST/PORT of the world has."""
    return f"for i in {' '.join(endpoints)}; do cat </dev/tcp/$i; done; true"


def test_a_run_with_a_name(host, world):
    asked = listen_script("www.example.com/443", "www.example.com/80", "sub.www.example.com/443", "93.184.216.36/443")
    done = ok(host.run("bash", "-c", asked, options=["--net-allow", "www.example.com:443", "--json"], env=world))
    assert done.json["stdout"] == "93.184.216.34\n"
    assert {(e["protocol"], e["address"], e["name"], e["port"]) for e in done.json["refused"]} == {
        ("tcp", "93.184.216.34", "www.example.com", 80), ("dns", "", "sub.www.example.com", 53), ("tcp", "93.184.216.36", "", 443)}


def test_a_run_with_a_smolfile(host, world, short_tmp):
    file = short_tmp / "Smolfile"
    file.write_text('image = "debian:12"\n[network]\nallow_hosts = ["www.example.com"]\nallow_cidrs = ["198.18.0.0/30", "93.184.216.40"]\n')
    script = listen_script("www.example.com/443", "www.example.com/80", "sub.www.example.com/443", "198.18.0.3/80", "198.18.0.4/80", "93.184.216.40/443")
    done = ok(host.pyro("run", "--smolfile", file, "--json", "--", "bash", "-c", script, env=world))
    assert done.json["stdout"].split() == ["93.184.216.34", "93.184.216.34", "198.18.0.3", "93.184.216.40"]
    assert {(e["protocol"], e["address"], e["name"], e["reason"]) for e in done.json["refused"]} == {
        ("dns", "", "sub.www.example.com", "not-listed"), ("tcp", "198.18.0.4", "", "special-range")}
    file.write_text('image = "debian:12"\nnet = true\nports = ["8080:8080"]\n')
    done = host.pyro("run", "--smolfile", file, "--", "true")
    assert done.code == 125 and "ports: a run publishes none" in done.text


def test_events_of_a_published_port(host):
    with workspaces.one(host, "--network-policy", "egress+published-ports") as space:
        space.write("guest_server.pl", network.GUEST_SERVER)
        port = network.host_port(network.publish(space, "web", "--publish", "8080"))
        with network.connect(port) as s:
            s.sendall(b"ehello")
            assert network.read_exactly(s, 5) == b"hello"
        (end,) = wait_events(space, lambda e: e["kind"] == "end")
        assert (end["protocol"], end["port"], end["bytes_to_guest"], end["bytes_to_host"]) == ("published", 8080, 6, 5)
