"""A text that is no id finds nothing, at every door and on both databases: as an id does that nothing has.

Ids are UUIDs in small letters. PostgreSQL would also take a UUID in capitals, in braces or without hyphens for the same
one, and would refuse any other text; SQLite knows text only. So no door hands either of them such a text.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError, InvalidArgument
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    JsonText,
    PipelineId,
    StepExecutionId,
    is_id,
    new_id,
)
from ia_modules.tracker.details import read_execution, read_payloads, read_step, read_steps
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.inbox import InteractionFilters
from ia_modules.tracker.lines import LogFilters
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.transitions import LogLine, NewExecution, NewInteraction, StepStart, Transition


@dataclass(frozen=True)
class World:
    """A database with one execution of one step in it, and what asks it."""

    database: DatabaseManager
    tracker: ExecutionTracker
    client: Client
    pipeline_id: PipelineId
    execution_id: ExecutionId
    step_execution_id: StepExecutionId


@pytest.fixture
async def world(database: DatabaseManager) -> AsyncGenerator[World]:
    async with ExecutionTracker(database) as tracker, Client(database, tracker=tracker) as client:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly import")
        execution_id = await tracker.start_execution(pipeline_id, input_data={"n": 1})
        step_execution_id = await tracker.start_step_execution(execution_id, "load", "Load", "task")
        await tracker.log(execution_id, "a line", step_execution_id=step_execution_id)
        yield World(database, tracker, client, pipeline_id, execution_id, step_execution_id)


Door = Callable[[World, str], Awaitable[object]]


async def follow(world: World, text: str) -> object:
    async with aclosing(world.tracker.subscribe(text)) as pages:
        return await anext(pages)


async def export(world: World, text: str) -> object:
    return [part async for part in await world.client.export(text)]


async def in_bulk(world: World, text: str) -> object:
    outcome = await world.client.bulk("cancel", execution_ids=[text])
    return len(outcome.refused)


async def rerun_of(world: World, text: str) -> object:
    new = NewExecution(pipeline_id=world.pipeline_id, rerun_of=ExecutionId(text))
    return await world.tracker.record(Transition(execution_id=ExecutionId(new_id()), writer="w", new=new))


async def measured(world: World, text: str) -> object:
    found = await MetricsReader(world.database).measure(None, text)
    return found.executions, found.steps


async def history(world: World, text: str) -> object:
    return [bucket.started for bucket in (await MetricsReader(world.database).history(None, text)).buckets]


OF_EXECUTIONS: dict[str, Door] = {
    "execution": lambda it, text: it.tracker.get_execution(text),
    "summary": lambda it, text: it.tracker.get_execution_summary(text),
    "steps": lambda it, text: it.tracker.get_execution_steps(text),
    "questions": lambda it, text: it.tracker.get_interactions(text),
    "lines": lambda it, text: it.tracker.list_logs(text),
    "changes": lambda it, text: it.tracker.changes(text),
    "follow": follow,
    "wait": lambda it, text: it.tracker.wait(text),
    "cancel": lambda it, text: it.client.cancel(text),
    "take over": lambda it, text: it.tracker.take_over(text),
    "status": lambda it, text: it.tracker.update_execution_status(text, ExecutionStatus.COMPLETED),
    "begin a step": lambda it, text: it.tracker.start_step_execution(text, "load", "Load", "task"),
    "write a line": lambda it, text: it.tracker.log(text, "a line"),
    "detail": lambda it, text: read_execution(it.database, text, step_limit=9, rerun_limit=9),
    "payloads": lambda it, text: read_payloads(it.database, text),
    "details of steps": lambda it, text: read_steps(it.database, text, cursor=None, limit=9),
    "result": lambda it, text: it.client.result(text),
    "re-run": lambda it, text: it.client.rerun(text),
    "re-run of": rerun_of,
    "resume": lambda it, text: it.client.resume(text),
    "export": export,
    "delete": lambda it, text: it.client.delete(text),
    "bulk": in_bulk,
}
OF_OTHERS: dict[str, Door] = {
    "step": lambda it, text: it.tracker.get_step_execution(text),
    "end a step": lambda it, text: it.tracker.complete_step_execution(text, "completed"),
    "detail of a step": lambda it, text: read_step(it.database, it.execution_id, text),
    "step of an execution": lambda it, text: read_step(it.database, text, it.step_execution_id),
    "line of a step": lambda it, text: it.tracker.log(it.execution_id, "a line", step_execution_id=text),
    "lines of a step": lambda it, text: it.tracker.list_logs(it.execution_id, LogFilters(step_execution_id=text)),
    "answer": lambda it, text: it.tracker.answer_interaction(text, {}, actor="ann"),
    "assign": lambda it, text: it.tracker.assign_interaction(text, ["ann"], actor="ann"),
    "question": lambda it, text: it.tracker.get_interaction(text),
    "questions": lambda it, text: it.tracker.list_interactions(InteractionFilters(pipeline_id=PipelineId(text))),
    "pipeline": lambda it, text: it.tracker.get_pipeline(text),
    "definition": lambda it, text: it.tracker.get_pipeline_version(text),
    "a version by the client": lambda it, text: it.client.version(text),
    "start": lambda it, text: it.tracker.start_execution(text),
    "request": lambda it, text: it.tracker.find_request(text, "a key"),
    "list": lambda it, text: it.tracker.list_executions(ExecutionFilters(pipeline_id=PipelineId(text))),
    "statistics": lambda it, text: it.tracker.get_execution_statistics(ExecutionFilters(pipeline_id=PipelineId(text))),
    "metrics": measured,
    "history": history,
}

CURSORS: dict[str, Door] = {
    "questions": lambda it, text: it.tracker.list_interactions(cursor=text),
    "list": lambda it, text: it.tracker.list_executions(cursor=text),
    "steps": lambda it, text: read_steps(it.database, it.execution_id, cursor=text, limit=9),
    "lines": lambda it, text: it.tracker.list_logs(it.execution_id, cursor=f"0:{text}"),
}


def disguises(real: str) -> list[str]:
    """Texts that PostgreSQL takes for the same UUID, or nearly."""
    uuid = UUID(real)
    return [
        real.upper(),
        uuid.hex,
        f"{{{real}}}",
        uuid.urn,
        f" {real}",
        f"{real}\n",
        real[:-1],
        f"{real}0",
        real.replace("-", "\N{HYPHEN}"),
    ]


STRANGE = st.text(max_size=40) | st.uuids().flatmap(lambda uuid: st.sampled_from(disguises(str(uuid))))


async def outcome(door: Door, world: World, text: str) -> object:
    """What a door gives, or the kind of error; of an error only its kind, as its words repeat the text."""
    try:
        return await door(world, text)
    except IAModulesError as error:
        return type(error)


@given(text=STRANGE.filter(lambda text: not is_id(text)))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_what_is_no_id_finds_what_an_unknown_id_finds(world: World, text: str) -> None:
    for name, door in (OF_EXECUTIONS | OF_OTHERS).items():
        assert await outcome(door, world, text) == await outcome(door, world, new_id()), name


async def test_another_spelling_of_an_id_that_is_there_is_another_text(world: World) -> None:
    for text in disguises(world.execution_id):
        for name, door in OF_EXECUTIONS.items():
            assert await outcome(door, world, text) == await outcome(door, world, new_id()), name
    for real in (world.pipeline_id, world.step_execution_id):
        for text in disguises(real):
            for name, door in OF_OTHERS.items():
                assert await outcome(door, world, text) == await outcome(door, world, new_id()), name


@pytest.mark.parametrize("name", CURSORS)
@given(text=STRANGE.filter(lambda text: text and not is_id(text)))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_a_cursor_that_is_none_is_refused(world: World, name: str, text: str) -> None:
    with pytest.raises(InvalidArgument, match="cursor"):
        await CURSORS[name](world, text)


async def test_what_begins_here_has_an_id_that_both_databases_take(world: World) -> None:
    execution_id, step_id = world.execution_id, world.step_execution_id
    new = NewExecution(pipeline_id=world.pipeline_id)
    for text in (*disguises(new_id()), "e1", ""):
        start = StepStart(step_execution_id=StepExecutionId(text), step_id="s", step_name="S", step_type="task")
        line = LogLine(log_id=text, message="a line")
        ask = NewInteraction(interaction_id=text, step_execution_id=step_id, ui_schema=JsonText("{}"))
        for transition in (
            Transition(execution_id=ExecutionId(text), writer=world.tracker.owner, new=new),
            Transition(execution_id=execution_id, writer=world.tracker.owner, starts=(start,)),
            Transition(execution_id=execution_id, writer=world.tracker.owner, logs=(line,)),
            Transition(execution_id=execution_id, writer=world.tracker.owner, asks=(ask,)),
        ):
            with pytest.raises(InvalidArgument, match="a UUID in small letters"):
                await world.tracker.record(transition)
