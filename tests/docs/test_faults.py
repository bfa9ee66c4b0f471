"""Each named place at which a process can be killed has its end-to-end test."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import test_workspace_faults  # noqa: E402


def test_each_fault_point_has_a_test():
    found = set()
    for path in [*(ROOT / "src").rglob("*.cc"), *(ROOT / "src").rglob("*.h")]:
        if not path.name.endswith("_test.cc"):
            found.update(re.findall(r'\bfault_point\(\s*"([^"]+)"', path.read_text()))
    assert found == test_workspace_faults.POINTS
