"""The C++ and C headers against the table of operations: no argument is missing, no default differs.

The table is read from tests/golden/contract/public.txt, which src/api/contract_test.cc compares with
the table itself. What a header calls otherwise, or leaves out, stands here, with the reason.
"""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
HEADERS = ROOT / "include" / "pyro"
CONTRACT = ROOT / "tests" / "golden" / "contract" / "public.txt"

# ---- the table


def methods():
    """Of each method its arguments with their defaults; ... stands for a value that must be given."""
    out = {}
    for name, arguments in re.findall(r"^  method (\w+)\((.*)\)$", CONTRACT.read_text(), re.M):
        found = {}
        for word in re.findall(r"[^,]+", arguments):
            argument, _, default = word.strip().partition("=")
            if argument != "*":
                found[argument] = ast.literal_eval(default) if default else ...
        out[name] = found
    return out


METHODS = methods()

# ---- C++


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


CPP = without_comments("\n".join(path.read_text() for path in sorted(HEADERS.glob("*.hpp"))))
CONSTANTS = dict(re.findall(r"constexpr \w+ (k\w+) = (\w+);", CPP))


def value_of(text):
    """Of an initializer, as the table writes it; None: it says that nothing is given."""
    text = CONSTANTS.get(text, text)
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    if text.startswith("Boot::k"):
        return text.removeprefix("Boot::k").lower()
    return ast.literal_eval(text.replace("'", ""))


def members_of(struct):
    """The members of a struct with their defaults, and those of the options in it."""
    body = re.search(rf"^struct {struct} {{(.*?)^}};", CPP, re.M | re.S).group(1)
    out = {}
    for kind, names in re.findall(r"^  ([\w:<>, ]+?) (\w+(?: = [^;,]+)?(?:, \w+(?: = [^;,]+)?)*);", body, re.M):
        if kind.endswith("Options"):
            out |= members_of(kind)
        for word in names.split(", "):
            name, _, default = word.partition(" = ")
            out[name] = value_of(default)
    return out


