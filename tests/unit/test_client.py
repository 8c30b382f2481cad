import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ia_modules import Client, DatabaseManager, ExecutionContext, ExecutionTracker, Runner, Worker
from ia_modules.errors import (
    AlreadyAnswered,
    AlreadyFinished,
    AlreadyResumed,
    CodeNotFound,
    ExecutionKept,
    ExecutionNotFound,
    IdempotencyConflict,
    InteractionNotFound,
    InvalidAnswer,
    InvalidArgument,
    PayloadError,
    PipelineArchived,
    PipelineConflict,
    PipelineDefinitionError,
    PipelineHasHistory,
    PipelineInputError,
    PipelineInUse,
    PipelineNotFound,
    PipelineNotRunnable,
    PipelineVersionNotFound,
    QuestionsDiffer,
    SlugMismatch,
    StaleVersion,
    StepError,
)
from ia_modules.models import ExecutionStatus, LogLevel
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.tracker.inbox import InteractionFilters
from ia_modules.tracker.lists import ExecutionFilters, LogFilters

STEPS = """
from pathlib import Path
from ia_modules.pipeline.core import Step

class Double(Step):
    async def run(self, data):
        self.context.log("doubling", n=data["n"])
        if data["n"] < 0 and not Path(data["gate"]).exists():
            raise ValueError("negative")
        return {"n": 2 * data["n"]}
"""


def document(name: str = "Double") -> dict[str, Any]:
    return {
        "name": name,
        "parameters": [
            {"name": "n", "schema": {"type": "integer"}, "required": True},
            {"name": "gate", "schema": {"type": "string"}, "default": "nowhere"},
        ],
        "steps": [{"id": "double", "module": "steps", "step_class": "Double"}],
        "flow": {"start_at": "double"},
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(document()))
    return path


def change(file: Path, description: str = "newer") -> None:
    file.write_text(json.dumps(document() | {"description": description}))


@pytest.fixture
async def client(database: DatabaseManager) -> AsyncGenerator[Client]:
    async with Client(database, allowed=AllowedCode(), actor="ann") as client:
        yield client


async def audit(database: DatabaseManager) -> list[tuple[Any, ...]]:
    rows = await database.fetch_all_async("SELECT actor, action, subject, detail FROM audit_log ORDER BY audit_id")
    return [(row["actor"], row["action"], row["subject"], orjson.loads(row["detail"] or "null")) for row in rows]


async def pin(database: DatabaseManager, execution_id: str) -> None:
    sql = "UPDATE pipeline_executions SET pinned = TRUE WHERE execution_id = :execution_id"
    await database.execute_async(sql, {"execution_id": execution_id})


async def test_a_url_is_enough_to_run_a_file_and_to_look_at_what_ran(database_url: str, file: Path) -> None:
    async with Client(database_url) as client:
        result = await client.run(file, {"n": 21})
        assert (result["status"], result["output"]["n"]) == ("completed", 42)
        record = await client.wait(result["execution_id"])
        assert record.status is ExecutionStatus.COMPLETED
        [step] = await client.steps(record.execution_id)
        assert step.output_data == {"n": 42}
        assert [line.message async for line in client.logs(record.execution_id)] == ["doubling"]
        assert [item.execution_id for item in (await client.executions()).items] == [record.execution_id]
        assert (await client.statistics()).by_status["completed"] == 1


async def test_a_tracker_that_is_passed_in_stays_open(database: DatabaseManager, file: Path) -> None:
    async with ExecutionTracker(database) as tracker:
        async with Client(database, tracker=tracker) as client:
            await client.run(file, {"n": 1})
        assert await tracker.register_pipeline("other", "Other")


async def test_what_is_registered_runs_by_its_slug_with_the_version_that_is_named(client: Client, file: Path) -> None:
    first = await client.register(file)
    change(file)
    with pytest.raises(PipelineConflict):
        await client.register(file)
    second = await client.register(file, new_version=True)
    assert (first.version, second.version) == (1, 2)
    ran = await client.run("double", {"n": 1}, version=1)
    assert (await client.execution(ran["execution_id"])).pipeline_version == 1
    assert (await client.pipeline("double")).current_version == 2
    assert [pipeline.slug for pipeline in await client.pipelines()] == ["double"]
    assert (await client.input_schema("double"))["required"] == ["n"]
    with pytest.raises(PipelineVersionNotFound):
        await client.run("double", {"n": 1}, version=9)
    with pytest.raises(PipelineNotFound):
        await client.run("nobody", {"n": 1})
    change(file, "newest")
    with pytest.raises(PipelineInputError):
        await client.queue(file, {"n": "one"}, new_version=True)
    with pytest.raises(PipelineVersionNotFound):
        await client.version("double", 3)
    queued = await client.queue(file, {"n": 1}, new_version=True)
    assert (await client.summary(queued.execution_id)).pipeline_version == 3
    assert (await client.pipeline("double")).current_version == 2
    with pytest.raises(PipelineInputError):
        await client.run("double", {"n": "one"})


