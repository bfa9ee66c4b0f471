"""The fixtures of the conformance suite, which itself speaks HTTP alone, over standard input and
output; and what a client there may do wrong."""

import json
import os
import signal
import subprocess
import threading

import client
import pytest

BOTH = pytest.mark.parametrize("era", ["modern", "legacy"])
CAPABILITIES = {"elicitation": {}, "sampling": {}, "roots": {}}


@pytest.fixture
def server():
    with client.stdio() as started:
        yield started
        assert started.child.poll() is not None or started.end() == 0


class Era:
    """A session in which both eras look alike."""

    def __init__(self, server, era):
        self.server, self.modern = server, era == "modern"
        if not self.modern:
            server.initialize(CAPABILITIES)

    def call(self, method, **params):
        if self.modern:
            return self.server.modern(method, params, CAPABILITIES)
        return self.server.call(method, params)

    def result(self, method, **params):
        answer = self.call(method, **params)
        assert "result" in answer, answer
        assert ("resultType" in answer["result"]) == self.modern
        return answer["result"]

    def tool(self, name, **arguments):
        return self.result("tools/call", name=name, arguments=arguments)["content"]


@BOTH
def test_lists(server, era):
    session = Era(server, era)
    tools = session.result("tools/list")["tools"]
    assert all(t["name"] and t["description"] and t["inputSchema"]["type"] == "object" for t in tools)
    assert tools == session.result("tools/list")["tools"]
    assert {r["uri"] for r in session.result("resources/list")["resources"]} >= {"test://static-text"}
    assert len(session.result("resources/templates/list")["resourceTemplates"]) == 1
    assert {p["name"] for p in session.result("prompts/list")["prompts"]} >= {"test_simple_prompt"}


@BOTH
def test_every_kind_of_content(server, era):
    session = Era(server, era)
    assert session.tool("test_simple_text")[0]["text"] == "This is a simple text response for testing."
    assert session.tool("test_image_content")[0]["mimeType"] == "image/png"
    assert session.tool("test_audio_content")[0]["mimeType"] == "audio/wav"
    assert session.tool("test_embedded_resource")[0]["resource"]["uri"] == "test://embedded-resource"
    assert [c["type"] for c in session.tool("test_multiple_content_types")] == ["text", "image", "resource"]
    assert session.result("tools/call", name="test_error_handling")["isError"] is True


@BOTH
def test_resources_prompts_and_completion(server, era):
    session = Era(server, era)
    assert session.result("resources/read", uri="test://static-text")["contents"][0]["text"]
    assert session.result("resources/read", uri="test://static-binary")["contents"][0]["blob"]
    read = session.result("resources/read", uri="test://template/123/data")["contents"][0]
    assert json.loads(read["text"])["id"] == "123"
    missing = session.call("resources/read", uri="test://nothing")["error"]
    assert missing["code"] == (-32602 if session.modern else -32002) and missing["data"]["uri"] == "test://nothing"
    got = session.result("prompts/get", name="test_prompt_with_arguments", arguments={"arg1": "a", "arg2": "b"})
    assert got["messages"][0]["content"]["text"] == "Prompt with arguments: arg1='a', arg2='b'"
    ref = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
    assert session.result("completion/complete", ref=ref, argument={"name": "arg1", "value": "x"})["completion"]


@BOTH
def test_progress(server, era):
    Era(server, era)
    params = {"name": "test_tool_with_progress", "arguments": {}, "_meta": {"progressToken": "t"}}
    if era == "modern":
        params["_meta"] = client.meta(progressToken="t")
    number = server.request("tools/call", params)
    seen = [server.next(lambda m: m.get("method") == "notifications/progress")["params"] for _ in range(3)]
    assert [p["progress"] for p in seen] == [0, 50, 100] and {p["progressToken"] for p in seen} == {"t"}
    assert "result" in server.answer(number)


