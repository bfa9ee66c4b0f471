"""Figures, their bounds and verdicts; tables of them."""

import dataclasses
import statistics


@dataclasses.dataclass
class Figure:
    """One number that a benchmark found. `bound` is the largest value that is good enough.

    A figure with a bound and without a value is a missed one: what could not be measured holds nothing.
    """

    name: str
    value: float | None
    unit: str
    bound: float | None = None
    detail: str = ""
    samples: list[float] = dataclasses.field(default_factory=list)

    @property
    def verdict(self):
        if self.bound is None:
            return "reported"
        # Written so that a NaN is missed too.
        return "ok" if self.value is not None and self.value <= self.bound else "missed"

    def to_json(self):
        return {**dataclasses.asdict(self), "verdict": self.verdict}

    @classmethod
    def from_json(cls, fields):
        return cls(**{f.name: fields[f.name] for f in dataclasses.fields(cls)})


@dataclasses.dataclass
class Outcome:
    """What one benchmark gave. `error`: why it could not run to its end; that is a failure."""

    name: str
    figures: list[Figure]
    seconds: float = 0.0
    error: str = ""
    load_before: list[float] = dataclasses.field(default_factory=list)
    load_after: list[float] = dataclasses.field(default_factory=list)

    @property
    def good(self):
        return not self.error and all(f.verdict != "missed" for f in self.figures)

    def to_json(self):
        return {**dataclasses.asdict(self), "figures": [f.to_json() for f in self.figures], "good": self.good}

    @classmethod
    def from_json(cls, fields):
        figures = [Figure.from_json(f) for f in fields["figures"]]
        return cls(fields["name"], figures, fields["seconds"], fields["error"], fields["load_before"], fields["load_after"])


class BenchError(Exception):
    """A benchmark cannot go on; the message is for people."""


def median(samples):
    if not samples:
        raise BenchError("there are no samples")
    return statistics.median(samples)


def spread(samples, digits=1):
    """'min 1.0, median 2.0, max 3.0, n=3': beside a median, how far the samples lie apart."""
    low, mid, high = min(samples), median(samples), max(samples)
    return f"min {low:.{digits}f}, median {mid:.{digits}f}, max {high:.{digits}f}, n={len(samples)}"


def interleave(counts):
    """An order in which every name comes as often as `counts` says, evenly mixed: what is compared is
    measured side by side, so that a change of the machine's load meets all of it."""
    slots = []
    for rank, (name, count) in enumerate(counts.items()):
        slots += [((i + 0.5) / count, rank, name) for i in range(count)]
    return [name for _, _, name in sorted(slots)]


def number(value):
    if value is None:
        return "none"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


HEAD = ("benchmark", "figure", "value", "bound", "verdict", "detail")


def rows(outcomes):
    found = []
    for outcome in outcomes:
        for f in outcome.figures:
            bound = "" if f.bound is None else f"<= {number(f.bound)}"
            value = f"{number(f.value)} {f.unit}".rstrip()
            found.append((outcome.name, f.name, value, bound, f.verdict, f.detail))
        if outcome.error:
            found.append((outcome.name, "(did not finish)", "", "", "failed", outcome.error.replace("\n", "; ")))
    return found


def text_table(outcomes):
    lines = [HEAD, *rows(outcomes)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD) - 1)]
    return "\n".join("  ".join([*(c.ljust(w) for c, w in zip(line, widths)), line[-1]]).rstrip() for line in lines)


def markdown_table(outcomes):
    def line(cells):
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(HEAD), line(["---"] * len(HEAD)), *map(line, rows(outcomes))])


def exit_status(outcomes):
    """0 only when there is an outcome and every one is good."""
    return 0 if outcomes and all(o.good for o in outcomes) else 1
