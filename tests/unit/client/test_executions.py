import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import orjson
import pytest

from ia_modules import Client, DatabaseManager, Flow, current
from ia_modules.database.driver import Params, Script
from ia_modules.errors import (
    AlreadyFinished,
    DatabaseClosed,
    ExecutionKept,
    ExecutionNotFound,
    StepExecutionNotFound,
)
from ia_modules.models import ExecutionStatus, LogLevel
from ia_modules.paths import GRAPH, run_path
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lines import LogFilters
from tests.unit.client.doubling import audit, pin

T = TypeVar("T")


async def test_an_execution_is_followed_to_its_end_from_any_sequence(client: Client, file: Path) -> None:
    started = await client.start(file, {"n": 1})

    async def follow() -> list[int]:
        return [changes.upto async for changes in client.follow(started.execution_id)]

    following = asyncio.create_task(follow())
    await started.to_end()
    seen = await following
    summary = await client.summary(started.execution_id)
    assert seen == sorted(set(seen))
    assert seen[-1] == summary.sequence
    assert [changes async for changes in client.follow(started.execution_id, summary.sequence)] == []
    with pytest.raises(ExecutionNotFound):
        await anext(client.follow("nobody"))


async def test_waiting_gives_up_in_time_and_what_it_waits_for_goes_on(client: Client, file: Path) -> None:
    queued = await client.queue(file, {"n": 1})
    with pytest.raises(TimeoutError):
        await client.wait(queued.execution_id, timeout_seconds=0.05)
    assert (await client.summary(queued.execution_id)).status is ExecutionStatus.PENDING
    with pytest.raises(ExecutionNotFound):
        await client.wait("nobody")


async def test_log_lines_come_in_pages_and_by_level(client: Client, file: Path) -> None:
    ran = (await client.run(file, {"n": 1}))["execution_id"]
    page = await client.log_page(ran, LogFilters(level=LogLevel.WARNING))
    assert (page.items, page.next_cursor) == ([], None)
    assert (await client.log_page(ran, limit=1)).items[0].message == "doubling"
    with pytest.raises(ExecutionNotFound):
        await client.log_page("nobody")
    with pytest.raises(ExecutionNotFound):
        await anext(client.logs("nobody"))


