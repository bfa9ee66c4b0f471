"""What a guest may use up, and what a new policy ends."""

import contextlib
import json
import pathlib
import resource
import socket
import threading

import world as worlds
from name_server import A, NameServer

# Of the engine beside kernel sockets (docs/design/net-theory-of-operation.md).
MOST_KIB = 32 << 10
FLOWS = 4096
MOST_IDLE_FLOW_KIB = 4


@contextlib.contextmanager
def holder(world):
    """Accepts whoever comes, and says nothing. Yields its port."""
    held = []

    def accept():
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    with world.listen(0) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(worlds.BOUND)
            for s in held:
                s.close()


def test_idle_flows_cost_little_and_are_bounded(world):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with holder(world) as port:
        with world.started(f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1:] * 2)
print("ready")
sys.stdin.readline()
held = []
def open_one(i):
    s = socket.socket()
    s.settimeout(30)
    s.connect(({worlds.V4!r}, {port}))
    held.append(s)
for i in range({FLOWS}):
    open_one(i)
print("open", flush=True)
sys.stdin.readline()
tell(outcome(lambda: open_one(0)))
reset(held.pop())
reset(held.pop())
deadline = time.monotonic() + 20
while (last := outcome(lambda: open_one(0))) is not None and time.monotonic() < deadline:
    select.select([], [], [], 0.05)
tell(last)
""", ()) as guest:
            idle = worlds.memory_kib(guest.pid)
            guest.stdin.write("go\n")
            guest.stdin.flush()
            assert guest.stdout.readline() == "open\n"
            each = (worlds.memory_kib(guest.pid) - idle) / FLOWS
            guest.stdin.write("go\n")
            guest.stdin.flush()
            assert json.loads(guest.stdout.readline()) == "ECONNREFUSED"
            assert json.loads(guest.stdout.readline()) is None
    words = f"{idle} KiB idle, {each:.2f} KiB for each of {FLOWS} idle flows"
    print(words)
    assert each <= MOST_IDLE_FLOW_KIB, words


def assert_borne(world, script, least, seconds=1):
    """The guest does this for some seconds and that often at least; the engine grows by no more than it may, and answers."""
    with world.started(f"""
