"""The package: its names and defaults, its types, its programs, and the library below it without a guest."""

import inspect
import os
import pathlib
import signal
import subprocess
import sys
import types

import pytest
from conftest import PACKAGES, PREFIX
from pyro_mcp import AsyncPyro, Pyro, _paths, _server, create_server, errors, executable

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The methods of the public contract, with the parameters and defaults that it names. Others may stand beside them.
CONTRACT = """
list_environments()
pull_environment(environment)
inspect_environment(environment)
prune_environments()
create_vm(environment, *, vcpu_count=1, mem_mib=1024, allow_host_compat=False)
create_workspace(environment, *, vcpu_count=1, mem_mib=1024, allow_host_compat=False, network_policy="off", secrets=None, seed_path=None)
push_workspace_sync(workspace_id, source_path, *, dest="/workspace")
export_workspace(workspace_id, path, *, output_path)
diff_workspace(workspace_id)
create_snapshot(workspace_id, snapshot_name)
list_snapshots(workspace_id)
delete_snapshot(workspace_id, snapshot_name)
reset_workspace(workspace_id, *, snapshot="baseline")
start_service(workspace_id, service_name, *, command, cwd="/workspace", readiness=None, ready_timeout_seconds=30, ready_interval_ms=500, secret_env=None, published_ports=None)
list_services(workspace_id)
status_service(workspace_id, service_name)
logs_service(workspace_id, service_name, *, tail_lines=200, all=False)
stop_service(workspace_id, service_name)
open_shell(workspace_id, *, cwd="/workspace", cols=120, rows=30, secret_env=None)
read_shell(workspace_id, shell_id, *, cursor=0, max_chars=65536)
write_shell(workspace_id, shell_id, *, input, append_newline=True)
signal_shell(workspace_id, shell_id, *, signal_name="INT")
close_shell(workspace_id, shell_id)
start_vm(vm_id)
exec_vm(vm_id, *, command, timeout_seconds=30)
exec_workspace(workspace_id, *, command, timeout_seconds=30, secret_env=None)
stop_vm(vm_id)
delete_vm(vm_id)
delete_workspace(workspace_id)
status_vm(vm_id)
status_workspace(workspace_id)
logs_workspace(workspace_id)
network_info_vm(vm_id)
reap_expired()
run_in_vm(environment, *, command, vcpu_count=1, mem_mib=1024, timeout_seconds=30, allow_host_compat=False, net_allow=None, net_deny=None, allow_udp=False, allow_icmp=False, network_policy="off")
""".strip().splitlines()


def promised(line):
    """What a line of CONTRACT says, as a function's signature."""
    name = line.split("(")[0]
    scope = {}
    exec(f"def {line}: pass", scope)  # our own text
    return name, inspect.signature(scope[name])


@pytest.mark.parametrize("line", CONTRACT, ids=lambda line: line.split("(")[0])
@pytest.mark.parametrize("client", [Pyro, AsyncPyro])
def test_methods_have_the_names_and_defaults_of_the_contract(client, line):
    name, wanted = promised(line)
    there = inspect.signature(getattr(client, name)).parameters
    positional = [p.name for p in there.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert positional == ["self"] + [p.name for p in wanted.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for parameter in wanted.parameters.values():
        assert there[parameter.name].default == parameter.default, parameter.name
    must = {p.name for p in there.values() if p.default is p.empty and p.name != "self"}
    assert must <= set(wanted.parameters), "it asks for more than the contract does"


def test_the_contract_above_can_be_missed():
    _, wanted = promised("exec_vm(vm_id, *, command, timeout_seconds=31)")
    there = inspect.signature(Pyro.exec_vm).parameters
    assert there["timeout_seconds"].default != wanted.parameters["timeout_seconds"].default


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
    Pyro().create_server(project_path="/src").run("streamable-http", address="127.0.0.1:8000")
    assert (tmp_path / "words").read_text() == "mcp serve --project-path /src --http 127.0.0.1:8000\n"
    assert create_server().command() == [str(path), "mcp", "serve"]
    with pytest.raises(errors.Invalid, match="no transport"):
        create_server().run(transport="pigeon")


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
