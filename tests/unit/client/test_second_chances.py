import asyncio
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, DatabaseManager, ExecutionContext, Runner, Worker
from ia_modules.errors import (
    AlreadyFinished,
    AlreadyResumed,
    CodeNotFound,
    ExecutionNotFound,
    InvalidArgument,
    PipelineNotRunnable,
    StepError,
)
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.runner import read_pipeline_file
from tests.unit.client.doubling import audit


async def test_a_rerun_has_the_same_version_and_input_and_names_what_it_repeats(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    ran = await client.run(file, {"n": 3})
    rerun = await client.summary(await client.rerun(ran["execution_id"], actor="bob"))
    assert (rerun.rerun_of, rerun.trigger, rerun.status) == (ran["execution_id"], "rerun", ExecutionStatus.PENDING)
    assert (await client.execution(rerun.execution_id)).input_data == {"n": 3, "gate": "nowhere"}
    assert (await audit(database))[-2:] == [
        ("bob", "execution.rerun", ran["execution_id"], None),
        ("bob", "execution.start", rerun.execution_id, None),
    ]
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


async def test_a_request_to_resume_that_comes_late_once_more_resumes_nothing_twice(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    with pytest.raises(StepError):
        await client.run(file, {"n": -3}, ExecutionContext(execution_id="mine"))
    both = await asyncio.gather(*(client.requeue("mine", idempotency_key="key") for _ in range(2)))
    assert [each.status for each in both] == [ExecutionStatus.PENDING] * 2
    again = await client.resume("mine")  # it fails once more
    with pytest.raises(StepError):
        await again.to_end()
    late = await client.requeue("mine", idempotency_key="key")
    assert late.status is ExecutionStatus.FAILED
    rows = [row for row in await audit(database) if row[1] == "execution.resume"]
    assert [row[3] for row in rows] == [{"was": "failed", "reason": None, "idempotency_key": "key"}]
    assert (await client.requeue("mine", idempotency_key="another")).status is ExecutionStatus.PENDING


async def test_what_a_resumed_execution_would_run_is_known_before(client: Client, file: Path) -> None:
    with pytest.raises(StepError):
        await client.run(file, {"n": -3}, ExecutionContext(execution_id="mine"))
    plan = await client.plan_resume("mine")
    assert (plan.begins, plan.kept) == ((("double", 1),), ())
    assert [(step.step_id, step.runs, step.effect_text) for step in plan.with_effects] == [
        ("double", 1, "not said: may have effects")
    ]
    done = (await client.run(file, {"n": 3}))["execution_id"]
    with pytest.raises(AlreadyFinished):
        await client.plan_resume(done)
    recorded = await client.tracker.start_execution(await client.tracker.register_pipeline("nightly", "Nightly"))
    with pytest.raises(PipelineNotRunnable):
        await client.plan_resume(recorded)
    with pytest.raises(ExecutionNotFound):
        await client.plan_resume("nobody")
