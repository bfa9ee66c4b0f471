"""The network of the end-to-end tests: servers on the host's loopback, and one that guests run."""

import contextlib
import errno
import pathlib
import socket
import struct
import threading

import harness
from workspaces import ok

GUEST_SERVER = (pathlib.Path(__file__).parent / "guest_server.pl").read_bytes()
# How long a client waits for an answer of a guest.
PATIENCE = 60


@contextlib.contextmanager
def server(answer):
    """Its port on 127.0.0.1; `answer(connection)` is called for each connection, in a thread of its own."""
    threads, connections = [], []

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            answer(connection)

    def accept():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            connection.settimeout(PATIENCE)
            connections.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(PATIENCE)


def echo(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)


def free_port():
    """One that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def connect(port):
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def refuses(port):
    """Whether nobody listens on this port of the host."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def wait_refused(port):
    harness.wait_until(lambda: refuses(port), what=f"the end of port {port}")


def read_all(connection):
    pieces = []
    while piece := connection.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(connection, size):
    found = bytearray()
    while len(found) < size:
        piece = connection.recv(min(1 << 20, size - len(found)))
        assert piece, f"the end after {len(found)} of {size} bytes"
        found += piece
    return bytes(found)


def ends(connection):
    """Whether a connection is over: by its end or by a reset."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# ---- of a workspace


def ask_host(space, port, word="hello", **kwargs):
    """A guest's line to a port of the host and back: what it printed, on either stream."""
    script = f"exec 3<>/dev/tcp/host.pyro.internal/{port} && echo {word} >&3 && head -n 1 <&3"
    done = space.exec("bash", "-c", script, **kwargs)
    return done.out.decode() + done.text


def shown(space):
    return space.json("network show")


def events(space):
    return space.json("network events", "--all")["events"]


def publish(space, name, *options, guest_port=8080, script=None):
    """A service, by default guest_server.pl; what its start printed as JSON."""
    ready = ("--ready-tcp", str(guest_port), "--ready-interval-ms", "50") if script is None else ()
    words = ("sh", "-c", script or f"exec perl guest_server.pl {guest_port}")
    done = space.host.pyro("workspace", "service", "start", *options, *ready, "--json", space.id, name, "--", *words)
    return ok(done).json


def host_port(service):
    (port,) = service["published_ports"]
    return port["host_port"]


def engine(space):
    """The process of its network engine."""
    supervisor = space.supervisor()

    def found():
        return [p for p in harness.all_pids() if harness.parent_of(p) == supervisor and harness.name_of(p) == "pyro-net" and harness.state_of(p) not in "ZX"]

    return harness.wait_until(found, what="a network engine")[0]
