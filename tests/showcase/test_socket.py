import asyncio
import json
import os
import signal
import sys
from contextlib import aclosing

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from showcase_app.backend.api import live
from tests.showcase.server import PATIENCE_SECONDS, Picture, Server, receive, running

PROGRAM = """
import asyncio, sys
from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker

async def main():
    async with DatabaseManager(sys.argv[1]) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("elsewhere", "Elsewhere")
        async with tracker.execution(pipeline_id) as execution:
            print(execution.id, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            async with execution.step("work") as step:
                await step.log("from another process")

asyncio.run(main())
"""


async def run_program(tracker: ExecutionTracker, execution_id: ExecutionId, steps: int = 5) -> int:
    """Steps with a line each, then the end; the execution's last sequence number."""
    for number in range(steps):
        step_id = await tracker.start_step_execution(execution_id, f"step {number}", f"Step {number}", "task")
        await tracker.log(execution_id, f"line {number}", step_execution_id=step_id)
        await tracker.complete_step_execution(step_id, "completed", {"number": number})
    await tracker.update_execution_status(execution_id, "completed")
    return (await tracker.changes(execution_id)).upto


async def started(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    return await tracker.start_execution(pipeline_id, "Nightly import")


async def test_every_change_reaches_the_socket_in_order_while_it_happens(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        picture = await Picture().follow(client)
        assert picture.execution["status"] == "running"
        await picture.follow(client, await run_program(tracker, execution_id))
    await picture.check(tracker, execution_id)


async def test_a_frame_is_what_a_get_answers_with_its_type(
    server: Server, api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    await run_program(tracker, execution_id)
    for after in (0, 3):
        async with server.watch(execution_id, after=after) as client:
            frame = await receive(client)
        answer = await api.get(f"/api/executions/{execution_id}/changes", params={"after": after})
        assert frame == {"type": "changes"} | answer.json()


async def test_data_of_a_log_line_beyond_64_kib_stays_off_the_socket(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        picture = await Picture().follow(client)
        await tracker.log(execution_id, "long", data="x" * 65_535)
        (line,) = (await picture.follow(client)).lines.values()
    assert (line["message"], line["data"], line["data_omitted"]) == ("long", None, True)


async def test_what_had_happened_before_is_told_first(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    last = await run_program(tracker, execution_id)
    async with server.watch(execution_id) as client:
        picture = await Picture().follow(client, last)
    await picture.check(tracker, execution_id)
    async with server.watch(execution_id, after=last) as client:
        assert await receive(client) == {"type": "changes", "after": last, "upto": last, "more": False, "messages": []}


async def test_a_client_that_comes_back_with_its_cursor_misses_nothing_and_hears_nothing_twice(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        picture = await Picture().follow(client)
        await tracker.log(execution_id, "while connected")
        await picture.follow(client)
    last = await run_program(tracker, execution_id)
    async with server.watch(execution_id, after=picture.cursor) as client:
        await picture.follow(client, last)
    await picture.check(tracker, execution_id)
    assert picture.messages == ["while connected", *(f"line {number}" for number in range(5))]


async def test_updates_from_another_process_reach_the_socket(server: Server, database_url: str) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, database_url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    execution_id = (await program.stdout.readline()).decode().strip()
    async with server.watch(execution_id) as client:
        picture = await Picture().follow(client)
        assert picture.cursor == 1
        program.stdin.write(b"go on\n")
        while not picture.ended:
            await picture.follow(client)
    assert await program.wait() == 0
    assert picture.messages == ["from another process"]
    assert [step["status"] for step in picture.steps.values()] == ["completed"]


async def test_a_client_that_never_reads_delays_nobody_and_finds_everything_when_it_reads(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch_without_reading(execution_id) as lazy, server.watch(execution_id) as quick:
        picture = Picture()
        for _ in range(10):
            await write_much(tracker, execution_id, lines=40)
            await picture.follow(quick, (await tracker.changes(execution_id)).execution.sequence)
        last = await run_program(tracker, execution_id)
        assert (await picture.follow(quick, last)).messages[-1] == "line 4"
        late = await Picture().follow(lazy, last)
    await late.check(tracker, execution_id)
    assert late.resyncs > 0
    assert (late.execution, late.steps, late.lines) == (picture.execution, picture.steps, picture.lines)


async def test_a_socket_on_which_nothing_happens_is_pinged(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_PING_SECONDS", 0.01)
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client, connect(f"ws://{server.host}/ws/executions") as lists:
        for socket_ in (client, lists):
            frames = [json.loads(await socket_.recv()) for _ in range(4)]
            assert {"type": "ping"} in frames


async def test_who_watches_lists_looks_first_and_is_told_what_other_programs_change(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId, dialect: str
) -> None:
    async with connect(f"ws://{server.host}/ws/executions") as client:
        assert await receive(client) == {"type": "resync"}
        assert await receive(client) == {"type": "resync"}  # it listens from now on; what came before, nobody said
        execution_id = await started(tracker, pipeline_id)
        if dialect == "sqlite":  # which only says that something has changed
            assert await receive(client) == {"type": "resync"}
            return
        for sequence, change in enumerate((None, tracker.request_cancel, tracker.take_over), start=1):
            if change is not None:
                await change(execution_id)
            hint = {"execution_id": execution_id, "sequence": sequence, "status": "running"}
            assert await receive(client) == {"type": "hints", "items": [hint]}


async def test_a_client_that_takes_nothing_for_long_is_dropped(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_SEND_SECONDS", 0.1)
    execution_id = await started(tracker, pipeline_id)
    await write_more_than_the_buffers_hold(tracker, execution_id)
    async with server.watch_without_reading(execution_id):
        await server.until_ended(await server.sending(execution_id))


async def test_the_server_notices_at_once_that_an_idle_client_has_gone(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        await receive(client)
        sending = await server.sending(execution_id)
    await server.until_ended(sending)


async def test_a_reader_that_is_cancelled_the_moment_something_happens_stops(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    for _ in range(20):  # on Python 3.11 asyncio.wait_for would swallow the cancellation
        first = asyncio.Event()

        async def read(first: asyncio.Event) -> None:
            async with aclosing(tracker.subscribe(execution_id)) as pages:
                async for _ in pages:
                    first.set()

        reading = asyncio.create_task(read(first))
        await first.wait()
        recording = asyncio.create_task(tracker.log(execution_id, "now"))
        recording.add_done_callback(lambda _, reading=reading: reading.cancel())
        await recording
        done, _ = await asyncio.wait([reading], timeout=PATIENCE_SECONDS)
        assert done


async def test_a_server_that_stops_tells_its_clients_to_come_again(
    database_url: str, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    with running(Server(database_url)) as server:
        async with server.watch(execution_id) as client:
            await receive(client)
            server.should_exit = True
            assert await close_code(client) == 1012


async def test_a_server_stops_also_when_a_client_takes_nothing(
    database_url: str, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    await write_more_than_the_buffers_hold(tracker, execution_id)
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ia_modules.cli", "serve", "--port", "0"),
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        host = (await program.stdout.readline()).decode().partition("http://")[2].split()[0]
        url = f"ws://{host}/ws/executions/{execution_id}"
        async with connect(url, max_size=None, max_queue=1, close_timeout=0.1) as client:
            await receive(client)
            program.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await program.wait() == 0
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


async def test_an_execution_that_does_not_exist_closes_the_socket(server: Server, tracker: ExecutionTracker) -> None:
    for execution_id in ("nobody", "x" * 3000, "%00"):
        async with server.watch(execution_id) as client:
            assert await close_code(client) == 4404


async def test_a_cursor_that_the_server_never_gave_closes_the_socket(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    for after in ("", "-1", "x", "1.5", "2", str(2**31), "0" * 5000, "\u0663"):
        async with server.watch(execution_id, after=after) as client:
            assert await close_code(client) == 4400, after


async def test_a_database_that_fails_closes_the_socket_for_a_later_try(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        await receive(client)
        await database.execute_async("ALTER TABLE execution_logs RENAME TO gone")
        assert await close_code(client) == 1013


async def close_code(client: ClientConnection) -> int | None:
    """How the server closes the socket."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await client.recv()
    return closed.value.rcvd.code if closed.value.rcvd else None


async def write_more_than_the_buffers_hold(tracker: ExecutionTracker, execution_id: str) -> None:
    """Ten million characters in lines, which those between the server and a client that does not read cannot hold."""
    for _ in range(17):
        await write_much(tracker, execution_id)


async def write_much(tracker: ExecutionTracker, execution_id: str, lines: int = 10) -> None:
    """Lines of 60,000 characters each, in few changes."""
    await asyncio.gather(*(tracker.log(execution_id, "long", data="x" * 60_000) for _ in range(lines)))
