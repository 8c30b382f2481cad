"""What steps give as it comes, over HTTP: events with the cursor as their id, whoever comes when and again."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from ia_modules import Flow, current
from ia_modules.models import ExecutionId, LogLevel, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.pipeline.runner import TRACKER_SERVICE
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import LogLine, StepUpdate, Transition
from tests.showcase.asking import read
from tests.showcase.server import PATIENCE_SECONDS, Server, receive, running


class Event(NamedTuple):
    name: str
    id: str
    data: dict[str, Any]


async def events_of(response: httpx.Response) -> AsyncGenerator[Event]:
    """The events of a stream, comments left out."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line == "" and "data" in fields:
            yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


@asynccontextmanager
async def following(
    api: httpx.AsyncClient, path: str, last_event_id: str | None = None, **query: Any
) -> AsyncGenerator[AsyncGenerator[Event]]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with asyncio.timeout(PATIENCE_SECONDS), api.stream("GET", path, headers=headers, params=query) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers
        yield events_of(response)


async def talking(tracker: ExecutionTracker, pipeline_id: PipelineId) -> tuple[ExecutionId, StepExecutionId]:
    execution_id = await tracker.start_execution(pipeline_id)
    return execution_id, await tracker.start_step_execution(execution_id, "talk", "Talk", "task")


async def say(tracker: ExecutionTracker, execution_id: ExecutionId, attempt: StepExecutionId, *texts: str) -> None:
    lines = tuple(
        LogLine(log_id=new_id(), message=text, level=LogLevel.OUTPUT, step_execution_id=attempt, logger="answer")
        for text in texts
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, logs=lines))


async def end(tracker: ExecutionTracker, execution_id: ExecutionId, attempt: StepExecutionId) -> None:
    update = StepUpdate(step_execution_id=attempt, status=StepStatus.COMPLETED)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=(update,)))


async def test_pieces_come_as_events_until_the_attempt_has_ended(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, attempt = await talking(tracker, pipeline_id)
    path = f"/api/executions/{execution_id}/steps/{attempt}/stream"
    async with following(api, path) as events:  # its head comes before there is anything
        await say(tracker, execution_id, attempt, "Hel", "lo")
        first, second = await anext(events), await anext(events)
        assert (first.name, first.id, first.data["text"], second.data["text"]) == (
            "output",
            first.data["cursor"],
            "Hel",
            "lo",
        )
        await tracker.log(execution_id, "no output", step_execution_id=attempt)
        await say(tracker, execution_id, attempt, " world " * 1000)
        third = await anext(events)
        assert (third.data["step_id"], third.data["attempt"], third.data["channel"]) == ("talk", 1, "answer")
        await end(tracker, execution_id, attempt)
        last = await anext(events)
        assert (last.name, last.id, last.data) == ("end", third.id, {"cursor": third.id})
        assert [event async for event in events] == []
    for seen, left in ((first, [second, third, last]), (third, [last])):
        async with following(api, path, seen.id) as events:
            assert [event async for event in events] == left
        async with following(api, path, after=seen.id) as events:
            assert [event async for event in events] == left
    async with following(api, path, after=first.data["sequence"]) as events:
        assert [event async for event in events] == [third, last]


async def test_a_stream_is_gone_on_with_on_another_server(
    database_url: str, server: Server, api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, attempt = await talking(tracker, pipeline_id)
    path = f"/api/executions/{execution_id}/stream"
    async with following(api, path) as events:
        await say(tracker, execution_id, attempt, "before")
        seen = await anext(events)
    with running(Server(database_url)) as other:
        async with (
            other.client() as again,
            following(again, path, seen.id) as events,
        ):
            await say(tracker, execution_id, attempt, "after")
            assert (await anext(events)).data["text"] == "after"
            await tracker.update_execution_status(execution_id, "completed")
            assert [event.name async for event in events] == ["end"]


async def test_output_is_read_in_pages_and_is_no_part_of_the_log(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, attempt = await talking(tracker, pipeline_id)
    await say(tracker, execution_id, attempt, *"abc")
    await tracker.log(execution_id, "no output", step_execution_id=attempt)
    page = await read(api, f"/api/executions/{execution_id}/output", limit=2)
    assert ([each["text"] for each in page["items"]], page["more"], page["is_over"]) == (["a", "b"], True, False)
    query = {"after": page["cursor"], "step_execution_id": attempt}
    page = await read(api, f"/api/executions/{execution_id}/output", **query)
    assert ([each["text"] for each in page["items"]], page["more"]) == (["c"], False)
    for query, found in (({}, ["no output"]), ({"level": "output"}, ["a", "b", "c"])):
        lines = (await read(api, f"/api/executions/{execution_id}/logs", **query))["items"]
        assert [line["message"] for line in lines] == found


async def test_the_socket_has_output_among_its_lines(
    server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, attempt = await talking(tracker, pipeline_id)
    async with server.watch(execution_id) as client:
        await receive(client)
        await say(tracker, execution_id, attempt, "Hel", "lo")
        frame = await receive(client)
        lines = [each["data"] for each in frame["messages"] if each["type"] == "log"]
        assert [(line["level"], line["logger"], line["message"]) for line in lines] == [
            ("output", "answer", "Hel"),
            ("output", "answer", "lo"),
        ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/executions/{id}/steps/nobody/stream", 404),
        ("/api/executions/nobody/stream", 404),
        ("/api/executions/nobody/output", 404),
        ("/api/executions/{id}/stream?after=x", 422),
        ("/api/executions/{id}/output?after=1:x", 422),
        ("/api/executions/{id}/output?limit=0", 422),
    ],
)
async def test_what_is_not_there_is_said_before_anything_is_sent(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId, path: str, status: int
) -> None:
    execution_id, _ = await talking(tracker, pipeline_id)
    answer = await api.get(path.replace("{id}", execution_id))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_hundred_followers_get_what_a_step_gives_and_do_not_hold_it_up(
    api: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    """Some that never read among them: the step is waited for, and nobody else."""
    flow, begun = Flow("Talk"), asyncio.Event()
    words = [f"{number} " * 20 for number in range(100)]

    @flow.step
    async def talk() -> AsyncIterator[str]:
        current.context.emit("", flush=True)
        begun.set()
        for word in words:
            yield word
            await asyncio.sleep(0.01)

    run = flow.stream(None, ServiceRegistry({TRACKER_SERVICE: tracker}))
    result = asyncio.create_task(run.result())
    await begun.wait()
    path = f"/api/executions/{run.execution_id}/stream"

    async def follow() -> str:
        async with following(api, path) as events:
            return "".join([event.data.get("text", "") async for event in events])

    async with following(api, path):  # it reads nothing
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=api.base_url, timeout=PATIENCE_SECONDS, limits=limits) as many:
            path = str(many.base_url.join(path))
            followed = await asyncio.gather(*(follow() for _ in range(100)))
        assert set(followed) == {"".join(words)}
    assert (await result)["output"]["talk"] == {"text": "".join(words)}
