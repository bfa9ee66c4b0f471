"""Calls of Pyro: arguments, results, errors, Ctrl-C, threads and forks."""

import asyncio
import os
import signal
import threading

import pytest
from conftest import wait_until, waits_for_the_end_of_a_call
from pyro_mcp import AsyncPyro, Progress, Pyro, PyroError, _session, errors


def test_what_is_not_given_is_left_out(api):
    api.on["workspace.exec"] = lambda call: {"exit_code": 0}
    with Pyro() as pyro:
        assert pyro.exec_workspace("w", command=["true"], env={"A": "b"}) == {"exit_code": 0}
    ((_, arguments),) = api.calls
    assert arguments["workspace_id"] == "w" and arguments["command"] == ["true"] and arguments["env"] == {"A": "b"}
    assert arguments["timeout_seconds"] == 30
    assert "secret_env" not in arguments


def test_rules_alone_make_a_policy(api):
    api.on["run"] = api.on["workspace.create"] = lambda call: {}
    with Pyro() as pyro:
        pyro.run_in_vm("debian:12", command="true", net_allow=["example.com:443"])
        pyro.create_workspace("debian:12", network_policy="egress")
    assert "network_policy" not in api.calls[0][1], "off with rules would be refused"
    assert api.calls[1][1]["network_policy"] == "egress"


def test_a_policy_off_that_is_said_is_passed_on(api):
    for name in ("run", "create_vm", "workspace.create", "workspace.delete", "workspace.network.set", "policy.explain"):
        api.on[name] = lambda call: {"workspace_id": "w"}
    said = {"network_policy": "off", "net_deny": ["example.com:443"]}
    with Pyro() as pyro:
        pyro.run_in_vm("debian:12", command="true", **said)
        assert pyro.stream_run_in_vm("debian:12", command="true", **said).result
        pyro.create_vm("debian:12", **said)
        pyro.create_workspace("debian:12", **said)
        with pyro.workspace("debian:12", **said) as workspace:
            workspace.set_network(network_policy="off")
        pyro.set_workspace_network("w", network_policy="".join(("o", "ff")))
        pyro.explain_policy(network_policy="off", endpoints=["tcp://example.com:443"])
    asyncio.run(AsyncPyro().run_in_vm("debian:12", command="true", **said))
    calls = [arguments for name, arguments in api.calls if name != "workspace.delete"]
    assert [arguments.get("network_policy") for arguments in calls] == ["off"] * 9


@pytest.mark.parametrize(
    "code, kind",
    [
        ("invalid", errors.Invalid),
        ("not_found", errors.NotFound),
        ("denied", errors.Denied),
        ("unavailable", errors.Unavailable),
        ("deadline", errors.DeadlineExceeded),
        ("limit", errors.LimitReached),
        ("conflict", errors.Conflict),
        ("damaged", errors.Damaged),
        ("internal", errors.Internal),
        ("of a newer version", errors.Internal),
    ],
)
def test_each_code_has_its_exception(api, code, kind):
    def fail(call):
        raise errors.make(code, "it went wrong", "do this")

    api.on["status_vm"] = fail
    with Pyro() as pyro, pytest.raises(kind) as caught:
        pyro.status_vm("x")
    assert isinstance(caught.value, PyroError)
    assert (caught.value.message, caught.value.hint) == ("it went wrong", "do this")
    assert str(caught.value) == "it went wrong\nhint: do this"


def test_progress_and_warnings_come_to_the_thread_that_waits(api):
    def run(call):
        call.deliver("progress", ("pull", "of debian:12", 0.5))
        call.deliver("warning", "mind this")
        return {}

    api.on["run"] = run
    heard = []
    pyro = Pyro(
        on_progress=lambda p: heard.append((p, threading.current_thread())),
        on_warning=lambda w: heard.append((w, threading.current_thread())),
    )
    pyro.run_in_vm("debian:12", command="true")
    here = threading.current_thread()
    assert heard == [(Progress("pull", "of debian:12", 0.5), here), ("mind this", here)]


