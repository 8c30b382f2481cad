import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ClaimedExecution, ExecutionId, ExecutionStatus, Lease, StepExecutionId, StepStatus, new_id
from ia_modules.pipeline.core import Step, StepContext
from ia_modules.pipeline.executor import LocalExecutor, current_step
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import StepStart, Transition
from ia_modules.worker.blocked_loop import BlockedLoop
from tests.unit.worker.queue import Place

WARN_SECONDS, LIMIT_SECONDS = 15.0, 150.0


class Blocked:
    """Two executions of one worker, the first with a step that blocks the loop while the thread looks after it."""

    def __init__(self, database_url: str, owner: ExecutionTracker, claims: list[ClaimedExecution]) -> None:
        self.database_url, self.owner = database_url, owner
        self.leases = [claim.lease for claim in claims]
        self.attempt = StepExecutionId(new_id())
        self.executor = LocalExecutor()
        self.lines: list[str] = []

    async def begin(self) -> None:
        start = StepStart(step_execution_id=self.attempt, step_id="load", step_name="Load", step_type="task")
        await self.owner.record(Transition(writer=self.owner.owner, lease=self.leases[0], starts=(start,)))

    async def block(self, *blocked_seconds: float, known: bool = True) -> None:
        """As if the loop had not answered for so long at each look."""
        watch = BlockedLoop(
            self.owner.owner,
            self.executor,
            lambda: self.leases,
            loop=asyncio.get_running_loop(),
            warn_seconds=WARN_SECONDS,
            limit_seconds=LIMIT_SECONDS,
            recovery_limit=1,
            tell=self.lines.append,
        ).watch

        async def look() -> None:
            async with DatabaseManager(self.database_url) as database:
                for seconds in blocked_seconds:
                    await watch(database, seconds)

        def hang() -> None:
            thread = threading.Thread(target=lambda: asyncio.run(look()))
            thread.start()
            thread.join()  # the loop hangs meanwhile

        async def run(data: dict[str, Any]) -> None:
            hang()

        step = Step("load")
        step.context = StepContext(
            execution_id=self.leases[0].execution_id, step_id="load", step_execution_id=self.attempt
        )
        current_step.set(step)
        await (self.executor.execute("load", run, {}, timeout_seconds=None) if known else run({}))

    async def messages(self, execution_id: ExecutionId) -> list[tuple[str, str | None]]:
        return [(line.message, line.step_execution_id) for line in (await self.owner.changes(execution_id)).logs]


@pytest.fixture
async def blocked(database: DatabaseManager, database_url: str, place: Place) -> AsyncGenerator[Blocked]:
    async with ExecutionTracker(database) as owner:
        await place.enqueue(owner)
        await place.enqueue(owner)
        assert owner.heartbeat is not None
        await owner.heartbeat.begin()
        made = Blocked(database_url, owner, await owner.ownership.claim(2))
        await made.begin()
        yield made


async def test_a_step_that_blocks_the_loop_is_named_once_on_its_attempt_and_nothing_is_taken_away_yet(
    blocked: Blocked,
) -> None:
    first, beside = blocked.leases
    await blocked.block(14.0, 16.0, 149.0)
    ((message, attempt),) = await blocked.messages(first.execution_id)
    assert message.startswith("Step 'load' blocks the event loop of its worker, for 16 s so far")
    assert "A plain def runs in a thread" in message
    assert attempt == blocked.attempt
    assert await blocked.messages(beside.execution_id) == []
    assert {execution.lease for execution in await blocked.owner.ownership.owned()} == {first, beside}


async def test_after_the_limit_all_goes_back_into_the_queue_with_the_reason(blocked: Blocked) -> None:
    first, beside = blocked.leases
    await blocked.block(16.0, 151.0)
    records = [await blocked.owner.get_execution(lease.execution_id) for lease in (first, beside)]
    assert [(record.status, record.recoveries, record.epoch) for record in records if record is not None] == [
        (ExecutionStatus.PENDING, 1, first.epoch + 1),
        (ExecutionStatus.PENDING, 0, beside.epoch + 1),  # it only ran beside it
    ]
    (step,) = await blocked.owner.get_execution_steps(first.execution_id)
    assert (step.status, step.error_type) == (StepStatus.LOST, "EventLoopBlocked")
    assert step.error_message == "The event loop of its worker did not answer for 151 s: step 'load' blocked it."


async def test_what_blocks_its_worker_again_and_again_fails_and_names_itself(blocked: Blocked) -> None:
    await blocked.block(16.0, 151.0)
    blocked.leases = [claim.lease for claim in await blocked.owner.ownership.claim(2)]
    blocked.leases.sort(key=lambda lease: lease.execution_id)
    await blocked.block(16.0, 151.0)
    record = await blocked.owner.get_execution(blocked.leases[0].execution_id)
    assert record is not None
    assert (record.status, record.error_type) == (ExecutionStatus.FAILED, "EventLoopBlocked")
    assert "step 'load' blocked it. It was taken over 2 times" in (record.error_message or "")


async def test_where_nobody_knows_what_blocks_the_loop_each_execution_says_so(blocked: Blocked) -> None:
    await blocked.block(16.0, known=False)
    for lease in blocked.leases:
        ((message, attempt),) = await blocked.messages(lease.execution_id)
        assert message.endswith("which step blocks it is not known.")
        assert attempt is None


async def test_what_is_not_this_workers_any_more_is_left_alone(blocked: Blocked) -> None:
    first, beside = blocked.leases
    blocked.leases = [Lease(first.execution_id, first.epoch - 1)]
    await blocked.block(16.0, 151.0)
    assert {execution.lease for execution in await blocked.owner.ownership.owned()} == {first, beside}