def inside(text, opened):
    """What stands in the parentheses that open at `opened`."""
    depth = 0
    for at in range(opened, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[opened + 1:at]
    raise AssertionError("no end")


def parameters_of(cls, function):
    scope = CPP if cls is None else re.search(rf"^class PYRO_API {cls} {{(.*?)^}};", CPP, re.M | re.S).group(1)
    found = re.search(rf"[ >]{function}\(", scope)
    assert found, f"no {cls}::{function}"
    words = re.sub(r"<[^<>()]*>|\([^()]*\)", "", inside(scope, found.end() - 1))
    return {re.search(r"(\w+)(?: = .*)?$", word.strip()).group(1) for word in words.split(",") if word.strip()}


# Class, member function, and what its options are.
MEMBERS = {
    "run_in_vm": ("Pyro", "run_in_vm", ["CreateOptions", "ExecOptions"]),
    "create_vm": ("Pyro", "create_vm", ["CreateOptions"]),
    "exec_vm": ("Pyro", "exec_vm", ["ExecOptions"]),
    "create_workspace": ("Workspaces", "create", ["WorkspaceOptions"]),
    "list_workspaces": ("Workspaces", "list", []),
    "status_workspace": ("Workspaces", "status", []),
    "update_workspace": ("Workspaces", "update", ["WorkspaceUpdate"]),
    "delete_workspace": ("Workspaces", "remove", []),
    "stop_workspace": ("Workspaces", "stop", []),
    "start_workspace": ("Workspaces", "start", []),
    "logs_workspace": ("Workspaces", "logs", ["JournalOptions"]),
    "exec_workspace": ("Workspaces", "exec", ["WorkspaceExecOptions"]),
    "push_workspace_sync": ("Workspaces", "push_sync", ["SyncOptions"]),
    "export_workspace": ("Workspaces", "export_path", []),
    "diff_workspace": ("Workspaces", "diff", []),
    "create_snapshot": ("Workspaces", "create_snapshot", []),
    "list_snapshots": ("Workspaces", "list_snapshots", []),
    "delete_snapshot": ("Workspaces", "delete_snapshot", []),
    "reset_workspace": ("Workspaces", "reset", []),
    "list_workspace_files": ("Workspaces", "list_files", ["FileListOptions"]),
    "read_workspace_file": ("Workspaces", "read_file", []),
    "write_workspace_file": ("Workspaces", "write_file", ["FileWriteOptions"]),
    "apply_workspace_patch": ("Workspaces", "apply_patch", []),
    "show_workspace_network": ("Workspaces", "network", []),
    "set_workspace_network": ("Workspaces", "set_network", ["NetworkOptions"]),
    "list_workspace_network_events": ("Workspaces", "network_events", ["NetworkEventOptions"]),
    "export_workspace_disk": ("Workspaces", "disk_export", []),
    "list_workspace_disk": ("Workspaces", "disk_list", ["FileListOptions"]),
    "read_workspace_disk": ("Workspaces", "disk_read", []),
    "summarize_workspace": ("Workspaces", "summary", []),
    "open_shell": ("Shells", "open", ["ShellOptions"]),
    "read_shell": ("Shells", "read", ["ShellReadOptions"]),
    "write_shell": ("Shells", "write", []),
    "signal_shell": ("Shells", "signal", []),
    "resize_shell": ("Shells", "resize", []),
    "list_shells": ("Shells", "list", []),
    "close_shell": ("Shells", "close", []),
    "attach_shell": ("Shells", "attach", []),
    "start_service": ("Services", "start", ["ServiceOptions"]),
    "list_services": ("Services", "list", []),
    "status_service": ("Services", "status", []),
    "logs_service": ("Services", "logs", ["ServiceLogOptions"]),
    "stop_service": ("Services", "stop", []),
    "restart_service": ("Services", "restart", []),
    "check_policy": (None, "check_policy", ["NetworkOptions"]),
    "explain_policy": (None, "explain_policy", ["NetworkOptions"]),
    "render_smolfile": (None, "render_smolfile", []),
}
# The others are members of Pyro with the method's own name, and without options.
PLAIN = ("list_environments pull_environment inspect_environment prune_environments doctor start_vm stop_vm "
         "delete_vm status_vm network_info_vm reap_expired").split()
# What C++ says in one word, as it is called there.
OTHER_NAMES = {
    "workspace_id": "workspace", "service_name": "name", "snapshot_name": "name", "environment": "name",
    "network_policy": "policy", "net_allow": "allow", "net_deny": "deny", "command": "argv",
    "text": "content", "content_base64": "content",
}
# What it says otherwise.
SAID_OTHERWISE = {
    "network": "network_policy, of the time before there were policies",
    "clear_name": "a name of \"\"",
    "remove_labels": "a label without a value",
    "no_ttl": "ttl_seconds of 0",
}
OF_ONE = {
    ("attach_shell", "cwd"): "open() comes first",
    ("attach_shell", "secret_env"): "open() comes first",
    ("explain_policy", "workspace_id"): "status() has its policy",
}


@pytest.mark.parametrize("method", METHODS)
def test_cpp_has_each_argument_and_its_default(method):
    cls, function, structs = MEMBERS.get(method) or ("Pyro", method, [])
    assert method in MEMBERS or method in PLAIN, "a method of the table that C++ has not"
    parameters = parameters_of(cls, function)
    members = {}
    for struct in structs:
        members |= members_of(struct)
    for name, default in METHODS[method].items():
        if name in SAID_OTHERWISE or (method, name) in OF_ONE:
            continue
        here = name if name in parameters | members.keys() else OTHER_NAMES.get(name)
        assert here in parameters | members.keys(), f"C++ has no {name}"
        if here in members and default is not ... and name != "network_policy":
            assert members[here] == default, name


def test_nothing_is_left_out_that_is_not_there():
    every = {name for arguments in METHODS.values() for name in arguments}
    assert set(OTHER_NAMES) | set(SAID_OTHERWISE) <= every
    assert all(name in METHODS[method] for method, name in OF_ONE)
    assert set(MEMBERS) | set(PLAIN) == set(METHODS)


# ---- C

C = (HEADERS / "pyro.h").read_text()

# Function, method, and its options.
FUNCTIONS = {
    "pyro_run": ("run_in_vm", "pyro_run_options"),
    "pyro_workspace_create": ("create_workspace", "pyro_workspace_options"),
    "pyro_workspace_exec": ("exec_workspace", "pyro_exec_options"),
    "pyro_workspace_list": ("list_workspaces", None),
    "pyro_workspace_status": ("status_workspace", None),
    "pyro_workspace_start": ("start_workspace", None),
    "pyro_workspace_stop": ("stop_workspace", None),
    "pyro_workspace_delete": ("delete_workspace", None),
    "pyro_workspace_diff": ("diff_workspace", None),
    "pyro_workspace_reset": ("reset_workspace", None),
    "pyro_workspace_sync_push": ("push_workspace_sync", None),
    "pyro_workspace_export": ("export_workspace", None),
    "pyro_snapshot_create": ("create_snapshot", None),
    "pyro_snapshot_list": ("list_snapshots", None),
    "pyro_snapshot_delete": ("delete_snapshot", None),
    "pyro_file_read": ("read_workspace_file", None),
    "pyro_file_write": ("write_workspace_file", None),
    "pyro_service_start": ("start_service", "pyro_service_options"),
    "pyro_service_list": ("list_services", None),
    "pyro_service_status": ("status_service", None),
    "pyro_service_logs": ("logs_service", None),
    "pyro_service_stop": ("stop_service", None),
    "pyro_shell_open": ("open_shell", "pyro_shell_options"),
    "pyro_shell_read": ("read_shell", "pyro_shell_read_options"),
    "pyro_shell_write": ("write_shell", None),
    "pyro_shell_signal": ("signal_shell", None),
    "pyro_shell_close": ("close_shell", None),
}
C_NAMES = {
    "workspace_id": "workspace", "service_name": "name", "snapshot_name": "name", "shell_id": "shell", "command": "argv",
    "network_policy": "policy", "net_allow": "policy", "net_deny": "policy", "allow_udp": "policy", "allow_icmp": "policy",
    "readiness": "ready_file", "published_ports": "publish", "append_newline": "newline",
    "text": "bytes", "content_base64": "bytes", "all": "tail_lines",
}
# pyro_call() has these.
C_LEAVES_OUT = {"network", "policy_file", "boot"}
C_LEAVES_OUT_OF_ONE = {("push_workspace_sync", "git_tracked"), ("stop_service", "timeout_seconds")}


def c_members(struct):
    """Of a struct of options; the comment behind a member says its default."""
    body = re.search(rf"typedef struct {struct} {{(.*?)^}} {struct};", C, re.M | re.S).group(1)
    return {name: comment for name, comment in re.findall(r"^  [\w *]*?(\w+);(?: +/\* (.*?) \*/)?$", body, re.M)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_c_has_each_argument_and_says_its_default(function):
    method, struct = FUNCTIONS[function]
    parameters = set(re.findall(r"(\w+)(?:,|$)", inside(C, C.index(f" {function}(") + len(function) + 1)))
    members = c_members(struct) if struct else {}
    for name, default in METHODS[method].items():
        if name in C_LEAVES_OUT or (method, name) in C_LEAVES_OUT_OF_ONE:
            continue
        here = C_NAMES.get(name, name)
        assert here in parameters | members.keys(), f"C has no {name}"
        number = isinstance(default, int) and not isinstance(default, bool)
        if here in members and number and default != 0:
            assert re.search(rf"\b{default}\b", members[here]), f"{name} does not say its default"


def test_c_has_no_function_that_is_not_looked_at():
    functions = set(re.findall(r"(pyro_(?:run|workspace|snapshot|file|service|shell)_?\w*)\(", C))
    assert functions == set(FUNCTIONS)
