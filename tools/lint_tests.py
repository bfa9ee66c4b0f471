#!/usr/bin/python3
"""House rules that a compiler does not check, for C++ and Python alike.

  sleep      no test waits on the clock; it waits for the event.   // lint: sleep, REASON
  assertion  every test asserts something.
  getenv     the product reads its environment in src/sys and src/apps only.
  long       no file over 600 lines, no function over 80.          // lint: long, REASON
  later      no postponed work in comments.

A marker stands on the line, on the line before it or, for `long`, anywhere in the function or in
the file's first 20 lines (# instead of // in Python).

Usage: lint_tests.py [FILE...]    or    lint_tests.py --self-test
"""

import ast
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cpp_text  # noqa: E402

MAX_FILE = 600
MAX_FUNCTION = 80
SLEEP = re.compile(r"(?<!\w)(?:::)?(?:std::this_thread::|io::|time\.)?(?:sleep|usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until)\s*\(")
GETENV = re.compile(r"(?<![\w.])(?:std::|::)?(?:secure_)?getenv\s*\(|(?<![\w.])environ\b(?!\s*\()")
LATER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
TEST = re.compile(r"\b(TEST|TEST_F|TEST_P|TYPED_TEST)\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*\{")
ASSERTS = re.compile(r"\b(?:EXPECT|ASSERT)_\w+\s*\(|\b(?:ADD_FAILURE|FAIL|GTEST_FAIL)\s*\(|\b(?:expect|assert|check)_\w+\s*[(<]")


class Report:
    def __init__(self, path, text, mark):
        self.path, self.lines, self.mark, self.problems = path, text.split("\n"), mark, []

    def marked(self, kind, first, last=None):
        """Is `lint: KIND, REASON` on one of these lines (from 1), or on the one before?"""
        pattern = re.compile(re.escape(self.mark) + r"\s*lint: " + kind + r",\s*\S")
        return any(pattern.search(line) for line in self.lines[max(0, first - 2) : last or first])

    def add(self, line, message):
        self.problems.append(f"{self.path}:{line}: {message}")


def check_length(report):
    count = len(report.lines) - (report.lines[-1] == "")
    if count > MAX_FILE and not report.marked("long", 1, 20):
        report.add(1, f"{count} lines; the limit is {MAX_FILE}")


def check_function(report, name, first, last):
    if last - first + 1 > MAX_FUNCTION and not report.marked("long", first, last):
        report.add(first, f"{name} has {last - first + 1} lines; the limit is {MAX_FUNCTION}")


def check_later(report):
    for number, line in enumerate(report.lines, 1):
        if LATER.search(line):
            report.add(number, "postponed work in the text: do it, or open an issue and leave it out")


def check_cpp(path, text):
    report = Report(path, text, "//")
    code = cpp_text.clean(text)
    parts = pathlib.PurePath(path).parts
    is_test = path.endswith(("_test.cc", "/testing.h")) or parts[0] == "tests"
    check_length(report)
    check_later(report)
    for name, start, _, end in cpp_text.functions(code):
        check_function(report, name, cpp_text.line_of(code, start), cpp_text.line_of(code, end))
    if is_test:
        for found in SLEEP.finditer(code):
            line = cpp_text.line_of(code, found.start())
            if not report.marked("sleep", line):
                report.add(line, "a test that sleeps: wait for the event instead")
        for found in TEST.finditer(code):
            end = cpp_text.match_bracket(code, found.end() - 1)
            if not ASSERTS.search(code[found.end() : end]):
                report.add(cpp_text.line_of(code, found.start()), f"test {found.group(2)}.{found.group(3)} asserts nothing")
    if parts[:2] not in (("src", "sys"), ("src", "apps")) and parts[0] == "src" and not is_test:
        for found in GETENV.finditer(code):
            report.add(cpp_text.line_of(code, found.start()), "the environment is read in src/sys and src/apps only; take it as a parameter")
    return report.problems


