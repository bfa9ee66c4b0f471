#!/usr/bin/python3
"""Refuses the coroutine shapes that compilers or readers get wrong.

The safe subset: one co_await in a statement, as (part of) the right side of a declaration, an
assignment or a return; results named before they are taken apart; no captures. See
docs/adr/0001-compiler-and-standard.md for what goes wrong otherwise.

Usage: lint_coroutines.py [FILE...]    or    lint_coroutines.py --self-test
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cpp_text  # noqa: E402

CO = re.compile(r"\bco_(?:await|return|yield)\b")
AWAIT = re.compile(r"\bco_await\b")
CONDITION = re.compile(r"\b(if|while|for|switch)\s*(?:constexpr\s*)?\(")
DETACHED = re.compile(r"\basio::detached\b|\busing\s+[\w:]*::detached\b")
BINDING = re.compile(r"\bauto\s*(?:const)?\s*&{0,2}\s*\[[^\]]*\]\s*=\s*co_await\b")
# A lambda: [captures] then parameters, specifiers or a body. An index or an attribute is none.
LAMBDA = re.compile(r"(?<![\w\])\[])\[(?!\[)([^\[\]]*)\]\s*(?=[({<]|mutable\b|->|noexcept\b)")


def top_level_split(text, separator):
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def lambda_bodies(text):
    """(offset, captures, start of body, end of body) of every lambda."""
    for found in LAMBDA.finditer(text):
        i = found.end()
        while i < len(text) and text[i] != "{":
            if text[i] == "(":
                close = cpp_text.match_bracket(text, i)
                if close < 0:
                    break
                i = close
            elif text[i] in ";)]},":
                break
            i += 1
        if i < len(text) and text[i] == "{":
            end = cpp_text.match_bracket(text, i)
            if end > 0:
                yield found.start(), found.group(1).strip(), i, end


def without(text, ranges):
    out = list(text)
    for start, end in ranges:
        for k in range(start, end + 1):
            if out[k] != "\n":
                out[k] = " "
    return "".join(out)


def check_text(text):
    """(line, message) of every offence."""
    text = cpp_text.clean(text)
    # A macro's definition is checked where it is used.
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.M)
    problems = []

    def report(offset, message):
        problems.append((cpp_text.line_of(text, offset), message))

    bodies = list(lambda_bodies(text))
    for offset, captures, start, end in bodies:
        inner = [(s, e) for _, _, s, e in bodies if s > start and e < end]
        if captures and CO.search(without(text, inner)[start:end]):
            report(offset, "a lambda coroutine with captures: they die with the lambda, before the coroutine ends; pass parameters")

    for found in CONDITION.finditer(text):
        opening = found.end() - 1
        close = cpp_text.match_bracket(text, opening)
        if close < 0:
            continue
        inside = [(s, e) for _, _, s, e in bodies if opening < s and e < close]
        parts = top_level_split(without(text, inside)[opening + 1 : close], ";")
        keyword = found.group(1)
        if keyword == "for":
            risky = parts[1:] if len(parts) == 3 else parts
        else:
            risky = parts[-1:]  # `if (auto r = co_await f(); r)` is fine
        if any(AWAIT.search(part) for part in risky):
            report(found.start(), f"co_await in the condition of '{keyword}': name the result first")

    for found in re.finditer(r"[^;{}]*[;{}]", text):
        # Only what belongs to this statement: a condition was judged above.
        statement = CONDITION.sub(lambda m: " " * len(m.group(0)), found.group(0))
        awaits = [m.start() for m in AWAIT.finditer(statement)]
        if not awaits:
            continue
        first = found.start() + awaits[0]
        if len(awaits) > 1:
            report(first, "more than one co_await in a statement: name the first result")
        if re.search(r"\?(?!\?)", statement):
            report(first, "co_await together with a conditional expression (?:): use if and else")

    for found in DETACHED.finditer(text):
        report(found.start(), "asio::detached: nobody waits for this task; spawn it in an io::TaskScope")
    for found in BINDING.finditer(text):
        report(found.start(), "structured binding of a co_await: name the result, then `const auto& [a, b] = result`")
    return sorted(problems)


BAD = {
    "captures": "auto t = [x]() -> Task<int> { co_return x; };",
    "captures this": "spawn([this] { co_await run(); });",
    "captures by reference": "spawn([&](int a) mutable -> Task<void> { co_await run(a); });",
    "the condition of 'if'": "void f() { if (co_await g()) return; }",
    "the condition of 'while'": "void f() { while ((co_await g()).size() != 3) h(); }",
    "the condition of 'for'": "void f() { for (auto x : co_await g()) h(x); }",
    "the condition of 'switch'": "void f() { switch (co_await g()) { default: h(); } }",
    "after the init": "void f() { if (auto r = a(); co_await g(r)) h(); }",
    "conditional expression": "void f() { auto x = c ? co_await g() : d; }",
    "more than one": "void f() { auto x = co_await g() + co_await h(); }",
    "asio::detached": "void f() { co_spawn(ex, g(), asio::detached); }",
    "using detached": "using boost::asio::detached;",
    "structured binding": "void f() { auto [a, b] = co_await g(); }",
    "structured binding by reference": "void f() { const auto& [a, b] = co_await g(); }",
}
GOOD = [
    "auto t = [](int x) -> Task<int> { co_return x; };",
    "void f() { if (auto r = co_await g(); r) h(); }",
    "void f() { for (;;) { auto r = co_await g(); if (!r) break; } }",
    "void f() { for (auto r = co_await g(); r; r = next()) h(); }",
    "// if (co_await g())\nvoid f() { say(\"c ? co_await a : b\"); }",
    "void f() { auto x = a[i](); co_await g(x); }",
    "void f() { on_done([this] { n_++; }); co_await g(); }",
    "PYRO_CO_TRY(auto fd, co_await open());",
    "#define TRY(x) if (co_await x) return\n",
    "void f() { const auto n = c ? 1'000 : 2; co_await g(n); }",
    "[[nodiscard]] Task<int> f(int a) { co_return a; }",
    "void f() { TaskScope scope; scope.spawn(g()); co_await scope.join(); }",
]


def self_test():
    failed = 0
    for name, text in BAD.items():
        if not check_text(text):
            failed += 1
            print(f"self-test: not found: {name}: {text}")
    for text in GOOD:
        found = check_text(text)
        if found:
            failed += 1
            print(f"self-test: wrongly reported {found}: {text}")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    root = pathlib.Path(__file__).parent.parent
    files = [pathlib.Path(name) for name in sys.argv[1:]]
    if not files:
        files = [p for top in ("src", "bench", "fuzz", "tests") for p in sorted((root / top).rglob("*")) if p.suffix in (".h", ".cc")]
    count = 0
    for path in files:
        for line, message in check_text(path.read_text(errors="replace")):
            count += 1
            shown = path.relative_to(root) if path.is_relative_to(root) else path
            print(f"{shown}:{line}: {message}")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
