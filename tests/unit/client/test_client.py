import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, DatabaseManager, Worker
from ia_modules.errors import DatabaseUnavailable, StepError
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.rerunning import RerunFrom
from tests.unit.client.doubling import audit, pin

STEPS = """
from pathlib import Path
from ia_modules.pipeline.core import Step

class Read(Step):
    async def run(self, data):
        return {"seen": data["n"]}

class Write(Step):
    async def run(self, data):
        with Path(self.config["file"]).open("a") as file:
            file.write(f"{self.context.execution_id}\\n")
        return {}

class Send(Step):
    async def run(self, data):
        if not Path(self.config["gate"]).exists():
            raise ValueError("shut")
        return {"sent": True}
"""


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """A file of three steps: one only reads, one writes a line, and one fails until there is a gate."""
    (tmp_path / "counting.py").write_text(STEPS)
    config = {"file": str(tmp_path / "lines"), "gate": str(tmp_path / "gate")}
    steps = [
        {"id": "read", "step_class": "Read", "effect": "read"},
        {"id": "write", "step_class": "Write", "effect": "write", "config": config},
        {"id": "send", "step_class": "Send", "config": config},
    ]
    paths = [{"from": "read", "to": "write"}, {"from": "write", "to": "send"}]
    path = tmp_path / "counting.json"
    flow = {"start_at": "read", "paths": paths}
    path.write_text(json.dumps({"name": "Count", "steps": [{"module": "counting", **s} for s in steps], "flow": flow}))
    return path


async def failed(client: Client, file: Path, number: int) -> list[ExecutionId]:
    """Executions that failed in the last step, newest first."""
    ids: list[ExecutionId] = []
    for n in range(number):
        started = await client.start(file, {"n": n})
        with pytest.raises(StepError):
            await started.to_end()
        ids.insert(0, started.execution_id)
    return ids


def lines_in(tmp_path: Path) -> list[str]:
    return (tmp_path / "lines").read_text().split()


class BreaksOff(Client):
    """Loses its database after some re-runs; the last of them is on record, although nobody has heard of it."""

    left = 2

    async def rerun(self, execution_id: str, **options: Any) -> ExecutionId:
        queued = await super().rerun(execution_id, **options)
        self.left -= 1
        if self.left < 0:
            raise DatabaseUnavailable("away")
        return queued