def test_an_error_of_a_callback_gives_the_call_up(api):
    pressed = []

    def run(call):
        call.deliver("warning", "mind this")
        call.wait_for_interrupt()
        pressed.append(True)
        return {}

    api.on["run"] = run

    def refuse(warning):
        raise ValueError(warning)

    with pytest.raises(ValueError, match="mind this"):
        Pyro(on_warning=refuse).run_in_vm("debian:12", command="true")
    assert pressed == [True]


def test_ctrl_c_ends_the_command_in_order(api):
    ended = []

    def run(call):
        os.kill(os.getpid(), signal.SIGINT)
        call.wait_for_interrupt()
        ended.append("in order")
        return {"exit_code": 130}

    api.on["workspace.exec"] = run
    with Pyro() as pyro:
        with pytest.raises(KeyboardInterrupt):
            pyro.exec_workspace("w", command="sleep 100")
        assert ended == ["in order"]


def test_a_second_ctrl_c_waits_for_the_end_as_well(api, press_again):
    ended = []

    def run(call):
        os.kill(os.getpid(), signal.SIGINT)
        call.wait_for_interrupt()
        press_again()
        wait_until(waits_for_the_end_of_a_call)
        ended.append("in order")
        return {}

    api.on["workspace.exec"] = run
    with Pyro() as pyro, pytest.raises(KeyboardInterrupt):
        pyro.exec_workspace("w", command="trap '' INT; sleep 100")
    assert ended == ["in order"]


def test_a_third_ctrl_c_leaves_a_call_that_does_not_end(api, press_again):
    go_on = threading.Event()

    def run(call):
        os.kill(os.getpid(), signal.SIGINT)
        call.wait_for_interrupt()
        press_again()
        press_again()
        go_on.wait(60)
        return {}

    api.on["workspace.exec"] = run
    try:
        with pytest.raises(KeyboardInterrupt):
            Pyro().exec_workspace("w", command="true")
    finally:
        go_on.set()
    wait_until(lambda: not _session._live)


def test_after_close_every_call_is_refused(api):
    pyro = Pyro()
    pyro.close()
    pyro.close()
    with pytest.raises(errors.Conflict, match="this Pyro is closed"):
        pyro.list_environments()
    assert api.calls == []


def test_two_threads_call_at_once(api):
    both = threading.Barrier(2, timeout=60)

    def answer(call):
        both.wait()  # passes only when the other is in its call too
        return {"vm_id": call.arguments["vm_id"]}

    api.on["status_vm"] = answer
    found = {}
    with Pyro() as pyro:

        def ask(name):
            found[name] = pyro.status_vm(name)["vm_id"]

        threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == {"a": "a", "b": "b"}


