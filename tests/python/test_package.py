"""The package: its names and defaults, its types, its programs, and the library below it without a guest."""

import ast
import inspect
import json
import operator
import os
import pathlib
import re
import signal
import subprocess
import sys
import types

import pyro_mcp
import pytest
from conftest import PACKAGES, PREFIX
from pyro_mcp import AsyncExecStream, AsyncPyro, ExecStream, Pyro, _paths, _server, create_server, errors, executable

ROOT = pathlib.Path(__file__).resolve().parents[2]

GOLDEN = ROOT / "tests" / "golden" / "contract"
# What the table of operations says, as a golden file has it: method NAME(PARAMETERS). attach_shell needs a terminal.
PUBLIC = re.findall(r"^  method (?!attach_shell)(.+)$", (GOLDEN / "public.txt").read_text(), re.M)
# What pyro-mcp 2.x promises: its methods, and names of the Python package alone.
PROMISED = re.findall(r"^method (.+)$", (GOLDEN / "pyro-2.10.0.txt").read_text(), re.M)
NAMES = re.findall(r"^python (.+)$", (GOLDEN / "pyro-2.10.0.txt").read_text(), re.M)


def parameters(function):
    """{name: (kind, default)}, without self and stdin, which is of Python alone."""
    found = inspect.signature(function).parameters.values()
    return {p.name: (p.kind, p.default) for p in found if p.name not in ("self", "stdin")}


def meant(signature):
    """What `NAME(PARAMETERS)` says, as Python reads it."""
    scope = {}
    exec(f"def {signature}: pass", scope)  # our own text
    name = signature.split("(")[0]
    return name, parameters(scope[name])


@pytest.mark.parametrize("line", PUBLIC, ids=lambda line: line.split("(")[0])
@pytest.mark.parametrize("client", [Pyro, AsyncPyro])
def test_methods_are_those_of_the_table(client, line):
    name, wanted = meant(line)
    there = parameters(getattr(client, name))
    assert there == wanted
    by_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert [n for n, p in there.items() if p[0] is by_place] == [n for n, p in wanted.items() if p[0] is by_place]


@pytest.mark.parametrize("line", PROMISED, ids=lambda line: line.split()[0])
@pytest.mark.parametrize("client", [Pyro, AsyncPyro])
def test_methods_have_the_names_and_defaults_of_the_contract(client, line):
    name, *words = line.split()
    there = parameters(getattr(client, name))
    places = [n for n, (kind, _) in there.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    by_place = True
    for word in words:
        argument, _, default = word.partition("=")
        if word in ("*", "..."):
            by_place = False
        elif by_place:
            assert places.pop(0) == argument
        elif default:
            assert there[argument][1] == ast.literal_eval(default), argument
        else:
            assert there[argument][1] is inspect.Parameter.empty, argument
    if "..." not in words:
        must = {n for n, (_, default) in there.items() if default is inspect.Parameter.empty}
        assert places == [] and must <= {w.partition("=")[0] for w in words}, "it asks for more than the contract does"


def test_the_files_above_hold_something():
    assert len(PUBLIC) > 50 and len(PROMISED) > 30
    assert NAMES and all(operator.attrgetter(name)(pyro_mcp) for name in NAMES)
    assert meant('exec_vm(vm_id, *, command, timeout_seconds=31)')[1] != parameters(Pyro.exec_vm)


def test_both_clients_have_the_same_methods():
    def methods(client):
        return {n: list(inspect.signature(f).parameters) for n, f in inspect.getmembers(client, inspect.isfunction) if n[0] != "_"}

    sync, coroutines = methods(Pyro), methods(AsyncPyro)
    del sync["create_server"]
    assert sync == coroutines
    assert all(f.__doc__ for n, f in inspect.getmembers(Pyro, inspect.isfunction) if n[0] != "_")


def python(script, **kwargs):
    env = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=env, check=False, **kwargs)


def test_the_texts_say_how_long_an_interrupted_command_has():
    grace = re.search(r"kInterruptGrace\{(\d+)\}", (ROOT / "src" / "api" / "calls.h").read_text())
    assert grace and grace[1] == "2000"
    guide = (ROOT / "docs" / "guides" / "embedding-python.md").read_text()
    for text in (guide, Pyro.__doc__, ExecStream.interrupt.__doc__, AsyncExecStream.interrupt.__doc__):
        assert "two seconds" in text and "three seconds" not in text and "ends the command at once" not in text


def test_importing_it_loads_neither_asyncio_nor_subprocess():
    done = python("import sys, pyro_mcp; print([m for m in ('asyncio', 'subprocess', 'json', 'pyro_mcp.aio') if m in sys.modules])")
    assert done.stdout.strip() == "[]", done
    done = python("import pyro_mcp; print([n for n in pyro_mcp.__all__ if getattr(pyro_mcp, n) is None]); pyro_mcp.nothing")
    assert done.stdout.strip() == "[]" and "no attribute 'nothing'" in done.stderr


EXAMPLES = sorted((ROOT / "examples" / "python").glob("*.py"))


@pytest.mark.parametrize("what", [[PACKAGES / "pyro_mcp"], EXAMPLES], ids=["package", "examples"])
def test_types_are_strict(what, tmp_path):
    assert what
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", tmp_path, *what],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "MYPYPATH": str(PACKAGES)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_type_is_found(tmp_path):
    script = tmp_path / "wrong.py"
    script.write_text('from pyro_mcp import Pyro\nPyro().exec_workspace("w", command=1)\nPyro().status_vm("v")["vm_idd"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", script],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "MYPYPATH": str(PACKAGES)},
        check=False,
    )
    assert 'Argument "command"' in done.stdout and '"vm_idd"' in done.stdout, done.stdout