def test_logging_of_both_eras(server):
    Era(server, "legacy").tool("test_tool_with_logging")
    lines = [server.next(lambda m: m.get("method") == "notifications/message") for _ in range(3)]
    assert [line["params"]["level"] for line in lines] == ["info"] * 3
    assert server.call("logging/setLevel", {"level": "error"})["result"] == {}
    server.call("tools/call", {"name": "test_tool_with_logging"})
    server.modern("tools/call", {"name": "test_tool_with_logging"})
    assert not [m for m in server.kept if m.get("method") == "notifications/message"]
    server.modern("tools/call", {"name": "test_tool_with_logging"}, **{client.META + "logLevel": "debug"})
    assert server.next(lambda m: m.get("method") == "notifications/message")


def test_the_older_era_is_asked_by_requests(server):
    server.initialize(CAPABILITIES)
    number = server.request("tools/call", {"name": "test_elicitation", "arguments": {"message": "who?"}})
    question = server.next(lambda m: m.get("method") == "elicitation/create")
    assert question["params"]["message"] == "who?"
    server.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"username": "u"}}})
    assert '"username":"u"' in server.answer(number)["result"]["content"][0]["text"]


def test_the_newer_era_is_asked_by_results(server):
    first = server.modern("tools/call", {"name": "test_input_required_result_multi_round"}, CAPABILITIES)["result"]
    assert first["resultType"] == "input_required"
    answers = {"step1": {"action": "accept", "content": {"name": "Alice"}}}
    params = {"name": "test_input_required_result_multi_round", "inputResponses": answers}
    second = server.modern("tools/call", {**params, "requestState": first["requestState"]}, CAPABILITIES)["result"]
    assert second["requestState"] != first["requestState"]
    params["inputResponses"] = {"step2": {"action": "accept", "content": {"color": "blue"}}}
    tampered = server.modern("tools/call", {**params, "requestState": second["requestState"] + "x"}, CAPABILITIES)
    assert tampered["error"]["code"] == -32602
    last = server.modern("tools/call", {**params, "requestState": second["requestState"]}, CAPABILITIES)["result"]
    assert last["content"][0]["text"] == "name=Alice color=blue"
    refused = server.modern("tools/call", {"name": "test_missing_capability"})["error"]
    assert refused["code"] == -32021 and "sampling" in refused["data"]["requiredCapabilities"]


def test_changes_reach_those_who_listen(server):
    number = server.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}, "_meta": client.meta()})
    tag = {client.META + "subscriptionId": number}
    acknowledged = server.next()
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"] == {"_meta": tag, "notifications": {"toolsListChanged": True}}
    server.modern("tools/call", {"name": "test_trigger_prompt_change"})
    server.modern("tools/call", {"name": "test_trigger_tool_change"})
    changed = server.next(lambda m: "method" in m)
    assert (changed["method"], changed["params"]["_meta"]) == ("notifications/tools/list_changed", tag)
    server.child.stdin.close()
    assert server.answer(number)["result"]["_meta"][client.META + "subscriptionId"] == number
    assert server.child.wait(timeout=client.LIMIT) == 0


# ---- what a client may do wrong


def test_malformed_lines_are_told_and_the_next_is_served(server):
    for line, code in [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000 + b"]" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":7}', -32600),
        (b"{" + b'"a":{' * 40 + b"}" * 41, -32700),
    ]:
        server.send_line(line)
        assert server.next()["error"]["code"] == code, line[:60]
    server.send_line(b"")  # no message, no answer
    assert server.call("ping")["result"] == {}


def test_a_line_of_64_mb_is_refused_and_not_kept(server):
    before = memory_kib(server.child.pid)
    server.send_line(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"' + b"x" * (64 << 20) + b'"}}')
    assert server.next()["error"]["code"] == -32600
    assert server.call("ping")["result"] == {}
    assert memory_kib(server.child.pid) - before < 64 << 10


