"""A map that asks people about its items, on every journal: it holds nothing while it waits, and goes on once."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules import Flow, current
from ia_modules.errors import MapItemFailed, StepError
from ia_modules.models import ExecutionId, ExecutionStatus, InteractionRecord, StepExecutionId, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import Code, nothing, pipeline_of, recorded
from tests.unit.pipeline.test_every_moment import Watch, queued, taken, watched
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, TIMINGS, dies

REVIEW = run_path(GRAPH, "review", 1)
SHOWN = {"type": "object", "properties": {"ok": {"type": "boolean"}}}


def reviewing(*names: str, config: Any = None, inputs: Any = None, **keys: Any) -> dict[str, Any]:
    """A pipeline of one step that asks about each of these."""
    step = {
        "id": "review",
        "type": "human_input",
        "config": {"prompt": "Approve {{ item }}?", "ui_schema": SHOWN, **(config or {})},
        "map": {"over": "{parameters.names}", "key": "{item}", **keys},
    }
    step |= {} if inputs is None else {"inputs": inputs}
    return document(step, parameters={"names": list(names)})


async def begun(
    journal: OperatorJournal, written: dict[str, Any], /, *, managed: bool = True, **code: Code
) -> tuple[LoadedPipeline, ExecutionId, ExecutionStatus]:
    """Run as far as it goes."""
    pipeline = pipeline_of(written, code)
    execution_id = await queued(journal, pipeline, input_of(written))
    return pipeline, execution_id, await goes_on(journal, pipeline, execution_id, managed=managed)


def input_of(written: dict[str, Any]) -> dict[str, Any]:
    return dict(written["parameters"])


async def goes_on(
    journal: OperatorJournal, pipeline: LoadedPipeline, execution_id: ExecutionId, *, managed: bool = True
) -> ExecutionStatus:
    return await Runner(journal).to_end(await taken(journal, pipeline, execution_id, managed=managed))


async def answer(journal: OperatorJournal, execution_id: ExecutionId, prompt: str, **response: Any) -> ExecutionStatus:
    """Answer the question with this prompt; the status of the execution then."""
    [question] = [each for each in await journal.get_interactions(execution_id) if each.prompt == prompt]
    await journal.answer_interaction(question.interaction_id, response, actor="ann")
    return (await recorded(journal, execution_id))[0].status


async def result_of(journal: OperatorJournal, execution_id: ExecutionId) -> Any:
    execution, _ = await recorded(journal, execution_id)
    assert execution.status is ExecutionStatus.COMPLETED, execution.error_message
    return execution.output_data["review"]  # type: ignore[index]


async def statuses_of(journal: OperatorJournal, execution_id: ExecutionId) -> list[tuple[str, int, str]]:
    """Key, attempt and status of each attempt of an item, in order."""
    rows = await journal.get_execution_steps(execution_id, within=REVIEW)
    return [(row.step_name, row.attempt, row.status.value) for row in sorted(rows, key=lambda row: row.iteration)]


async def over(journal: OperatorJournal, *attempts: StepExecutionId) -> None:
    """Let the times of attempts be over that wait, by the clock of the records; their execution is woken."""
    if isinstance(journal, MemoryJournal):
        for id_ in attempts:
            steps = journal._steps[journal._home[id_]]
            steps[id_] = replace(steps[id_], wake_at=await journal.now() - timedelta(seconds=1))
            execution = journal._executions[journal._home[id_]]
            journal._executions[execution.execution_id] = replace(
                execution, status=ExecutionStatus.PENDING, run_at=None
            )
        return
    assert isinstance(journal, ExecutionTracker)
    for id_ in attempts:
        of_step = "(SELECT execution_id FROM step_executions WHERE step_execution_id = :id)"
        moved = "UPDATE step_executions SET wake_at = ia_now(-1) WHERE step_execution_id = :id"
        due = f"UPDATE pipeline_executions SET run_at = ia_now(-1) WHERE execution_id = {of_step}"
        for sentence in (moved, due):
            await journal._database.execute_async(sentence, {"id": id_})
    await journal.ownership.wake_due()


async def test_it_asks_about_all_and_goes_on_when_the_last_is_answered(journal: OperatorJournal) -> None:
    pipeline, execution_id, status = await begun(journal, reviewing("a", "b", "c", max_concurrency=1))
    assert status is ExecutionStatus.WAITING_FOR_HUMAN
    execution, [step] = await recorded(journal, execution_id)
    assert (execution.owner, execution.run_at, step.status) == (None, None, StepStatus.WAITING)
    assert step.progress_message == "0 of 3, 3 waiting for people"
    assert await statuses_of(journal, execution_id) == [(name, 1, "waiting") for name in "abc"]
    questions = await journal.get_interactions(execution_id)
    assert [(each.prompt, each.data) for each in questions] == [(f"Approve {x}?", {"item": x}) for x in "abc"]
    epoch = execution.epoch
    assert await answer(journal, execution_id, "Approve b?", ok=False) is ExecutionStatus.WAITING_FOR_HUMAN
    assert await answer(journal, execution_id, "Approve a?", ok=True) is ExecutionStatus.WAITING_FOR_HUMAN
    assert await answer(journal, execution_id, "Approve c?", ok=True) is ExecutionStatus.PENDING
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED
    assert (await result_of(journal, execution_id))["items"] == [
        {"item": name, "human_input": {"ok": name != "b"}} for name in "abc"
    ]
    execution, [step] = await recorded(journal, execution_id)
    assert (execution.epoch, execution.completed_steps, step.attempt) == (epoch + 1, 1, 1)
    assert step.progress_message == "3 of 3"
    assert await statuses_of(journal, execution_id) == [(name, 1, "completed") for name in "abc"]


async def test_answers_in_one_moment_wake_it_too(journal: OperatorJournal) -> None:
    pipeline, execution_id, _ = await begun(journal, reviewing("a", "b", "c", collect="{result.human_input.ok}"))
    questions = await journal.get_interactions(execution_id)
    answers = (journal.answer_interaction(each.interaction_id, {"ok": True}, actor="ann") for each in questions)
    await asyncio.gather(*answers)
    assert (await recorded(journal, execution_id))[0].status is ExecutionStatus.PENDING
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED
    assert (await result_of(journal, execution_id))["items"] == [True, True, True]


async def test_a_person_sees_the_inputs_of_an_item(journal: OperatorJournal) -> None:
    inputs = [{"name": "doc", "source": "{item}"}, {"name": "number", "source": "{run.index}"}]
    _, execution_id, _ = await begun(journal, reviewing("a", "b", inputs=inputs))
    questions = await journal.get_interactions(execution_id)
    assert [each.data for each in questions] == [{"item": {"doc": name, "number": n}} for n, name in enumerate("ab")]


async def test_code_may_ask_about_an_item(journal: OperatorJournal) -> None:
    calls: Counter[str] = Counter()

    async def review(data: dict[str, Any]) -> Any:
        calls[data["item"]] += 1
        if data["item"] == "easy":
            return {"sure": True}
        return {"status": "human_input_required", "prompt": f"Is {data['item']} right?", "sure": False}

    step = task("review", map={"over": "{parameters.names}", "key": "{item}"})
    written = document(step, parameters={"names": ["easy", "odd", "new"]})
    pipeline, execution_id, status = await begun(journal, written, review=review)
    assert status is ExecutionStatus.WAITING_FOR_HUMAN
    await answer(journal, execution_id, "Is odd right?", ok=True)
    await answer(journal, execution_id, "Is new right?", ok=False)
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED
    assert (await result_of(journal, execution_id))["items"] == [
        {"sure": True},
        {"sure": False, "human_input": {"ok": True}},
        {"sure": False, "human_input": {"ok": False}},
    ]
    assert calls == {"easy": 1, "odd": 1, "new": 1}


async def test_an_answer_that_comes_while_another_branch_runs_is_taken(journal: OperatorJournal) -> None:
    ids: list[ExecutionId] = []

    async def answers(data: dict[str, Any]) -> None:
        waits = StepStatus.RUNNING
        while waits is not StepStatus.WAITING:
            await asyncio.sleep(0.01)
            rows = await journal.get_execution_steps(ids[0])
            waits = next(row.status for row in rows if row.step_id == "review")
        for name in "ab":
            await answer(journal, ids[0], f"Approve {name}?", ok=True)

    written = reviewing("a", "b")
    written["steps"] += [task("first"), task("beside")]
    written["flow"] = {
        "start_at": "first",
        "paths": [{"from_step": "first", "to_step": each} for each in ("review", "beside")],
    }
    pipeline = pipeline_of(written, {"first": nothing, "beside": answers})
    ids.append(await queued(journal, pipeline, input_of(written)))
    assert await goes_on(journal, pipeline, ids[0]) is ExecutionStatus.PENDING
    assert await goes_on(journal, pipeline, ids[0]) is ExecutionStatus.COMPLETED
    assert len((await result_of(journal, ids[0]))["items"]) == 2


async def question_of(journal: OperatorJournal, execution_id: ExecutionId, prompt: str) -> InteractionRecord:
    [question] = [each for each in await journal.get_interactions(execution_id) if each.prompt == prompt]
    return question


async def test_a_default_answer_is_taken_for_the_one_that_nobody_answers_in_time(journal: OperatorJournal) -> None:
    config = {"timeout_seconds": 3600, "on_timeout": {"ok": False}}
    pipeline, execution_id, _ = await begun(journal, reviewing("a", "b", config=config))
    execution, _ = await recorded(journal, execution_id)
    late = await question_of(journal, execution_id, "Approve a?")
    assert execution.run_at == late.deadline_at
    await over(journal, late.step_execution_id)
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.WAITING_FOR_HUMAN
    assert await statuses_of(journal, execution_id) == [("a", 1, "completed"), ("b", 1, "waiting")]
    assert await answer(journal, execution_id, "Approve b?", ok=True) is ExecutionStatus.PENDING
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED
    assert [each["human_input"]["ok"] for each in (await result_of(journal, execution_id))["items"]] == [False, True]
    assert (await question_of(journal, execution_id, "Approve a?")).status == "expired"


async def test_one_that_nobody_answers_in_time_fails_and_with_it_the_map(journal: OperatorJournal) -> None:
    pipeline, execution_id, _ = await begun(journal, reviewing("a", "b", config={"timeout_seconds": 3600}))
    await over(journal, (await question_of(journal, execution_id, "Approve a?")).step_execution_id)
    with pytest.raises(MapItemFailed, match="item 1 .*nobody answered within 3600 seconds"):
        await goes_on(journal, pipeline, execution_id)
    assert await statuses_of(journal, execution_id) == [("a", 1, "failed"), ("b", 1, "cancelled")]
    assert [each.status for each in await journal.get_interactions(execution_id)] == ["expired", "cancelled"]


async def test_where_some_may_fail_the_others_are_still_waited_for(journal: OperatorJournal) -> None:
    written = reviewing("a", "b", config={"timeout_seconds": 3600}, on_item_failure="continue")
    pipeline, execution_id, _ = await begun(journal, written)
    await over(journal, (await question_of(journal, execution_id, "Approve a?")).step_execution_id)
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.WAITING_FOR_HUMAN
    await answer(journal, execution_id, "Approve b?", ok=True)
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED
    result = await result_of(journal, execution_id)
    assert (result["items"][0], result["failed"], result["errors"][0]["error_type"]) == (None, 1, "HumanInputTimeout")


def flaky(failures: dict[str, int]) -> Callable[[dict[str, Any]], Awaitable[str]]:
    """Code that fails so often for each item."""

    async def review(data: dict[str, Any]) -> Any:
        name = data["item"]
        if failures.get(name, 0) > 0:
            failures[name] -= 1
            raise ConnectionError(name)
        if name == "ask":
            return {"status": "human_input_required", "prompt": "ask?"}
        return name

    return review


def retrying(*names: str, seconds: float) -> dict[str, Any]:
    retry = {"max_attempts": 3, "initial_delay": seconds, "max_delay": seconds, "jitter": False}
    step = task("review", map={"over": "{parameters.names}", "key": "{item}"}, error_handling={"retry": retry})
    return document(step, parameters={"names": list(names)})


async def test_while_only_delays_are_waited_for_nobody_holds_it(journal: OperatorJournal) -> None:
    written = retrying("a", "b", seconds=3600)
    pipeline, execution_id, status = await begun(journal, written, review=flaky({"b": 1}))
    assert status is ExecutionStatus.WAITING
    execution, [step] = await recorded(journal, execution_id)
    [delayed] = [row for row in await journal.get_execution_steps(execution_id, within=REVIEW) if row.attempt == 2]
    assert (execution.owner, execution.run_at, step.status) == (None, delayed.wake_at, StepStatus.WAITING)
    await over(journal, delayed.step_execution_id)
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED
    assert (await result_of(journal, execution_id))["items"] == ["a", "b"]
    assert sorted(await statuses_of(journal, execution_id)) == [
        ("a", 1, "completed"),
        ("b", 1, "failed"),
        ("b", 2, "completed"),
    ]


async def test_who_runs_it_alone_waits_for_delays_and_not_for_people(journal: OperatorJournal) -> None:
    written = retrying("ask", "b", seconds=0.05)
    pipeline = pipeline_of(written, {"review": flaky({"b": 1})})
    run = await Runner(journal).start(pipeline)
    assert (await run.to_end())["status"] == "waiting_for_human"
    assert sorted(await statuses_of(journal, run.execution_id)) == [
        ("ask", 1, "waiting"),
        ("b", 1, "failed"),
        ("b", 2, "completed"),
    ]


async def test_delays_and_people_are_waited_for_at_once(journal: OperatorJournal) -> None:
    written = retrying("ask", "b", seconds=3600)
    pipeline, execution_id, status = await begun(journal, written, review=flaky({"b": 1}))
    assert status is ExecutionStatus.WAITING_FOR_HUMAN
    [delayed] = [row for row in await journal.get_execution_steps(execution_id, within=REVIEW) if row.attempt == 2]
    assert (await recorded(journal, execution_id))[0].run_at == delayed.wake_at
    await over(journal, delayed.step_execution_id)
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.WAITING_FOR_HUMAN
    assert await answer(journal, execution_id, "ask?", ok=True) is ExecutionStatus.PENDING
    assert await goes_on(journal, pipeline, execution_id) is ExecutionStatus.COMPLETED


async def test_a_failure_closes_what_is_asked(journal: OperatorJournal) -> None:
    written = retrying("ask", "bad", seconds=0)
    pipeline = pipeline_of(written, {"review": flaky({"bad": 3})})
    execution_id = await queued(journal, pipeline, input_of(written))
    with pytest.raises(StepError, match=r"\(bad\) failed"):
        await goes_on(journal, pipeline, execution_id)
    [question] = await journal.get_interactions(execution_id)
    assert question.status == "cancelled"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asks=st.lists(st.booleans(), min_size=1, max_size=6),
    fails=st.lists(st.integers(0, 2), min_size=6, max_size=6),
    deaths=DEATHS,
    timing=TIMINGS,
)
async def test_whoever_dies_when_and_whenever_they_answer_each_is_asked_once(
    journal: OperatorJournal, asks: list[bool], fails: list[int], deaths: list[int], timing: int
) -> None:
    chance, code_calls = random.Random(timing), Counter[int]()
    seen: dict[int, int] = {}

    async def review(data: dict[str, Any]) -> Any:
        number = current.context.iteration
        code_calls[number] += 1
        if seen.get(number, 0) < fails[number - 1]:
            seen[number] = seen.get(number, 0) + 1
            raise ConnectionError(number)
        return {"status": "human_input_required", "prompt": str(number)} if asks[number - 1] else number

    retry = {"max_attempts": 9, "initial_delay": 0}
    keys = {"over": "{parameters.numbers}", "max_concurrency": chance.randint(1, 3)}
    written = document(
        task("review", map=keys, error_handling={"retry": retry}), parameters={"numbers": [*range(len(asks))]}
    )
    pipeline, watch = pipeline_of(written, {"review": review}), Watch()
    async with watched(journal, watch) as (own, others):
        run = await Runner(own).start(pipeline, new_version=True)

        async def answers() -> None:
            for each in await others.get_interactions(run.execution_id):
                if each.status == "pending" and chance.random() < 0.5:
                    await others.answer_interaction(each.interaction_id, each.prompt, actor="ann")

        watch.before = answers
        for moments in (*deaths, *[FOREVER] * 9):
            await dies(own, pipeline, run.execution_id, moments)
            await answers()
            if (await recorded(others, run.execution_id))[0].status.is_terminal:
                break
        questions = await others.get_interactions(run.execution_id)
        result = await result_of(others, run.execution_id)
    assert sorted(each.prompt or "" for each in questions) == [str(n) for n, is_asked in enumerate(asks, 1) if is_asked]
    assert result["items"] == [
        {"human_input": str(number)} if is_asked else number for number, is_asked in enumerate(asks, 1)
    ]


def test_a_flow_asks_about_each_of_a_list() -> None:
    flow = Flow("Reviews", parameters={"names": []})
    flow.ask("review", map="{parameters.names}", key="{item}", max_concurrency=2, prompt="Approve {{ item }}?")
    [step] = flow.to_json()["steps"]
    assert step["map"] == {"over": "{parameters.names}", "key": "{item}", "max_concurrency": 2}
    assert step["config"].keys() == {"prompt"}