def in_fork(work):
    """True when `work()` returned True in a fork of this process."""
    pid = os.fork()
    if pid == 0:
        good = False
        try:
            good = work()
        finally:
            os._exit(0 if good else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_fork_is_refused_and_told_what_to_do(api):
    api.on["env.list"] = lambda call: {}
    pyro = Pyro()

    def work():
        try:
            pyro.list_environments()
        except errors.Conflict as error:
            return "its fork" in error.message and "make a new Pyro" in error.hint
        return False

    assert in_fork(work)
    assert pyro.list_environments() == {}, "the first process goes on"


def test_a_fork_leaves_the_calls_of_its_parent_alone(api):
    started, go_on = threading.Event(), threading.Event()

    def run(call):
        started.set()
        go_on.wait(60)
        return {"interrupted": call.interrupted()}

    api.on["exec_vm"] = run
    pyro = Pyro()
    stream = pyro.stream_exec_vm("v", command="true")
    assert started.wait(60)

    def work():
        _session._end_all()  # what the end of an interpreter does
        stream.interrupt()
        stream.__del__()
        return True

    assert in_fork(work)
    go_on.set()
    assert stream.result == {"interrupted": False}


def test_the_end_of_the_interpreter_ends_calls_in_order(api):
    started, ended = threading.Event(), []

    def run(call):
        started.set()
        call.wait_for_interrupt()
        ended.append(True)
        return {}

    api.on["exec_vm"] = run
    stream = Pyro().stream_exec_vm("v", command="true")
    assert started.wait(60)
    _session._end_all()
    assert ended == [True]
    assert stream.result == {}


def test_ctrl_c_at_the_end_of_the_interpreter_leaves_no_call_behind(api, press_again):
    started, pressed, ended = threading.Barrier(3, timeout=60), threading.Event(), []

    def run(call):
        started.wait()
        call.wait_for_interrupt()
        if call.arguments["vm_id"] == "presses":
            press_again()
            pressed.set()
        pressed.wait(60)
        wait_until(waits_for_the_end_of_a_call)
        ended.append(True)
        return {}

    api.on["exec_vm"] = run
    pyro = Pyro()
    streams = [pyro.stream_exec_vm(name, command="true") for name in ("presses", "waits")]
    started.wait()
    with pytest.raises(KeyboardInterrupt):
        _session._end_all()
    assert ended == [True, True]
    assert [stream.result for stream in streams] == [{}, {}]


def test_ctrl_c_before_the_call_began_leaves_nothing(api, monkeypatch):
    started = []

    def too_late(function, arguments):
        started.append((function, arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(_session._thread, "start_new_thread", too_late)
    with pytest.raises(KeyboardInterrupt):
        Pyro().exec_vm("v", command="true")
    with pytest.raises(KeyboardInterrupt):
        Pyro().stream_exec_vm("v", command="true")
    for function, arguments in started:
        function(*arguments)  # the thread comes after all
    assert api.calls == []


def test_a_workspace_is_deleted_at_the_end_of_its_block(api):
    api.on["workspace.create"] = lambda call: {"workspace_id": "w-1"}
    api.on["workspace.delete"] = lambda call: {}
    api.on["workspace.exec"] = lambda call: {"exit_code": 0}
    with Pyro() as pyro:
        with pytest.raises(ZeroDivisionError), pyro.workspace("debian:12", name="fix") as workspace:
            assert workspace.id == "w-1"
            workspace.exec(command="true")
            1 / 0
    assert [name for name, _ in api.calls] == ["workspace.create", "workspace.exec", "workspace.delete"]
    assert api.calls[0][1]["name"] == "fix"
    assert api.calls[1][1]["workspace_id"] == api.calls[2][1]["workspace_id"] == "w-1"


def test_a_block_may_delete_its_workspace_itself(api):
    gone = []

    def delete(call):
        if gone:
            raise errors.NotFound("there is no workspace w-1")
        gone.append(True)
        return {}

    api.on["workspace.create"] = lambda call: {"workspace_id": "w-1"}
    api.on["workspace.delete"] = delete
    with Pyro() as pyro, pyro.workspace("debian:12") as workspace:
        workspace.delete()
    assert gone == [True]


def test_a_workspace_that_was_created_when_ctrl_c_came_is_deleted(api):
    def create(call):
        os.kill(os.getpid(), signal.SIGINT)
        call.wait_for_interrupt()
        return {"workspace_id": "w-1"}  # it was too late for that

    api.on["workspace.create"] = create
    api.on["workspace.delete"] = lambda call: {}
    with Pyro() as pyro, pytest.raises(KeyboardInterrupt), pyro.workspace("debian:12"):
        pytest.fail("the block must not begin")
    assert api.calls[1] == ("workspace.delete", {"workspace_id": "w-1"})


def test_ctrl_c_while_a_failed_create_is_ended_deletes_the_workspace(api, press_again):
    def create(call):
        call.deliver("warning", "mind this")
        call.wait_for_interrupt()
        press_again()
        return {"workspace_id": "w-1"}

    api.on["workspace.create"] = create
    api.on["workspace.delete"] = lambda call: {}

    def refuse(warning):
        raise ValueError(warning)

    with pytest.raises(KeyboardInterrupt), Pyro(on_warning=refuse).workspace("debian:12"):
        pytest.fail("the block must not begin")
    assert api.calls[1] == ("workspace.delete", {"workspace_id": "w-1"})


def test_a_workspace_outside_its_block_says_so(api):
    with pytest.raises(errors.Conflict, match="not created"):
        Pyro().workspace("debian:12").exec(command="true")
    wait_until(lambda: not _session._live)