async def test_many_are_changed_each_by_itself_and_what_cannot_be_is_told(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    await client.register(file)
    queued = [(await client.queue("double", {"n": n})).execution_id for n in range(4)]
    pipeline_id = (await client.pipeline("double")).id
    dry = await client.bulk("cancel", filters=ExecutionFilters(pipeline_id=pipeline_id), limit=3, dry_run=True)
    assert (dry.matched, dry.matched_capped, dry.done, dry.refused) == (3, True, 0, [])
    dry = await client.bulk("delete", [queued[0], "nobody"], dry_run=True)
    assert [refused.execution_id for refused in dry.refused] == [queued[0], "nobody"]
    assert len(await audit(database)) == 5

    cancelled = await client.bulk("cancel", [queued[0], queued[1], queued[0], "nobody"], actor="bob")
    assert (cancelled.matched, cancelled.done) == (3, 2)
    assert [refused.execution_id for refused in cancelled.refused] == ["nobody"]
    rows = await audit(database)
    assert {row[2] for row in rows if row[:2] == ("bob", "execution.cancel")} == set(queued[:2])
    assert rows[-1] == ("bob", "executions.cancel", "by ids", {"matched": 3, "done": 2})

    rerun = await client.bulk("rerun", filters=ExecutionFilters(status=ExecutionStatus.CANCELLED))
    assert (rerun.matched, rerun.done) == (2, 2)
    await pin(database, queued[0])
    dry = await client.bulk("delete", filters=ExecutionFilters(pipeline_id=pipeline_id), dry_run=True)
    deleted = await client.bulk("delete", filters=ExecutionFilters(pipeline_id=pipeline_id), actor="bob")
    assert dry.refused == deleted.refused
    assert [refused.execution_id for refused in deleted.refused] == [queued[0]]
    assert (deleted.matched, deleted.done) == (2, 1)
    assert (await audit(database))[-1] == ("bob", "executions.delete", "by filter", {"matched": 2, "done": 1})
    assert len((await client.executions()).items) == 5


async def test_a_request_about_many_that_breaks_off_and_is_sent_again_runs_nothing_twice(
    client: Client, counting: Path, database: DatabaseManager, tmp_path: Path
) -> None:
    ids = await failed(client, counting, 5)
    dry = await client.bulk("rerun", filters=ExecutionFilters(), dry_run=True)
    assert (dry.matched, dry.done, dry.refused, dry.left_out) == (5, 0, [], [])
    assert [(step.step_id, step.executions) for step in dry.steps if step.may_have_effects] == [
        ("write", 5),
        ("send", 5),
    ]
    late = await failed(client, counting, 1)
    (tmp_path / "gate").touch()
    (tmp_path / "lines").write_text("")
    async with BreaksOff(database, tracker=client.tracker, allowed=AllowedCode()) as breaking:
        with pytest.raises(DatabaseUnavailable):
            await breaking.bulk("rerun", token=dry.token, idempotency_key="mine")
    allowed = AllowedCode(roots=(tmp_path,))
    async with Worker(database, client.tracker, allowed=allowed):
        many = [client.bulk("rerun", token=dry.token, idempotency_key="mine") for _ in range(3)]
        for result in await asyncio.gather(*many):
            assert (result.matched, result.done, result.refused, result.left_out) == (5, 5, [], [])
        reruns = [item for item in (await client.executions()).items if item.rerun_of is not None]
        for each in reruns:
            await client.wait(each.execution_id, timeout_seconds=30)
        again = await client.bulk("rerun", token=dry.token, idempotency_key="mine")
    assert again.done == 5
    assert sorted(str(each.rerun_of) for each in reruns) == sorted(ids)
    assert sorted(lines_in(tmp_path)) == sorted(each.execution_id for each in reruns)
    assert len((await client.executions()).items) == 5 + len(late) + 5


async def test_what_is_run_again_from_a_step_keeps_what_was_written_and_is_left_out_the_next_time(
    client: Client, counting: Path, database: DatabaseManager, tmp_path: Path
) -> None:
    ids = await failed(client, counting, 3)
    (tmp_path / "gate").touch()
    begin, some = RerunFrom(step_id="send"), ExecutionFilters(status=ExecutionStatus.FAILED)
    dry = await client.bulk("rerun", filters=some, begin=begin, dry_run=True)
    assert [(step.step_id, step.executions, step.effect_text) for step in dry.steps] == [
        ("send", 3, "not said: may have effects")
    ]
    nowhere = await client.bulk("rerun", filters=some, begin=RerunFrom(step_id="nowhere"), dry_run=True)
    assert {each.execution_id for each in nowhere.refused} == set(ids)
    first = await client.bulk("rerun", [ids[0]], begin=begin)
    rest = await client.bulk("rerun", token=dry.token, begin=begin, idempotency_key="rest", actor="bob")
    assert (first.done, rest.matched, rest.done, rest.refused) == (1, 3, 2, [])
    assert [(each.execution_id, each.status) for each in rest.left_out] == [(ids[0], ExecutionStatus.PENDING)]
    assert (await audit(database))[-1] == (
        "bob",
        "executions.rerun",
        "by token",
        {"matched": 3, "done": 2, "left_out": 1},
    )
    async with Worker(database, client.tracker, allowed=AllowedCode(roots=(tmp_path,))):
        for each in (await client.executions()).items[:3]:
            assert (await client.wait(each.execution_id, timeout_seconds=30)).status is ExecutionStatus.COMPLETED
    assert len(lines_in(tmp_path)) == 3, "a step before has run once more"
    none = await client.bulk("rerun", filters=some, begin=begin)
    assert (none.matched, none.done, {each.status for each in none.left_out}) == (3, 0, {ExecutionStatus.COMPLETED})
    assert (await client.bulk("rerun", [ids[0]], begin=begin)).done == 1


class Meeting(Client):
    """Runs nothing again before the others have looked what is run again already, too."""

    meeting: asyncio.Barrier

    async def rerun(self, execution_id: str, **options: Any) -> ExecutionId:
        await self.meeting.wait()
        return await super().rerun(execution_id, **options)


async def test_two_requests_at_the_same_moment_run_nothing_twice(
    client: Client, counting: Path, database: DatabaseManager
) -> None:
    [failed_one] = await failed(client, counting, 1)
    some = ExecutionFilters(status=ExecutionStatus.FAILED)
    async with (
        Meeting(database, tracker=client.tracker, allowed=AllowedCode()) as here,
        ExecutionTracker(database) as elsewhere,
        Meeting(database, tracker=elsewhere, allowed=AllowedCode()) as there,
    ):
        for first, second in ((here, here), (here, there)):
            first.meeting = second.meeting = asyncio.Barrier(2)
            requests = [first.bulk("rerun", filters=some, idempotency_key="first"), second.bulk("rerun", filters=some)]
            results = await asyncio.gather(*requests)
            assert sorted(each.done for each in results) == [0, 1]
            [left_out] = [each for result in results for each in result.left_out]
            assert (left_out.execution_id, left_out.status) == (failed_one, ExecutionStatus.PENDING)
            reruns = [item for item in (await client.executions()).items if item.status is ExecutionStatus.PENDING]
            assert [(each.rerun_of, each.execution_id) for each in reruns] == [(failed_one, left_out.rerun_id)]
            await client.cancel(left_out.rerun_id)
            await client.delete(left_out.rerun_id)


async def test_of_an_execution_and_its_rerun_that_both_failed_only_the_rerun_is_run_again(
    client: Client, counting: Path
) -> None:
    [first] = await failed(client, counting, 1)
    second = await client.rerun(first)
    with pytest.raises(StepError):
        await (await client.resume(second)).to_end()
    some = ExecutionFilters(status=ExecutionStatus.FAILED)
    result = await client.bulk("rerun", filters=some)
    assert (result.matched, result.done) == (2, 1)
    [left_out] = result.left_out
    assert (left_out.execution_id, left_out.rerun_id, left_out.status) == (first, second, ExecutionStatus.FAILED)
    third = (await client.executions()).items[0]
    assert third.rerun_of == second
    again = await client.bulk("rerun", filters=some)
    assert [(each.execution_id, each.rerun_id) for each in again.left_out] == [
        (second, third.execution_id),
        (first, third.execution_id),
    ]


async def test_many_that_failed_go_on_where_they_stopped(
    client: Client, counting: Path, database: DatabaseManager, tmp_path: Path
) -> None:
    ids = await failed(client, counting, 2)
    some = ExecutionFilters(status=ExecutionStatus.FAILED)
    dry = await client.bulk("resume", filters=some, dry_run=True)
    assert [step.step_id for step in dry.steps] == ["send"]
    (tmp_path / "gate").touch()
    twice = [
        await client.bulk("resume", token=dry.token, reason="It is open.", idempotency_key="mine") for _ in range(2)
    ]
    assert [(each.done, each.refused) for each in twice] == [(2, [])] * 2
    refused = await client.bulk("resume", [*ids], dry_run=True)
    assert [("is pending" in each.reason) for each in refused.refused] == [True, True]
    async with Worker(database, client.tracker, allowed=AllowedCode(roots=(tmp_path,))):
        for each in ids:
            assert (await client.wait(each, timeout_seconds=30)).status is ExecutionStatus.COMPLETED
    assert len(lines_in(tmp_path)) == 2
    reasons = [row[3]["reason"] for row in await audit(database) if row[1] == "execution.resume"]
    assert reasons == ["It is open."] * 2