# ---- programs


def test_the_programs_are_found_from_the_package(monkeypatch, tmp_path):
    monkeypatch.delenv("PYRO_LIBEXEC", raising=False)
    assert _paths.libexec() == str(PREFIX / "libexec" / "pyro")
    assert executable() == str(PREFIX / "bin" / "pyro")
    target = tmp_path / "target"  # as pip install --target has it
    (target / "libexec" / "pyro").mkdir(parents=True)
    (target / "libexec" / "pyro" / "pyro-supervisor").touch()
    monkeypatch.setattr(_paths, "_PACKAGE", str(target / "pyro_mcp"))
    assert _paths.libexec() == str(target / "libexec" / "pyro")
    with pytest.raises(errors.Unavailable, match="no program"):
        executable()
    monkeypatch.setattr(_paths, "_PACKAGE", str(tmp_path / "a" / "b" / "c" / "d" / "pyro_mcp"))
    with pytest.raises(errors.Unavailable, match="helper programs"):
        _paths.libexec()


def test_python_m_is_the_program():
    done = subprocess.run(
        [sys.executable, "-m", "pyro_mcp", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        check=False,
    )
    assert done.returncode == 0 and done.stdout.startswith("pyro "), done


@pytest.fixture
def fake_program(monkeypatch, tmp_path):
    """A pyro of the test's own, which runs a script of sh."""

    def make(script):
        path = tmp_path / "pyro"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        monkeypatch.setattr(_paths, "executable", lambda: str(path))
        return path

    return make


def test_the_server_is_the_program(api, fake_program, tmp_path):
    path = fake_program(f'echo "$@" > {tmp_path}/words\n')
    create_server(profile="workspace-core").run(transport="stdio")
    assert (tmp_path / "words").read_text() == "mcp serve --profile workspace-core\n"
    server = Pyro().create_server(project_path="/src", host_paths=["/out", "/keys"])
    server.run("streamable-http", address="127.0.0.1:8000")
    folders = "--project-path /src --host-path /out --host-path /keys"
    assert (tmp_path / "words").read_text() == f"mcp serve {folders} --http 127.0.0.1:8000\n"
    assert create_server().command() == [str(path), "mcp", "serve"]
    with pytest.raises(errors.Invalid, match="no transport"):
        create_server().run(transport="pigeon")


def test_the_server_serves(own_folders):
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    done = python(
        "from pyro_mcp import create_server; create_server(profile='workspace-core').run(transport='stdio')",
        input=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"]


def test_a_server_that_fails_says_so(fake_program):
    fake_program("exit 3\n")
    with pytest.raises(errors.Unavailable, match="ended with 3"):
        create_server().run()


def test_ctrl_c_ends_the_server(fake_program):
    fake_program(f"kill -INT {os.getpid()}\nexec sleep 600\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        _server.create_server().run()


# ---- the library below it


def test_it_answers_without_a_guest(own_folders):
    with Pyro() as pyro:
        assert "debian:12" in [e["name"] for e in pyro.list_environments()["environments"]]
        assert pyro.list_workspaces()["workspaces"] == []
        with pytest.raises(errors.NotFound) as caught:
            pyro.status_workspace("nobody")
        assert "nobody" in caught.value.message


def test_what_is_wrong_with_arguments_is_told(own_folders):
    pyro = Pyro()
    with pytest.raises(errors.Invalid, match="mem_mib"):
        pyro.run_in_vm("debian:12", command="true", mem_mib=1)
    deep = []
    for _ in range(100):
        deep = [deep]
    bad = [object(), {1: "number"}, float("nan"), 1 << 64, "\udc80", b"bytes", deep]
    for value in bad:
        with pytest.raises(errors.Invalid, match="command"):
            pyro.run_in_vm("debian:12", command=value)

    class Broken:
        def __fspath__(self):
            raise OSError("no path today")

    with pytest.raises(OSError, match="no path today"):
        pyro.push_workspace_sync("w", Broken())
    with pytest.raises(TypeError, match="unexpected keyword"):
        pyro.run_in_vm("debian:12", command="true", mem_mb=1)


def test_a_policy_off_that_is_said_is_the_policy(own_folders):
    pyro = Pyro()
    with pytest.raises(errors.Invalid, match="off"):
        pyro.run_in_vm("debian:12", command="true", network_policy="off", net_deny=["example.com:443"])
    with pytest.raises(errors.Invalid, match="off"):
        pyro.create_workspace("debian:12", network_policy="off", net_deny=["example.com:443"])
    with pytest.raises(errors.NotFound, match="nobody"):
        pyro.set_workspace_network("nobody", network_policy="off")
    with pytest.raises(errors.Invalid, match="nothing to change"):
        pyro.set_workspace_network("nobody")
    assert pyro.explain_policy(network_policy="off", endpoints=["tcp://example.com:443"])["allow"] is False
    with pytest.raises(errors.Invalid, match="a policy is needed"):
        pyro.explain_policy(endpoints=["tcp://example.com:443"])


def test_mappings_sequences_and_paths_of_other_kinds_will_do(own_folders):
    pyro = Pyro()
    with pytest.raises(errors.NotFound):
        pyro.exec_workspace("nobody", command=("true", "x"), env=types.MappingProxyType({"A": "b"}))
    with pytest.raises(errors.NotFound):
        pyro.push_workspace_sync("nobody", pathlib.Path("/usr"))


def test_a_folder_that_cannot_be_made_is_told_at_once(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYRO_HOME", str(tmp_path / "file" / "x"))
    with pytest.raises(errors.PyroError) as caught:
        Pyro()
    assert str(tmp_path) in caught.value.message
