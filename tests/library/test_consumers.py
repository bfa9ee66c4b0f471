"""Programs of others against the installed library, without a guest: C and C++, pkg-config and CMake.

What they do in a guest is in tests/e2e/test_library.py.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PREFIX = pathlib.Path(os.environ.get("PYRO_TEST_PREFIX", "/usr/local"))
LIBRARY = next(iter(PREFIX.glob("lib/**/libpyro.so")), PREFIX / "lib" / "libpyro.so")
C_FLAGS = ["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror"]
CXX_FLAGS = ["-std=c++23", "-Wall", "-Wextra", "-Werror"]
# Says which version it has, and whether a policy that is none is refused.
C_PROGRAM = r"""
#include <pyro/pyro.h>
#include <stdio.h>
int main(void) {
  pyro_policy_builder* policy = NULL;
  pyro_error* error = NULL;
  if (pyro_policy_builder_new(&policy, &error) != PYRO_OK) return 1;
  const pyro_status status = pyro_policy_builder_net_allow(policy, "example.com:44x", &error);
  printf("%s %s at %zu\n", pyro_version(), pyro_status_name(status), pyro_error_position(error));
  pyro_error_free(error);
  pyro_policy_builder_free(policy);
  return 0;
}
"""
CXX_PROGRAM = r"""
#include <cstdio>
#include <pyro/pyro.hpp>
int main() {
  pyro::Call call = pyro::start([](int) -> pyro::Result<int> { return 3; });
  std::size_t place = 0;
  const auto rule = pyro::check_rule("example.com:44x", pyro::RuleKind::kAllow, &place);
  if (call.get().value_or(0) != 3 || rule) return 1;
  std::printf("%s %s at %zu\n", pyro::version().data(), pyro::errc_name(rule.error().code).data(), place);
}
"""


def run(*words, env=None, **kwargs):
    """The output of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False, env=env or os.environ, **kwargs
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def version():
    return run(PREFIX / "bin" / "pyro", "--version").split()[1]


def pkg_config(prefix, *words):
    folder = next(prefix.glob("lib/**/pyro.pc")).parent
    return run("pkg-config", *words, "pyro", env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).split()


def build(compiler, flags, text, folder, name):
    source = folder / name
    source.write_text(text)
    program = folder / f"{name}.program"
    libraries = [f"-Wl,-rpath,{LIBRARY.parent}", *pkg_config(PREFIX, "--libs")]
    run(compiler, *flags, *pkg_config(PREFIX, "--cflags"), source, "-o", program, *libraries)
    return program


@pytest.mark.parametrize("compiler", ["gcc", "clang-19"])
def test_a_c_program_builds_with_pkg_config(compiler, tmp_path):
    program = build(compiler, C_FLAGS, C_PROGRAM, tmp_path, "consumer.c")
    assert run(program) == f"{version()} invalid at 13\n"


@pytest.mark.parametrize("compiler", ["clang++-19", "g++"])
def test_a_cxx_program_builds_with_pkg_config(compiler, tmp_path):
    program = build(compiler, CXX_FLAGS, CXX_PROGRAM, tmp_path, "consumer.cc")
    assert run(program) == f"{version()} invalid at 13\n"


@pytest.mark.parametrize("compiler", ["clang++-19", "g++"])
def test_what_the_guides_show_compiles(compiler):
    source = ROOT / "tests" / "library" / "snippets.cc"
    assert run(compiler, *CXX_FLAGS, "-fsyntax-only", *pkg_config(PREFIX, "--cflags"), source) == ""


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.c*")), ids=lambda path: path.name)
def test_examples_compile_without_a_warning(path):
    compiler, flags = ("gcc", C_FLAGS) if path.suffix == ".c" else ("g++", CXX_FLAGS)
    assert run(compiler, *flags, "-D_POSIX_C_SOURCE=200809L", "-fsyntax-only", *pkg_config(PREFIX, "--cflags"), path) == ""


def cmake_project(folder, wanted):
    (folder / "consumer.cc").write_text(CXX_PROGRAM)
    (folder / "consumer.c").write_text(C_PROGRAM)
    (folder / "CMakeLists.txt").write_text(f"""
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C CXX)
find_package(pyro {wanted} CONFIG REQUIRED)
add_executable(consumer consumer.cc)
add_executable(consumer_c consumer.c)
target_link_libraries(consumer PRIVATE pyro::pyro)
target_link_libraries(consumer_c PRIVATE pyro::pyro)
""")
    return ["cmake", "-S", folder, "-B", folder / "build", "-DCMAKE_CXX_COMPILER=clang++-19", f"-DCMAKE_PREFIX_PATH={PREFIX}"]


