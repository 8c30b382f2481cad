"""What an execution id of the caller's means, on every journal."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ia_modules.errors import (
    AlreadyStarted,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionIdConflict,
    PayloadError,
    StepError,
)
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.journal import Journal, OperatorJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import ask, document
from tests.unit.pipeline.programs import pipeline_of

ORDER = ExecutionContext(execution_id="order 17", pipeline_id="theirs", user_id="ann")
PARAMETERS = [{"name": "n", "required": True}, {"name": "by", "default": 2}]


class Counted:
    """Steps that say how often they ran, and fail while ``broken``."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.broken = False
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    def pipeline(self, name: str = "test", **keys: Any):
        def code(step_id: str) -> Callable[[dict[str, Any]], Any]:
            async def step(data: dict[str, Any]) -> dict[str, Any]:
                self.ran.append(step_id)
                self.begun.set()
                await self.gate.wait()
                if self.broken and step_id == "second":
                    raise ValueError("no stock")
                return {step_id: data["n"]}

            return step

        written = document("first", "second", paths=[("first", "second")], parameters=PARAMETERS, **keys)
        return pipeline_of({**written, "name": name}, {each: code(each) for each in ("first", "second")})


async def test_the_same_id_and_input_give_the_recorded_result(journal: Journal) -> None:
    steps, runner = Counted(), Runner(journal)
    first = await runner.run(steps.pipeline(), {"n": 1}, ORDER)
    again = await runner.run(steps.pipeline(), {"by": 2, "n": 1}, ORDER)  # the default, and another order of keys
    assert again == first
    assert steps.ran == ["first", "second"]
    record = await journal.get_execution("order 17")
    assert record is not None
    assert record.execution_id == first["execution_id"] != record.alias
    assert record.metadata == {"pipeline_id": "theirs", "user_id": "ann"}
    with pytest.raises(AlreadyStarted, match="is completed"):
        await runner.start(steps.pipeline(), {"n": 1}, ORDER)


async def test_the_same_id_with_anything_else_is_refused(journal: Journal) -> None:
    steps, runner = Counted(), Runner(journal)
    result = await runner.run(steps.pipeline(), {"n": 1}, ORDER)
    for other in ({"n": 2}, {"n": 1.0}, {"n": 1, "by": 3}, {"n": 1, "more": None}):
        with pytest.raises(ExecutionIdConflict, match="another input"):
            await runner.run(steps.pipeline(), other, ORDER)
    with pytest.raises(ExecutionIdConflict, match="another pipeline, 'test'"):
        await runner.run(steps.pipeline("other"), {"n": 1}, ORDER)
    with pytest.raises(ExecutionIdConflict, match="was given here"):
        await runner.run(steps.pipeline(), {"n": 1}, ExecutionContext(execution_id=result["execution_id"]))
    assert len(steps.ran) == 2


@pytest.mark.parametrize("alias", ["", "x" * 201, "NUL\0", "half \ud800", 17])
async def test_an_id_that_cannot_be_kept_is_refused_and_nothing_runs(journal: Journal, alias: Any) -> None:
    steps = Counted()
    with pytest.raises(PayloadError, match="execution id"):
        await Runner(journal).run(steps.pipeline(), {"n": 1}, ExecutionContext(execution_id=alias))
    assert steps.ran == []


@given(alias=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200))
@example(alias="\N{PILE OF POO}" * 200)
@example(alias="0199c3f2-7b1e-7c41-9d0e-3f5a6b7c8d9e")
@example(alias=" ")
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_any_other_text_is_taken(journal: Journal, alias: str) -> None:
    context = ExecutionContext(execution_id=alias)
    result = await Runner(journal).run(Counted().pipeline(), {"n": 1}, context)
    record = await journal.get_execution(alias)
    assert record is not None
    assert (record.execution_id, record.alias) == (result["execution_id"], alias)


async def test_what_runs_elsewhere_is_waited_for_and_never_run_twice(journal: Journal) -> None:
    steps = Counted()
    steps.gate.clear()
    running = [asyncio.create_task(Runner(journal).run(steps.pipeline(), {"n": 1}, ORDER)) for _ in range(5)]
    await steps.begun.wait()
    steps.gate.set()
    first, *others = await asyncio.gather(*running)
    assert others == [first] * 4
    assert steps.ran == ["first", "second"]


