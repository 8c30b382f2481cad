"""Steering, answering and following executions."""

import asyncio
from contextlib import aclosing
from functools import partial

import pytest

from ia_modules.database import postgresql, postgresql_session
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    ConstraintViolated,
    DatabaseError,
    ExecutionNotFound,
)
from ia_modules.live import wake_up
from ia_modules.models import ExecutionStatus, PipelineId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.tracker import heartbeat
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import ExecutionUpdate, NewInteraction, Transition
from tests.unit.database.proxy import proxy_to


async def test_everybody_who_watches_for_a_cancellation_is_told(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    heard: list[str] = []
    first, second, third = [
        tracker.watch_cancellation(execution_id, partial(heard.append, name)) for name in ("first", "second", "third")
    ]
    first()
    await tracker.request_cancel(execution_id)
    assert heard == ["second", "third"]
    second()
    third()


async def test_answering_and_cancelling_do_not_wait_for_each_other(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    """Both lock the execution before its question: whoever is second finds it cancelled or answered."""
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as other:
        for _ in range(40):
            execution_id = await tracker.start_execution(pipeline_id)
            step_id = await tracker.start_step_execution(execution_id, "ask", "Ask", "human_input")
            ask = NewInteraction(interaction_id=new_id(), step_execution_id=step_id, ui_schema=encode({}, "schema"))
            change = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)
            waits = Transition(execution_id=execution_id, writer=tracker.owner, asks=(ask,), change=change)
            await tracker.record(waits)
            outcomes = await asyncio.gather(
                other.answer_interaction(ask.interaction_id, {"yes": True}, actor="ann"),
                tracker.request_cancel(execution_id),
                return_exceptions=True,
            )
            assert not [outcome for outcome in outcomes if isinstance(outcome, DatabaseError)]


async def test_a_pipeline_with_history_cannot_be_deleted_from_under_it(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    await tracker.start_execution(pipeline_id, "Nightly")
    with pytest.raises(ConstraintViolated):
        await database.execute_async("DELETE FROM pipelines WHERE id = :id", {"id": pipeline_id})
    empty = await tracker.register_pipeline("empty", "Empty")
    assert await database.execute_async("DELETE FROM pipelines WHERE id = :id", {"id": empty}) == 1


async def test_a_subscriber_gets_what_was_and_what_comes(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly")
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task")
    async with aclosing(tracker.subscribe(execution_id, poll_seconds=60)) as stream:
        first = await anext(stream)
        assert [(step.step_id, step.status) for step in first.steps] == [("load", StepStatus.RUNNING)]
        assert first.upto == 2
        await tracker.complete_step_execution(step_id, "completed")
        second = await anext(stream)
        assert (second.after, second.upto) == (2, 3)
        assert [step.status for step in second.steps] == [StepStatus.COMPLETED]
        await tracker.log(execution_id, "half way", step_execution_id=step_id, level="warning", data={"n": 1})
        third = await anext(stream)
        assert [(line.level, line.message, line.data) for line in third.logs] == [("warning", "half way", {"n": 1})]
    async with aclosing(tracker.subscribe(execution_id, after=3, poll_seconds=60)) as stream:
        again = await anext(stream)
        assert (again.steps, again.logs, again.upto) == ((), third.logs, 4)


async def test_a_subscriber_is_woken_by_another_process(
    tracker: ExecutionTracker, pipeline_id: PipelineId, database_url: str
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly")
    async with (
        DatabaseManager(database_url) as database,
        ExecutionTracker(database) as other,
        aclosing(other.subscribe(execution_id, poll_seconds=60)) as stream,
    ):
        assert (await anext(stream)).upto == 1
        coming = asyncio.ensure_future(anext(stream))
        while not coming.done():  # the listener may not listen yet: change something until it is noticed
            await tracker.log(execution_id, "tick")
            await asyncio.wait([coming], timeout=0.1)
        assert (await coming).logs[0].message == "tick"


async def test_a_subscriber_of_nothing_is_told(tracker: ExecutionTracker) -> None:
    with pytest.raises(ExecutionNotFound, match="'nobody'"):
        async with aclosing(tracker.subscribe("nobody")) as stream:
            await anext(stream)


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_closing_waits_at_each_stage_no_longer_than_its_limit_for_connections_that_are_silent(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was just committed is still to be announced, the end of the process to be written: 31 s without limits."""
    monkeypatch.setattr(heartbeat, "_STOP_SECONDS", 0.1)
    monkeypatch.setattr(wake_up, "_CLOSE_SECONDS", 0.1)
    for module in (postgresql, postgresql_session):
        monkeypatch.setattr(module, "CLEANUP_SECONDS", 0.1)
    async with proxy_to(database_url) as proxy, DatabaseManager(proxy.url) as through:
        tracker = ExecutionTracker(through)
        await tracker.start_execution(await tracker.register_pipeline("work", "Work"))
        proxy.go_silent()
        async with asyncio.timeout(25):
            await tracker.close()
