"""Workers as processes of their own: killed, frozen, hung, told to stop. What they had goes on at another one."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.inbox import InteractionFilters
from ia_modules.worker.queue import enqueue
from tests.unit.cli.programs import lines_until, piped
from tests.unit.worker.queue import Place, until, until_begun, until_status

COMPLETED = ExecutionStatus.COMPLETED
LEASE = ("--lease-seconds", "2")
WAITING = int(os.environ.get("IA_TEST_WAITING", "200"))
"""So many wait when every process is killed; 1,000 are tried by hand, with ``--timeout 0``."""


@pytest.fixture(autouse=True)
def used_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "rows").mkdir()
    return Place(tmp_path / "rows")


@pytest.fixture
async def tracker(database: DatabaseManager) -> ExecutionTracker:
    return ExecutionTracker(database)


@contextmanager
def worker(database_url: str, *options: str) -> Generator[subprocess.Popen[str]]:
    with piped(database_url, "worker", *LEASE, *options) as process:
        lines_until(process, lambda line: line.startswith("Worker "))
        yield process


def read_on(process: subprocess.Popen[str]) -> None:
    """Read what it says from here on, so that it never waits for room in the pipe."""
    assert process.stdout is not None
    threading.Thread(target=process.stdout.read, name="reader", daemon=True).start()


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


async def queue(tracker: ExecutionTracker, place: Place, count: int) -> list[ExecutionId]:
    return [await place.enqueue(tracker) for _ in range(count)]


async def test_what_a_killed_worker_ran_ends_at_another_and_no_completed_step_runs_twice(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    ids = await queue(tracker, place, 5)
    place.open("one")
    with worker(database_url, "--slots", "4") as killed:
        for execution_id in ids[:4]:
            await until_begun(place, execution_id, "two")
        killed.kill()
        killed.wait()
    await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(-60)")  # as if its lease had passed
    place.open()
    with worker(database_url, "--slots", "4") as heir:
        for execution_id in ids:
            record = await until_status(tracker, execution_id, COMPLETED)
            assert (record.completed_steps, record.failed_steps) == (3, 0)
        stop(heir)
    for execution_id in ids:
        for step in await tracker.get_execution_steps(execution_id):
            assert step.status in (StepStatus.COMPLETED, StepStatus.LOST)
    begun = place.times()
    assert {begun[execution_id, step] for execution_id in ids for step in ("one", "three")} == {1}
    assert [begun[execution_id, "two"] for execution_id in ids] == [2, 2, 2, 2, 1]


async def test_what_waits_for_people_outlives_every_process_and_is_answered_and_ended_once(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    """Two workers and a server are killed while all wait, each with one of two answers; one worker ends them."""
    (tmp_path / "asking").mkdir()
    ask = {"id": "ask", "type": "human_input", "config": {"prompt": "Go on?", "answers": 2}}
    place = Place(tmp_path / "asking", ask, {"id": "one", "class": "Work", "module": "steps"})
    place.open()
    stored = await place.stored(tracker)
    queuing = (enqueue(tracker, stored, place.input_data(), trigger="test") for _ in range(WAITING))
    ids = {queued.execution_id for queued in await asyncio.gather(*queuing)}

    async def in_status(status: ExecutionStatus) -> int:
        return (await tracker.get_execution_statistics()).by_status[status]

    async with Client(database, tracker=tracker) as client:
        serve = ("serve", "--port", "0", "--slots", "8", "--pipelines", str(place.folder.parent))
        with worker(database_url) as one, worker(database_url) as two, piped(database_url, *serve) as server:
            for process in (one, two, server):
                read_on(process)
            await until(lambda: in_status(ExecutionStatus.WAITING_FOR_HUMAN), lambda number: number == WAITING)
            page = await client.interactions(InteractionFilters(status="pending"), limit=WAITING)
            await asyncio.gather(*(client.answer(each.interaction_id, {"go": 1}, actor="ann") for each in page.items))
            for process in (one, two, server):
                process.kill()
                process.wait()
        assert await in_status(ExecutionStatus.WAITING_FOR_HUMAN) == WAITING
        page = await client.interactions(InteractionFilters(status="pending"), limit=WAITING)
        assert {(each.execution_id, each.answered_by) for each in page.items} == {(each, 1) for each in ids}
        await asyncio.gather(*(client.answer(each.interaction_id, {"go": 1}, actor="bob") for each in page.items))
        with worker(database_url, "--slots", "8") as heir:
            read_on(heir)
            await until(lambda: in_status(COMPLETED), lambda number: number == WAITING)
            stop(heir)
    attempts = "SELECT step_id, status, attempt, COUNT(*) AS number FROM step_executions GROUP BY 1, 2, 3 ORDER BY 1"
    assert [(*row.values(),) for row in await database.fetch_all_async(attempts)] == [
        ("ask", "completed", 1, WAITING),
        ("one", "completed", 1, WAITING),
    ]
    assert place.times() == {(execution_id, "one"): 1 for execution_id in ids}


async def test_a_worker_that_is_alive_takes_over_from_one_that_is_killed(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    (execution_id,) = await queue(tracker, place, 1)
    with worker(database_url) as killed:
        await until_begun(place, execution_id, "one")
        with worker(database_url) as heir:
            killed.kill()
            killed.wait()
            place.open()
            await until_status(tracker, execution_id, COMPLETED)
            stop(heir)
    assert place.times()[execution_id, "one"] == 2


async def test_sigterm_hands_back_what_does_not_end_in_time_and_a_second_signal_ends_at_once(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    (execution_id,) = await queue(tracker, place, 1)
    with worker(database_url, "--grace-seconds", "0.2") as process:
        await until_begun(place, execution_id, "one")
        stop(process)
        assert process.stdout is not None
        output = process.stdout.read()
    record = await tracker.get_execution(execution_id)
    assert record is not None
    assert (record.status, record.owner, record.recoveries) == (ExecutionStatus.PENDING, None, 0)
    assert f"{execution_id} Rows begins" in output
    assert f"{execution_id} Rows stops here" in output
    row = await database.fetch_one_async("SELECT COUNT(*) AS found FROM workers WHERE stopped_at IS NOT NULL")
    assert row == {"found": 1}
    with worker(database_url, "--grace-seconds", "1000") as process:
        await until(lambda: begun(place, execution_id), lambda times: times == 2)
        process.send_signal(signal.SIGTERM)
        lines_until(process, lambda line: line.startswith("Stopping"))

        async def ended() -> int | None:
            process.send_signal(signal.SIGTERM)  # a shell may pass one on twice, so one that comes at once is the same
            return process.poll()

        assert await until(ended, lambda code: code is not None) == 1
    place.open()
    with worker(database_url) as heir:
        await until_status(tracker, execution_id, COMPLETED)
        stop(heir)


async def begun(place: Place, execution_id: ExecutionId) -> int:
    return place.times()[execution_id, "one"]


async def test_workers_share_a_queue_and_run_nothing_twice(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    place.open()
    with worker(database_url) as first, worker(database_url) as second:
        ids = await queue(tracker, place, 30)
        for execution_id in ids:
            assert (await until_status(tracker, execution_id, COMPLETED)).epoch == 1
        stop(first)
        stop(second)
    assert set(place.times().values()) == {1}


async def test_a_frozen_worker_loses_what_it_ran_and_writes_nothing_when_it_wakes(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    (execution_id,) = await queue(tracker, place, 1)
    with worker(database_url) as frozen:
        await until_begun(place, execution_id, "one")
        frozen.send_signal(signal.SIGSTOP)
        with worker(database_url) as heir:
            await until(lambda: begun(place, execution_id), lambda times: times == 2)
            frozen.send_signal(signal.SIGCONT)
            place.open("one")  # both go on to their next step; one of them is heard
            dropped = lines_until(frozen, lambda line: "is not this worker's any more" in line)
            assert execution_id in dropped[-1]
            place.open()
            record = await until_status(tracker, execution_id, COMPLETED)
            stop(heir)
        stop(frozen)
    assert record.epoch == 3  # claimed, put back, claimed
    steps = await tracker.get_execution_steps(execution_id)
    assert [(step.step_id, step.attempt, step.status, step.worker == record.owner) for step in steps] == [
        ("one", 1, StepStatus.LOST, False),
        ("one", 2, StepStatus.COMPLETED, True),
        ("two", 1, StepStatus.COMPLETED, True),
        ("three", 1, StepStatus.COMPLETED, True),
    ]


async def test_a_worker_whose_event_loop_hangs_says_so_on_record_and_loses_what_it_ran_only_after_a_limit(
    database_url: str, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    place = Place(tmp_path, {"id": "one", "class": "Hang", "module": "steps"})
    (execution_id,) = await queue(tracker, place, 1)
    with worker(database_url, "--blocked-limit-seconds", "4") as hung:
        lines_until(hung, lambda line: "begins" in line)
        with worker(database_url, "--blocked-limit-seconds", "1000") as heir:
            lines_until(hung, lambda line: f"{execution_id} is taken from here" in line)
            lines_until(heir, lambda line: "begins" in line)
            place.open()
            record = await until_status(tracker, execution_id, COMPLETED)
            stop(heir)
        stop(hung)
    lost, completed = await tracker.get_execution_steps(execution_id)
    assert (lost.status, lost.error_type, completed.worker) == (StepStatus.LOST, "EventLoopBlocked", record.owner)
    line = (await tracker.changes(execution_id)).logs[0]
    assert line.message.startswith("Step 'one' blocks the event loop of its worker")
    assert line.step_execution_id == lost.step_execution_id


async def test_a_worker_whose_event_loop_hangs_keeps_its_result_within_the_limit(
    database_url: str, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    place = Place(tmp_path, {"id": "one", "class": "Hang", "module": "steps"})
    (execution_id,) = await queue(tracker, place, 1)
    with worker(database_url) as hung:
        lines_until(hung, lambda line: "begins" in line)
        with worker(database_url) as other:
            lines_until(hung, lambda line: "blocks the event loop of its worker" in line)  # for longer than its lease
            place.open()
            record = await until_status(tracker, execution_id, COMPLETED)
            stop(other)
        stop(hung)
    assert (record.epoch, record.recoveries) == (1, 0)


async def test_a_program_that_is_killed_is_found_to_be_lost(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    await place.stored(tracker)
    input_data = f'{{"effects": "{place.effects}", "gates": "{place.gates}"}}'
    with piped(database_url, "run", str(place.folder / "pipeline.json"), "--input", input_data) as program:
        page = await until(tracker.list_executions, lambda page: bool(page.items))
        execution_id = page.items[0].execution_id
        await until_begun(place, execution_id, "one")
        program.kill()
        program.wait()
    # Its lease is long; as if it had been silent for longer than that.
    await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(-60)")
    with worker(database_url) as found:
        record = await until_status(tracker, execution_id, ExecutionStatus.FAILED)
        stop(found)
    assert record.error_type == "ProcessLost"
    place.open()
    with piped(database_url, "executions", "resume", execution_id) as resumed:
        await asyncio.to_thread(resumed.communicate, timeout=60)
    assert (await until_status(tracker, execution_id, COMPLETED)).completed_steps == 3


async def test_a_killed_server_that_is_started_again_ends_what_it_ran(
    database_url: str, database: DatabaseManager, tracker: ExecutionTracker, place: Place
) -> None:
    place.open("one")
    serve = ("serve", "--port", "0", "--slots", "10", "--pipelines", str(place.folder.parent))
    with piped(database_url, *serve) as killed:
        lines_until(killed, lambda line: line.startswith("ia_modules serves"))
        pipeline = await until(lambda: tracker.get_pipeline("rows"), lambda found: found is not None)
        assert pipeline is not None
        stored = await tracker.get_pipeline_version(pipeline.id)
        assert stored is not None
        queued = [await enqueue(tracker, stored, place.input_data(), trigger="test") for _ in range(10)]
        for execution_id, _ in queued:
            await until_begun(place, execution_id, "two")
        killed.kill()
        killed.wait()
    # Its lease is long; as if it had been silent for longer than that.
    await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(-60)")
    place.open()
    with piped(database_url, *serve) as server:
        for execution_id, _ in queued:
            assert (await until_status(tracker, execution_id, COMPLETED)).failed_steps == 0
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    begun = place.times()
    assert {begun[execution_id, step] for execution_id, _ in queued for step in ("one", "three")} == {1}


async def test_a_server_that_is_told_to_stop_hands_back_what_it_runs(
    database_url: str, tracker: ExecutionTracker, place: Place
) -> None:
    (execution_id,) = await queue(tracker, place, 1)
    with piped(database_url, "serve", "--port", "0", "--grace-seconds", "0.5") as server:
        lines_until(server, lambda line: line.startswith("ia_modules serves"))
        await until_begun(place, execution_id, "one")
        server.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait, 60) == 0
    record = await tracker.get_execution(execution_id)
    assert record is not None
    assert (record.status, record.owner) == (ExecutionStatus.PENDING, None)
