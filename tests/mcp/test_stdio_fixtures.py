"""Every fixture of the conformance suite over standard input and output, in both eras.

The suite speaks HTTP alone; what it asks of the same fixtures there is asked of them here.
"""

import client
import pytest

CAPABILITIES = {"elicitation": {}, "sampling": {}, "roots": {}}
IMAGE, TEXT = {"type": "image", "mimeType": "image/png"}, {"type": "text"}


def accept(**content):
    return {"action": "accept", "content": content}


def sampled(text):
    return {"role": "assistant", "model": "m", "content": {"type": "text", "text": text}}


ROOTS = {"roots": [{"uri": "file:///work"}]}
# Of each tool: its arguments, what its client answers to each question, and the text at the end.
TOOLS = {
    "test_simple_text": ({}, [], "This is a simple text response for testing."),
    "json_schema_2020_12_tool": ({"email": "a@b"}, [], "fine"),
    "test_echo": ({"a": [1]}, [], '{"a":[1]}'),
    "test_tool_with_progress": ({}, [], "Tool with progress executed."),
    "test_tool_with_logging": ({}, [], "Tool with logging executed."),
    "test_logging_tool": ({}, [], "Tool with logging executed."),
    "test_sampling": ({"prompt": "hi"}, [sampled("hello")], "LLM response: hello"),
    "test_elicitation": ({"message": "who?"}, [accept(username="u")], 'User response: {"action":"accept","content":{"username":"u"}}'),
    "test_elicitation_sep1034_defaults": ({}, [accept(age=3)], 'Elicitation completed: action=accept, content={"age":3}'),
    "test_elicitation_sep1330_enums": ({}, [{"action": "decline"}], "Elicitation completed: action=decline, content={}"),
    "test_missing_capability": ({}, [sampled("x")], "sampled"),
    "test_streaming_elicitation": ({}, [accept(ok=True)], "gone on"),
    "test_input_required_result_elicitation": ({}, [accept(name="Alice")], "Hello, Alice!"),
    "test_input_required_result_sampling": ({}, [sampled("Paris")], "Paris"),
    "test_input_required_result_list_roots": ({}, [ROOTS], 'Roots: {"roots":[{"uri":"file:///work"}]}'),
    "test_input_required_result_request_state": ({}, [accept(ok=True)], "state-ok"),
    "test_input_required_result_tampered_state": ({}, [accept(ok=True)], "state-ok"),
    "test_input_required_result_multiple_inputs": ({}, [accept(name="A"), sampled("hi"), ROOTS], "all three are there"),
    "test_input_required_result_multi_round": ({}, [accept(name="A"), accept(color="blue")], "name=A color=blue"),
    "test_input_required_result_capabilities": ({}, [accept(name="A"), sampled("hi"), ROOTS], "done"),
}
CONTENT = {
    "test_image_content": [IMAGE],
    "test_audio_content": [{"type": "audio", "mimeType": "audio/wav"}],
    "test_embedded_resource": [{"type": "resource"}],
    "test_multiple_content_types": [TEXT, IMAGE, {"type": "resource"}],
}
# Tested one by one in test_stdio.py.
ELSEWHERE = {"test_error_handling", "test_large_result", "test_trigger_tool_change", "test_trigger_prompt_change"}
PROMPTS = {
    "test_simple_prompt": ({}, [], [TEXT]),
    "test_prompt_with_arguments": ({"arg1": "a", "arg2": "b"}, [], [TEXT]),
    "test_prompt_with_embedded_resource": ({"resourceUri": "test://x"}, [], [{"type": "resource"}, TEXT]),
    "test_prompt_with_image": ({}, [], [IMAGE, TEXT]),
    "test_input_required_result_prompt": ({}, [accept(context="tests")], [TEXT]),
}
METHODS = {"elicitation/create", "sampling/createMessage", "roots/list"}


@pytest.fixture(params=["modern", "legacy"])
def session(request):
    with client.stdio() as server:
        if request.param == "legacy":
            server.initialize(CAPABILITIES)
        yield Modern(server) if request.param == "modern" else Legacy(server)
        assert server.end() == 0


class Modern:
    """Questions are results; the call is made again with the answers."""

    def __init__(self, server):
        self.server = server

    def play(self, method, params, answers):
        more, left = {}, list(answers)
        while True:
            result = self.server.modern(method, {**params, **more}, CAPABILITIES)["result"]
            if result["resultType"] != "input_required":
                assert not left
                return result
            asked = result["inputRequests"]
            assert all(question["method"] in METHODS for question in asked.values())
            more = {"inputResponses": {key: left.pop(0) for key in asked}}
            if "requestState" in result:
                more["requestState"] = result["requestState"]


class Legacy:
    """Questions are requests of the server."""

    def __init__(self, server):
        self.server = server

    def play(self, method, params, answers):
        number, left = self.server.request(method, params), list(answers)
        while True:
            message = self.server.next(lambda m: m.get("id") == number and "method" not in m or m.get("method") in METHODS)
            if "method" not in message:
                assert not left
                return message["result"]
            self.server.send({"jsonrpc": "2.0", "id": message["id"], "result": left.pop(0)})


def kinds(contents, wanted):
    return [{key: content[key] for key in kind} for content, kind in zip(contents, wanted, strict=True)]


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_answers_and_asks(session, name):
    arguments, answers, text = TOOLS[name]
    result = session.play("tools/call", {"name": name, "arguments": arguments}, answers)
    assert [content["text"] for content in result["content"]] == [text]
    assert not result.get("isError")


@pytest.mark.parametrize("name", CONTENT)
def test_a_tool_has_every_kind_of_content(session, name):
    result = session.play("tools/call", {"name": name, "arguments": {}}, [])
    assert kinds(result["content"], CONTENT[name]) == CONTENT[name]
    for content in result["content"]:
        assert content.get("text") or content.get("data") or content["resource"]["uri"].startswith("test://")


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_answers_and_asks(session, name):
    arguments, answers, wanted = PROMPTS[name]
    messages = session.play("prompts/get", {"name": name, "arguments": arguments}, answers)["messages"]
    assert kinds([message["content"] for message in messages], wanted) == wanted
    assert all(message["role"] == "user" for message in messages)


def test_no_fixture_is_left_out(session):
    assert {tool["name"] for tool in session.play("tools/list", {}, [])["tools"]} == TOOLS.keys() | CONTENT.keys() | ELSEWHERE
    assert {prompt["name"] for prompt in session.play("prompts/list", {}, [])["prompts"]} == PROMPTS.keys()
    for uri in {resource["uri"] for resource in session.play("resources/list", {}, [])["resources"]}:
        assert session.play("resources/read", {"uri": uri}, [])["contents"][0]["uri"] == uri
