"""Streams of output, standard input, and the same for asyncio."""

import asyncio
import concurrent.futures
import gc
import os
import threading

import pytest
from conftest import wait_until, waits_for_the_end_of_a_call
from pyro_mcp import AsyncPyro, Chunk, Pyro, _session, errors


def writes(*pieces, result=None):
    def run(call):
        for kind, data in pieces:
            call.deliver(kind, data)
        return result or {"exit_code": 0}

    return run


def until_interrupted(log):
    def run(call):
        call.deliver("stdout", b"ready\n")
        call.wait_for_interrupt()
        log.append("interrupted")
        call.deliver("stdout", b"bye\n")
        return {"exit_code": 130}

    return run


def test_chunks_come_in_order_and_then_the_result(api):
    api.on["workspace.exec"] = writes(("stdout", b"a"), ("stderr", b"\xff"), ("stdout", b"b"))
    with Pyro() as pyro, pyro.stream_exec_workspace("w", command="x") as stream:
        assert list(stream) == [Chunk("stdout", b"a"), Chunk("stderr", b"\xff"), Chunk("stdout", b"b")]
        assert stream.result == {"exit_code": 0}
        assert stream.result == {"exit_code": 0}
    assert Chunk("stderr", b"\xff").text == "\ufffd"


def test_the_iterator_ends_with_the_result(api):
    api.on["run"] = writes(("stdout", b"a"))

    def follow(stream):
        return (yield from stream)

    ends = []

    def outer():
        ends.append((yield from follow(Pyro().stream_run_in_vm("debian:12", command="x"))))

    assert [chunk.data for chunk in outer()] == [b"a"]
    assert ends == [{"exit_code": 0}]


def test_the_result_alone_passes_over_the_output(api):
    api.on["exec_vm"] = writes(*[("stdout", b"x" * 1000)] * 500)
    assert Pyro().stream_exec_vm("v", command="x").result == {"exit_code": 0}


def test_a_failed_call_raises_at_its_place(api):
    def run(call):
        call.deliver("stdout", b"a")
        raise errors.Unavailable("the guest is gone")

    api.on["workspace.exec"] = run
    stream = Pyro().stream_exec_workspace("w", command="x")
    assert next(stream).data == b"a"
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="gone"):
            next(stream)


def test_leaving_early_interrupts_the_command_and_waits(api):
    log = []
    api.on["workspace.exec"] = until_interrupted(log)
    with Pyro() as pyro, pyro.stream_exec_workspace("w", command="x") as stream:
        assert next(stream).data == b"ready\n"
    assert log == ["interrupted"]
    with pytest.raises(errors.Conflict, match="closed"):
        next(stream)


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
def test_ctrl_c_while_a_stream_is_left_is_raised_at_its_end(api, press_again, error):
    log = []

    def run(call):
        call.deliver("stdout", b"ready\n")
        call.wait_for_interrupt()
        press_again()
        wait_until(waits_for_the_end_of_a_call)
        log.append("ended")
        return {}

    api.on["workspace.exec"] = run
    raised = KeyboardInterrupt("the first") if error is KeyboardInterrupt else error
    with pytest.raises(KeyboardInterrupt) as caught, Pyro().stream_exec_workspace("w", command="x") as stream:
        next(stream)
        if raised:
            raise raised
    assert log == ["ended"]
    assert (caught.value is raised) == (error is KeyboardInterrupt)


def test_a_dropped_stream_interrupts_its_command(api):
    log = []
    api.on["workspace.exec"] = until_interrupted(log)
    stream = Pyro().stream_exec_workspace("w", command="x")
    next(stream)
    del stream
    wait_until(lambda: log == ["interrupted"] and not _session._live)
    assert log == ["interrupted"]


def test_interrupt_lets_the_rest_come(api):
    api.on["workspace.exec"] = until_interrupted([])
    stream = Pyro().stream_exec_workspace("w", command="x")
    next(stream)
    stream.interrupt()
    stream.interrupt()  # as good as once
    assert [chunk.data for chunk in stream] == [b"bye\n"]
    assert stream.result == {"exit_code": 130}
    stream.interrupt()  # has no effect any more


def test_a_slow_reader_stops_the_writer(api):
    written = []

    def run(call):
        for n in range(1000):
            call.deliver("stdout", b"%d\n" % n)
            written.append(n)
        return {}

    api.on["workspace.exec"] = run
    stream = Pyro().stream_exec_workspace("w", command="yes")
    wait_until(lambda: len(written) == _session._CREDIT)
    assert next(stream).data == b"0\n"
    wait_until(lambda: len(written) == _session._CREDIT + 1)
    assert len(list(stream)) == 999


def test_standard_input_is_bytes_a_file_or_a_descriptor(api, tmp_path):
    def cat(call):
        read = b""
        while piece := os.read(call.stdin_fd, 1 << 16):
            read += piece
        return {"stdout": read}

    api.on["workspace.exec"] = cat
    (tmp_path / "in").write_bytes(b"of a file")
    pyro = Pyro()
    big = os.urandom(1 << 20)
    assert pyro.exec_workspace("w", command="cat", stdin=big)["stdout"] == big
    with open(tmp_path / "in", "rb") as file:
        assert pyro.exec_workspace("w", command="cat", stdin=file)["stdout"] == b"of a file"
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        assert pyro.exec_workspace("w", command="cat", stdin=file.fileno())["stdout"] == b"of a file"
        os.fstat(file.fileno())  # it is still open


