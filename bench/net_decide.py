"""What a thousand rules cost a decision of the network engine."""

import json
import statistics

import program
from report import Figure

NAME = "net-decide"
ABOUT = "what 1000 more rules add to one decision"
MOST = 2.0  # microseconds


def run(options):
    words = [
        program.bench_program("pyro_bench_net_decide"),
        "--benchmark_format=json",
        f"--benchmark_min_time={0.05 if options.quick else 0.2}",
        f"--benchmark_repetitions={options.count(9, 3)}",
        "--benchmark_enable_random_interleaving=true",
    ]
    done = program.run(words, limit=120).checked("pyro_bench_net_decide")
    found = [b for b in json.loads(done.out)["benchmarks"] if b["run_type"] == "iteration"]

    def microseconds(rules):
        samples = [1e6 / b["items_per_second"] for b in found if b["name"] == f"decide/{rules}"]
        return statistics.median(samples), samples

    few, few_samples = microseconds(8)
    many, many_samples = microseconds(1008)
    return [
        Figure("added by 1000 rules", many - few, "us", MOST, f"medians {many:.3f} - {few:.3f}"),
        Figure("a decision with 8 rules", few, "us", None, f"n={len(few_samples)}", few_samples),
        Figure("a decision with 1008 rules", many, "us", None, f"n={len(many_samples)}", many_samples),
    ]