def test_a_cmake_project_finds_the_package(tmp_path):
    run(*cmake_project(tmp_path, ".".join(version().split(".")[:2])))
    run("cmake", "--build", tmp_path / "build")
    for name in ("consumer", "consumer_c"):
        assert run(tmp_path / "build" / name) == f"{version()} invalid at 13\n"


def test_another_minor_version_is_not_what_was_asked_for(tmp_path):
    words = cmake_project(tmp_path, "99.0")
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "pyro" in done.stderr


def test_the_headers_need_nothing_else_and_are_c11(tmp_path):
    headers = sorted((PREFIX / "include" / "pyro").iterdir())
    assert {path.name for path in headers} >= {"pyro.h", "pyro.hpp", "call.hpp", "workspaces.hpp"}
    for header in headers:
        language = ["-x", "c", "-std=c11"] if header.suffix == ".h" else ["-x", "c++", "-std=c++23"]
        compiler = "gcc" if header.suffix == ".h" else "clang++-19"
        source = f"#include <pyro/{header.name}>\nint something;\n"
        run(compiler, *language, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{PREFIX}/include", "-", input=source)
    assert not re.search(r"boost|fmt/|sqlite|archive\.h", "".join(path.read_text() for path in headers))


def exported():
    names = run("nm", "-D", "--defined-only", "--format=just-symbols", LIBRARY).split()
    return dict(zip(names, run("c++filt", input="\n".join(names)).splitlines()))


def test_only_the_library_itself_is_exported():
    names = exported()
    declared = set(re.findall(r"\b(pyro_\w+)\(", (PREFIX / "include/pyro/pyro.h").read_text()))
    assert {name for name in names if name.startswith("pyro_")} == declared
    public = re.compile(
        r"^(?:vtable for |typeinfo for |typeinfo name for )?pyro::"
        r"(?:Pyro::|detail::Background::|(?:Workspaces|Shells|Services)(?:$|::)"
        r"|(?:version|errc_name|errc_from_name|check_rule|check_policy|explain_policy|render_smolfile)(?:\[abi:\w+\])?\()"
    )
    strangers = [shown for name, shown in names.items() if not name.startswith("pyro_") and (not public.match(shown) or "Impl" in shown)]
    assert strangers == []


def test_the_soname_has_the_version_that_may_break():
    dynamic = run("readelf", "-d", LIBRARY)
    assert f"[libpyro.so.{'.'.join(version().split('.')[:2])}]" in dynamic
    assert not re.search(r"NEEDED.*(boost|sqlite|archive|crypto|seccomp)", dynamic)
    assert "TEXTREL" not in dynamic


def test_an_installation_that_was_moved_works(tmp_path):
    """Nothing has to be set for a library in another place, in a program that knows nothing of pyro."""
    moved = tmp_path / "moved"
    for name in ("include", "lib", "libexec"):
        shutil.copytree(PREFIX / name, moved / name, symlinks=True)
    (include,) = pkg_config(moved, "--cflags")
    assert pathlib.Path(include.removeprefix("-I")).resolve() == moved / "include"
    library = ctypes.CDLL(str(moved / LIBRARY.relative_to(PREFIX)))
    library.pyro_result_json.restype = ctypes.c_char_p
    library.pyro_result_json.argtypes = [ctypes.c_void_p]
    library.pyro_error_message.restype = ctypes.c_char_p
    library.pyro_error_message.argtypes = [ctypes.c_void_p]
    client, result, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    settings = [f"PYRO_{kind}={tmp_path}/{kind}".encode() for kind in ("HOME", "CACHE_DIR", "RUNTIME_DIR")]
    variables = (ctypes.c_char_p * 5)(*settings, b"PYRO_LIBEXEC=", None)
    assert library.pyro_open(variables, ctypes.byref(client), ctypes.byref(error)) == 0, library.pyro_error_message(error)
    arguments = json.dumps({"endpoints": ["tcp://example.com:443"], "net_allow": ["example.com:443"]}).encode()
    status = library.pyro_call(client, b"policy.explain", arguments, None, ctypes.byref(result), ctypes.byref(error))
    assert status == 0, library.pyro_error_message(error)
    assert json.loads(library.pyro_result_json(result))["allow"] is True
    # The helpers are found.
    status = library.pyro_call(client, b"doctor", None, None, ctypes.byref(result), ctypes.byref(error))
    assert status == 0, library.pyro_error_message(error)
    issues = json.loads(library.pyro_result_json(result))["issues"]
    assert not [issue for issue in issues if "is missing; reinstall pyro" in issue], issues
