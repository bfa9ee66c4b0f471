"""The bookkeeping of the benchmarks: a bound that is missed, or not measured, must be seen."""

import json
import os
import subprocess
import sys
import types

import pytest

import boot_soak
import machine
import program
import report
import run
import sixteen_guests
import version_latency
from report import BenchError, Figure, Outcome

MACHINE = {
    "accelerator": "tcg",
    "accelerator_reason": "no KVM",
    "cores": 2,
    "cpu": "a cpu",
    "date": "2026-01-02T03:04:05+00:00",
    "git": "0123",
    "kernel": "6.1",
    "memory_mib": 1000,
    "qemu": "7.2.22",
    "uid": 0,
}


@pytest.mark.parametrize(
    ("value", "bound", "verdict"),
    [
        (1.99, 2.0, "ok"),
        (2.0, 2.0, "ok"),
        (2.01, 2.0, "missed"),
        (0, 0, "ok"),
        (1, 0, "missed"),
        (None, 2.0, "missed"),
        (float("nan"), 2.0, "missed"),
        (1e9, None, "reported"),
        (None, None, "reported"),
    ],
)
def test_verdict(value, bound, verdict):
    assert Figure("f", value, "ms", bound).verdict == verdict


def test_one_missed_figure_or_an_error_fails_everything():
    good = Outcome("a", [Figure("x", 1, "ms", 2), Figure("y", 5, "ms")])
    missed = Outcome("b", [Figure("x", 1, "ms", 2), Figure("y", 3, "ms", 2)])
    broken = Outcome("c", [Figure("x", 1, "ms", 2)], error="it stopped")
    assert report.exit_status([good]) == 0
    assert report.exit_status([good, missed]) == 1
    assert report.exit_status([broken, good]) == 1
    assert report.exit_status([]) == 1


def test_median_and_spread():
    assert report.median([3, 1, 2]) == 2
    assert report.median([4, 1, 2, 3]) == 2.5
    assert report.spread([3.0, 1.0, 2.0]) == "min 1.0, median 2.0, max 3.0, n=3"
    with pytest.raises(BenchError):
        report.median([])


def test_interleaving_mixes_and_keeps_the_counts():
    order = report.interleave({"warm": 20, "cold": 5})
    assert (order.count("warm"), order.count("cold")) == (20, 5)
    at = [i for i, name in enumerate(order) if name == "cold"]
    assert all(4 <= b - a <= 6 for a, b in zip(at, at[1:]))
    assert at[0] < 5 and at[-1] >= 20
    assert report.interleave({"a": 2, "b": 2}) == ["a", "b", "a", "b"]


def test_tables_show_every_figure_and_every_error():
    outcomes = [Outcome("a", [Figure("x", 1.5, "ms", 2, "n|o"), Figure("y", 300, "")]), Outcome("b", [], error="no\nguest")]
    text = report.text_table(outcomes).split("\n")
    assert text[0].split() == ["benchmark", "figure", "value", "bound", "verdict", "detail"]
    assert text[1].split() == ["a", "x", "1.500", "ms", "<=", "2", "ok", "n|o"]
    assert text[2].split() == ["a", "y", "300", "reported"]
    assert "failed" in text[3] and text[3].endswith("no; guest")
    markdown = report.markdown_table(outcomes).split("\n")
    assert markdown[2] == "| a | x | 1.500 ms | <= 2 | ok | n\\|o |"
    assert len(markdown) == 5


def fake(name, body):
    return types.SimpleNamespace(NAME=name, ABOUT="about", run=body)


def fail_with(error):
    def body(options):
        raise error

    return body


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (lambda o: [Figure("x", 1, "ms", 2)], 0, "every bound holds"),
        (lambda o: [Figure("x", 3, "ms", 2)], 1, "missed or failed: fake"),
        (lambda o: [Figure("x", 1, "ms", 2), Figure("z", 1, "", 0)], 1, "missed or failed: fake"),
        (fail_with(BenchError("no guest came up")), 1, "no guest came up"),
        (fail_with(KeyError("timing")), 1, "bug in the benchmark"),
    ],
)
def test_main_exits_with_the_verdict_and_writes_it(monkeypatch, tmp_path, capsys, body, status, said):
    monkeypatch.setattr(run, "BENCHMARKS", [fake("fake", body)])
    monkeypatch.setattr(machine, "describe", lambda: dict(MACHINE))
    monkeypatch.setattr(run.shutil, "which", lambda name: "/bin/true")
    out = tmp_path / "out.json"
    assert run.main(["--json", str(out)]) == status
    assert said in capsys.readouterr().out
    written = json.loads(out.read_text())
    assert written["benchmarks"][0]["good"] == (status == 0)
    assert {"load_before", "load_after", *MACHINE} <= written["machine"].keys()
    # What was written says the same again, as Markdown too.
    assert run.main(["--from", str(out), "--markdown"]) == status
    assert "| benchmark | figure |" in capsys.readouterr().out


