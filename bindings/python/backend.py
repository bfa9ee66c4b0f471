"""Builds the wheel pyro-mcp (PEP 517): CMake builds and installs, and what it installed is packed.

The wheel puts the program `pyro` and its helpers where `make install` would, below the prefix of the Python that it
is installed into; no script of Python stands before the program. PYRO_WHEEL_BUILD moves the build folder.
"""

import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = re.search(r"project\(pyro VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
NAME = f"{PROJECT['name'].replace('-', '_')}-{VERSION}"
PACKAGE = "lib/python3/dist-packages/pyro_mcp"
# A fixed time, so that the same files make the same wheel.
TIME = (2020, 1, 1, 0, 0, 0)


def tag():
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def metadata():
    """The dist-info files but RECORD: {name: text}"""
    lines = ["Metadata-Version: 2.1", f"Name: {PROJECT['name']}", f"Version: {VERSION}", f"Summary: {PROJECT['description']}"]
    lines += [f"Requires-Python: {PROJECT['requires-python']}"]
    lines += [f"Classifier: {c}" for c in PROJECT["classifiers"]]
    lines += ["Description-Content-Type: text/markdown", "", (ROOT / PROJECT["readme"]).read_text()]
    wheel = ["Wheel-Version: 1.0", f"Generator: pyro {VERSION}", "Root-Is-Purelib: false", f"Tag: {tag()}", ""]
    return {"METADATA": "\n".join(lines), "WHEEL": "\n".join(wheel), "LICENSE": (ROOT / "LICENSE").read_text()}


def run(*words):
    """What a program prints belongs to the person who builds; standard output is the front end's."""
    done = subprocess.run([str(w) for w in words], cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{words[0]} failed; pyro is built with the packages of dev/packages ([run] and [build])")


def build(stage):
    """Builds with CMake and installs into the folder `stage`."""
    for program in ("cmake", "ninja", "clang++-19"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing; pyro is built with the packages of dev/packages ([run] and [build])")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = pathlib.Path(os.environ.get("PYRO_WHEEL_BUILD") or ROOT / "build" / f"wheel-{python}")
    options = [f"-DPython_EXECUTABLE={sys.executable}", "-DPYRO_PYTHON=ON", "-DPYRO_BENCH=OFF", "-DCMAKE_INSTALL_LIBEXECDIR=libexec"]
    if not shutil.which("ccache"):
        options.append("-DCMAKE_CXX_COMPILER_LAUNCHER=")
    try:
        import pybind11  # the one of pip's isolated build; otherwise CMake finds Debian's

        options.append(f"-Dpybind11_DIR={pybind11.get_cmake_dir()}")
    except ImportError:
        pass
    # One cache entry for the same file in every checkout, as dev/ has it.
    os.environ.setdefault("CCACHE_BASEDIR", str(ROOT))
    os.environ.setdefault("CCACHE_NOHASHDIR", "1")
    run("cmake", "--preset", "release", "-B", folder, *options)
    run("cmake", "--build", folder)
    run("cmake", "--install", folder, "--strip", "--prefix", stage)


def files_of(stage):
    """{path in the wheel: path of what was installed}"""
    found = {}
    for path in sorted(stage.rglob("*")):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        place = path.relative_to(stage).as_posix()
        if place.startswith(PACKAGE + "/"):
            found["pyro_mcp" + place.removeprefix(PACKAGE)] = path
        elif place == "bin/pyro":
            found[f"{NAME}.data/scripts/pyro"] = path
        elif place.startswith(("libexec/pyro/", "share/")) and not place.startswith("share/doc/"):
            found[f"{NAME}.data/data/{place}"] = path
    for wanted in ("pyro_mcp/__init__.py", f"{NAME}.data/scripts/pyro", f"{NAME}.data/data/libexec/pyro/pyro-supervisor"):
        if wanted not in found:
            raise SystemExit(f"the installation brought no {wanted}: this is a defect of the build, please report it")
    return found


def pack(path, files, texts):
    """Writes the wheel: installed files, texts, and the record of all of them."""
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(name, content, mode):
            info = zipfile.ZipInfo(name, TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100000 | mode) << 16
            wheel.writestr(info, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}")

        for name, source in files.items():
            add(name, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)
        for name, text in texts.items():
            add(f"{NAME}.dist-info/{name}", text.encode(), 0o644)
        record.append(f"{NAME}.dist-info/RECORD,,\n")
        wheel.writestr(zipfile.ZipInfo(f"{NAME}.dist-info/RECORD", TIME), "\n".join(record))


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory) / f"{NAME}.dist-info"
    folder.mkdir()
    for name, text in metadata().items():
        (folder / name).write_text(text)
    return folder.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"{NAME}-{tag()}.whl"
    with tempfile.TemporaryDirectory(prefix="pyro-wheel-") as stage:
        build(pathlib.Path(stage))
        pack(pathlib.Path(wheel_directory) / name, files_of(pathlib.Path(stage)), metadata())
    return name


def build_sdist(sdist_directory, config_settings=None):
    """What git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    name = f"{NAME}.tar.gz"
    with tarfile.open(pathlib.Path(sdist_directory) / name, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in filter(None, listed.split("\0")):
            archive.add(ROOT / path, f"{NAME}/{path}", recursive=False)
        with tempfile.NamedTemporaryFile("w", suffix="-PKG-INFO") as info:
            info.write(metadata()["METADATA"])
            info.flush()
            archive.add(info.name, f"{NAME}/PKG-INFO")
    return name
