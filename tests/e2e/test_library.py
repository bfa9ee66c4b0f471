"""The installed library: its examples, built as a user would, on real guests."""

import ctypes
import json
import pathlib
import shutil
import subprocess

import harness
import pytest

EXAMPLES = harness.PREFIX / "share" / "doc" / "pyro" / "examples"
LANGUAGES = ["", "_c"]  # C++, C


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    for words in (
        ["cmake", "-S", EXAMPLES, "-B", folder, "-DCMAKE_CXX_COMPILER=clang++-19", f"-DCMAKE_PREFIX_PATH={harness.PREFIX}"],
        ["cmake", "--build", folder, "--parallel", "2"],
    ):
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(params=LANGUAGES, ids=["cxx", "c"])
def example(request, programs, host):
    def run(name):
        done = subprocess.run(
            [programs / (name + request.param)], capture_output=True, text=True, timeout=300, check=False,
            env=host.settings({}), stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def test_a_command_is_run(example):
    done = example("run_command")
    first, last = done.stdout.splitlines()
    assert first == "Linux"
    assert last.startswith("exit code 3 in vm-")
    assert done.stderr == "to stderr\n"


def test_a_workspace_session(example):
    assert example("workspace_session").stdout.splitlines() == [
        "exit code 0: hello world",
        "added greeting",
        "added hello.sh",
        "the shell says hello: yes",
        "after the reset there are 1 files",
    ]


def test_a_service_is_ready_and_answers_through_its_port(example):
    assert example("published_service").stdout == "the service is running, and answers: ready\n"


def test_a_program_that_knows_nothing_of_pyro_loads_it_from_anywhere(host, tmp_path):
    """Python itself: the helpers are found beside the library, wherever that is."""
    moved = tmp_path / "moved"
    for name in ("lib", "libexec"):
        shutil.copytree(harness.PREFIX / name, moved / name, symlinks=True)
    (path,) = moved.glob("lib/**/libpyro.so")
    library = ctypes.CDLL(str(path))
    for name in ("pyro_result_json", "pyro_error_message"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    client, result, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    pairs = [f"{name}={value}".encode() for name, value in host.settings({}).items() if name.startswith(("PYRO_", "XDG_"))]
    variables = (ctypes.c_char_p * (len(pairs) + 2))(*pairs, b"PYRO_LIBEXEC=", None)
    assert library.pyro_open(variables, ctypes.byref(client), ctypes.byref(error)) == 0, library.pyro_error_message(error)
    try:
        arguments = json.dumps({"environment": harness.ENVIRONMENT, "command": ["sh", "-c", "uname; exit 4"]}).encode()
        status = library.pyro_call(client, b"run", arguments, None, ctypes.byref(result), ctypes.byref(error))
        assert status == 0, library.pyro_error_message(error)
        answer = json.loads(library.pyro_result_json(result))
        assert (answer["stdout"], answer["exit_code"]) == ("Linux\n", 4)
    finally:
        library.pyro_result_free(result)
        library.pyro_close(client)


def texts(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_examples_are_those_of_the_repository():
    assert texts(EXAMPLES) == texts(pathlib.Path(__file__).resolve().parents[2] / "examples")
