"""What becomes of what a worker runs while the database is away, or the worker is not heard of."""

import asyncio
from typing import Any

import pytest

from ia_modules.database.driver import Params, Rows
from ia_modules.database.manager import DatabaseManager, Script
from ia_modules.models import ExecutionStatus, StalledExecution
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Failure, Recovery
from ia_modules.worker import worker
from ia_modules.worker.worker import Worker
from tests.unit.worker.queue import Place, until, until_begun, until_status
from tests.unit.worker.workers import COMPLETED, FAILED, LEASE_SECONDS, PENDING, gone, working


async def test_a_database_that_is_away_for_a_while_is_a_problem_and_no_end(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    async with working(database_url) as worker:
        await database.execute_async("ALTER TABLE workers RENAME TO elsewhere")

        async def problem() -> str | None:
            return worker.problem

        assert "workers" in (await until(problem, lambda problem: problem is not None) or "")
        execution_id = await place.enqueue(tracker)
        await database.execute_async("ALTER TABLE elsewhere RENAME TO workers")
        await until_status(tracker, execution_id, COMPLETED)
        await until(problem, lambda problem: problem is None)


async def test_who_was_silent_because_the_database_was_away_keeps_what_it_runs(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    async with working(database_url), working(database_url, slots=0, poll_seconds=0.01) as other:
        await until_begun(place, execution_id, "one")

        known = "SELECT worker_id FROM workers"
        await until(lambda: database.fetch_all_async(known), lambda workers: len(workers) == 2)
        await database.execute_async("ALTER TABLE workers RENAME TO elsewhere")

        async def silent(table: str) -> int:
            sql = f"SELECT COUNT(*) AS found FROM {table} WHERE heartbeat_at < ia_now(-lease_seconds)"
            row = await database.fetch_one_async(sql)
            assert row is not None
            return row["found"]

        await until(lambda: silent("elsewhere"), lambda found: found == 2)
        await database.execute_async("ALTER TABLE elsewhere RENAME TO workers")
        await until(lambda: silent("workers"), lambda found: found == 0)
        place.open()
        record = await until_status(tracker, execution_id, COMPLETED)

        async def problem() -> str | None:
            return other.problem

        await until(problem, lambda problem: problem is None)
    assert (record.epoch, record.recoveries, place.times()[execution_id, "one"]) == (1, 0, 1)


async def test_what_was_lost_and_comes_back_to_the_same_worker_runs_there_once(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    """As if others had taken it for dead and put back what it ran, while it lives."""
    execution_id = await place.enqueue(tracker)
    async with working(database_url) as worker:
        await until_begun(place, execution_id, "one")
        put_back = "UPDATE pipeline_executions SET status = 'pending', owner = NULL, epoch = epoch + 1"
        await database.execute_async(put_back)

        async def begun() -> int:
            return place.times()[execution_id, "one"]

        async def running() -> int:
            return worker.running

        await until(begun, lambda times: times == 2)
        await until(running, lambda running: running == 1)
        place.open()
        record = await until_status(tracker, execution_id, COMPLETED)
    assert record.epoch == 3
    assert place.times()[execution_id, "two"] == 1


async def test_who_is_heard_again_before_it_is_taken_over_keeps_what_it_runs(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    found_silent = StalledExecution(
        execution_id=execution_id, epoch=1, managed=True, recoveries=0, cancel_requested=False, is_elsewhere=False
    )
    async with gone(database_url) as owner:
        await owner.ownership.claim(1)
        for recovery in (
            Recovery(status=PENDING),
            Recovery(status=FAILED, failure=Failure(type="CrashLoop", message="it seemed dead")),
        ):
            assert not await tracker.ownership.recover(found_silent, recovery)
        assert (await until_status(tracker, execution_id, ExecutionStatus.RUNNING)).owner == owner.owner
    assert await tracker.ownership.recover(found_silent, Recovery(status=PENDING))


async def test_work_cut_off_by_an_outage_is_no_sign_of_a_crash_loop(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    async with working(database_url, recovery_limit=0) as worker:  # one death would be too many
        await until_begun(place, execution_id, "one")
        await database.execute_async("ALTER TABLE step_executions RENAME TO elsewhere")
        place.open()

        async def running() -> int:
            return worker.running

        await until(running, lambda running: running == 0)
        await database.execute_async("ALTER TABLE elsewhere RENAME TO step_executions")
        record = await until_status(tracker, execution_id, COMPLETED)
    assert record.error_type is None


async def test_a_claim_whose_answer_was_lost_is_put_back(
    database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    execution_id = await place.enqueue(tracker)
    async with ExecutionTracker(database, lease_seconds=LEASE_SECONDS) as owner:
        await owner.ownership.claim(1)
        owner.ownership.held.clear()  # the claim is on record, and nobody here knows of it
        async with Worker(database, owner, poll_seconds=0.1):
            await until_status(tracker, execution_id, COMPLETED)


async def test_a_dead_worker_whose_last_heartbeat_lies_ahead_of_the_clock_is_found(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    """As if the database's clock had been set back since."""
    place.open()
    execution_id = await place.enqueue(tracker)
    async with gone(database_url) as dead:
        await dead.ownership.claim(1)
    await database.execute_async(
        "UPDATE workers SET heartbeat_at = ia_now(3600), stopped_at = NULL, lease_seconds = 0.2 WHERE worker_id = :id",
        {"id": dead.owner},
    )
    async with working(database_url):
        await until_status(tracker, execution_id, COMPLETED)


class SilentDatabase(DatabaseManager):
    """Answers nothing any more while ``silent`` is set."""

    silent = False

    async def run(self, script: Script[Any], **options: float | None) -> Any:
        if self.silent:
            await asyncio.Event().wait()
        return await super().run(script, **options)

    async def fetch_all_async(self, sql: str, params: Params | None = None) -> Rows:
        if self.silent:
            await asyncio.Event().wait()
        return await super().fetch_all_async(sql, params)


async def test_a_worker_whose_database_never_answers_again_can_be_stopped(
    database_url: str, tracker: ExecutionTracker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_STOP_SECONDS", 0.1)
    execution_id = await place.enqueue(tracker)
    async with (
        SilentDatabase(database_url) as silent,
        ExecutionTracker(silent, lease_seconds=LEASE_SECONDS, give_up_seconds=0.1) as owner,
    ):
        stopped = await Worker(silent, owner, grace_seconds=0.1).__aenter__()
        await until_begun(place, execution_id, "one")
        silent.silent = True
        async with asyncio.timeout(60):
            await stopped.drain()
        assert stopped.problem == "The worker is stopped."
        await owner.close()
