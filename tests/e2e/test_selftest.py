"""pyro selftest, as users run it: with the installed programs and real guests."""

import os
import signal

import harness
import pytest


@pytest.mark.timeout(1200)
def test_the_escape_suite_passes(host):
    done = host.pyro("selftest", "escape", "--json", timeout=900)
    failed = [probe for probe in done.json["probes"] if not probe["passed"]]
    assert [(probe["name"], probe["problems"]) for probe in failed] == []
    assert done.code == 0
    assert done.json["passed"] and len(done.json["probes"]) > 70


def test_the_smoke_tests_pass(host):
    done = host.pyro("selftest", "smoke", "--json", timeout=300)
    assert done.code == 0, done
    assert [probe["name"] for probe in done.json["probes"]] == ["off", "published-service"]


def test_what_there_is_not_is_said(host):
    backend = host.pyro("selftest", "escape", "--backend", "firecracker")
    assert backend.code == 2 and "the only one of this version is qemu" in backend.text
    probe = host.pyro("selftest", "escape", "--probe", "nothing")
    assert probe.code == 2 and 'there is no probe "nothing"' in probe.text


def test_a_namespace_that_cannot_be_joined_is_an_error_of_the_start(host):
    done = host.pyro("run", "--network-policy", "egress", harness.ENVIRONMENT, "--", "true",
                     env={"PYRO_NET_NAMESPACE": "/proc/self/ns/nothing"})
    assert done.code == 125 and "/proc/self/ns/nothing" in done.text


def test_ctrl_c_leaves_nothing(host):
    """The fixture `clean` looks for what is left."""
    words = ("selftest", "escape", "--probe", "gateway-every-port", "--probe", "lan")
    with harness.ending(host.start(*words)) as running:
        harness.read_until(running.stderr, b"1/2 gateway-every-port", bound=120)
        os.kill(running.pid, signal.SIGINT)
        done = harness.finish(running, 300)
    assert done.code == 4 and "interrupted" in done.text
