"""What a program that died has left, taken over when it is started again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, StepError
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.recovery import DEATH_LIMIT
from ia_modules.pipeline.runner import Pipeline, Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker

pytestmark = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    async with ExecutionTracker(database, lease_seconds=0.5) as tracker:
        yield tracker


@pytest.fixture
def services(tracker: ExecutionTracker) -> ServiceRegistry:
    return ServiceRegistry({"execution_tracker": tracker})


class Program:
    """A flow of two steps, of which the second may hang or fail; it counts what it does."""

    def __init__(self, name: str = "Charges", **config: Any) -> None:
        self.effects: list[str] = []
        self.begun, self.hangs = asyncio.Event(), asyncio.Event()
        self.flow = Flow(name)

        async def charge(data: dict[str, Any]) -> dict[str, Any]:
            self.effects.append(f"charge {data['n']}")
            return {"charged": data["n"]}

        async def book(data: dict[str, Any]) -> dict[str, Any]:
            self.effects.append(f"book {data['n']}")
            self.begun.set()
            await self.hangs.wait()
            if data["n"] < 0:
                raise ValueError("negative")
            return {"booked": data["n"]}

        self.flow.add(charge, id="charge", config=config)
        self.flow.add(book, id="book")
        self.flow.connect("charge", "book")


async def dies(database: DatabaseManager, program: Program, n: int) -> ExecutionId:
    """Run a program until it hangs in its second step, and leave it there as a process that dies does."""
    async with ExecutionTracker(database, lease_seconds=0.5) as tracker:
        runner = Runner(tracker)
        started = await runner.start(program.flow.load(), {"n": n})
        running = asyncio.create_task(started.to_end())
        await program.begun.wait()
        program.begun.clear()
        record = await tracker.get_execution(started.execution_id)
        assert record is not None
        # its own end must not be recorded: somebody else owns it meanwhile, and gives it back
        lease = await tracker.take_over(started.execution_id, owner="nobody")
        running.cancel()
        await asyncio.wait([running])
    await database.execute_async(
        "UPDATE pipeline_executions SET owner = :owner WHERE execution_id = :id",
        {"owner": record.owner, "id": lease.execution_id},
    )
    return started.execution_id


async def status_of(tracker: ExecutionTracker, execution_id: ExecutionId) -> ExecutionStatus:
    record = await tracker.get_execution(execution_id)
    assert record is not None
    return record.status


async def test_what_died_goes_on_and_no_completed_step_runs_twice(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    program = Program()
    died = [await dies(database, program, n) for n in (1, 2)]
    program.hangs.set()
    program.effects.clear()
    own = await program.flow.run({"n": 3}, services, recover=True)
    assert program.effects == ["book 1", "book 2", "charge 3", "book 3"]
    assert (own["output"]["booked"], own["execution_id"] in died) == (3, False)
    assert [await status_of(tracker, each) for each in died] == [ExecutionStatus.COMPLETED] * 2
    steps = await tracker.get_execution_steps(died[0])
    assert [(step.step_id, step.status) for step in steps] == [
        ("charge", StepStatus.COMPLETED),
        ("book", StepStatus.LOST),
        ("book", StepStatus.COMPLETED),
    ]
    again = await program.flow.recover(services)
    assert (again.results, again.errors, again.left) == ({}, {}, {})


async def test_what_died_stays_as_it_is_where_recovery_is_not_wanted(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    program = Program()
    died = await dies(database, program, 1)
    program.hangs.set()
    await program.flow.run({"n": 2}, services)
    assert await status_of(tracker, died) is ExecutionStatus.RUNNING


async def test_what_began_with_another_definition_is_listed_and_not_touched(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    died = await dies(database, Program(), 1)
    before = await tracker.get_execution(died)
    other = Program(limit=2)
    other.hangs.set()
    recovered = await other.flow.recover(services)
    assert (recovered.results, list(recovered.left)) == ({}, [died])
    assert "with another definition" in recovered.left[died]
    assert (await tracker.get_execution(died), other.effects) == (before, [])


async def test_what_a_living_process_runs_is_not_touched(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    program = Program()
    async with ExecutionTracker(database, lease_seconds=0.5) as other:
        started = await Runner(other).start(program.flow.load(), {"n": 1})
        running = asyncio.create_task(started.to_end())
        recovered = await program.flow.recover(services)
        assert "lives, and runs it" in recovered.left[started.execution_id]
        program.hangs.set()
        assert (await running)["status"] == "completed"


async def test_what_ended_as_lost_goes_on_and_one_that_fails_again_holds_up_no_other(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    program = Program()
    fails, lost = await dies(database, program, -1), await dies(database, program, 2)
    await database.execute_async("UPDATE pipeline_executions SET owner = NULL WHERE execution_id = :id", {"id": lost})
    await database.execute_async(
        "UPDATE pipeline_executions SET status = 'failed', completed_at = ia_now(), error_type = 'ProcessLost'"
        " WHERE execution_id = :id",
        {"id": lost},
    )
    program.hangs.set()
    recovered = await program.flow.recover(services)
    assert isinstance(recovered.errors[fails], StepError)
    assert recovered.results[lost]["output"]["booked"] == 2
    assert (await status_of(tracker, fails), await status_of(tracker, lost)) == (
        ExecutionStatus.FAILED,
        ExecutionStatus.COMPLETED,
    )


async def test_what_was_to_be_cancelled_is_cancelled_and_does_not_run(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    program = Program()
    died = await dies(database, program, 1)
    assert await tracker.request_cancel(died) is ExecutionStatus.RUNNING
    program.effects.clear()
    recovered = await program.flow.recover(services)
    assert "it is cancelled" in recovered.left[died]
    assert (await status_of(tracker, died), program.effects) == (ExecutionStatus.CANCELLED, [])


async def test_two_that_recover_at_once_run_each_execution_once(
    database: DatabaseManager, tracker: ExecutionTracker
) -> None:
    program = Program()
    died = {await dies(database, program, n) for n in range(1, 4)}
    program.hangs.set()
    program.effects.clear()
    async with ExecutionTracker(database, lease_seconds=0.5) as other:
        pair = [
            Pipeline(program.flow.load(), ServiceRegistry({"execution_tracker": each})) for each in (tracker, other)
        ]
        first, second = await asyncio.gather(*(pipeline.recover() for pipeline in pair))
    assert sorted(program.effects) == ["book 1", "book 2", "book 3"]
    assert first.results.keys() | second.results.keys() == died
    assert not first.results.keys() & second.results.keys()
    assert (first.errors, second.errors) == ({}, {})


async def test_a_step_that_kills_its_process_again_and_again_is_left_to_people(
    database: DatabaseManager, tracker: ExecutionTracker, services: ServiceRegistry
) -> None:
    program = Program()
    died = await dies(database, program, 1)
    record = await tracker.get_execution(died)
    assert record is not None
    await tracker.take_over(died)
    for _ in range(DEATH_LIMIT - 1):
        attempt = (await tracker.get_execution_steps(died))[-1].step_execution_id
        await tracker.complete_step_execution(attempt, "lost")
        await tracker.start_step_execution(died, "book", "book", "task")
    await database.execute_async("UPDATE pipeline_executions SET owner = :owner", {"owner": record.owner})
    recovered = await program.flow.recover(services)
    assert "executions resume" in recovered.left[died]


async def test_without_records_recovery_is_refused_with_words(dialect: str) -> None:
    del dialect
    with pytest.raises(InvalidArgument, match="no service 'execution_tracker'"):
        await Program().flow.run({"n": 1}, recover=True)


async def test_a_lease_that_is_not_the_newest_takes_nothing_over(
    database: DatabaseManager, tracker: ExecutionTracker
) -> None:
    died = await dies(database, Program(), 1)
    newest = await tracker.take_over(died)
    with pytest.raises(Exception, match="epoch"):
        await tracker.take_over(died, reopen=True, epoch=newest.epoch - 1)
    assert (await tracker.take_over(died, epoch=newest.epoch)).epoch == newest.epoch + 1
