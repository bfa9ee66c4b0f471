#!/usr/bin/python3
"""Measures the installed pyro (the first in PATH) and compares with the bounds it must hold.

Exit status: 0 when every bound holds, 1 when one is missed or a benchmark did not finish.
docs/reference/benchmarks.md says what each of them measures.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import sys
import time

import boot_soak
import exec_in_live_guest
import frame_codec
import hundred_runs
import machine
import mcp_calls
import net_beside_user
import net_decide
import net_names
import python_exec
import python_import
import report
import seed_folder
import service_flood
import shell_echo
import sixteen_guests
import version_latency
import warm_vs_cold
import workspace_diff
import workspace_exec
import workspace_export
import workspace_idle
import workspace_layers

BENCHMARKS = [
    version_latency,
    warm_vs_cold,
    exec_in_live_guest,
    sixteen_guests,
    hundred_runs,
    boot_soak,
    seed_folder,
    workspace_exec,
    workspace_layers,
    workspace_diff,
    workspace_export,
    workspace_idle,
    shell_echo,
    service_flood,
    mcp_calls,
    python_import,
    python_exec,
    frame_codec,
    net_decide,
    net_beside_user,
    net_names,
]


@dataclasses.dataclass
class Options:
    quick: bool = False
    runs: int | None = None

    def count(self, full, quick):
        """How many samples to take: --runs, or fewer with --quick."""
        if self.runs is not None:
            return self.runs
        return quick if self.quick else full

    def progress(self, text):
        print(f"    {text}", file=sys.stderr, flush=True)


def arguments(words=None):
    by_name = {b.NAME: b for b in BENCHMARKS}
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["benchmarks:", *(f"  {b.NAME:<20} {b.ABOUT}" for b in BENCHMARKS)]),
    )
    parser.add_argument("--only", action="append", choices=by_name, metavar="NAME", help="only this one (repeatable)")
    parser.add_argument("--quick", action="store_true", help="fewer samples: a look, not a measurement")
    parser.add_argument("--runs", type=int, metavar="N", help="N samples, whatever the benchmark")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write everything, samples included, to FILE")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--from", dest="earlier", type=pathlib.Path, metavar="FILE", help="show what --json wrote; measure nothing")
    found = parser.parse_args(words)
    if found.runs is not None and found.runs < 1:
        parser.error("--runs must be at least 1")
    found.benchmarks = [by_name[n] for n in by_name if not found.only or n in found.only]
    return found


def measure(benchmark, options):
    """Runs one benchmark; whatever goes wrong in it becomes part of the outcome."""
    print(f"{benchmark.NAME}: {benchmark.ABOUT}", file=sys.stderr, flush=True)
    outcome = report.Outcome(benchmark.NAME, [], load_before=machine.load())
    begin = time.monotonic()
    try:
        outcome.figures = benchmark.run(options)
    except report.BenchError as error:
        outcome.error = str(error)
    except Exception as bug:  # the others still run, and this one counts as failed
        outcome.error = f"bug in the benchmark: {bug!r}"
    outcome.seconds = round(time.monotonic() - begin, 1)
    outcome.load_after = machine.load()
    return outcome


def show(found, markdown):
    outcomes = [report.Outcome.from_json(o) for o in found["benchmarks"]]
    print(machine.sentence(found["machine"]) + "\n")
    print(report.markdown_table(outcomes) if markdown else report.text_table(outcomes))
    missed = [o.name for o in outcomes if not o.good]
    print("\n" + (f"missed or failed: {', '.join(missed)}" if missed else "every bound holds"))
    return report.exit_status(outcomes)


def main(words=None):
    wanted = arguments(words)
    if wanted.earlier:
        return show(json.loads(wanted.earlier.read_text()), wanted.markdown)
    if shutil.which("pyro") is None:
        print("pyro is not in PATH\nhint: start this with ./dev/bench", file=sys.stderr)
        return 1
    about = {**machine.describe(), "load_before": machine.load(), "quick": wanted.quick, "runs": wanted.runs}
    options = Options(wanted.quick, wanted.runs)
    outcomes = [measure(b, options) for b in wanted.benchmarks]
    about["load_after"] = machine.load()
    found = {"machine": about, "benchmarks": [o.to_json() for o in outcomes]}
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return show(found, wanted.markdown)


if __name__ == "__main__":
    sys.exit(main())