def test_only_and_runs():
    assert [b.NAME for b in run.arguments(["--only", "boot-soak", "--only", "warm-vs-cold"]).benchmarks] == [
        "warm-vs-cold",
        "boot-soak",
    ]
    assert len(run.arguments([]).benchmarks) == len(run.BENCHMARKS)
    with pytest.raises(SystemExit):
        run.arguments(["--only", "nothing"])
    with pytest.raises(SystemExit):
        run.arguments(["--runs", "0"])
    assert run.Options().count(60, quick=6) == 60
    assert run.Options(quick=True).count(60, quick=6) == 6
    assert run.Options(quick=True, runs=9).count(60, quick=6) == 9


def test_a_program_that_is_over_its_limit_is_killed_with_its_children():
    done = program.run(["sh", "-c", "echo $$; sleep 1000 & wait"], limit=0.5)
    assert done.status is None
    group = int(done.out)
    with pytest.raises(ProcessLookupError):
        while True:  # the kernel takes a moment to remove them
            os.killpg(group, 0)
    with pytest.raises(BenchError, match="within its limit"):
        done.checked("sleep")


def test_a_failed_program_is_an_error_with_its_last_words():
    done = program.run(["sh", "-c", "echo why >&2; exit 3"])
    with pytest.raises(BenchError, match="ended with 3; stderr ends: why"):
        done.checked("it")


@pytest.mark.parametrize("out", ["", "[]", "{}", '{"timing": 3}', '{"timing": {"a": "b"}}'])
def test_a_run_without_timing_is_an_error(out):
    with pytest.raises(BenchError):
        program.timing(program.Run(1.0, 0, out, ""))
    assert program.timing(program.Run(1.0, 0, '{"timing": {"exec": 2}}', "")) == {"exec": 2.0}


@pytest.fixture
def soak(monkeypatch):
    """boot-soak with boots that end as told."""

    def with_boots(*boots):
        left = list(boots)
        monkeypatch.setattr(program, "make_ready", lambda: None)
        monkeypatch.setattr(program, "pyro_run", lambda *command, options, limit: left.pop(0))
        figures = boot_soak.run(types.SimpleNamespace(count=lambda full, quick: len(boots), progress=lambda text: None))
        return {f.name: f for f in figures}

    return with_boots


GOOD = program.Run(2000.0, 0, "", "")


def test_boot_soak_counts_what_hung_failed_and_was_tried_again(soak):
    found = soak(GOOD, program.Run(9e4, None, "", ""), program.Run(10.0, 125, "", "no"), program.Run(3e3, 0, "", "trying emulation"))
    assert [found[n].value for n in ("boots that hung", "boots that failed", "boots that needed a retry")] == [1, 1, 1]
    assert {f.verdict for f in found.values()} == {"missed", "reported"}
    assert {f.verdict for f in soak(GOOD, GOOD).values()} == {"ok", "reported"}


def test_busy_cores_are_busy_and_then_gone():
    before = set(sixteen_guests.processes())
    with boot_soak.busy_cores(60) as still_busy:
        assert still_busy()
        mine = {p for p, (parent, _) in sixteen_guests.processes().items() if parent == os.getpid()} - before
        assert len(mine) == len(os.sched_getaffinity(0))
    assert not mine & set(sixteen_guests.processes())


def test_memory_is_read_from_the_kernel():
    found = sixteen_guests.memory_of(os.getpid())
    assert 0 < found["private"] <= found["rss"]
    assert found["pss"] <= found["rss"]


def test_files_held_below_a_folder(tmp_path):
    with open(tmp_path / "lock", "w"):
        assert sixteen_guests.holds_file_below(os.getpid(), str(tmp_path))
    assert not sixteen_guests.holds_file_below(os.getpid(), str(tmp_path))


def test_libraries_of_a_program():
    assert any(name.startswith("libc.so") for name in version_latency.libraries("/bin/true"))
    assert version_latency.spawn_ms("/bin/true", ["true"]) > 0
    with pytest.raises(BenchError):
        version_latency.spawn_ms("/bin/false", ["false"])


def test_help_names_every_benchmark():
    done = subprocess.run([sys.executable, run.__file__, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert all(f"  {b.NAME} " in done.stdout for b in run.BENCHMARKS)
