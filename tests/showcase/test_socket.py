import asyncio
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, PipelineId
from ia_modules.web.execution_tracker import ExecutionTracker
from showcase_app.backend.api import live
from tests.showcase.server import PATIENCE_SECONDS, Message, Server, receive_page, receive_upto, running

PROGRAM = """
import asyncio, sys
from ia_modules.database.manager import DatabaseManager
from ia_modules.web.execution_tracker import ExecutionTracker

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


def lines_of(messages: list[Message]) -> list[str]:
    return [message["data"]["message"] for message in messages if message["type"] == "log"]


async def assert_told_all(tracker: ExecutionTracker, execution_id: ExecutionId, told: list[Message]) -> None:
    """The messages are pages in rising order; laid over each other they are the rows, and each line came once."""
    cursor = page_end = 0
    for message in told:
        if message["type"] == "execution_update":
            assert message["sequence"] > page_end
            assert message["sequence"] >= cursor
            page_end = cursor = message["sequence"]
        else:
            assert message["sequence"] == message["data"]["sequence"]
            assert message["sequence"] > page_end
            assert message["sequence"] >= cursor
            cursor = message["sequence"]
    changes = await tracker.changes(execution_id)
    steps = {m["data"]["step_execution_id"]: m["data"] for m in told if m["type"] == "step_update"}
    rows = {step.step_execution_id: step.to_dict() for step in changes.steps}
    assert {id_: {name: told[name] for name in rows[id_]} for id_, told in steps.items()} == rows
    logs = [m["data"] for m in told if m["type"] == "log"]
    assert logs == [line.to_dict() | {"data_omitted": False} for line in changes.logs]
    assert told[-1]["data"] == changes.execution.to_dict() | {"duration_seconds": changes.execution.duration_seconds}
    assert told[-1]["sequence"] == changes.execution.sequence


async def started(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    return await tracker.start_execution(pipeline_id, "Nightly import")


async def test_every_change_reaches_the_socket_in_order_while_it_happens(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        told = await receive_page(client)
        assert told[-1]["data"]["status"] == "running"
        last = await run_program(tracker, execution_id)
        told += await receive_upto(client, last)
    await assert_told_all(tracker, execution_id, told)


async def test_data_of_a_log_line_beyond_64_kib_stays_off_the_socket(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        await receive_page(client)
        await tracker.log(execution_id, "long", data="x" * 65_535)
        line, _ = await receive_page(client)
    assert (line["data"]["message"], line["data"]["data"], line["data"]["data_omitted"]) == ("long", None, True)


async def test_what_had_happened_before_is_told_first(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    last = await run_program(tracker, execution_id)
    async with server.watch(execution_id) as client:
        await assert_told_all(tracker, execution_id, await receive_upto(client, last))


async def test_a_client_that_comes_back_with_its_cursor_misses_nothing_and_hears_nothing_twice(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        told = await receive_page(client)
        await tracker.log(execution_id, "while connected")
        told += await receive_page(client)
    last = await run_program(tracker, execution_id)
    async with server.watch(execution_id, after=told[-1]["sequence"]) as client:
        told += await receive_upto(client, last)
    await assert_told_all(tracker, execution_id, told)
    assert lines_of(told) == ["while connected", *(f"line {number}" for number in range(5))]


async def test_updates_from_another_process_reach_the_socket(server: Server, database_url: str) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, database_url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    execution_id = (await program.stdout.readline()).decode().strip()
    async with server.watch(execution_id) as client:
        told = await receive_page(client)
        assert told[-1]["sequence"] == 1
        program.stdin.write(b"go on\n")
        while told[-1]["data"]["status"] != "completed":
            told += await receive_page(client)
    assert await program.wait() == 0
    assert lines_of(told) == ["from another process"]
    assert [m["data"]["status"] for m in told if m["type"] == "step_update"][-1] == "completed"


async def test_a_client_that_never_reads_delays_nobody_and_finds_everything_when_it_reads(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with watch_without_reading(server, execution_id) as lazy, server.watch(execution_id) as quick:
        await write_more_than_the_buffers_hold(tracker, execution_id)
        last = await run_program(tracker, execution_id)
        assert lines_of(await receive_upto(quick, last))[-1] == "line 4"
        await assert_told_all(tracker, execution_id, await receive_upto(lazy, last))


async def test_a_client_that_takes_nothing_for_long_is_dropped(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_SEND_SECONDS", 0.1)
    execution_id = await started(tracker, pipeline_id)
    await write_more_than_the_buffers_hold(tracker, execution_id)
    async with watch_without_reading(server, execution_id):
        await server.until_ended(await server.sending(execution_id))


async def test_the_server_notices_at_once_that_an_idle_client_has_gone(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await started(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        await receive_page(client)
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
            await receive_page(client)
            server.should_exit = True
            assert await close_code(client) == 1012


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
        await receive_page(client)
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
    await asyncio.gather(*(tracker.log(execution_id, "long", data="x" * 60_000) for _ in range(170)))


@asynccontextmanager
async def watch_without_reading(server: Server, execution_id: str) -> AsyncGenerator[ClientConnection]:
    """A socket whose client reads only when it is told to, with little room on the way."""
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    host, _, port = server.host.partition(":")
    endpoint.connect((host, int(port)))
    async with server.watch(execution_id, sock=endpoint, max_queue=1, close_timeout=0.1) as client:
        yield client
