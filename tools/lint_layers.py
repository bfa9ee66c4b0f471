#!/usr/bin/python3
"""Checks who includes whom in src/ and include/.

A folder of src/ includes folders of lower layers only, and of its own layer only where SAME_LAYER
says so. A third-party or powerful system header is included only where its home is. Prints one line for each
offence, naming both files, and fails when there is one.

Usage: lint_layers.py [ROOT]    or    lint_layers.py --self-test
"""

import pathlib
import re
import sys
import tempfile

LAYERS = [
    ["base"],
    ["policy", "wire", "sys", "probe"],
    ["io", "proto", "store", "image", "seed"],
    ["rpc", "net", "vmm", "isolate"],
    ["core", "agent", "net_process", "world"],
    ["supervisor", "client"],
    ["escape", "api", "chat"],
    ["mcp", "capi"],
    ["mcp_serve"],
    ["cli", "apps"],
]
LEVEL = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}

# (from, to) inside one layer, with the reason.
SAME_LAYER = {
    ("vmm", "isolate"): "QEMU is started in the jail",
    ("apps", "cli"): "main() of pyro runs the command line",
}

# The public headers (include/pyro), by the lowest folder that may use each. They include one another
# and the standard library only, because they are what users build against.
PUBLIC = {
    "export.h": "base", "result.hpp": "base", "environments.hpp": "image", "network.hpp": "client", "vm.hpp": "client",
    "doctor.hpp": "client", "services.hpp": "client", "shells.hpp": "client", "workspaces.hpp": "client", "call.hpp": "client",
    "pyro.hpp": "client", "pyro.h": "capi",
}

