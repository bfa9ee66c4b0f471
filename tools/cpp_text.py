"""Reading C++ well enough for lints: text without comments and literals, brackets, functions.

Everything keeps its position: a character that is blanked out becomes a space, so an offset or a
line number in the cleaned text is one in the file.
"""

import re


def clean(text, keep_strings=False):
    """Blanks comments and (unless keep_strings) the insides of string and character literals."""
    out = list(text)
    i, n = 0, len(text)

    def blank(start, end):
        for k in range(start, end):
            if out[k] != "\n":
                out[k] = " "

    while i < n:
        two = text[i : i + 2]
        if two == "//":
            end = text.find("\n", i)
            end = n if end < 0 else end
            blank(i, end)
            i = end
        elif two == "/*":
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
            blank(i, end)
            i = end
        elif text[i] == '"' and i > 0 and text[i - 1] == "R":
            tag = re.compile(r'"([^()\\\s]*)\(').match(text, i)
            if not tag:
                i += 1
                continue
            close = ")" + tag.group(1) + '"'
            end = text.find(close, tag.end())
            end = n if end < 0 else end
            if not keep_strings:
                blank(tag.end(), end)
            i = end + len(close)
        elif text[i] in "\"'":
            quote = text[i]
            # 1'000'000: a digit separator is no literal.
            if quote == "'" and i > 0 and re.match(r"[0-9A-Fa-f]", text[i - 1]) and re.match(
                r"[0-9A-Fa-f]", text[i + 1 : i + 2]
            ) and re.search(r"\b(0[xX])?[0-9A-Fa-f']*$", text[max(0, i - 24) : i]).group(0)[:1].isdigit():
                i += 1
                continue
            k = i + 1
            while k < n and text[k] != quote and text[k] != "\n":
                k += 2 if text[k] == "\\" else 1
            if not keep_strings:
                blank(i + 1, min(k, n))
            i = k + 1
        else:
            i += 1
    return "".join(out)


CLOSER = {"(": ")", "[": "]", "{": "}"}


def match_bracket(text, start):
    """Offset of the bracket that closes the one at `start`, or -1. `text` is cleaned."""
    stack = []
    for i in range(start, len(text)):
        c = text[i]
        if c in CLOSER:
            stack.append(CLOSER[c])
        elif c in ")]}":
            if not stack or stack.pop() != c:
                return -1
            if not stack:
                return i
    return -1


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


NOT_A_FUNCTION = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:namespace|class|struct|union|enum|extern)\b", re.S)


def functions(text):
    """(name, first offset of the head, offset of '{', offset of '}') of every function body that is
    not inside another one. `text` is cleaned."""
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.M)
    head_start = 0
    i = 0
    while i < len(text):
        c = text[i]
        if c in ";}":
            head_start = i + 1
        elif c == ":" and re.search(r"\b(public|private|protected)\s*$", text[head_start:i]):
            head_start = i + 1
        elif c in "([":
            # Parameters and captures may hold braces ({}) of default arguments.
            end = match_bracket(text, i)
            if end > 0:
                i = end
        elif c == "{":
            head = text[head_start:i]
            end = match_bracket(text, i)
            name = re.search(r"([~\w]+|operator\s*\S+)\s*\(", head)
            if end < 0:
                return
            if name and not NOT_A_FUNCTION.match(head) and not re.search(r"=\s*$", head):
                # In a constructor's initialisers, x_{1} is not the body.
                after = text[end + 1 :].lstrip()[:1]
                if re.search(r"\)\s*(?:noexcept\s*)?:[^:]", head) and after in (",", "{"):
                    i = end + 1
                    continue
                yield name.group(1), head_start + len(head) - len(head.lstrip()), i, end
                i = end
                head_start = i + 1
            elif re.search(r"=\s*$|\breturn\b", head) or re.match(r"^\s*enum\b", head):
                i = end
            else:
                head_start = i + 1
        i += 1
