"""The speed of the frame codec."""

import json

import program
from report import Figure

NAME = "frame-codec"
ABOUT = "bytes a second through the frame codec"


def run(options):
    words = [program.bench_program("pyro_bench_frame_codec"), "--benchmark_format=json"]
    words.append(f"--benchmark_min_time={0.05 if options.quick else 0.3}")
    done = program.run(words, limit=120).checked("pyro_bench_frame_codec")
    found = json.loads(done.out)["benchmarks"]
    return [Figure(b["name"], b["bytes_per_second"] / 2**20, "MiB/s", None, f"{b['cpu_time']:.0f} {b['time_unit']}") for b in found]
