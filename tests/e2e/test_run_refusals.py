"""What pyro refuses, and how it says so."""

import pytest

NAMES = ["debian:12", "debian:12-base", "debian:12-build"]


def test_an_unknown_environment_names_the_known_ones(host):
    done = host.pyro("run", "debian:11", "--", "true")
    assert done.code == 125
    assert 'there is no environment named "debian:11"' in done.text
    for name in NAMES:
        assert name in done.text
    assert done.out == b""


def test_errors_are_objects_with_json(host):
    done = host.pyro("run", "--json", "debian:11", "--", "true")
    assert done.code == 125
    assert done.err == b""
    error = done.json["error"]
    assert error["code"] == "not_found"
    assert "debian:11" in error["message"]
    for name in NAMES:
        assert name in error["hint"]


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [
        ("--mem-mib", "0", "128 to 65536"),
        ("--mem-mib", "-1", "128 to 65536"),
        ("--mem-mib", "1024x", "128 to 65536"),
        ("--mem-mib", "99999999999999999999", "128 to 65536"),
        ("--vcpu-count", "0", "1 to 32"),
        ("--vcpu-count", "33", "1 to 32"),
        ("--timeout-seconds", "0", "1 to 86400"),
        ("--ttl-seconds", "0", "1 to 2592000"),
    ],
)
def test_numbers_out_of_range_are_refused_with_the_range(host, option, value, range_):
    done = host.run("true", options=[f"{option}={value}"])
    assert done.code == 125
    assert option in done.text and range_ in done.text, done
    assert done.out == b""


def test_rules_beside_off_are_refused(host):
    done = host.run("true", options=["--network-policy", "off", "--net-allow", "a.example:443"])
    assert done.code == 125
    assert "the network policy off has no rules" in done.text
    assert "hint: " in done.text


def test_allow_host_compat_changes_nothing(host):
    done = host.run("true", options=["--allow-host-compat", "--json"])
    assert done.code == 0, done
    assert done.json["execution_mode"] == "guest_serial"
    done = host.run("true", options=["--allow-host-compat", "--boot", "cold"], env={"PYRO_QEMU": "/does/not/exist"})
    assert done.code == 125, done
    assert done.out == b""


def test_no_command(host):
    for words in (["run", "debian:12"], ["run", "debian:12", "--"], ["run", "debian:12", "--", ""]):
        done = host.pyro(*words)
        assert done.code == 125, words
        assert done.text.startswith("pyro: "), done


def test_a_machine_larger_than_the_budget_is_refused(host):
    done = host.run("true", options=["--mem-mib", "2048", "--json"], env={"PYRO_MEMORY_BUDGET_MIB": 1024})
    assert done.code == 125
    assert done.json["error"]["code"] == "limit"
    assert "--mem-mib" in done.json["error"]["hint"]


def test_other_commands_have_their_own_codes(host):
    assert host.pyro().code == 2
    assert host.pyro("no-such-command").code == 2
    assert host.pyro("env", "inspect", "debian:11").code == 1