async def test_a_document_may_use_what_is_allowed_and_what_lies_beside_the_version_before(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    with pytest.raises(PipelineDefinitionError, match="it allows none"):
        await client.register(document())
    before = await client.register(file)
    newer = document("Doubled") | {"slug": "double"}
    with pytest.raises(PipelineDefinitionError, match="it allows none"):
        await client.check(newer)
    assert (await client.check(newer, version_of="double")).definition.name == "Doubled"
    with pytest.raises(StaleVersion):
        await client.register(newer, version_of="double", base_version=7)
    stored = await client.register(newer, version_of="double", base_version=1, actor="bob")
    assert (stored.version, stored.source_folder) == (2, str(file.parent))
    with pytest.raises(SlugMismatch):
        await client.register(newer | {"slug": "other"}, version_of="double")
    assert await audit(database) == [
        ("ann", "pipeline.create", before.pipeline_id, None),
        ("bob", "pipeline.update", before.pipeline_id, None),
    ]


async def test_what_is_queued_is_run_by_a_worker_in_the_order_of_priority(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    low = await client.queue(file, {"n": 1}, priority=-1, trigger="test", metadata={"by": "ann"})
    high = await client.queue("double", {"n": 2}, priority=5)
    record = await client.execution(low.execution_id)
    assert (record.status, record.managed, record.priority) == (ExecutionStatus.PENDING, True, -1)
    assert (record.trigger, record.metadata, record.total_steps) == ("test", {"by": "ann"}, 1)
    async with Worker(database, client.tracker, slots=1):
        ended = [await client.wait(queued.execution_id, timeout_seconds=60) for queued in (low, high)]
    assert {record.status for record in ended} == {ExecutionStatus.COMPLETED}
    assert ended[1].started_at is not None
    assert ended[0].started_at is not None
    assert ended[1].started_at < ended[0].started_at


async def test_no_worker_takes_what_is_to_run_later(client: Client, file: Path, database: DatabaseManager) -> None:
    later = datetime.now(UTC).replace(microsecond=5) + timedelta(hours=1)
    queued = await client.queue(file, {"n": 1}, run_at=later)
    now = await client.queue("double", {"n": 2}, run_at=datetime.now(UTC) - timedelta(hours=1), priority=-1)
    async with Worker(database, client.tracker):
        assert (await client.wait(now.execution_id, timeout_seconds=60)).status is ExecutionStatus.COMPLETED
    summary = await client.summary(queued.execution_id)
    assert (summary.status, summary.run_at) == (ExecutionStatus.WAITING, later)


async def test_queueing_a_file_leaves_the_current_version(client: Client, file: Path) -> None:
    await client.register(file)
    change(file)
    queued = await client.queue(file, {"n": 1}, new_version=True)
    assert (await client.execution(queued.execution_id)).pipeline_version == 2
    assert (await client.pipeline("double")).current_version == 1


async def test_a_request_sent_twice_with_one_key_is_queued_once_whatever_has_become_of_the_pipeline(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    await client.register(file)
    answers = await asyncio.gather(*(client.queue("double", {"n": 1}, idempotency_key="k") for _ in range(4)))
    assert {answer.execution_id for answer in answers} == {answers[0].execution_id}
    assert [answer.created for answer in answers].count(True) == 1
    change(file)
    await client.register(file, new_version=True)
    await client.archive("double")
    again = await client.queue("double", {"n": 1}, idempotency_key="k")
    assert again == (answers[0].execution_id, False)
    with pytest.raises(IdempotencyConflict):
        await client.queue("double", {"n": 2}, idempotency_key="k")
    starts = [row for row in await audit(database) if row[1] == "execution.start"]
    assert starts == [("ann", "execution.start", again.execution_id, None)]


async def test_an_archived_pipeline_starts_nothing_until_a_version_is_stored(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    stored = await client.register(file)
    ran = await client.run("double", {"n": 1})
    await client.archive("double", actor="bob")
    for attempt in (
        client.start("double", {"n": 1}),
        client.start(file, {"n": 1}),
        client.queue("double", {"n": 1}),
        client.queue(file, {"n": 1}),
        client.rerun(ran["execution_id"]),
    ):
        with pytest.raises(PipelineArchived):
            await attempt
    assert ("bob", "pipeline.archive", stored.pipeline_id, None) in await audit(database)
    await client.register(file)
    assert (await client.run("double", {"n": 1}))["status"] == "completed"
    with pytest.raises(PipelineNotFound):
        await client.archive("nobody")


async def test_a_rerun_has_the_same_version_and_input_and_names_what_it_repeats(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    ran = await client.run(file, {"n": 3})
    rerun = await client.summary(await client.rerun(ran["execution_id"], actor="bob"))
    assert (rerun.rerun_of, rerun.trigger, rerun.status) == (ran["execution_id"], "rerun", ExecutionStatus.PENDING)
    assert (await client.execution(rerun.execution_id)).input_data == {"n": 3, "gate": "nowhere"}
    assert (await audit(database))[-1] == ("bob", "execution.rerun", ran["execution_id"], None)
    recorded = await client.tracker.start_execution(await client.tracker.register_pipeline("nightly", "Nightly"))
    with pytest.raises(PipelineNotRunnable):
        await client.rerun(recorded)
    with pytest.raises(PipelineNotRunnable):
        await client.queue("nightly")
    with pytest.raises(ExecutionNotFound):
        await client.rerun("nobody")


async def test_what_failed_goes_back_into_the_queue_once_and_the_second_is_told_who_did_it(
    client: Client, file: Path, tmp_path: Path, database: DatabaseManager
) -> None:
    gate = tmp_path / "gate"
    with pytest.raises(StepError):
        await client.run(file, {"n": -3, "gate": str(gate)}, ExecutionContext(execution_id="mine"))
    failed = await client.execution("mine")
    assert (failed.status, failed.managed) == (ExecutionStatus.FAILED, False)
    gate.touch()
    summary = await client.requeue("mine", reason="The gate is there.", actor="ann")
    assert (summary.execution_id, summary.status, summary.managed) == (
        failed.execution_id,
        ExecutionStatus.PENDING,
        True,
    )
    detail = {"was": "failed", "reason": "The gate is there."}
    assert (await audit(database))[-1] == ("ann", "execution.resume", failed.execution_id, detail)
    with pytest.raises(AlreadyResumed, match=r"is pending.*ann resumed it at 2") as refused:
        await client.requeue("mine", actor="bob")
    assert refused.value.actor == "ann"
    async with Worker(database, client.tracker, allowed=AllowedCode(roots=(tmp_path,))):
        done = await client.wait("mine", timeout_seconds=30)
    assert (done.status, done.error_message) == (ExecutionStatus.COMPLETED, None)
    assert [(step.attempt, step.status.value) for step in await client.steps("mine")] == [
        (1, "failed"),
        (2, "completed"),
    ]
    with pytest.raises(AlreadyFinished):
        await client.requeue("mine")


async def test_what_workers_would_find_no_code_of_stays_as_it_is_and_says_how_to_go_on(
    client: Client, file: Path, tmp_path: Path, database: DatabaseManager
) -> None:
    with pytest.raises(StepError):
        await client.run(file, {"n": -3}, ExecutionContext(execution_id="mine"))
    elsewhere = Client(database, allowed=AllowedCode(roots=(tmp_path / "other",)))
    with pytest.raises(CodeNotFound, match=r"'Double', version 1.*--pipelines.*resume \S+ --code"):
        await elsewhere.requeue("mine")
    recorded = await client.tracker.start_execution(await client.tracker.register_pipeline("nightly", "Nightly"))
    with pytest.raises(PipelineNotRunnable):
        await client.requeue(recorded)
    assert (await client.execution("mine")).status is ExecutionStatus.FAILED


async def test_what_failed_is_resumed_with_its_stored_version(client: Client, file: Path, tmp_path: Path) -> None:
    started = await client.start(file, {"n": -1, "gate": str(tmp_path / "gate")})
    with pytest.raises(Exception, match="negative"):
        await started.to_end()
    (tmp_path / "gate").touch()
    resumed = await client.resume(started.execution_id)
    assert (await resumed.to_end())["output"]["n"] == -2
    with pytest.raises(AlreadyFinished):
        await client.resume(started.execution_id, pipeline=file)


async def test_nothing_is_resumed_with_another_definition_than_its_own(client: Client, tmp_path: Path) -> None:
    def flow(*, longer: bool) -> Flow:
        flow = Flow("Grown")

        @flow.step
        def one(data: dict[str, Any]) -> dict[str, Any]:
            if not (tmp_path / "gate").exists():
                raise ValueError("shut")
            return {"n": 1}

        if longer:

            @flow.step
            def two(data: dict[str, Any]) -> dict[str, Any]:
                return {"n": 2}

            _ = one >> two
        return flow

    started = await client.start(flow(longer=False))
    with pytest.raises(Exception, match="shut"):
        await started.to_end()
    (tmp_path / "gate").touch()
    before = await client.execution(started.execution_id)
    with pytest.raises(InvalidArgument, match="another definition than the execution began with, version 1"):
        await client.resume(started.execution_id, pipeline=flow(longer=True))
    assert await client.execution(started.execution_id) == before
    resumed = await client.resume(started.execution_id, pipeline=flow(longer=False))
    output = (await resumed.to_end())["output"]
    assert output == (await client.execution(started.execution_id)).output_data == {"n": 1, "one": {"n": 1}}


async def test_what_a_program_of_its_own_recorded_is_resumed_with_no_definition(client: Client, file: Path) -> None:
    recorded = await client.tracker.start_execution(await client.tracker.register_pipeline("nightly", "Nightly"))
    loaded = await read_pipeline_file(file)
    with pytest.raises(PipelineNotRunnable):
        await client.resume(recorded, pipeline=loaded)
    with pytest.raises(PipelineNotRunnable):
        await Runner(client.tracker).resume(loaded, recorded)
    assert (await client.summary(recorded)).epoch == 1


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


async def test_a_question_is_answered_once_in_somebodys_name(client: Client, database: DatabaseManager) -> None:
    flow = Flow("Ask")
    flow.ask("approve", prompt="Go on?")
    waiting = await client.run(flow)
    assert waiting["status"] == "waiting_for_human"
    assert (await client.wait(waiting["execution_id"])).status is ExecutionStatus.WAITING_FOR_HUMAN
    pages = [changes async for changes in client.follow(waiting["execution_id"], to_rest=True)]
    assert pages[-1].execution.status is ExecutionStatus.WAITING_FOR_HUMAN
    assert await client.answer(waiting["interaction_id"], {"yes": True}, actor="bob") == waiting["execution_id"]
    with pytest.raises(AlreadyAnswered, match="by bob"):
        await client.answer(waiting["interaction_id"], {"yes": False})
    assert await audit(database) == [("bob", "interaction.answer", waiting["interaction_id"], None)]


async def ask(client: Client, name: str = "Ask", **config: Any) -> str:
    flow = Flow(name)
    flow.ask("approve", ui_schema={"type": "object", "required": ["yes"]}, **config)
    return (await client.run(flow))["interaction_id"]


async def test_an_answer_is_checked_before_anything_is_stored(client: Client, database: DatabaseManager) -> None:
    question_id = await ask(client, assigned_users=["ann", "bob"], answers=2)
    for response, actor, role, where in (
        ({}, "ann", None, "response.yes"),
        ({"yes": 1}, None, None, "actor"),
        ({"yes": 1}, "eve", None, "actor"),
        ({"yes": 1}, "eve", "operator", "actor"),
    ):
        with pytest.raises(InvalidAnswer) as refused:
            await client.answer(question_id, response, actor=actor, role=role)
        assert [problem.where for problem in refused.value.problems] == [where]
    with pytest.raises(InvalidArgument, match="key:"):
        await client.answer(await ask(client), {"yes": 1}, actor="key:ann")
    with pytest.raises(InteractionNotFound):
        await client.answer("nothing", {})
    assert (await client.interaction(question_id)).responses == ()
    assert await audit(database) == []


async def test_the_same_answer_again_is_on_record_once(client: Client, database: DatabaseManager) -> None:
    question_id = await ask(client, assigned_users=["ann", "bob"], answers="all")
    for actor in ("ann", "ann", "bob", "ann", "bob"):
        await client.answer(question_id, {"yes": 1}, actor=actor, verified=actor == "bob")
    question = await client.interaction(question_id)
    assert [(each.actor, each.verified) for each in question.responses] == [("ann", False), ("bob", True)]
    assert [row[:2] for row in await audit(database)] == [("ann", "interaction.answer"), ("bob", "interaction.answer")]
    with pytest.raises(AlreadyAnswered, match="by bob, since 20") as late:
        await client.answer(question_id, {"no schema": "is looked at"}, actor="cleo")
    assert late.value.closed_at == question.completed_at


async def test_many_questions_take_one_answer_and_those_that_do_not_are_told(client: Client) -> None:
    ids = [await ask(client) for _ in range(3)]
    await client.answer(ids[0], {"yes": 0}, actor="ann")
    await client.assign(ids[1], ["bob"], actor="op")
    done = await client.answer_each([*ids, ids[2]], {"yes": 1}, actor="cleo")
    assert (done.done, [(each.interaction_id, each.actor) for each in done.refused]) == (
        1,
        [(ids[0], "ann"), (ids[1], None)],
    )
    assert "assigned to: bob" in done.refused[1].reason
    with pytest.raises(QuestionsDiffer):
        await client.answer_each([ids[1], await ask(client, "Other")], {"yes": 1}, actor="bob")
    with pytest.raises(InvalidAnswer):
        await client.answer_each(ids[1:2], {}, actor="bob")
    with pytest.raises(InvalidAnswer):
        await client.answer_each(ids[1:2], {"yes": 1})
    assert (await client.interaction(ids[1])).status == "pending"


async def test_a_question_is_assigned_on_record(client: Client, database: DatabaseManager) -> None:
    question_id = await ask(client, assigned_users=["ann"])
    assert (await client.assign(question_id, ["bob"], actor="op")).assigned_users == ["bob"]
    assert await audit(database) == [("op", "interaction.assign", question_id, {"assigned_users": ["bob"]})]
    page = await client.interactions(InteractionFilters(assigned_to="bob"))
    assert [each.interaction_id for each in page.items] == [question_id]
    await client.answer(question_id, {"yes": 1}, actor="bob")
    with pytest.raises(AlreadyAnswered, match="by bob"):
        await client.assign(question_id, ["ann"])


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


async def test_a_pipeline_is_deleted_with_its_history_only_when_that_is_meant(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    ran = [(await client.run(file, {"n": n}))["execution_id"] for n in range(3)]
    queued = await client.queue("double", {"n": 1})
    with pytest.raises(PipelineInUse, match="1 executions that have not ended"):
        await client.delete_pipeline("double", with_history=True)
    await client.cancel(queued.execution_id)
    await pin(database, ran[0])
    with pytest.raises(PipelineInUse, match="1 pinned executions"):
        await client.delete_pipeline("double", with_history=True, dry_run=True)
    await database.execute_async("UPDATE pipeline_executions SET pinned = FALSE")
    with pytest.raises(PipelineHasHistory, match="4 executions on record"):
        await client.delete_pipeline("double")
    assert await client.delete_pipeline("double", with_history=True, dry_run=True) == 4
    pipeline = await client.pipeline("double")
    assert pipeline.is_active
    assert await client.delete_pipeline("double", with_history=True, actor="bob") == 4
    with pytest.raises(PipelineNotFound):
        await client.pipeline("double")
    assert (await client.executions()).items == []
    assert (await audit(database))[-2:] == [
        ("bob", "executions.delete", pipeline.id, {"done": 4}),
        ("bob", "pipeline.delete", pipeline.id, {"slug": "double", "executions": 4}),
    ]
    await client.register(file)
    assert await client.delete_pipeline("double") == 0


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


async def test_ids_of_200_characters_run_and_longer_ones_are_refused_before_anything_is_recorded(
    client: Client,
) -> None:
    longest = "\U0001f600" * 200
    flow = Flow("Long", slug=longest)

    def copy(data: dict[str, Any]) -> dict[str, Any]:
        return data

    flow.add(copy, id=longest)
    assert (await client.run(flow, {"n": 1}))["steps"][0]["step_name"] == longest
    flow.add(copy, id="x" * 3000)
    with pytest.raises(PipelineDefinitionError, match="a text of 3,000 characters; expected at most 200"):
        await client.run(flow)
    with pytest.raises(PayloadError, match="201 characters; expected 1 to 200"):
        await client.queue(longest, idempotency_key="x" * 201)
    assert len((await client.executions()).items) == 1