def asserts(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("raises", "fail") or re.match(r"(expect|assert|check)_", name):
                return True
    return False


def check_python(path, text):
    report = Report(path, text, "#")
    check_length(report)
    check_later(report)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        report.add(error.lineno or 1, f"not Python: {error.msg}")
        return report.problems
    is_test = pathlib.PurePath(path).parts[0] == "tests"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            check_function(report, node.name, node.lineno, node.end_lineno)
            if is_test and node.name.startswith("test_") and not asserts(node):
                report.add(node.lineno, f"test {node.name} asserts nothing")
        if is_test and isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep"):
            if not report.marked("sleep", node.lineno):
                report.add(node.lineno, "a test that sleeps: wait for the event instead")
    return report.problems


def check_shell(path, text):
    report = Report(path, text, "#")
    check_length(report)
    check_later(report)
    return report.problems


def check(path, text):
    if path.endswith((".h", ".cc")):
        return check_cpp(path, text)
    if path.endswith(".py") or text.startswith(("#!/usr/bin/python3", "#!/usr/bin/env python3")):
        return check_python(path, text)
    return check_shell(path, text)


LONG_BODY = "  f();\n" * 90
SELF_TEST = [
    # (path, text, words of the expected report, or None)
    ("src/io/a_test.cc", "TEST(A, B) { sleep_for(1s); EXPECT_TRUE(x); }", "sleeps"),
    ("src/io/a_test.cc", "TEST(A, B) { std::this_thread::sleep_for(1s); EXPECT_TRUE(x); }", "sleeps"),
    ("src/io/a_test.cc", "// lint: sleep, it is the subject\nTEST(A, B) { sleep_for(1s); EXPECT_TRUE(x); }", None),
    ("src/io/a.cc", "void f() { sleep_for(1s); }", None),
    ("src/io/a_test.cc", 'TEST(A, B) { EXPECT_EQ(run("sleep(1)"), 0); }', None),
    ("src/io/a_test.cc", "TEST(A, B) { run(); }", "A.B asserts nothing"),
    ("src/io/a_test.cc", "TEST_F(A, B) { /* EXPECT_TRUE(x); */ run(); }", "asserts nothing"),
    ("src/io/a_test.cc", "TEST(A, B) { expect_round_trip(frame); }", None),
    ("src/io/a.cc", 'auto x = std::getenv("HOME");', "environment"),
    ("src/io/a.cc", "char** e = environ;", "environment"),
    ("src/io/a_test.cc", "char** e = environ;", None),
    ("src/sys/a.cc", 'auto x = std::getenv("HOME");', None),
    ("src/io/a.cc", "// TO" "DO: later\n", "postponed"),
    ("src/io/a.cc", "int x;\n" * 601, "601 lines"),
    ("src/io/a.cc", "// lint: long, one table\n" + "int x;\n" * 601, None),
    ("src/io/a.cc", "namespace n {\nvoid f() {\n" + LONG_BODY + "}\n}\n", "f has 92 lines"),
    ("src/io/a.cc", "struct S {\n  S() : a_{1}, b_(2) {\n" + LONG_BODY + "  }\n};\n", "S has 92 lines"),
    ("src/io/a.cc", "class S {\n public:\n  int g(int x = {}) const override {\n" + LONG_BODY + "  }\n};\n", "g has 92 lines"),
    ("src/io/a.cc", "void f() {\n  // lint: long, one switch\n" + LONG_BODY + "}\n", None),
    ("src/io/a.cc", "namespace n {\n" + "void f() {\n  g();\n}\n" * 60 + "}\n", None),
    ("tests/e2e/test_a.py", "import time\ndef test_a():\n    time.sleep(1)\n    assert x\n", "sleeps"),
    ("tests/e2e/test_a.py", "def test_a():\n    run()\n", "test_a asserts nothing"),
    ("tests/e2e/test_a.py", "def test_a():\n    with pytest.raises(E):\n        run()\n", None),
    ("tests/e2e/test_a.py", "def helper():\n" + "    f()\n" * 90, "helper has 91 lines"),
    ("dev/x", "# FIX" "ME\n", "postponed"),
]


def self_test():
    failed = 0
    for path, text, words in SELF_TEST:
        found = "\n".join(check(path, text))
        if (words is None and found) or (words is not None and words not in found):
            failed += 1
            print(f"self-test: {path} {text[:60]!r}: expected {words}, got {found!r}")
    return failed


def is_text(path):
    return path.suffix in (".h", ".cc", ".py") or path.parts[0] in ("dev", ".ci", "tools")


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [pathlib.Path(name) for name in sys.argv[1:]]
    if not files:
        for top in ("src", "include", "bindings", "examples", "tests", "bench", "fuzz", "tools", "dev", ".ci"):
            found = (p.relative_to(root) for p in sorted((root / top).rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
            files += [p for p in found if is_text(p)]
    problems = []
    for path in files:
        problems += check(str(path), (root / path).read_text(errors="replace"))
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
