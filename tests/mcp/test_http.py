"""Streamable HTTP: who may speak, sessions of the older era, streams, and what a client may do wrong."""

import json
import socket

import client
import pytest

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def url():
    with client.http_server() as started:
        yield started


@pytest.fixture
def http(url):
    return client.Http(url)


def initialize(http):
    params = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "t", "version": "1"}}
    status, headers, messages = http.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    assert status == 200 and messages[0]["result"]["protocolVersion"] == "2025-11-25"
    return headers["Mcp-Session-Id"]


def test_dns_rebinding_is_refused(http):
    for name, value in [("Host", "evil.example.com"), ("Origin", "http://evil.example.com"), ("Origin", "null")]:
        status, _, messages = http.modern("server/discover", **{name: value})
        assert status == 403 and "id" not in messages[0], (name, value)
    assert http.modern("server/discover", Origin=f"http://{http.host}")[0] == 200


def test_a_token_of_any_other_length_or_text_is_refused():
    with client.http_server(TOKEN) as url:
        for token in (None, "", "x", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "x" * 8000):
            status, headers, _ = client.Http(url, token).modern("server/discover")
            assert status == 401 and headers["WWW-Authenticate"] == "Bearer", token
        assert client.Http(url, TOKEN).modern("server/discover")[0] == 200
        # Before a byte of the body.
        with socket.create_connection(client.Http(url).host.split(":"), timeout=client.LIMIT) as raw:
            raw.sendall(f"POST /mcp HTTP/1.1\r\nHost: {client.Http(url).host}\r\nContent-Length: 16000000\r\n\r\n".encode())
            assert raw.recv(1000).startswith(b"HTTP/1.1 401")


def test_methods_paths_and_types(http):
    discover = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": client.meta()}}
    for method in ("GET", "DELETE", "PUT", "OPTIONS"):
        assert http.post(discover, method=method)[0] == 405
    assert http.post(discover, Content_Type="text/plain")[0] == 415
    assert http.post(discover, Accept="text/html")[0] == 406
    assert http.post(discover, Content_Type=None)[0] == 415


def test_bodies_that_are_no_messages(http):
    empty = {}
    for body, code in [("{", -32700), ("[" * 100_000, -32700), ("[]", -32600), ("7", -32600), ("", -32700)]:
        status, _, messages = http.post(empty, body=body)
        assert status == 400 and messages[0]["error"]["code"] == code, body[:20]
    connection = http.connect()
    connection.putrequest("POST", "/mcp")
    for name, value in http.headers(empty).items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(64 << 20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_headers_of_the_stateless_era(http):
    assert http.modern("tools/list", Mcp_Method="prompts/list")[2][0]["error"]["code"] == -32020
    assert http.modern("tools/list", MCP_Protocol_Version=None)[2][0]["error"]["code"] == -32020
    assert http.modern("tools/call", {"name": "test_echo"}, Mcp_Name="other")[2][0]["error"]["code"] == -32020
    assert http.modern("tools/call", {"name": "test_echo"}, mcp_name="=?base64?dGVzdF9lY2hv?=", Mcp_Name=None)[0] == 200
    status, _, messages = http.modern("no/such")
    assert (status, messages[0]["error"]["code"]) == (404, -32601)
    status, headers, _ = http.modern("tools/list")
    assert status == 200 and "Mcp-Session-Id" not in headers


def test_sessions_of_the_older_era(http):
    session = initialize(http)
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert http.post(ask)[0] == 400
    assert http.post(ask, Mcp_Session_Id="0" * 64)[0] == 404
    assert http.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, Mcp_Session_Id=session)[0] == 202
    status, _, messages = http.post(ask, Mcp_Session_Id=session)
    assert status == 200 and messages[0]["result"]["tools"]
    assert http.post(ask, method="DELETE", Mcp_Session_Id=session)[0] == 204
    assert http.post(ask, Mcp_Session_Id=session)[0] == 404


def test_both_eras_on_one_connection(http):
    connection = http.connect()
    session = initialize(http)
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    for _ in range(3):
        modern = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": client.meta()}}
        assert "ttlMs" in http.post(modern, connection)[2][0]["result"]
        assert "ttlMs" not in http.post(ask, connection, Mcp_Session_Id=session)[2][0]["result"]
    connection.close()


def test_the_older_era_is_asked_on_the_stream_of_its_request(http):
    session = initialize(http)
    connection = http.connect()
    call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "test_elicitation", "arguments": {"message": "m"}}}
    connection.request("POST", "/mcp", json.dumps(call), http.headers(call, **{"Mcp-Session-Id": session}))
    response = connection.getresponse()
    question = next_event(response)
    assert question["method"] == "elicitation/create"
    answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
    assert http.post(answer, Mcp_Session_Id=session)[0] == 202
    assert "decline" in next_event(response)["result"]["content"][0]["text"]
    connection.close()


def next_event(response):
    while True:
        line = response.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            return json.loads(line[6:])


def test_a_closed_stream_cancels_the_request(http):
    """The tool waits an hour, or until it is given up: afterwards all threads are free."""
    for _ in range(70):  # more than there are threads
        connection = http.connect()
        params = {"name": "test_tool_with_progress", "arguments": {}, "_meta": client.meta(progressToken=1)}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        connection.request("POST", "/mcp", json.dumps(call), http.headers(call))
        assert next_event(connection.getresponse())["method"] == "notifications/progress"
        connection.close()
        connection = http.connect()
        params = {"name": "test_echo", "arguments": {"wait_ms": 3_600_000}, "_meta": client.meta()}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        connection.request("POST", "/mcp", json.dumps(call), http.headers(call))
        connection.close()
    assert http.modern("tools/call", {"name": "test_echo"})[0] == 200


def test_changes_reach_those_who_listen(http):
    connection = http.connect()
    params = {"notifications": {"toolsListChanged": True}, "_meta": client.meta()}
    call = {"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": params}
    connection.request("POST", "/mcp", json.dumps(call), http.headers(call))
    response = connection.getresponse()
    assert response.getheader("X-Accel-Buffering") == "no"
    assert next_event(response)["method"] == "notifications/subscriptions/acknowledged"
    assert http.modern("tools/call", {"name": "test_trigger_tool_change"})[0] == 200
    changed = next_event(response)
    assert changed["method"] == "notifications/tools/list_changed"
    assert changed["params"]["_meta"][client.META + "subscriptionId"] == "l"
    connection.close()


def test_a_stream_outside_of_requests_for_the_older_era(http):
    session = initialize(http)
    connection = http.connect()
    headers = {"Accept": "text/event-stream", "Mcp-Session-Id": session}
    connection.request("GET", "/mcp", headers=headers)
    response = connection.getresponse()
    assert response.status == 200
    assert http.post({}, method="GET", Mcp_Session_Id=session)[0] == 409
    assert http.modern("tools/call", {"name": "test_trigger_tool_change"})[0] == 200
    assert next_event(response)["method"] == "notifications/tools/list_changed"
    connection.close()


def test_connections_are_bounded(http):
    """Those that say nothing keep their place for a while; one more is closed at once."""
    host, port = http.host.split(":")
    idle = []
    try:
        for _ in range(140):
            idle.append(socket.create_connection((host, int(port)), timeout=client.LIMIT))
        assert idle[-1].recv(1) == b""
    finally:
        for one in idle:
            one.close()