# Third-party headers and the folders that may include them.
THIRD_PARTY = [
    (r"boost/asio(/|\.hpp)", {"mcp_serve", "chat", "io", "rpc", "net_process", "agent", "supervisor", "client", "vmm", "core", "apps"}),
    (r"boost/json(/|\.hpp|_fwd)", {"proto", "rpc", "net_process", "image", "mcp", "vmm", "client", "supervisor", "api", "chat", "mcp_serve", "capi", "cli"}),
    (r"boost/beast", {"agent", "chat", "mcp_serve"}),
    (r"boost/system/", {"io", "rpc", "agent", "supervisor", "client", "vmm", "core", "image", "proto"}),
    (r"sqlite3\.h$", {"store"}),
    (r"openssl/", {"image", "sys"}),
    (r"seccomp\.h$", {"isolate"}),
    (r"archive(_entry)?\.h$", {"seed"}),
    (r"CLI/", {"cli"}),
    (r"toml\+\+/", {"policy"}),
    (r"fmt/", set(LEVEL)),
]
# Folders that only compute: they take and return values, and touch neither files nor processes.
PURE = {"base", "policy", "wire", "proto", "rpc", "mcp"}
SYSTEM = re.compile(
    r"^(sys/|linux/|asm/|netinet/|arpa/|net/|(unistd|fcntl|poll|sched|signal|termios|pwd|grp|dirent|spawn|pty"
    r"|syscall|mntent|ifaddrs|netdb|dlfcn|cpuid)\.h$)"
)
# What changes the rules for a process or a machine has few homes, so that a reviewer finds it.
POWERFUL = re.compile(
    r"^(linux/|asm/|sched\.h$|spawn\.h$|mntent\.h$|dlfcn\.h$"
    r"|sys/(mount|prctl|ptrace|syscall|reboot|capability|swap|klog|personality|io|pidfd|fsuid)\.h$)"
)
POWERFUL_HOMES = {"sys", "isolate", "agent", "vmm", "net", "world", "probe"}
# (folder, header): why it is fine elsewhere.
SYSTEM_EXCEPTIONS = {
    ("policy", "arpa/inet.h"): "inet_pton() and inet_ntop() only compute",
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
DEPS = re.compile(r"\bDEPS\b([^)]*)")


def check_ours(folder, target, where, what):
    if target not in LEVEL:
        return f"{where} includes {what}: the layer table does not know the folder '{target}'"
    if target == folder or LEVEL[target] < LEVEL[folder] or (folder, target) in SAME_LAYER:
        return None
    kind = "its own" if LEVEL[target] == LEVEL[folder] else "a higher"
    return f"{where} includes {what}: {folder} (layer {LEVEL[folder]}) must not use {kind} layer's {target} (layer {LEVEL[target]})"


def check_public(folder, name, where):
    home = PUBLIC.get(name)
    if home is None:
        return f"{where} includes pyro/{name}: the table PUBLIC in tools/lint_layers.py does not know it"
    if folder == home or LEVEL[folder] > LEVEL[home]:
        return None
    return f"{where} includes pyro/{name}: {folder} (layer {LEVEL[folder]}) must not use what belongs to {home} (layer {LEVEL[home]})"


def check_public_header(root, path):
    relative = path.relative_to(root)
    if path.name not in PUBLIC:
        yield f"{relative}: the table PUBLIC in tools/lint_layers.py does not know it"
    for quote, header in INCLUDE.findall(path.read_text(errors="replace")):
        if quote == '"' and not (header.startswith("pyro/") and (root / "include" / header).exists()):
            yield f"{relative} includes {header}: a public header includes public headers and the standard library only"
        elif quote == "<" and ("/" in header or (header.endswith(".h") and path.suffix == ".hpp")):
            yield f"{relative} includes <{header}>: a public header includes public headers and the standard library only"


def check_foreign(folder, header, where, is_test):
    if is_test:  # a test sets up the situations that its subject meets
        return None
    for pattern, homes in THIRD_PARTY:
        if re.match(pattern, header):
            if folder in homes:
                return None
            return f"{where} includes <{header}>: only {', '.join(sorted(homes))} may"
    if (folder, header) in SYSTEM_EXCEPTIONS or header in ("sys/types.h", "sys/stat.h"):
        return None
    if POWERFUL.match(header) and folder not in POWERFUL_HOMES:
        return f"{where} includes <{header}>: only {', '.join(sorted(POWERFUL_HOMES))} may (SYSTEM_EXCEPTIONS takes a reason)"
    if SYSTEM.match(header) and folder in PURE:
        return f"{where} includes <{header}>: {folder} only computes; system calls belong in src/sys"
    return None


def check_file(root, path):
    relative = path.relative_to(root)
    folder = relative.parts[1]
    if folder not in LEVEL:
        yield f"{relative}: the layer table in tools/lint_layers.py does not know the folder '{folder}'"
        return
    is_test = path.name.endswith(("_test.cc", "_fuzz.cc", "_bench.cc")) or "testing" in path.stem
    for quote, header in INCLUDE.findall(path.read_text(errors="replace")):
        first = header.split("/")[0]
        if quote == '"':
            if "/" not in header:
                yield f'{relative} includes "{header}": write the path from src/, as in "{folder}/{header}"'
                continue
            if first == "pyro":
                problem = check_public(folder, header.split("/", 1)[1], relative)
                if problem:
                    yield problem
                continue
            problem = check_ours(folder, first, relative, f"src/{header}")
            if not problem and not (root / "src" / header).exists() and not (root / "src" / (header + ".in")).exists():
                problem = f"{relative} includes src/{header}, which does not exist"
        else:
            problem = check_foreign(folder, header, relative, is_test)
        if problem:
            yield problem


def check_tree(root):
    problems = []
    for path in sorted((root / "include" / "pyro").glob("*")):
        problems.extend(check_public_header(root, path))
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in (".h", ".cc"):
            problems.extend(check_file(root, path))
        elif path.name == "CMakeLists.txt" and path.parent != root / "src":
            folder = path.relative_to(root).parts[1]
            text = re.sub(r"#.*", "", path.read_text())
            for found in DEPS.findall(text):
                for word in re.split(r"\bTHIRD_PARTY\b", found)[0].split():
                    if word in LEVEL and folder in LEVEL:
                        problem = check_ours(folder, word, path.relative_to(root), f"the library {word}")
                        if problem:
                            problems.append(problem)
    return problems


SELF_TEST = [
    # (file, its text, words the report must hold; empty: no report)
    ("src/base/a.h", '#include "sys/fd.h"\n', ["src/base/a.h", "src/sys/fd.h", "higher"]),
    ("src/rpc/a.cc", '#include "vmm/qmp.h"\n', ["src/rpc/a.cc", "src/vmm/qmp.h", "its own"]),
    ("src/rpc/a.cc", '#include "wire/frame.h"\n', []),
    ("src/apps/a.cc", '#include "cli/main.h"\n', []),
    ("src/cli/a.cc", '#include "apps/main.h"\n', ["src/cli/a.cc", "src/apps/main.h"]),
    ("src/wire/a.cc", "#include <boost/asio/buffer.hpp>\n", ["src/wire/a.cc", "boost/asio/buffer.hpp"]),
    ("src/io/a.cc", "#include <boost/asio/buffer.hpp>\n", []),
    ("src/cli/a.cc", "#include <sqlite3.h>\n", ["sqlite3.h", "store"]),
    ("src/proto/a.cc", "#include <fcntl.h>\n", ["src/proto/a.cc", "fcntl.h"]),
    ("src/proto/a_test.cc", "#include <fcntl.h>\n", []),
    ("src/core/a.cc", "#include <linux/kvm.h>\n", ["linux/kvm.h"]),
    ("src/core/a.cc", "#include <fcntl.h>\n", []),
    ("src/vmm/a.cc", "#include <linux/kvm.h>\n", []),
    ("src/core/a.cc", '#include "fd.h"\n', ["write the path"]),
    ("src/new/a.cc", "\n", ["does not know", "new"]),
    ("src/base/a.h", '#include "pyro/result.hpp"\n', []),
    ("src/rpc/a.h", '#include "pyro/vm.hpp"\n', ["src/rpc/a.h", "pyro/vm.hpp", "client"]),
    ("src/cli/a.h", '#include "pyro/new.hpp"\n', ["pyro/new.hpp", "does not know"]),
    ("include/pyro/vm.hpp", '#include "client/client.h"\n', ["include/pyro/vm.hpp", "client/client.h"]),
    ("include/pyro/vm.hpp", "#include <boost/json/object.hpp>\n", ["include/pyro/vm.hpp", "boost/json"]),
    ("include/pyro/vm.hpp", '#include <string>\n#include "pyro/vm.hpp"\n', []),
    ("src/io/CMakeLists.txt", "pyro_library(io DEPS base cli)\n", ["src/io/CMakeLists.txt", "cli"]),
]


def self_test():
    failed = 0
    for name, text, words in SELF_TEST:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for there in ("src/sys/fd.h", "src/vmm/qmp.h", "src/wire/frame.h", "src/cli/main.h", "src/apps/main.h", name):
                target = root / there
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text if there == name else "")
            report = "\n".join(check_tree(root))
        if (words and not all(word in report for word in words)) or (not words and report):
            failed += 1
            print(f"self-test: {name} with {text!r}: expected {words or 'no report'}, got {report!r}")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    problems = check_tree(root)
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