async def test_a_request_to_cancel_that_is_sent_again_is_no_error(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    queued = await client.queue(file, {"n": 1})
    twice = [await client.cancel(queued.execution_id, reason="The wrong day.", idempotency_key="key") for _ in range(2)]
    assert [each.status for each in twice] == [ExecutionStatus.CANCELLED] * 2
    rows = [row[3] for row in await audit(database) if row[1] == "execution.cancel"]
    assert rows == [{"reason": "The wrong day.", "idempotency_key": "key"}]
    with pytest.raises(AlreadyFinished):
        await client.cancel(queued.execution_id, idempotency_key="another")


async def test_who_asks_once_more_to_stop_what_runs_is_on_record_too(client: Client, database: DatabaseManager) -> None:
    running = await client.tracker.start_execution(await client.tracker.register_pipeline("nightly", "Nightly"))
    await client.cancel(running, actor="ann")
    stood = await client.summary(running)
    for _ in range(2):
        assert await client.cancel(running, actor="bob", idempotency_key="bobs") == stood
    rows = [(row[0], row[3]) for row in await audit(database) if row[1] == "execution.cancel"]
    assert rows == [("ann", None), ("bob", {"idempotency_key": "bobs"})]
    await client.tracker.update_execution_status(running, ExecutionStatus.CANCELLED)
    assert (await client.cancel(running, idempotency_key="bobs")).status is ExecutionStatus.CANCELLED
    with pytest.raises(AlreadyFinished):
        await client.cancel(running, actor="cleo")


class DyingDatabase(DatabaseManager):
    """What its process sees of a database: nothing any more after the next transaction, once ``dies`` is set."""

    dies = is_dead = False

    async def run(self, script: Script[T], **limits: float | None) -> T:
        self._refuse_when_dead()
        result = await super().run(script, **limits)
        self.is_dead = self.dies
        return result

    async def read(self, script: Script[T]) -> T:
        self._refuse_when_dead()
        return await super().read(script)

    async def execute_many_async(self, sql: str, rows: Sequence[Params]) -> None:
        self._refuse_when_dead()
        await super().execute_many_async(sql, rows)

    def _refuse_when_dead(self) -> None:
        if self.is_dead:
            raise DatabaseClosed("Its process has died.")


async def test_a_process_that_dies_when_it_has_cancelled_leaves_who_did_it_on_record(
    client: Client, file: Path, database: DatabaseManager, database_url: str
) -> None:
    queued = await client.queue(file, {"n": 1})
    async with DyingDatabase(database_url) as dying, ExecutionTracker(dying, lease_seconds=None) as tracker:
        mortal = Client(dying, tracker=tracker)
        await mortal.summary(queued.execution_id)
        dying.dies = True
        with pytest.raises(DatabaseClosed):
            await mortal.cancel(queued.execution_id, actor="bob", reason="The wrong day.")
        dying.dies = dying.is_dead = False
    assert (await client.summary(queued.execution_id)).status is ExecutionStatus.CANCELLED
    assert (await audit(database))[-1][:2] == ("bob", "execution.cancel")


async def test_an_execution_is_cancelled_once(client: Client, file: Path, database: DatabaseManager) -> None:
    queued = await client.queue(file, {"n": 1})
    assert (await client.cancel(queued.execution_id, actor="bob")).status is ExecutionStatus.CANCELLED
    with pytest.raises(AlreadyFinished):
        await client.cancel(queued.execution_id)
    with pytest.raises(ExecutionNotFound):
        await client.cancel("nobody")
    assert (await audit(database))[-1] == ("bob", "execution.cancel", queued.execution_id, None)


async def test_an_execution_is_exported_whole(client: Client, file: Path) -> None:
    ran = (await client.run(file, {"n": 4}))["execution_id"]
    exported = orjson.loads(b"".join([part async for part in await client.export(ran)]))
    assert exported["execution"]["output_data"]["n"] == 8
    assert exported["definition"]["slug"] == "double"
    assert [step["step_id"] for step in exported["steps"]] == ["double"]
    assert ([line["message"] for line in exported["logs"]], exported["interactions"]) == (["doubling"], [])
    with pytest.raises(ExecutionNotFound):
        await client.export("nobody")


async def test_only_what_has_ended_and_is_not_pinned_is_deleted(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    ran = (await client.run(file, {"n": 1}))["execution_id"]
    kept = (await client.run(file, {"n": 2}))["execution_id"]
    await pin(database, kept)
    queued = await client.queue("double", {"n": 1})
    await client.delete(ran, actor="bob")
    assert (await audit(database))[-1] == ("bob", "execution.delete", ran, None)
    with pytest.raises(ExecutionNotFound):
        await client.steps(ran)
    with pytest.raises(ExecutionNotFound):
        await client.delete(ran)
    with pytest.raises(ExecutionNotFound):
        await client.delete("no\0body")
    with pytest.raises(ExecutionKept, match="is pinned"):
        await client.delete(kept)
    with pytest.raises(ExecutionKept, match="is pending: cancel it first"):
        await client.delete(queued.execution_id)
    assert len(await audit(database)) == 2  # with the start of the queued one


async def test_the_input_of_an_item_is_made_again_where_it_is_too_large_to_be_stored_with_each(client: Client) -> None:
    seen: dict[int, object] = {}
    flow = Flow("Documents", parameters={"prompt": "p" * 2_000})

    @flow.step
    def listed(data: dict[str, object]) -> dict[str, object]:
        return {"docs": [{"text": "short"}, {"text": "t" * 1_500}]}

    inputs = {"doc": "{item}", "at": "{run.index} of {run.iteration}", "prompt": "{parameters.prompt}"}

    @flow.step(map="{steps.listed.output.docs}", inputs=inputs)
    def read(data: dict[str, object]) -> None:
        seen[current.context.iteration] = data

    @flow.step(map="{steps.listed.output.docs}", on_item_failure="continue")
    def fail(data: dict[str, object]) -> None:
        raise ValueError

    flow.paths(listed >> read, listed >> fail)
    execution_id = (await client.run(flow))["execution_id"]
    for path, expected in ((READ, seen), (FAIL, {1: {"text": "short"}, 2: {"text": "t" * 1_500}})):
        items = await client.tracker.get_execution_steps(execution_id, within=path)
        found = {each.iteration: await client.step_input(execution_id, each.step_execution_id) for each in items}
        assert found == expected
    other = await client.run(flow)
    with pytest.raises(StepExecutionNotFound):
        await client.step_input(other["execution_id"], items[0].step_execution_id)


async def test_what_a_program_records_within_a_step_has_the_input_that_it_says(client: Client) -> None:
    flow = Flow("By hand")

    @flow.step
    async def read(data: dict[str, object]) -> None:
        for step_id, input_data in (("read", {"n": 1}), ("other", None)):
            await client.tracker.start_step_execution(
                current.context.execution_id, step_id, step_id, "task", input_data
            )

    execution_id = (await client.run(flow))["execution_id"]
    within = await client.tracker.get_execution_steps(execution_id, within=READ)
    assert [await client.step_input(execution_id, each.step_execution_id) for each in within] == [{"n": 1}, None]


READ, FAIL = run_path(GRAPH, "read", 1), run_path(GRAPH, "fail", 1)
