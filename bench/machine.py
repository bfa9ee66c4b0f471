"""What the numbers were measured on. Numbers without this mean nothing."""

import datetime
import json
import os
import pathlib
import platform
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[1]


def load():
    return [round(x, 2) for x in os.getloadavg()]


def field_of(path, name):
    """The first `name : value` or `name: value kB` of a file under /proc."""
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def git_revision():
    def git(*words):
        done = subprocess.run(["git", "-C", REPO, *words], capture_output=True, text=True, timeout=30)
        return done.stdout.strip() if done.returncode == 0 else ""

    revision = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return revision + (" with changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def doctor():
    """(QEMU's version, the accelerator in force, why), as pyro itself says."""
    try:
        done = subprocess.run(["pyro", "doctor", "--json"], capture_output=True, text=True, timeout=120)
        report = json.loads(done.stdout)
        return report["qemu"]["version"], report["accelerator"]["in_force"], report["accelerator"]["reason"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return "unknown", "unknown", f"pyro doctor failed: {error}"


def describe():
    qemu, accelerator, reason = doctor()
    return {
        "accelerator": accelerator,
        "accelerator_reason": reason,
        "cores": len(os.sched_getaffinity(0)),
        "cpu": field_of("/proc/cpuinfo", "model name"),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git": git_revision(),
        "kernel": platform.release(),
        "memory_mib": int(field_of("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "qemu": qemu,
        "uid": os.geteuid(),
    }


def sentence(machine):
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB, Linux {machine['kernel']}, "
        f"QEMU {machine['qemu']} with {machine['accelerator']} ({machine['accelerator_reason']}), "
        f"pyro {machine['git']}, {machine['date']}, load before {machine['load_before']}, after {machine['load_after']}"
    )
