"""The wheel: what is installed in PYRO_TEST_PREFIX, packed as `pip install .` does, in an environment of its own.

dev/wheel-test, which dev/nightly runs, builds it from nothing instead.
"""

import pathlib
import subprocess
import sys
import zipfile

import pytest
from conftest import PREFIX

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings" / "python"))
import backend  # noqa: E402


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    path = tmp_path_factory.mktemp("wheel") / f"{backend.NAME}-{backend.tag()}.whl"
    backend.pack(path, backend.files_of(PREFIX), backend.metadata())
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A virtual environment with nothing but the wheel in it."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check", "install"]
    done = subprocess.run([*pip, "--no-index", "--no-deps", wheel], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_program_is_the_program_itself(environment):
    program = environment / "bin" / "pyro"
    assert program.read_bytes()[:4] == b"\x7fELF", "a script would start Python before every command"
    assert run(program, "--version").startswith("pyro ")
    helpers = {path.name for path in (environment / "libexec" / "pyro").iterdir()}
    assert {"pyro-supervisor", "pyro-agent", "pyro-net"} <= helpers
    assert run(environment / "bin" / "python", "-m", "pyro_mcp", "--version") == run(program, "--version")


def test_the_package_finds_what_came_with_it(environment, tmp_path):
    script = f"""
import os
os.environ.update(HOME={str(tmp_path)!r}, PYRO_RUNTIME_DIR={str(tmp_path / "run")!r})
import pyro_mcp
from pyro_mcp import _paths
print(_paths.libexec(), pyro_mcp.executable(), pyro_mcp.__file__, sep="\\n")
with pyro_mcp.Pyro() as pyro:
    print(len(pyro.list_environments()["environments"]) > 0)
"""
    libexec, program, package, answered = run(environment / "bin" / "python", "-c", script).split("\n")[:4]
    assert libexec == str(environment / "libexec" / "pyro")
    assert program == str(environment / "bin" / "pyro")
    assert package.startswith(str(environment))
    assert answered == "True"


def test_the_wheel_says_what_it_is(wheel, environment):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = {name.rsplit("/", 1)[-1]: archive.read(name).decode() for name in names if ".dist-info/" in name}
        assert all(i.date_time == backend.TIME for i in archive.infolist())
    assert "Name: pyro-mcp\n" in info["METADATA"] and "Root-Is-Purelib: false" in info["WHEEL"]
    assert {line.split(",")[0] for line in info["RECORD"].splitlines()} == set(names)
    assert "pyro_mcp/py.typed" in names and not [name for name in names if "__pycache__" in name]
    script = "from importlib.metadata import version; import pyro_mcp; assert version('pyro-mcp') == pyro_mcp.__version__"
    run(environment / "bin" / "python", "-c", script)


def test_an_installation_without_its_programs_makes_no_wheel(tmp_path):
    with pytest.raises(SystemExit, match="brought no"):
        backend.files_of(tmp_path)


def test_the_source_archive_has_what_git_tracks(tmp_path):
    import tarfile

    with tarfile.open(tmp_path / backend.build_sdist(tmp_path)) as archive:
        names = set(archive.getnames())
    assert {f"{backend.NAME}/{name}" for name in ("PKG-INFO", "pyproject.toml", "CMakeLists.txt")} <= names
