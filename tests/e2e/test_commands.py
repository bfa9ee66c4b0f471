"""env, doctor, demo, and what an installation has besides."""

import concurrent.futures
import gzip
import json
import re
import subprocess

import harness
import pytest

NAMES = ["debian:12", "debian:12-base", "debian:12-build"]


def test_env_list(host):
    done = host.pyro("env", "list")
    lines = done.out.decode().splitlines()
    assert done.code == 0
    assert re.fullmatch(r"Catalog version: \d+\.\d+\.\d+", lines[0])
    assert lines[1] == "debian:12 [installed] Debian 12 environment with Git preinstalled for common agent workflows."
    assert [line.split()[0] for line in lines[1:]] == NAMES
    assert all(re.match(r"\S+ \[(not )?installed\] (Minimal )?Debian 12 environment ", line) for line in lines[1:])


def test_env_list_json(host):
    answer = host.pyro("env", "list", "--json").json
    assert set(answer) == {"catalog_version", "environments"}
    assert [entry["name"] for entry in answer["environments"]] == NAMES
    first = answer["environments"][0]
    assert first["installed"] is True and first["damage"] is None
    assert first["size_bytes"] > 50 << 20
    assert first["install_dir"] == str(host.install_dir)


def test_env_inspect(host):
    done = host.pyro("env", "inspect", "debian:12")
    assert done.code == 0
    fields = dict(line.split(": ", 1) for line in done.out.decode().splitlines())
    assert fields["Environment"] == "debian:12"
    assert fields["Installed"] == "yes"
    assert fields["Default packages"] == "bash, coreutils, git"
    assert fields["Install manifest"] == str(host.install_dir / "environment.json")
    manifest = json.loads((host.install_dir / "environment.json").read_text())
    assert manifest
    answer = host.pyro("env", "inspect", "debian:12", "--json").json
    assert answer["kernel_image"] == fields["Kernel image"] == str(host.install_dir / "vmlinuz")


def test_env_inspect_of_what_is_not_installed(private):
    answer = private.pyro("env", "inspect", "debian:12-build", "--json").json
    assert answer["installed"] is False and answer["damage"] is None


def test_env_pull_of_what_is_there_fetches_nothing(host):
    done = host.pyro("env", "pull", "debian:12", env={"PYRO_DEBIAN_MIRROR": "http://127.0.0.1:9/"})
    assert done.code == 0, done
    assert done.out.decode().startswith("Pulled: debian:12\n")
    assert "[pull] phase=install environment=debian:12\n" in done.text
    assert "[pull] phase=ready environment=debian:12\n" in done.text


def test_doctor(host):
    done = host.pyro("doctor")
    lines = done.out.decode().splitlines()
    assert done.code == 0, done
    assert lines[0] == "Platform: linux-x86_64"
    assert lines[1] == "Runtime: PASS"
    assert re.match(r"KVM: exists=(yes|no) readable=(yes|no) writable=(yes|no) usable=(yes|no)", lines[2])
    assert lines[3] == f"Environment cache: {host.cache}/environments"
    assert lines[4] == "Capabilities: vm_boot=yes guest_exec=yes guest_network=yes"
    assert lines[5].startswith("Networking: engine=userspace")


def test_doctor_json(host):
    done = host.pyro("doctor", "--json")
    report = done.json
    assert done.code == 0
    assert report["runtime_ok"] is True
    assert report["capabilities"] == {"guest_exec": True, "guest_network": True, "vm_boot": True}
    assert report["networking"] == {"engine": "userspace"}
    assert report["qemu"]["supported"] is True
    assert report["isolation"]["user_namespaces"] is True and report["isolation"]["seccomp"] is True
    assert report["isolation"]["boundary"] in ("jail", "kvm+jail")
    assert harness.real_issues(report) == []


def test_doctor_measures_again_when_asked(private):
    assert private.pyro("doctor", "--fresh").code == 0
    assert (private.cache / "host.json").exists()


def test_doctor_without_the_network_engine(host, tmp_path):
    """Guests still run; what they lack is said, with the way out."""
    libexec = tmp_path / "libexec"
    libexec.mkdir()
    for helper in harness.LIBEXEC.iterdir():
        if helper.name != "pyro-net":
            (libexec / helper.name).symlink_to(helper)
    report = host.pyro("doctor", "--json", env={"PYRO_LIBEXEC": libexec}).json
    assert report["capabilities"] == {"guest_exec": True, "guest_network": False, "vm_boot": True}
    assert f"{libexec}/pyro-net is missing; reinstall pyro" in report["issues"]


