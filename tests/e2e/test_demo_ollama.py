"""`pyro demo ollama` with a real guest, and an endpoint whose answers stand in a script."""

import contextlib
import http.server
import json
import signal
import threading

import harness
import network

GIT = {"environment": harness.ENVIRONMENT, "command": ["git", "--version"]}


def says(text):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def calls(*arguments):
    made = [
        {"id": f"call_{n}", "type": "function", "function": {"name": "vm_run", "arguments": json.dumps(one)}}
        for n, one in enumerate(arguments)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


class Model(http.server.ThreadingHTTPServer):
    """Gives its answers in turn: an object, or a function of the messages that were sent."""

    daemon_threads = True

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests = list(answers), []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, request))
        answer = self.server.answers.pop(0)
        status, answer = (200, answer(request["messages"])) if callable(answer) else answer if isinstance(answer, tuple) else (200, answer)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(*answers):
    with Model(*answers) as model:
        thread = threading.Thread(target=model.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield model
        finally:
            model.shutdown()
            thread.join()


def demo(host, model, *words):
    return host.pyro("demo", "ollama", "--base-url", model.url, "--model", "scripted", *words)


def test_a_model_asks_a_guest(host):
    def answer(messages):
        return says("It has " + json.loads(messages[-1]["content"])["stdout"].strip() + ".")

    with serving(calls(GIT), answer) as model:
        done = demo(host, model)
    assert done.code == 0, done
    lines = done.out.decode().splitlines()
    assert lines[-1].startswith("[summary] exit_code=0 tool_calls=1 rounds=2 model=scripted duration_ms=")
    assert any(line.startswith("[demo] model | It has git version 2.") for line in lines), lines
    assert all(line.startswith("[demo] ") for line in lines[:-1])
    assert [path for path, _ in model.requests] == ["/v1/chat/completions"] * 2
    (tool,) = model.requests[0][1]["tools"]
    assert tool["function"]["name"] == "vm_run" and set(tool["function"]["parameters"]["properties"]) == {"environment", "command"}


def test_what_a_model_does_wrong_is_told_to_it(host):
    wrong = GIT | {"network": True}
    unknown = GIT | {"environment": "debian:99"}
    script = {"environment": harness.ENVIRONMENT, "command": "ls /sys/class/net; exit 3"}
    with serving(calls(wrong, unknown), calls(script), says("There is no network.")) as model:
        done = demo(host, model, "-v")
    assert done.code == 1, done
    assert b"[summary] exit_code=3 tool_calls=3 rounds=3 " in done.out
    first, second = (json.loads(m["content"]) for m in model.requests[1][1]["messages"][-2:])
    assert first["error"]["code"] == "invalid" and second["error"]["code"] == "not_found"
    told = json.loads(model.requests[2][1]["messages"][-1]["content"])
    assert told == {"exit_code": 3, "stdout": "lo\n", "stderr": ""}


def test_an_endpoint_that_refuses_or_is_not_there(host):
    with serving((404, {"error": {"message": 'model "scripted" not found'}})) as model:
        done = demo(host, model)
    assert done.code == 1 and 'status 404: model "scripted" not found' in done.text and "ollama pull scripted" in done.text, done
    done = host.pyro("demo", "ollama", "--base-url", f"http://127.0.0.1:{network.free_port()}/v1")
    assert done.code == 4 and "Connection refused" in done.text and "--base-url" in done.text, done


def test_ctrl_c_ends_the_guest_of_a_model(host):
    with serving(calls({"environment": harness.ENVIRONMENT, "command": ["sleep", "600"]})) as model:
        with harness.ending(host.start("demo", "ollama", "--base-url", model.url)) as process:
            harness.read_until(process.stdout, b"phase=execute")
            process.send_signal(signal.SIGINT)
            done = harness.finish(process)
    assert done.code == 130, done
    assert len(model.requests) == 1
