"""Each named place at which processes can be killed has its end-to-end tests, one for each of them."""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

os.environ["PYRO_TEST_NIGHTLY"] = "1"  # all that there are
import test_workspace_faults as faults  # noqa: E402


# The command does these alone: there is nobody else to kill.
ALONE = {"client.create.seeded", "client.create.answered", "export.staged", "export.renamed"}


def parameters():
    """(point, victim) that a test of that module has for a parameter."""
    found = set()
    for name, test in vars(faults).items():
        for mark in getattr(test, "pytestmark", []) if name.startswith("test_") else []:
            if mark.args[0] == ("point", "victim"):
                found.update(mark.args[1])
            elif mark.args[0] == "point":
                found.update((point, "command") for point in mark.args[1])
    return found


def test_at_each_fault_point_a_test_kills_everybody():
    points = set()
    for path in [*(ROOT / "src").rglob("*.cc"), *(ROOT / "src").rglob("*.h")]:
        if not path.name.endswith("_test.cc"):
            points.update(re.findall(r'\bfault_point\(\s*"([^"]+)"', path.read_text()))
    everybody = {(point, victim) for point in points for victim in faults.VICTIMS}
    pointless = {(point, "qemu") for point in faults.NO_MACHINE}
    pointless |= {(point, victim) for point in ALONE for victim in ("supervisor", "qemu")}
    assert parameters() == everybody - pointless