def test_demo(host):
    done = host.pyro("demo")
    text = done.out.decode() + done.text
    assert done.code == 0, done
    places = [text.index(word) for word in ("create", "start", "exec", "delete")]
    assert places == sorted(places)
    assert "git version " in text
    host.assert_nothing_left()


def test_demo_with_a_network(host):
    answer = host.pyro("demo", "--network", "--json").json
    assert (answer["exit_code"], answer["deleted"]) == (0, True)
    host.assert_nothing_left()


def test_demo_json(host):
    done = host.pyro("demo", "--json")
    answer = done.json
    assert done.code == 0
    assert [step["name"] for step in answer["steps"]] == ["create", "start", "exec", "delete"]
    assert answer["stdout"].startswith("git version ")
    assert (answer["exit_code"], answer["deleted"], answer["environment"]) == (0, True, "debian:12")


def test_a_hundred_runs_at_once_queue_and_all_succeed(host):
    """With room for three machines. The timeout does not count the wait."""
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        runs = list(
            pool.map(
                lambda _: host.run("true", options=["--timeout-seconds", "10"], timeout=500, env={"PYRO_MEMORY_BUDGET_MIB": 3072}),
                range(100),
            )
        )
    assert [run.code for run in runs] == [0] * 100, next(run for run in runs if run.code)
    queued = [run for run in runs if "[run] phase=queue environment=debian:12 detail=" in run.text]
    assert len(queued) >= 50
    assert len({re.search(r"vm-[0-9a-f]{10}", run.text).group() for run in runs}) == 100


def test_waiting_for_room_can_be_interrupted(host):
    budget = {"PYRO_MEMORY_BUDGET_MIB": 1024}
    first = host.start_run("sh", "-c", "echo ready; sleep 1000", options=["--timeout-seconds", "100"], env=budget)
    with harness.ending(first):
        harness.read_until(first.stdout, b"ready\n")
        second = host.start_run("true", env=budget)
        with harness.ending(second):
            harness.read_until(second.stderr, b"phase=queue")
            second.terminate()
            assert harness.finish(second, 20).code == 143
        first.kill()


def test_version_and_help(host):
    assert re.fullmatch(r"pyro \d+\.\d+\.\d+\S*\n", host.pyro("--version").out.decode())
    for words in ([], ["run"], ["env"], ["env", "pull"], ["doctor"], ["demo"], ["completion"]):
        done = host.pyro(*words, "--help")
        assert done.code == 0, words
        assert done.out.decode().strip(), words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(host, shell):
    done = host.pyro("completion", shell)
    assert done.code == 0
    assert b"pyro" in done.out


def test_bash_completes_environments(host):
    script = 'source <("$0" completion bash); COMP_WORDS=(pyro run deb); COMP_CWORD=2; COMP_LINE="pyro run deb"; ' \
        'COMP_POINT=12; $(complete -p pyro | sed "s/.*-F \\([^ ]*\\).*/\\1/") pyro deb run; printf "%s\\n" "${COMPREPLY[@]}"'  # fmt: skip
    env = dict(host.env, PATH=f"{harness.PREFIX}/bin:{host.env['PATH']}")
    done = subprocess.run(["bash", "-c", script, harness.PYRO], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert any("debian" in line or "12" in line for line in done.stdout.splitlines()), done


def test_the_installation_has_completions_and_a_manual_page():
    share = harness.PREFIX / "share"
    for path in ("bash-completion/completions/pyro", "zsh/vendor-completions/_pyro", "fish/vendor_completions.d/pyro.fish"):
        assert list(share.rglob(path.split("/")[-1])), path
    pages = list(share.glob("man/man1/pyro.1*"))
    assert len(pages) == 1
    data = pages[0].read_bytes()
    text = gzip.decompress(data) if pages[0].suffix == ".gz" else data
    assert b".TH" in text and b"PYRO" in text.upper()


def test_the_agent_is_small():
    assert (harness.LIBEXEC / "pyro-agent").stat().st_size <= 2_500_000