def memory_kib(pid):
    """The most that a process ever had; 0 when it has just ended."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)


def test_unknown_fields_unknown_tools_and_wrong_types(server):
    number = 77
    server.send({"jsonrpc": "2.0", "id": number, "method": "ping", "extra": [1], "params": {"more": {}}})
    assert server.answer(number)["result"] == {}
    assert server.modern("tools/call", {"name": "nobody"})["error"]["code"] == -32602
    assert server.modern("tools/call", {"name": 7})["error"]["code"] == -32602
    assert server.modern("tools/call", {"name": "test_echo", "arguments": "x"})["error"]["code"] == -32602
    assert server.modern("no/such")["error"]["code"] == -32601
    assert server.modern("ping", version="1900-01-01")["error"]["data"]["requested"] == "1900-01-01"
    assert server.call("tools/list")["error"]["code"] == -32600  # neither era was begun


def test_answers_and_cancellations_of_nothing_change_nothing(server):
    for number in (1, 4711, "x"):
        server.send({"jsonrpc": "2.0", "id": number, "result": {}})
        server.notify("notifications/cancelled", {"requestId": number})
    server.notify("notifications/of/the/future")
    assert server.call("ping")["result"] == {}
    assert not server.kept


def test_both_eras_on_one_connection(server):
    assert server.modern("server/discover")["result"]["supportedVersions"][0] == client.MODERN
    assert server.initialize(version="2025-06-18")["protocolVersion"] == "2025-06-18"
    assert "ttlMs" not in server.call("tools/list")["result"]
    assert "ttlMs" in server.modern("tools/list")["result"]
    assert server.modern("ping")["error"]["code"] == -32601
    assert server.call("ping")["result"] == {}


def test_a_cancelled_call_ends_and_is_not_answered(server):
    waiting = server.request("tools/call", {"name": "test_echo", "arguments": {"wait_ms": 3_600_000}, "_meta": client.meta()})
    twice = server.request("tools/list", {"_meta": client.meta()}, number=waiting)
    assert twice == waiting
    assert "under way" in server.next(lambda m: "id" not in m)["error"]["message"]
    for _ in range(2):
        server.notify("notifications/cancelled", {"requestId": waiting})
    # Its thread is free again, and the id too.
    assert server.answer(server.request("tools/list", {"_meta": client.meta()}, number=waiting))["result"]["tools"]
    assert server.end() == 0
    assert not server.kept and server.messages.get(timeout=client.LIMIT) is None


def test_the_end_of_the_input_ends_calls_and_answers_them(server):
    waiting = server.request("tools/call", {"name": "test_echo", "arguments": {"wait_ms": 3_600_000}, "_meta": client.meta()})
    server.child.stdin.close()
    assert server.answer(waiting)["result"]["content"][0]["text"] == "interrupted"
    assert server.child.wait(timeout=client.LIMIT) == 0


def test_a_signal_ends_it_in_order(server):
    server.modern("server/discover")
    server.child.send_signal(signal.SIGTERM)
    assert server.child.wait(timeout=client.LIMIT) == 0


def test_a_client_that_never_reads_is_ended_within_bounds():
    """Nothing is read from the server's output: it must neither grow nor hang."""
    read_end, write_end = os.pipe()
    child = subprocess.Popen([client.fixture_server()], stdin=subprocess.PIPE, stdout=write_end, stderr=subprocess.PIPE, bufsize=0)
    os.close(write_end)
    most = 0
    try:
        with pytest.raises(BrokenPipeError):
            for number in range(1_000_000):
                params = {"name": "test_large_result", "_meta": client.meta()}
                call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
                child.stdin.write(json.dumps(call).encode() + b"\n")
                if number % 1000 == 0 and child.poll() is None:
                    most = max(most, memory_kib(child.pid))
        assert child.wait(timeout=client.LIMIT) == 1
        assert b"does not read" in child.stderr.read()
        assert most < 512 << 10
    finally:
        child.kill()
        child.wait(timeout=client.LIMIT)
        child.stderr.close()
        child.stdin.close()
        os.close(read_end)


def test_a_thousand_calls_from_eight_threads_are_answered_each_with_its_own(server):
    def work(thread):
        for number in range(thread * 1000, thread * 1000 + 125):
            params = {"name": "test_echo", "arguments": {"of": number}, "_meta": client.meta()}
            server.request("tools/call" if number % 5 else "tools/list", params, number=number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=client.LIMIT)
    answers = [server.next() for _ in range(1000)]
    assert len({a["id"] for a in answers}) == 1000
    for answer in answers:
        if answer["id"] % 5:
            assert json.loads(answer["result"]["content"][0]["text"]) == {"of": answer["id"]}
        else:
            assert answer["result"]["tools"]
