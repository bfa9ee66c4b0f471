"""What the guest is: its processors, memory, clock, names, randomness, and what it does not have."""

import concurrent.futures
import time

import pytest

RANDOM = r"""
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; echo
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; echo
perl -e 'my $b = "\0" x 32; syscall(318, $b, 32, 0) == 32 or die; print unpack("H*", $b), "\n"'
perl -e 'print int(rand(2**52)), "\n"'
cat /proc/sys/kernel/random/uuid
cat /proc/sys/kernel/random/boot_id
cat /etc/machine-id
hostname
"""


def test_clones_share_no_randomness_and_no_identity(host):
    """Four clones of one template, at once: each of eight draws is different in each of them."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: host.run("sh", "-c", RANDOM), range(4)))
    draws = []
    for run in runs:
        assert run.code == 0, run
        lines = run.out.decode().split("\n")[:-1]
        assert len(lines) == 8 and all(lines), run
        draws.append(lines)
    for number, name in enumerate(["urandom", "urandom again", "getrandom", "rand", "uuid", "boot_id", "machine-id", "hostname"]):
        assert len({lines[number] for lines in draws}) == 4, (name, [lines[number] for lines in draws])
    everything = [value for lines in draws for value in lines]
    assert len(set(everything)) == len(everything)


def test_the_host_name_is_the_vm_id(host):
    answer = host.run("sh", "-c", "hostname; cat /etc/hostname; uname -n", options=["--json"]).json
    assert answer["stdout"].split() == [answer["vm_id"]] * 3


def test_the_clock_is_right(host):
    before = time.time()
    done = host.run("date", "+%s.%N")
    after = time.time()
    assert before - 2 <= float(done.out) <= after + 2


def test_there_is_no_network_device(host):
    done = host.run("sh", "-c", "ls /sys/class/net; ls -d /sys/bus/virtio/drivers/virtio_net/virtio* 2>/dev/null; wc -l < /proc/net/route")
    assert done.out.decode().split() == ["lo", "1"], done


def test_loopback_works(host):
    script = r"""use IO::Socket::INET;
my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "listen: $!";
my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $l->sockport) or die "connect: $!";
my $s = $l->accept or die; print $c "ping\n"; $c->flush; print scalar <$s>;"""
    done = host.run("perl", "-e", script)
    assert (done.code, done.out) == (0, b"ping\n"), done


def test_processors_and_memory_are_as_asked_for(host):
    done = host.run(
        "sh", "-c", "nproc; awk '/MemTotal/ {print $2}' /proc/meminfo",
        options=["--boot", "cold", "--vcpu-count", "2", "--mem-mib", "512"],
    )  # fmt: skip
    assert done.code == 0, done
    cpus, kib = map(int, done.out.split())
    assert cpus == 2
    assert 400 << 10 <= kib <= 512 << 10


def test_default_processors_and_memory(host):
    cpus, kib = map(int, host.run("sh", "-c", "nproc; awk '/MemTotal/ {print $2}' /proc/meminfo").out.split())
    assert cpus == 1
    assert 900 << 10 <= kib <= 1024 << 10


def test_the_command_is_root_in_its_home(host):
    done = host.run("sh", "-c", 'id -u; pwd; echo "$HOME $PATH"')
    assert done.out == b"0\n/root\n/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


def test_git_works(host):
    done = host.run("sh", "-c", "git init -q r && cd r && echo x > f && git add f && "
                    "git -c user.name=a -c user.email=a@b commit -qm m && git log --oneline | wc -l")  # fmt: skip
    assert (done.code, done.out) == (0, b"1\n"), done


def test_the_root_is_writable_and_forgotten(host):
    assert host.run("sh", "-c", "echo x > /usr/bin/mark && cat /usr/bin/mark").out == b"x\n"
    assert host.run("test", "-e", "/usr/bin/mark").code == 1


@pytest.mark.parametrize("path", ["/tmp", "/var/tmp", "/dev/shm", "/root", "/workspace"])
def test_folders_that_programs_write_to(host, path):
    assert host.run("sh", "-c", f"echo y > {path}/f && cat {path}/f").out == b"y\n"


def test_the_agents_ports_and_files_are_not_in_the_way(host):
    done = host.run("sh", "-c", "ls /proc/self/fd | wc -l; test -e /modules || test -e /init || echo clean")
    assert done.out == b"4\nclean\n", done  # the fourth is the folder that ls reads