def ask_host():
    # Of a datagram that had no room on the link nobody hears.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        for _ in range(10):
            s.sendto(struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\\4host\\4pyro\\10internal\\0\\0\\1\\0\\1", ({worlds.ENGINE!r}, 53))
            try:
                return s.recv(512)[3] & 15
            except TimeoutError:
                pass
print("ready")
sys.stdin.readline()
end = time.monotonic() + {seconds}
n = 0
while n < {least} or time.monotonic() < end:
    n += 1
    try:
        {script}
    except OSError:
        pass
tell(n)
tell(ask_host())
""", ("--allow", "*:1-65535", "--allow-udp", "--resolver", f"{worlds.V4}:9")) as guest:
        idle = worlds.memory_kib(guest.pid)
        guest.stdin.write("go\n")
        guest.stdin.flush()
        count = json.loads(guest.stdout.readline())
        grown = worlds.memory_kib(guest.pid, "VmHWM") - idle
        # And it still answers, when it has seen what it has not yet.
        assert json.loads(guest.stdout.readline()) == 5  # REFUSED
    print(f"{count} in {seconds} s: {grown} KiB more")
    assert idle + grown <= MOST_KIB + 8192
    assert grown <= MOST_KIB


def test_a_flood_of_syns(world):
    # To somebody who never answers: all stay half open.
    assert_borne(world, f"""s = socket.socket(); s.setblocking(False)
        if s.connect_ex(({worlds.SILENT!r}, 1 + n % 60000)) != 115: raise OSError
        globals().setdefault("kept", []).append(s)
        if len(kept) > 900: kept.pop(0).close()""", 1000)


def test_a_flood_of_connections_that_are_refused(world):
    assert_borne(world, f"connect({worlds.V4!r}, 9)", 300)


def test_a_flood_of_datagrams(world):
    assert_borne(world, f"""s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(b"x" * 100, ({worlds.SILENT!r}, 1 + n % 60000)); s.close()""", 1000)


def test_a_flood_of_questions(world):
    assert_borne(world, f"""s = globals().setdefault("s", socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        name = b"n%d" % n
        q = struct.pack("!HHHHHH", n & 65535, 0x0100, 1, 0, 0, 0) + bytes([len(name)]) + name + b"\\7example\\0\\0\\1\\0\\1"
        s.sendto(q, ({worlds.ENGINE!r}, 53))""", 1000)


def ask(guest):
    """What a guest that goes on with each line tells of it."""
    guest.stdin.write("go\n")
    guest.stdin.flush()
    return json.loads(guest.stdout.readline())


def test_a_new_policy_ends_what_it_refuses_and_nothing_else(world, tmp_path):
    policy = tmp_path / "policy.toml"

    def write(*rules):
        policy.write_text(f"[network]\npolicy = \"egress\"\nallow = {json.dumps(rules)}\n")

    with world.server(worlds.echo) as (one, _), world.server(worlds.echo) as (two, _):
        write(f"{worlds.V4}:{one}", f"{worlds.V4}:{two}")
        with world.started(f"""
s = [connect({worlds.V4!r}, p) for p in ({one}, {two})]
print("ready")
for line in sys.stdin:
    tell([outcome(lambda: (c.sendall(b"ping"), len(c.recv(4)))[1]) for c in s]
         + [outcome(lambda: connect({worlds.V4!r}, {one}) and 1)])
""", ("--policy", str(policy))) as guest:
            assert ask(guest) == [4, 4, 1]
            write(f"{worlds.V4}:{two}")
            worlds.reload_policy(guest)
            first, second, third = ask(guest)
            assert first in ("ECONNRESET", "EPIPE")
            assert (second, third) == (4, "ECONNREFUSED")


def test_a_name_that_is_denied_takes_its_addresses_along(world, tmp_path):
    policy = tmp_path / "policy.toml"

    def write(*deny):
        policy.write_text(f"[network]\npolicy = \"egress\"\ndeny = {json.dumps(deny)}\n")

    records = {(name, A): [(A, 60, worlds.V4)] for name in ("good.example", "evil.example")}
    with world.server(worlds.echo) as (port, _), NameServer(world, worlds.V4, records) as names:
        write()
        with world.started(f"""
good = connect("good.example", {port})
evil = connect("evil.example", {port})
print("ready")
for line in sys.stdin:
    tell([outcome(lambda: (c.sendall(b"ping"), len(c.recv(4)))[1]) for c in (good, evil)]
         + [outcome(lambda: connect({worlds.V4!r}, {port}) and 1)])
""", ("--policy", str(policy), "--resolver", names.where)) as guest:
            assert ask(guest) == [4, 4, 1]
            write("evil.example")
            worlds.reload_policy(guest)
            # The two have one address, so they are one; and it is known without the name.
            *cut, again = ask(guest)
            assert all(end in ("ECONNRESET", "EPIPE") for end in cut)
            assert again == "ECONNREFUSED"


def test_what_happened_is_told(world, tmp_path):
    told = pathlib.Path(tmp_path) / "stats"
    def answer(s):
        while s.recv(10):
            pass
        s.sendall(b"12345")

    with world.server(answer) as (port, _):
        world.guest_python(f"""
s = connect({worlds.V4!r}, {port})
s.sendall(b"abc")
s.shutdown(socket.SHUT_WR)
read_all(s)
outcome(lambda: connect("10.1.1.1", 80))
tell(1)""", options=("--stats", str(told)))
    events = [(e["end"], e["port"], e["allow"], e["reason"], e["to_host"], e["to_guest"]) for e in worlds.stats(told)["events"]
              if e["protocol"] == "tcp"]
    # A flow ends when the guest's last word comes.
    assert sorted(events) == sorted([(False, port, True, "preset", 0, 0), (True, port, True, "closed", 3, 5),
                      (False, 80, False, "special-range", 0, 0)])
