"""The same guest on pyro's network and on QEMU's own, with servers on the host's loopback."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

import program
import workspace
from report import BenchError

ENGINE = "10.255.255.1"  # in the guest: the host's loopback, where the policy allows it
IPERF_PORT, ECHO_PORT = 18201, 18202
DNS_PORT = 53  # where a name server of resolv.conf is
ROUNDS = 5


def seed(folder):
    """The programs that the guest runs, with their libraries: host and guest are the same Debian."""
    iperf = shutil.which("iperf3")
    if iperf is None:
        raise BenchError("iperf3 is missing; start this with ./dev/bench")
    listed = program.run(["ldd", iperf]).checked("ldd").out
    libraries = [line.split()[2] for line in listed.splitlines() if "=> /" in line]
    for path in (iperf, program.bench_program("pyro_bench_net_load"), *libraries):
        shutil.copy(path, folder)


def user_net_libexec(folder):
    """pyro's helpers, but for a supervisor whose QEMU has its own network."""
    libexec = pathlib.Path(program.library_env()["PYRO_LIBEXEC"])
    for helper in libexec.iterdir():
        target = helper if helper.name != "pyro-supervisor" else program.bench_program("pyro_bench_user_net_supervisor")
        pathlib.Path(folder, helper.name).symlink_to(target)


@contextlib.contextmanager
def server(words, ready):
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            while ready not in (line := process.stdout.readline()):
                if not line:
                    raise BenchError(f"{words[0]} did not start: {process.poll()}")
            # It goes on saying things, and would wait for whoever does not read them.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def guests():
    """(on pyro-net, on -netdev user)"""
    load = program.bench_program("pyro_bench_net_load")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pyro-bench-net-"))
        seeds, libexec = pathlib.Path(folder, "seed"), pathlib.Path(folder, "libexec")
        seeds.mkdir()
        libexec.mkdir()
        seed(seeds)
        user_net_libexec(libexec)
        resolv = pathlib.Path(folder, "resolv.conf")
        resolv.write_text("nameserver 127.0.0.1\n")
        stack.enter_context(server(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(IPERF_PORT), "--forceflush"], "listening"))
        stack.enter_context(server([load, "serve", str(ECHO_PORT)], "ready"))
        if os.geteuid() == 0:
            stack.enter_context(server([load, "serve-dns", str(DNS_PORT)], "ready"))
        env = {**stack.enter_context(workspace.home()), "PYRO_RESOLV_CONF": str(resolv)}
        policy = ("--net-allow", f"host.pyro.internal:{IPERF_PORT},{ECHO_PORT}", "--net-allow", "*.example.com:443")
        ours = workspace.create("pyro-net", env, seed=str(seeds), options=policy)
        users = workspace.create("user-net", {**env, "PYRO_LIBEXEC": str(libexec)}, seed=str(seeds), options=policy)
        yield ours, users


def load(space, mode, port, count):
    """The numbers that the client printed, in the guest of a workspace."""
    done = space.shell(f"/workspace/pyro_bench_net_load {mode} {ENGINE} {port} {count}")
    return [float(line) for line in done.out.splitlines()]


def throughput(space, streams, seconds, down):
    """MB/s of iperf3 as its receiver counted them."""
    words = f"-c {ENGINE} -p {IPERF_PORT} -P {streams} -t {seconds} -O 1 -J" + (" -R" if down else "")
    done = space.shell(f"LD_LIBRARY_PATH=/workspace /workspace/iperf3 {words}")
    try:
        return json.loads(done.out)["end"]["sum_received"]["bits_per_second"] / 8e6
    except (ValueError, KeyError) as error:
        raise BenchError(f"iperf3 printed no result ({error!r}): {done.out[-300:]}") from error


def in_turns(spaces, measure, rounds):
    """A list of samples for each of the guests, taken in turns so that they meet the same weather."""
    samples = [[] for _ in spaces]
    for _ in range(rounds):
        for mine, space in zip(samples, spaces, strict=True):
            mine.append(measure(space))
    return samples