async def test_a_failure_is_raised_again_until_it_is_gone_on_with(journal: Journal) -> None:
    steps, runner = Counted(), Runner(journal)
    steps.broken = True
    with pytest.raises(StepError):
        await runner.run(steps.pipeline(), {"n": 1}, ORDER)
    with pytest.raises(ExecutionFailed, match="no stock") as failed:
        await runner.run(steps.pipeline(), {"n": 1}, ORDER)
    record = await journal.get_execution("order 17")
    assert record is not None
    assert (failed.value.error_type, failed.value.error_message) == (record.error_type, record.error_message)
    assert (failed.value.step_id, failed.value.execution_id) == ("second", record.execution_id)
    steps.broken = False
    result = await runner.run(steps.pipeline(), {"n": 1}, ORDER, resume=True)
    assert (result["execution_id"], result["status"]) == (record.execution_id, "completed")
    assert steps.ran == ["first", "second", "second"]
    assert await runner.run(steps.pipeline(), {"n": 1}, ORDER, resume=True) == result


async def test_a_cancellation_is_raised_again_until_it_is_gone_on_with(journal: OperatorJournal) -> None:
    steps, runner = Counted(), Runner(journal)
    steps.gate.clear()
    running = asyncio.create_task(runner.run(steps.pipeline(), {"n": 1}, ORDER))
    await steps.begun.wait()
    following = asyncio.create_task(runner.run(steps.pipeline(), {"n": 1}, ORDER))
    await asyncio.sleep(0)
    await journal.request_cancel("order 17")
    with pytest.raises(ExecutionCancelled):
        await running
    with pytest.raises(ExecutionCancelled):
        await following
    steps.gate.set()
    assert (await runner.run(steps.pipeline(), {"n": 1}, ORDER, resume=True))["status"] == "completed"


async def test_who_stops_waiting_stops_nothing(journal: Journal) -> None:
    steps, runner = Counted(), Runner(journal)
    steps.gate.clear()
    running = asyncio.create_task(runner.run(steps.pipeline(), {"n": 1}, ORDER))
    await steps.begun.wait()
    following = asyncio.create_task(runner.run(steps.pipeline(), {"n": 1}, ORDER))
    await asyncio.sleep(0.05)
    following.cancel()
    await asyncio.wait([following])
    steps.gate.set()
    assert (await running)["status"] == "completed"


async def test_another_version_gives_the_recorded_result_but_does_not_go_on(journal: Journal) -> None:
    steps, runner = Counted(), Runner(journal)
    result = await runner.run(steps.pipeline(), {"n": 1}, ORDER)
    other = steps.pipeline(description="another")
    assert await runner.run(other, {"n": 1}, ORDER, new_version=True) == result
    steps.broken = True
    late = ExecutionContext(execution_id="order 18")
    with pytest.raises(StepError):
        await runner.run(steps.pipeline(), {"n": 1}, late)
    with pytest.raises(ExecutionIdConflict, match="version 1, and this is version 2"):
        await runner.run(other, {"n": 1}, late, new_version=True, resume=True)


async def test_what_waits_for_a_person_is_given_as_it_waits_and_goes_on_once_that_one_has_answered(
    journal: OperatorJournal,
) -> None:
    runner = Runner(journal)
    pipeline = pipeline_of(document(ask(prompt="Ship it?")), {})
    waiting = await runner.run(pipeline, {"n": 1}, ORDER)
    assert (waiting["status"], await runner.run(pipeline, {"n": 1}, ORDER)) == ("waiting_for_human", waiting)
    await journal.answer_interaction(waiting["interaction_id"], {"yes": True}, actor="ann")
    done = await runner.run(pipeline, {"n": 1}, ORDER)
    assert (done["status"], done["execution_id"]) == ("completed", waiting["execution_id"])


async def test_of_two_that_go_on_one_does_and_the_other_waits_for_it(journal: Journal) -> None:
    steps = Counted()
    steps.broken = True
    with pytest.raises(StepError):
        await Runner(journal).run(steps.pipeline(), {"n": 1}, ORDER)
    steps.broken = False
    steps.ran.clear()
    one, other = await asyncio.gather(
        *(Runner(journal).run(steps.pipeline(), {"n": 1}, ORDER, resume=True) for _ in range(2))
    )
    assert one == other
    assert one["status"] == ExecutionStatus.COMPLETED
    assert steps.ran == ["second"]
