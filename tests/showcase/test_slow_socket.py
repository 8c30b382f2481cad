"""Two hundred sockets and one that never reads; sockets that break; and whether page, API and rows agree."""

import asyncio
import random
import socket
from collections.abc import Generator
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ia_modules.live import feed
from ia_modules.models import ExecutionId, PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from showcase_app.backend.api import live
from tests.showcase.server import Picture, Server, receive, running

SOCKETS = 200
STEPS = 60


@pytest.fixture
def server(database_url: str) -> Generator[Server]:
    server = Server(database_url)
    server.config.ws_ping_interval = None  # who reads nothing answers nothing, and a busy machine takes its time
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)  # little room towards who does not read
    with running(server) as server:
        yield server


async def work(tracker: ExecutionTracker, execution_id: ExecutionId, *, steps: int = STEPS, data: str = "") -> None:
    """Steps with lines, at once four at a time, and the end."""

    async def step(number: int) -> None:
        step_id = await tracker.start_step_execution(execution_id, f"step {number}", f"Step {number}", "task")
        for line in range(3):
            await tracker.log(execution_id, f"line {number}.{line}", step_execution_id=step_id, data=data)
        await tracker.complete_step_execution(step_id, "completed", {"number": number})

    for first in range(0, steps, 4):
        await asyncio.gather(*(step(number) for number in range(first, first + 4)))
    await tracker.update_execution_status(execution_id, "completed")


async def follow_to_the_end(client: ClientConnection, picture: Picture) -> Picture:
    while not picture.ended:
        picture.apply(await receive(client))
    return picture


async def test_one_of_two_hundred_sockets_never_reads_and_neither_the_writer_nor_the_others_wait_for_it(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_CHARACTERS_KEPT", 1000)
    monkeypatch.setattr(feed, "_FOR_EACH_FOLLOWER_SECONDS", 0)  # many small pages
    monkeypatch.setattr(live, "_SEND_SECONDS", 3600.0)  # whoever takes nothing is not given up here
    writer = server.services.execution_tracker  # in the loop that serves the sockets, as the embedded worker's
    execution_id = await server.run_inside(writer.start_execution(pipeline_id))
    async with AsyncExitStack() as sockets:
        lazy = await sockets.enter_async_context(server.watch_without_reading(execution_id))
        clients = [await sockets.enter_async_context(server.watch(execution_id)) for _ in range(SOCKETS - 1)]
        following = asyncio.gather(*(follow_to_the_end(client, Picture()) for client in clients))
        await server.run_inside(work(writer, execution_id, data="x" * 3000), patience_seconds=100)
        pictures = await following
        assert server.services.feed.execution_subscribers == SOCKETS
        await pictures[0].check(tracker, execution_id)
        for picture in pictures:
            assert (picture.execution, picture.steps, picture.lines) == (
                pictures[0].execution,
                pictures[0].steps,
                pictures[0].lines,
            )
        late = await follow_to_the_end(lazy, Picture())  # and when it reads at last, it finds everything
    await late.check(tracker, execution_id)
    assert late.resyncs > 0


async def test_sockets_that_break_in_the_middle_end_with_what_the_rows_say(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    """A picture refuses a number that comes twice, and a frame that does not go on where the last one ended."""
    execution_id = await tracker.start_execution(pipeline_id)

    async def follow_with_a_bad_line(seed: int) -> Picture:
        dice, picture = random.Random(seed), Picture()
        while not picture.ended:
            with suppress(ConnectionClosed):
                async with server.watch(execution_id, after=picture.cursor) as client:
                    for _ in range(dice.randrange(1, 6)):
                        picture.apply(await receive(client))
                        if picture.ended:
                            return picture
                    client.transport.abort()
        return picture

    following = asyncio.gather(*(follow_with_a_bad_line(seed) for seed in range(20)))
    await work(tracker, execution_id)
    for picture in await following:
        await picture.check(tracker, execution_id)


async def test_after_a_received_number_a_get_is_at_least_as_new(
    server: Server, api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    working = asyncio.create_task(work(tracker, execution_id))
    picture = Picture()
    async with server.watch(execution_id) as client:
        while not picture.ended:
            picture.apply(await receive(client))
            detail: dict[str, Any] = (await api.get(f"/api/executions/{execution_id}")).json()
            assert detail["sequence"] >= picture.cursor
            sequences = {step["step_execution_id"]: step["sequence"] for step in detail["steps"]}
            for step_id, step in picture.steps.items():
                assert sequences[step_id] >= step["sequence"]
    await working


async def test_at_rest_page_api_and_rows_are_equal(
    server: Server, api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    async with server.watch(execution_id) as client:
        following = asyncio.create_task(follow_to_the_end(client, Picture()))
        await work(tracker, execution_id)
        page = await following
    await page.check(tracker, execution_id)

    over_http = Picture()
    while not over_http.execution or over_http.cursor < page.cursor:
        answer = await api.get(f"/api/executions/{execution_id}/changes", params={"after": over_http.cursor})
        over_http.apply({"type": "changes"} | answer.json())
    assert (over_http.execution, over_http.steps, over_http.lines) == (page.execution, page.steps, page.lines)

    detail: dict[str, Any] = (await api.get(f"/api/executions/{execution_id}")).json()
    assert {name: detail[name] for name in page.execution} == page.execution
    for step in detail["steps"]:
        shown = page.steps[step["step_execution_id"]]
        assert {name: step[name] for name in shown} == shown
    listed = (await api.get("/api/executions")).json()["items"]
    assert [{name: listed[0][name] for name in page.execution}] == [page.execution]