def test_no_descriptor_is_left(api):
    api.on["workspace.exec"] = writes(("stdout", b"a"))
    pyro = Pyro()
    pyro.exec_workspace("w", command="x", stdin=b"x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        pyro.exec_workspace("w", command="x", stdin=b"x")
    assert len(os.listdir("/proc/self/fd")) == before


# ---- asyncio


def test_async_calls_run_at_once(api):
    both = threading.Barrier(8, timeout=60)

    def answer(call):
        both.wait()
        return {"vm_id": call.arguments["vm_id"]}

    api.on["status_vm"] = answer

    async def main():
        async with AsyncPyro() as pyro:
            return await asyncio.gather(*(pyro.status_vm(str(n)) for n in range(8)))

    assert [found["vm_id"] for found in asyncio.run(main())] == [str(n) for n in range(8)]


def test_cancelling_the_task_interrupts_the_call_and_waits(api):
    log = []

    async def main():
        running = asyncio.Event()
        loop = asyncio.get_running_loop()

        def run(call):
            loop.call_soon_threadsafe(running.set)
            call.wait_for_interrupt()
            log.append("ended")
            return {}

        api.on["workspace.exec"] = run
        pyro = AsyncPyro()
        task = asyncio.create_task(pyro.exec_workspace("w", command="sleep 100"))
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["ended"]

    asyncio.run(main())
    assert log == ["ended"]


def test_cancelled_calls_take_no_worker_of_the_executor(api):
    go_on = threading.Event()

    async def main():
        running = asyncio.Semaphore(0)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(2))

        def run(call):
            if call.output:
                call.deliver("stdout", b"ready\n")
            loop.call_soon_threadsafe(running.release)
            call.wait_for_interrupt()
            go_on.wait(60)
            return {}

        api.on["workspace.exec"] = run
        pyro = AsyncPyro()
        stream = pyro.stream_exec_workspace("w", command="x")
        await stream.__anext__()
        tasks = [asyncio.create_task(pyro.exec_workspace("w", command="sleep 100")) for _ in range(2)]
        for _ in range(3):
            await running.acquire()
        tasks.append(asyncio.create_task(stream.close()))
        tasks[0].cancel()
        tasks[1].cancel()
        await asyncio.sleep(0.1)
        try:
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 10) == "free"
            assert not any(task.done() for task in tasks)
        finally:
            go_on.set()
        await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks] == [True, True, False]

    asyncio.run(main())


def test_an_async_stream(api):
    api.on["workspace.exec"] = writes(*[("stdout", b"x")] * 200, ("stderr", b"y"))

    async def main():
        pyro = AsyncPyro()
        async with pyro.stream_exec_workspace("w", command="x") as stream:
            chunks = [chunk async for chunk in stream]
            return chunks, await stream.result()

    chunks, result = asyncio.run(main())
    assert b"".join(chunk.data for chunk in chunks) == b"x" * 200 + b"y"
    assert chunks[-1].stream == "stderr" and result == {"exit_code": 0}


def test_leaving_an_async_stream_early_interrupts_the_command(api):
    log = []
    api.on["workspace.exec"] = until_interrupted(log)

    async def main():
        async with AsyncPyro().stream_exec_workspace("w", command="x") as stream:
            async for chunk in stream:
                assert chunk.data == b"ready\n"
                break

    asyncio.run(main())
    assert log == ["interrupted"]


def test_an_async_workspace_is_deleted_at_the_end_of_its_block(api):
    api.on["workspace.create"] = lambda call: {"workspace_id": "w-1"}
    api.on["workspace.delete"] = lambda call: {}
    api.on["workspace.exec"] = writes(("stdout", b"a"))

    async def main():
        async with AsyncPyro() as pyro, pyro.workspace("debian:12") as workspace:
            await workspace.exec(command="true")
            return [chunk.data async for chunk in workspace.stream_exec(command="true")]

    assert asyncio.run(main()) == [b"a"]
    assert [name for name, _ in api.calls] == ["workspace.create", "workspace.exec", "workspace.exec", "workspace.delete"]


@pytest.mark.parametrize("loop_goes_on", [True, False])
def test_a_second_cancellation_leaves_no_workspace(api, loop_goes_on):
    go_on, deleted = threading.Event(), threading.Event()

    async def main():
        running = asyncio.Event()
        loop = asyncio.get_running_loop()

        def create(call):
            loop.call_soon_threadsafe(running.set)
            call.wait_for_interrupt()
            go_on.wait(60)
            return {"workspace_id": "w-1"}  # it was too late for that

        api.on["workspace.create"] = create
        api.on["workspace.delete"] = lambda call: deleted.set() or {}
        task = asyncio.create_task(AsyncPyro().workspace("debian:12").__aenter__())
        await running.wait()
        task.cancel()
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not go_on.is_set(), "the second cancellation goes on at once"
        gc.collect()
        if loop_goes_on:
            go_on.set()
            assert await asyncio.to_thread(deleted.wait, 60)
        else:
            threading.Timer(0.3, go_on.set).start()

    asyncio.run(main())
    assert api.calls[1:] == [("workspace.delete", {"workspace_id": "w-1"})]


def test_async_after_close_is_refused(api):
    async def main():
        pyro = AsyncPyro()
        await pyro.close()
        with pytest.raises(errors.Conflict, match="this AsyncPyro is closed"):
            await pyro.list_environments()
        return api.calls

    assert asyncio.run(main()) == []
