#!/usr/bin/python3
"""Adds up what dev/test and dev/nightly ran, and prints the closing lines.

Usage: summarize.py RESULTS    or    summarize.py --self-test
       pyro doctor --json | summarize.py --accelerator    names what guests run on

RESULTS is a folder:
  expected        one name on a line: the files below that must be there. A missing one is a failure.
  *.tsv           single checks, one on a line: status TAB name TAB reason (passed, failed, skipped)
  ctest*.xml      ctest --output-junit
  gtest/*.xml     what the test programs of ctest wrote (GTEST_OUTPUT); unit.NAME is NAME_test.xml,
                component.NAME is component_NAME_test.xml, hostile.NAME likewise
  pytest*.xml     pytest --junitxml
  *.status        exit status of the runner whose file has the same stem

Prints the reason of every skip, every failure, and last of all `N passed, N failed, N skipped`.
Exit status 1 when something failed or nothing passed.
"""

import collections
import json
import pathlib
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

Outcome = collections.namedtuple("Outcome", "status name reason")


def one_line(text, limit=300):
    text = " ".join((text or "").split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def outcome_of_case(case, prefix):
    """One <testcase> in the dialects of pytest, GoogleTest and ctest."""
    group = case.get("classname")
    name = prefix + (case.get("name") if group in (None, "", case.get("name")) else f"{group}.{case.get('name')}")
    for child in case:
        if child.tag in ("failure", "error"):
            return Outcome("failed", name, one_line(child.get("message") or child.text))
    for child in case:
        if child.tag == "skipped":
            return Outcome("skipped", name, one_line(child.get("message") or child.text) or "no reason given")
    if case.get("result") == "skipped":
        return Outcome("skipped", name, "no reason given")
    if case.get("status") in ("notrun", "disabled"):
        return Outcome("skipped", name, "disabled")
    return Outcome("passed", name, "")


def read_cases(path, prefix):
    """Outcomes of a JUnit file; None when it cannot be read (its writer died)."""
    try:
        return [outcome_of_case(case, prefix) for case in ElementTree.parse(path).getroot().iter("testcase")]
    except (ElementTree.ParseError, OSError):
        return None


def program_of(name):
    """The GoogleTest program behind a test of ctest; None when it is another kind of program."""
    kind, _, rest = name.partition(".")
    if kind == "unit":
        return f"{rest}_test"
    return f"{kind}_{rest}_test" if kind in ("component", "hostile") else None


def read_ctest(path, gtest):
    """Each test of ctest, replaced by the cases of its program where the program wrote them."""
    tests = read_cases(path, "")
    if tests is None:
        return [Outcome("failed", path.name, "ctest left no readable result")]
    outcomes = []
    for test in tests:
        name = test.name
        if test.status == "skipped" and "Unable to find" in test.reason:
            test = test._replace(status="failed")  # ctest calls a program that was not built "not run"
        program = program_of(name)
        cases = read_cases(gtest / f"{program}.xml", f"{name}: ") if program else None
        if cases is None:
            outcomes.append(test)
            continue
        outcomes += cases
        # A program may fail outside its cases: a crash at exit, a leak, a sanitizer's report.
        if test.status == "failed" and not any(case.status == "failed" for case in cases):
            outcomes.append(Outcome("failed", name, test.reason or "the program failed outside its cases"))
    return outcomes


def read_pytest(path):
    cases = read_cases(path, path.stem[len("pytest-") :] + ": ")
    return [Outcome("failed", path.name, "pytest left no readable result")] if cases is None else cases


def read_checks(path):
    for line in path.read_text().splitlines():
        status, name, reason = (line.split("\t") + ["", ""])[:3]
        if status not in ("passed", "failed", "skipped"):
            yield Outcome("failed", f"{path.name}: {line}", "not a result line")
        else:
            yield Outcome(status, name, reason)


def read_results(folder):
    outcomes = []
    for path in sorted(folder.glob("*.tsv")):
        outcomes += read_checks(path)
    for path in sorted(folder.glob("ctest*.xml")):
        outcomes += read_ctest(path, folder / ("gtest" + path.stem[len("ctest") :]))
    for path in sorted(folder.glob("pytest*.xml")):
        outcomes += read_pytest(path)
    expected = folder / "expected"
    for name in expected.read_text().split() if expected.exists() else []:
        if not (folder / name).exists():
            outcomes.append(Outcome("failed", name, "its run left no result: it died or never started"))
    for path in sorted(folder.glob("*.status")):
        status = int(path.read_text() or 1)
        # pytest's 5 means that no test was selected, which the totals show.
        if status not in (0, 5) and not any(outcome.status == "failed" for outcome in outcomes):
            outcomes.append(Outcome("failed", path.stem, f"its runner ended with status {status}"))
    return outcomes


def summary(outcomes):
    """(lines to print, exit status)"""
    count = collections.Counter(outcome.status for outcome in outcomes)
    lines = []
    reasons = collections.OrderedDict()
    for outcome in outcomes:
        if outcome.status == "skipped":
            reasons.setdefault(outcome.reason, []).append(outcome.name)
    if reasons:
        lines.append("Skipped:")
    for reason, names in reasons.items():
        lines += [f"  {name}: {reason or 'no reason given'}" for name in names]
    failures = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failures:
        lines.append("Failed:")
        lines += [f"  {outcome.name}: {outcome.reason}" for outcome in failures]
    if not count["passed"] and not failures:
        lines.append("No test ran: that is a failure.")
    lines.append(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return lines, 0 if count["passed"] and not failures else 1


GTEST = """<testsuites><testsuite name="A"><testcase name="One" status="run" result="completed" classname="A"/>
<testcase name="Two" status="run" result="skipped" classname="A"><skipped message="no kvm here"/></testcase>
<testcase name="Three" status="notrun" result="suppressed" classname="A"/></testsuite></testsuites>"""
CTEST = """<testsuite><testcase name="unit.sys" classname="unit.sys" status="{}">{}</testcase>
<testcase name="corpus.frame_fuzz" classname="corpus.frame_fuzz" status="run"/></testsuite>"""
PYTEST = """<testsuites><testsuite><testcase classname="e2e.test_run" name="test_a"/>
<testcase classname="e2e.test_run" name="test_b"><failure message="assert 1 == 2">x</failure></testcase>
<testcase classname="e2e.test_run" name="test_c"><skipped message="no mirror"/></testcase></testsuite></testsuites>"""
CLEAN = {"ctest.xml": CTEST.format("run", ""), "gtest/sys_test.xml": GTEST, "lint.tsv": "passed\tlayers\t\nskipped\ttidy\tslow\n"}
SELF_TEST = [
    # (files, expected last line, words among the lines, exit status)
    (CLEAN, "3 passed, 0 failed, 3 skipped", ["no kvm here", "tidy: slow"], 0),
    ({**CLEAN, "ctest.xml": CTEST.format("fail", '<failure message="SEGV"/>')}, "3 passed, 1 failed, 3 skipped", ["unit.sys: SEGV"], 1),
    ({"ctest.xml": CTEST.format("fail", '<failure message="SEGV"/>')}, "1 passed, 1 failed, 0 skipped", ["unit.sys: SEGV"], 1),
    ({"pytest-root.xml": PYTEST}, "1 passed, 1 failed, 1 skipped", ["test_c: no mirror", "test_b: assert 1 == 2"], 1),
    ({**CLEAN, "expected": "ctest.xml pytest-root.xml"}, "3 passed, 1 failed, 3 skipped", ["pytest-root.xml"], 1),
    ({**CLEAN, "pytest-root.status": "3"}, "3 passed, 1 failed, 3 skipped", ["status 3"], 1),
    ({**CLEAN, "ctest.xml": "<testsuite>"}, "1 passed, 1 failed, 1 skipped", ["ctest.xml"], 1),
    ({"ctest.xml": CTEST.format("run", "").replace("unit.sys", "component.sandbox"), "gtest/component_sandbox_test.xml": GTEST}, "2 passed, 0 failed, 2 skipped", ["no kvm here"], 0),
    ({}, "0 passed, 0 failed, 0 skipped", ["No test ran"], 1),
]


def self_test():
    failed = 0
    for files, last, words, status in SELF_TEST:
        with tempfile.TemporaryDirectory() as name:
            for file, text in files.items():
                path = pathlib.Path(name) / file
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            lines, got = summary(read_results(pathlib.Path(name)))
        text = "\n".join(lines)
        if lines[-1] != last or got != status or not all(word in text for word in words):
            failed += 1
            print(f"self-test: expected {last!r} and {words}, status {status}; got status {got} and\n{text}")
    for text, words in [('{"accelerator": {"in_force": "tcg", "reason": "no kvm"}}', "tcg (no kvm)"), ("", "unknown: pyro doctor --json gave no answer")]:
        if accelerator(text) != words:
            failed += 1
            print(f"self-test: accelerator of {text!r}: {accelerator(text)!r}")
    return failed


def accelerator(text):
    """The accelerator in force and the reason, from the output of pyro doctor --json."""
    try:
        found = json.loads(text).get("accelerator")
    except (ValueError, AttributeError):
        return "unknown: pyro doctor --json gave no answer"
    return f"{found.get('in_force')} ({found.get('reason')})" if isinstance(found, dict) else str(found)


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    if sys.argv[1:] == ["--accelerator"]:
        print(accelerator(sys.stdin.read()))
        return
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines, status = summary(read_results(pathlib.Path(sys.argv[1])))
    print("\n".join(lines))
    sys.exit(status)


if __name__ == "__main__":
    main()
