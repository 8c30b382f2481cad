import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ia_modules.database.driver import Params, Rows
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, PipelineId, StepStatus, new_id
from ia_modules.pipeline.allowed_code import allowed_code
from ia_modules.pipeline.runner import Runner, read_pipeline_file
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import NewExecution, Transition
from ia_modules.worker.worker import Worker
from tests.unit.pipeline.test_round_trips import Counted
from tests.unit.worker.queue import Place, until, until_begun, until_status
from tests.unit.worker.workers import COMPLETED, FAILED, LEASE_SECONDS, PENDING, database_of, gone, working


async def test_what_is_queued_runs_to_its_end_the_most_urgent_first(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    low, first, second = [await place.enqueue(tracker, priority=priority) for priority in (-1, 0, 0)]
    high = await place.enqueue(tracker, priority=1)
    async with working(database_url, slots=1):
        for execution_id in (low, first, second, high):
            record = await until_status(tracker, execution_id, COMPLETED)
            assert (record.epoch, record.completed_steps, record.recoveries) == (1, 3, 0)
    assert [execution_id for execution_id, step in place.ran() if step == "one"] == [high, first, second, low]


async def test_what_never_ran_is_run_without_reading_anything_of_it(
    database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    counted: Any = Counted(tracker, but=("cancellation",))
    async with Worker(database, counted, slots=5):
        await until_status(tracker, await place.enqueue(tracker), COMPLETED)
        assert counted.calls == {"get_pipeline_version": 1, "record": 4}
        counted.calls.clear()
        for execution_id in [await place.enqueue(tracker) for _ in range(5)]:
            await until_status(tracker, execution_id, COMPLETED)
        assert counted.calls == {"record": 20}


async def test_it_is_on_record_as_alive_before_anybody_can_ask_it(database_url: str, tracker: ExecutionTracker) -> None:
    async with working(database_url) as worker:
        liveness = await tracker.liveness(worker.worker_id)
    assert liveness is not None
    assert liveness.state == "alive"


class Named(DatabaseManager):
    """Counts the sentences that it is asked for."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sentences = Counter[str]()

    def query(self, name: str) -> str:
        self.sentences[name] += 1
        return super().query(name)


OF_NO_EXECUTION = {
    *("is_something_claimable", "claim", "next_due", "cancel_requests"),
    *("beat", "beats", "owned_executions", "stalled_executions", "left_to_clusters"),
}


async def test_what_never_ran_is_written_without_reading_first(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    async with (
        Named(database_url) as database,
        ExecutionTracker(database, lease_seconds=LEASE_SECONDS) as own,
        Worker(database, own, slots=5),
    ):
        await until_status(tracker, await place.enqueue(tracker), COMPLETED)
        database.sentences.clear()
        for execution_id in [await place.enqueue(tracker) for _ in range(5)]:
            await until_status(tracker, execution_id, COMPLETED)
        assert set(database.sentences) <= OF_NO_EXECUTION


async def test_what_is_queued_while_the_worker_waits_is_taken_and_never_more_than_its_slots(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    async with working(database_url, slots=2, poll_seconds=30.0) as worker:
        ids = [await place.enqueue(tracker) for _ in range(5)]
        await until_begun(place, ids[0], "one")
        await until_begun(place, ids[1], "one")
        statuses = [await tracker.get_execution_summary(execution_id) for execution_id in ids]
        assert [found.status for found in statuses if found is not None][2:] == [PENDING] * 3
        assert worker.running == 2
        place.open()
        for execution_id in ids:
            await until_status(tracker, execution_id, COMPLETED)
    assert set(place.times().values()) == {1}


async def test_a_delayed_start_begins_when_its_time_has_come_and_not_before(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    run_at = await tracker.now() + timedelta(seconds=0.5)
    async with working(database_url, poll_seconds=30.0):
        soon = await place.enqueue(tracker, run_at=run_at)
        later = await place.enqueue(tracker, run_at=run_at + timedelta(days=1), priority=9)
        passed = await place.enqueue(tracker, run_at=run_at - timedelta(days=1))
        records = [await until_status(tracker, each, COMPLETED) for each in (passed, soon)]
        waiting = await tracker.get_execution(later)
    assert records[1].started_at is not None
    assert records[1].started_at >= run_at
    assert waiting is not None
    assert (waiting.status, waiting.epoch, waiting.started_at) == (ExecutionStatus.WAITING, 0, None)


STUBBORN = """
from pathlib import Path
from ia_modules.pipeline.core import Step

class Stubborn(Step):
    async def run(self, data):
        with Path(data["effects"]).open("a") as effects:
            effects.write(f"{self.context.execution_id} {self.name}" + chr(10))
        if self.context.attempt == 1:
            raise ConnectionError("later")
"""


async def test_a_long_delay_before_the_next_attempt_holds_no_worker(
    database_url: str, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    retry = {"max_attempts": 2, "initial_delay": 2.5, "jitter": False}
    flaky = {"id": "flaky", "class": "Stubborn", "module": "stubborn", "error_handling": {"retry": retry}}
    place = Place(tmp_path, flaky)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    async with working(database_url, slots=1) as worker:
        first = await place.enqueue(tracker)
        resting = await until_status(tracker, first, ExecutionStatus.WAITING)
        (failed, pending) = await tracker.get_execution_steps(first)
        second = await place.enqueue(tracker)
        await until_begun(place, second, "flaky")
        ended = [await until_status(tracker, each, COMPLETED) for each in (first, second)]
        assert worker.running == 0
    assert (resting.owner, resting.run_at) == (None, pending.wake_at)
    assert (failed.status, pending.status) == (StepStatus.FAILED, StepStatus.PENDING)
    again = (await tracker.get_execution_steps(first))[1]
    assert (again.step_execution_id, again.wake_at) == (pending.step_execution_id, pending.wake_at)
    assert again.started_at is not None
    assert pending.wake_at is not None
    assert again.started_at >= pending.wake_at
    assert [(record.epoch, record.recoveries) for record in ended] == [(2, 0)] * 2
    assert place.ran() == [(first, "flaky"), (second, "flaky"), (first, "flaky"), (second, "flaky")]


async def test_several_workers_never_run_one_execution_twice(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    ids = [await place.enqueue(tracker) for _ in range(20)]
    async with working(database_url), working(database_url), working(database_url):
        for execution_id in ids:
            assert (await until_status(tracker, execution_id, COMPLETED)).epoch == 1
    assert place.times() == {(execution_id, step): 1 for execution_id in ids for step in ("one", "two", "three")}


async def test_what_a_stopped_worker_left_goes_on_where_it_was(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    place.open("one")
    async with gone(database_url) as left:
        (claim,) = await left.ownership.claim(4)
        pipeline = await read_pipeline_file(place.folder / "pipeline.json")
        started = Runner(left).claimed(pipeline, claim.input_data, claim.lease)
        running = asyncio.create_task(started.to_end())
        await until_begun(place, execution_id, "two")
        # As if the process had died: its claim is written over, so that nothing it does is recorded any more.
        await database_of(left).execute_async(
            "UPDATE pipeline_executions SET epoch = epoch + 1 WHERE execution_id = :id", {"id": execution_id}
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    place.open()
    async with working(database_url):
        record = await until_status(tracker, execution_id, COMPLETED)
    assert record.recoveries == 0  # it was 1; a step that completed starts the count over
    assert place.times()[execution_id, "one"] == 1
    steps = [(step.step_id, step.attempt, step.status) for step in await tracker.get_execution_steps(execution_id)]
    assert steps == [
        ("one", 1, StepStatus.COMPLETED),
        ("two", 1, StepStatus.LOST),
        ("two", 2, StepStatus.COMPLETED),
        ("three", 1, StepStatus.COMPLETED),
    ]


async def test_what_kills_its_workers_again_and_again_fails_at_last(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    async with gone(database_url) as left:
        await left.ownership.claim(4)
    async with working(database_url, slots=0, recovery_limit=1):
        record = await until_status(tracker, execution_id, PENDING)
    assert (record.recoveries, record.owner) == (1, None)
    async with gone(database_url) as left:
        await left.ownership.claim(4)
    async with working(database_url, slots=0, recovery_limit=1):
        record = await until_status(tracker, execution_id, FAILED)
    assert record.error_type == "CrashLoop"
    assert record.error_message is not None
    assert record.error_message.startswith("Its worker died 2 times")
    assert f"executions resume {execution_id}" in record.error_message


async def test_a_program_that_is_gone_has_failed_and_one_that_never_gave_signs_of_life_is_left_alone(
    database_url: str, tracker: ExecutionTracker
) -> None:
    pipeline_id = await tracker.register_pipeline("program", "A program")
    async with gone(database_url) as left:
        execution_id = await left.start_execution(pipeline_id)
        await left.start_step_execution(execution_id, "load", "Load", "task")
    async with DatabaseManager(database_url) as database, ExecutionTracker(database, lease_seconds=None) as silent:
        untold = await silent.start_execution(pipeline_id)
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as alive:
        running = await alive.start_execution(pipeline_id)
        async with working(database_url):
            record = await until_status(tracker, execution_id, FAILED)
        (step,) = await tracker.get_execution_steps(execution_id)
        assert (record.error_type, step.status, step.error_type) == ("ProcessLost", StepStatus.LOST, "ProcessLost")
        assert f"ia-modules executions resume {execution_id}" in (record.error_message or "")
        for other in (untold, running):
            summary = await tracker.get_execution_summary(other)
            assert summary is not None
            assert summary.status is ExecutionStatus.RUNNING
        await alive.update_execution_status(running, COMPLETED)


async def test_what_was_to_be_cancelled_when_its_worker_died_is_cancelled(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    async with gone(database_url) as left:
        await left.ownership.claim(4)
        assert await tracker.request_cancel(execution_id) is ExecutionStatus.RUNNING
    async with working(database_url):
        await until_status(tracker, execution_id, ExecutionStatus.CANCELLED)
    assert place.ran() == []


async def test_a_worker_that_stops_hands_back_what_does_not_end_in_time(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    place.open("one")
    async with working(database_url, grace_seconds=0.0):
        await until_begun(place, execution_id, "two")
    record = await tracker.get_execution(execution_id)
    assert record is not None
    assert (record.status, record.owner, record.recoveries, record.cancel_requested) == (PENDING, None, 0, False)
    two = (await tracker.get_execution_steps(execution_id))[1]
    assert (two.status, two.error_type) == (StepStatus.LOST, "WorkerStopped")
    place.open()
    async with working(database_url):
        record = await until_status(tracker, execution_id, COMPLETED)
    assert (place.times()[execution_id, "one"], place.times()[execution_id, "two"]) == (1, 2)


async def test_a_worker_that_stops_lets_what_runs_end_within_the_grace_period(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    async with working(database_url, grace_seconds=60.0) as worker:
        await until_begun(place, execution_id, "one")
        later = await place.enqueue(tracker)
        await until_begun(place, later, "one")
        draining = asyncio.create_task(worker.drain())
        await asyncio.sleep(0)
        unclaimed = await place.enqueue(tracker)
        place.open()
        await draining
    statuses = [await tracker.get_execution_summary(each) for each in (execution_id, later, unclaimed)]
    assert [found.status for found in statuses if found is not None] == [COMPLETED, COMPLETED, PENDING]


async def test_code_that_is_missing_here_is_left_to_another_worker_with_the_reason(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    (place.folder / "steps.py").rename(place.folder / "away.py")
    async with working(database_url) as worker:

        async def note() -> str | None:
            row = await database.fetch_one_async(
                "SELECT note FROM workers WHERE worker_id = :id", {"id": worker.worker_id}
            )
            return None if row is None else row["note"]

        text = await until(note, lambda note: note is not None)
        assert text is not None
        assert text.startswith("cannot run 'Rows' version 1")
        assert "steps" in text
        record = await until_status(tracker, execution_id, PENDING)
        assert (record.owner, record.epoch) == (None, 1)
        (line,) = (await tracker.changes(execution_id)).logs
        assert line.message.startswith(f"Worker {worker.worker_id} cannot run it")
        (place.folder / "away.py").rename(place.folder / "steps.py")
        place.open()
        async with working(database_url):
            record = await until_status(tracker, execution_id, COMPLETED)
    assert record.epoch == 2  # the first worker has left it alone since


async def test_code_in_a_folder_below_no_root_is_left_to_another_worker_with_folder_and_option(
    database_url: str, tracker: ExecutionTracker, place: Place, tmp_path: Path
) -> None:
    place.open()
    execution_id = await place.enqueue(tracker)
    (tmp_path / "elsewhere").mkdir()
    async with working(database_url, allowed=allowed_code([tmp_path / "elsewhere"])):

        async def lines() -> list[str]:
            return [line.message for line in (await tracker.changes(execution_id)).logs]

        (message,) = await until(lines, lambda lines: len(lines) > 0)
        assert f"the folder {place.folder}, whose code may not be used here" in message
        assert "--pipelines FOLDER, or IA_MODULES_PIPELINES" in message
        assert (await until_status(tracker, execution_id, PENDING)).owner is None
        assert place.ran() == []
        async with working(database_url, allowed=allowed_code([tmp_path])):
            await until_status(tracker, execution_id, COMPLETED)


async def test_a_worker_drops_what_somebody_else_has_taken(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id, other = await place.enqueue(tracker), await place.enqueue(tracker)
    async with working(database_url) as worker:
        await until_begun(place, execution_id, "one")
        await until_begun(place, other, "one")
        await tracker.take_over(execution_id, owner="somebody")

        async def running() -> int:
            return worker.running

        await until(running, lambda running: running == 1)
        place.open()
        await until_status(tracker, other, COMPLETED)
    record = await tracker.get_execution(execution_id)
    assert record is not None
    assert (record.status, record.owner, record.epoch) == (ExecutionStatus.RUNNING, "somebody", 2)


async def test_a_cancelled_execution_is_cancelled_on_record(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id = await place.enqueue(tracker)
    async with working(database_url):
        await until_begun(place, execution_id, "one")
        await tracker.request_cancel(execution_id)
        await until_status(tracker, execution_id, ExecutionStatus.CANCELLED)


@pytest.fixture
def asking(tmp_path: Path) -> Place:
    (tmp_path / "asking").mkdir()
    config = {"prompt": "Ship it?", "timeout_seconds": 0.3, "on_timeout": {"ship": False}}
    ask = {"id": "ask", "type": "human_input", "config": config}
    return Place(tmp_path / "asking", ask, {"id": "one", "class": "Work", "module": "steps"})


async def test_a_question_whose_time_is_over_is_settled_by_a_worker(
    database_url: str, tracker: ExecutionTracker, asking: Place
) -> None:
    asking.open()
    execution_id = await asking.enqueue(tracker)
    async with working(database_url):
        record = await until_status(tracker, execution_id, COMPLETED)
    (question,) = await tracker.get_interactions(execution_id)
    assert (question.status, record.recoveries) == ("expired", 0)


async def test_the_deadline_of_a_question_to_several_decides_once_with_three_workers_and_a_clock_that_jumps(
    database_url: str, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    (tmp_path / "asking").mkdir()
    config = {"answers": 2, "timeout_seconds": 3600, "on_timeout": {"ship": False}}
    place = Place(tmp_path / "asking", {"id": "ask", "type": "human_input", "config": config})
    place.open()
    execution_id = await place.enqueue(tracker)
    async with working(database_url), working(database_url), working(database_url):
        await until_status(tracker, execution_id, ExecutionStatus.WAITING_FOR_HUMAN)
        (question,) = await tracker.get_interactions(execution_id)
        await tracker.answer_interaction(question.interaction_id, {"ship": True}, actor="ann")
        sql = "UPDATE {} SET {} = ia_now(-1) WHERE execution_id = :execution_id AND {} IS NOT NULL"
        for table, column in (("step_executions", "wake_at"), ("pipeline_executions", "run_at")):
            jumped = sql.format(table, column, column)
            await database_of(tracker).execute_async(jumped, {"execution_id": execution_id})
        await until_status(tracker, execution_id, COMPLETED)
    (question,) = await tracker.get_interactions(execution_id)
    (step,) = await tracker.get_execution_steps(execution_id)
    assert (question.status, question.answered_by, step.status) == ("expired", 1, StepStatus.COMPLETED)
    assert isinstance(step.output_data, dict)
    answers = step.output_data["human_input"]["answers"]
    assert [(each["actor"], each["response"]) for each in answers] == [
        ("ann", {"ship": True}),
        (None, {"ship": False}),
    ]


async def test_a_question_waits_without_a_worker_and_its_answer_goes_on_at_one(
    database_url: str, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    (tmp_path / "asking").mkdir()
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Ship it?"}}
    place = Place(tmp_path / "asking", ask, {"id": "one", "class": "Work", "module": "steps"})
    place.open()
    execution_id = await place.enqueue(tracker)
    async with working(database_url) as worker:
        await until_status(tracker, execution_id, ExecutionStatus.WAITING_FOR_HUMAN)

        async def running() -> int:
            return worker.running

        await until(running, lambda running: running == 0)
    (question,) = await tracker.get_interactions(execution_id)
    await tracker.answer_interaction(question.interaction_id, {"ship": True}, actor="ann")
    async with working(database_url):
        await until_status(tracker, execution_id, COMPLETED)


async def test_an_execution_that_no_worker_can_run_fails_with_the_reason(
    database_url: str, tracker: ExecutionTracker
) -> None:
    pipeline_id = await tracker.register_pipeline("program", "A program")
    execution_id = await queue_without_version(tracker, pipeline_id)
    async with working(database_url):
        record = await until_status(tracker, execution_id, FAILED)
    assert "no stored definition" in (record.error_message or "")


async def queue_without_version(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    execution_id = ExecutionId(new_id())
    new = NewExecution(pipeline_id=pipeline_id, status=PENDING, managed=True)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, new=new))
    return execution_id


async def test_a_worker_and_a_resume_in_one_process_leave_each_other_alone(
    database: DatabaseManager, database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    execution_id, other = await place.enqueue(tracker), await place.enqueue(tracker)
    async with working(database_url, slots=1, grace_seconds=0) as first:  # it may have begun the other by then
        await until_begun(place, execution_id, "one")
        await tracker.request_cancel(execution_id)
        await until_status(tracker, execution_id, ExecutionStatus.CANCELLED)
        assert first.problem is None
    async with ExecutionTracker(database, lease_seconds=LEASE_SECONDS) as both:
        pipeline = await read_pipeline_file(place.folder / "pipeline.json")
        resumed = await Runner(both).resume(pipeline, execution_id)
        running = asyncio.create_task(resumed.to_end())
        async with Worker(database, both, slots=1, poll_seconds=0.01) as worker:
            await until_begun(place, other, "one")
            looks = 0

            async def looked_often() -> int:
                nonlocal looks
                looks += 1
                return looks

            await until(looked_often, lambda looks: looks > 100)
            assert worker.running == 1
            place.open()
            await running
            await until_status(tracker, other, COMPLETED)
    record = await tracker.get_execution(execution_id)
    assert record is not None
    assert (record.status, record.epoch, record.recoveries) == (COMPLETED, resumed.lease.epoch, 0)


HANGS_AT_IMPORT = """
import time
from pathlib import Path
while not (Path(__file__).parent / "gates" / "import").exists():
    time.sleep(0.01)
"""


async def test_an_import_that_hangs_stops_nothing_else_is_left_to_others_and_can_be_cancelled(
    database_url: str, tracker: ExecutionTracker, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "hanging").mkdir()
    hanging = Place(tmp_path / "hanging", {"id": "one", "class": "Work", "module": "steps"})
    place.open()
    left, cancelled = await hanging.enqueue(tracker), await hanging.enqueue(tracker)
    (hanging.folder / "steps.py").write_text(HANGS_AT_IMPORT)
    async with working(database_url, load_limit_seconds=60, grace_seconds=0) as worker:
        await until_status(tracker, cancelled, ExecutionStatus.RUNNING)
        await tracker.request_cancel(cancelled)
        await until_status(tracker, cancelled, ExecutionStatus.CANCELLED)
        good = await place.enqueue(tracker)
        await until_status(tracker, good, COMPLETED)
        assert worker.running == 1
    assert (await until_status(tracker, left, PENDING)).recoveries == 0
    async with working(database_url, load_limit_seconds=0.05):

        async def lines() -> list[str]:
            return [line.message for line in (await tracker.changes(left)).logs]

        (line,) = await until(lines, bool)
        assert "an import that has not ended after 0.05 s" in line
    hanging.open("import")


async def test_whatever_a_module_raises_when_it_is_loaded_the_worker_lives(
    database_url: str, tracker: ExecutionTracker, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "raising").mkdir()
    raising = Place(tmp_path / "raising", {"id": "one", "class": "Work", "module": "steps"})
    place.open()
    bad = await raising.enqueue(tracker)
    (raising.folder / "steps.py").write_text("raise KeyboardInterrupt\n")
    async with working(database_url):

        async def lines() -> list[str]:
            return [line.message for line in (await tracker.changes(bad)).logs]

        (line,) = await until(lines, bool)
        assert "cannot be loaded: KeyboardInterrupt" in line
        await until_status(tracker, await place.enqueue(tracker), COMPLETED)


class BreakingDatabase(DatabaseManager):
    """Fails with what nobody expects while ``broken`` is set."""

    broken = False

    async def fetch_all_async(self, sql: str, params: Params | None = None) -> Rows:
        if self.broken:
            raise ZeroDivisionError("broken")
        return await super().fetch_all_async(sql, params)


async def test_a_mistake_in_the_workers_loop_is_a_problem_and_the_loop_begins_anew(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    async with (
        BreakingDatabase(database_url) as breaking,
        ExecutionTracker(breaking, lease_seconds=LEASE_SECONDS) as owner,
        Worker(breaking, owner, poll_seconds=0.1) as broken,
    ):
        breaking.broken = True

        async def problem() -> str | None:
            return broken.problem

        assert "ZeroDivisionError" in str(await until(problem, lambda problem: problem is not None))
        breaking.broken = False
        await until_status(tracker, await place.enqueue(tracker), COMPLETED)
        await until(problem, lambda problem: problem is None)
