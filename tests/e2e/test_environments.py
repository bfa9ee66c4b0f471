"""Each environment of the catalogue comes from the mirror, runs, and holds what its description says.

Pulled environments stay in the tests' cache, so only the first run of a checkout pays for the pulls;
PYRO_TEST_FRESH_PULL=1 (dev/nightly) starts from an empty cache.
"""

import pytest

C_PROGRAM = r"""
#include <stdio.h>
int main(int argc, char **argv) {
  printf("%d %s %ld\n", argc, argv[1], (long)(sizeof(void *) * 8));
  return 3;
}
"""
NAMES = ["debian:12", "debian:12-base", "debian:12-build"]
TOOLS = {
    "debian:12": ({"bash", "ls", "git"}, {"gcc", "make", "cmake", "python3"}),
    "debian:12-base": ({"bash", "ls"}, {"git", "gcc", "make", "cmake", "python3"}),
    "debian:12-build": ({"bash", "ls", "git", "gcc", "g++", "make", "cmake", "pkg-config", "python3", "file", "patch", "unzip", "xz"}, set()),
}


@pytest.fixture
def installed(host):
    """Pulls an environment unless it is there, and returns what is known of it."""

    def pull(name):
        pulled = host.pyro("env", "pull", name, timeout=540)
        assert pulled.code == 0, pulled
        info = host.pyro("env", "inspect", name, "--json").json
        assert info["installed"] is True and info["damage"] is None, info
        return info

    return pull


def run(host, name, *words, **kwargs):
    return host.pyro("run", name, "--", *words, timeout=300, **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_runs_with_the_tools_it_promises(host, installed, name):
    info = installed(name)
    present, absent = TOOLS[name]
    script = 'for t in "$@"; do if command -v "$t" >/dev/null; then echo "$t"; fi; done'
    done = run(host, name, "sh", "-c", script, "sh", *sorted(present | absent))
    assert done.code == 0, done
    assert set(done.out.decode().split()) == present, done
    script = '. /etc/os-release; echo "$ID:$VERSION_ID"; dpkg-query -W -f "\\${Package} \\${db:Status-Status}\\n" "$@"'
    done = run(host, name, "sh", "-c", script, "sh", *info["default_packages"])
    assert done.code == 0, done
    assert done.out.decode().split("\n") == ["debian:12", *(f"{p} installed" for p in sorted(info["default_packages"])), ""]


def test_base_has_no_git(host, installed):
    installed("debian:12-base")
    done = run(host, "debian:12-base", "git", "--version")
    assert done.code == 127, done
    assert "pyro: git: not found in the guest" in done.text


def test_build_compiles_and_runs_a_program(host, installed):
    installed("debian:12-build")
    script = "cat > hello.c && gcc -Wall -Werror -O2 -o hello hello.c && ./hello there; echo code $?"
    done = run(host, "debian:12-build", "sh", "-c", script, input=C_PROGRAM.encode())
    assert (done.code, done.out) == (0, b"2 there 64\ncode 3\n"), done


def test_build_builds_with_cmake(host, installed):
    installed("debian:12-build")
    script = (
        "mkdir p && cd p && cat > main.c && "
        "printf 'cmake_minimum_required(VERSION 3.20)\\nproject(p C)\\nadd_executable(p main.c)\\n' > CMakeLists.txt && "
        "{ cmake -S . -B out && cmake --build out; } > log 2>&1 || { cat log >&2; exit 1; }; ./out/p there"
    )
    done = run(host, "debian:12-build", "sh", "-c", script, input=C_PROGRAM.encode())
    assert (done.code, done.out) == (3, b"2 there 64\n"), done
