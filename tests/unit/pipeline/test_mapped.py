"""A step that runs for each entry of a list, on every journal."""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ia_modules import Flow, current
from ia_modules.errors import MapItemFailed, MapTooLarge, StepConflict, StepError, StepInputError
from ia_modules.models import ExecutionId, StepExecutionRecord
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import Runner, StartedExecution
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import Code, pipeline_of, recorded, started

WORK = run_path(GRAPH, "work", 1)


def mapped(
    over: Any = "{parameters.numbers}", *, inputs: Any = None, handling: Any = None, **keys: Any
) -> dict[str, Any]:
    """A pipeline of one step with a map."""
    step = task("work", map={"over": over, **keys})
    step |= {} if inputs is None else {"inputs": inputs}
    step |= {} if handling is None else {"error_handling": handling}
    return document(step, parameters={"numbers": [1, 2, 3]})


async def run_of(
    journal: OperatorJournal, written: dict[str, Any], code: Code, input_data: dict[str, Any] | None = None
) -> tuple[StartedExecution, Any]:
    run = await started(journal, written, input_data, work=code)
    return run, (await run.to_end())["output"]["work"]


async def items_of(journal: OperatorJournal, execution_id: ExecutionId) -> list[tuple[int, int, str, str, Any]]:
    """Number, attempt, key, status and output of each attempt of an item, in order."""
    rows = await journal.get_execution_steps(execution_id, within=WORK)
    return sorted((row.iteration, row.attempt, row.step_name, row.status.value, row.output_data) for row in rows)


async def double(data: dict[str, Any]) -> int:
    return data["item"] * 2


async def test_a_map_gives_what_a_comprehension_gives(journal: OperatorJournal) -> None:
    run, result = await run_of(journal, mapped(), double)
    assert result == {"items": [2, 4, 6], "count": 3, "failed": 0, "errors": []}
    assert await items_of(journal, run.execution_id) == [
        (1, 1, "1", "completed", 2),
        (2, 1, "2", "completed", 4),
        (3, 1, "3", "completed", 6),
    ]
    execution, [step] = await recorded(journal, run.execution_id)
    assert (execution.completed_steps, execution.failed_steps, execution.total_steps) == (1, 0, 1)
    assert step.input_refs == {"parents": [], "state": False, "items": 3}
    assert (step.progress, step.progress_message) == (1.0, "3 of 3")


async def test_an_empty_list_makes_no_rows(journal: OperatorJournal) -> None:
    run, result = await run_of(journal, mapped(), double, {"numbers": []})
    assert result == {"items": [], "count": 0, "failed": 0, "errors": []}
    assert await items_of(journal, run.execution_id) == []


async def test_an_item_gets_its_inputs_and_its_config_alone(journal: OperatorJournal) -> None:
    class Work(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            return {"data": data, "config": self.config, "key": self.context.item_key}

    step = task(
        "work",
        map={
            "over": "{parameters.docs}",
            "key": "{item.id}",
            "collect": ["{run.index}", "{run.key}", "{result}", "{item.id}", "{result.nope}"],
        },
        inputs={"doc": "{item.text}", "place": "{run.index}", "about": "{run.key} of {parameters.topic}: {item.text}"},
        config={"title": "{{ item.text }} {{ run.index }}", "key": "{{ run.key }}"},
    )
    written = document(step, parameters={"docs": [], "topic": "bees"})
    docs = [{"id": "a", "text": "one"}, {"id": "b", "text": "two"}]
    _, result = await run_of(journal, written, Work, {"docs": docs})
    first = {
        "data": {"doc": "one", "place": 0, "about": "a of bees: one"},
        "config": {"title": "one 0", "key": "a"},
        "key": "a",
    }
    second = {
        "data": {"doc": "two", "place": 1, "about": "b of bees: two"},
        "config": {"title": "two 1", "key": "b"},
        "key": "b",
    }
    assert result["items"] == [[0, "a", first, "a", None], [1, "b", second, "b", None]]


async def test_without_inputs_a_mapping_is_the_data_as_it_is(journal: OperatorJournal) -> None:
    async def give(data: dict[str, Any]) -> dict[str, Any]:
        return data

    _, result = await run_of(journal, mapped(), give, {"numbers": [{"a": 1}, [2], None]})
    assert result["items"] == [{"a": 1}, {"item": [2]}, {"item": None}]


async def test_no_more_run_at_a_time_than_may(journal: OperatorJournal) -> None:
    running, most = 0, 0

    async def work(data: dict[str, Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    _, result = await run_of(journal, mapped(max_concurrency=4, collect=False), work, {"numbers": list(range(50))})
    assert most == 4
    assert result == {"count": 50, "failed": 0, "errors": []}


async def fails_at(data: dict[str, Any]) -> int:
    if data["item"] % 2:
        raise ValueError(f"{data['item']} is odd")
    return data["item"]


async def test_the_first_failure_ends_a_map(journal: OperatorJournal) -> None:
    begun = asyncio.Event()

    async def work(data: dict[str, Any]) -> Any:
        if data["item"] == 4:
            begun.set()
            await asyncio.Event().wait()
        await begun.wait()
        return await fails_at(data)

    run = await started(journal, mapped(max_concurrency=2), {"numbers": [4, 1, 2]}, work=work)
    with pytest.raises(MapItemFailed) as failed:
        await run.to_end()
    assert (failed.value.item, failed.value.key) == (2, "2")
    assert str(failed.value) == "Step 'work' failed: item 2 failed: ValueError: 1 is odd"
    assert isinstance(failed.value.__cause__, ValueError)
    assert [row[:4] for row in await items_of(journal, run.execution_id)] == [
        (1, 1, "1", "cancelled"),
        (2, 1, "2", "failed"),
    ]


@pytest.mark.parametrize(
    ("allowed", "completes"),
    [
        ("continue", True),
        ({"at_most": 2}, True),
        ({"at_most": 1}, False),
        ({"at_most": "50%"}, True),
        ({"at_most": "40%"}, False),
    ],
)
async def test_so_many_items_may_fail(journal: OperatorJournal, allowed: Any, completes: bool) -> None:
    run = await started(
        journal, mapped(on_item_failure=allowed, max_concurrency=1), {"numbers": [1, 2, 3, 4]}, work=fails_at
    )
    if not completes:
        with pytest.raises(MapItemFailed):
            await run.to_end()
        return
    result = (await run.to_end())["output"]["work"]
    assert result["items"] == [None, 2, None, 4]
    assert (result["count"], result["failed"]) == (4, 2)
    assert result["errors"] == [
        {"item": number, "key": str(number), "error_type": "ValueError", "error_message": f"{number} is odd"}
        for number in (1, 3)
    ]


async def test_continue_on_error_is_of_the_map_and_the_rest_of_the_item(journal: OperatorJournal) -> None:
    calls: Counter[int] = Counter()

    async def work(data: dict[str, Any]) -> int:
        calls[data["item"]] += 1
        if calls[data["item"]] < 2 or data["item"] == 3:
            raise ValueError(f"{data['item']}")
        return data["item"]

    handling = {"retry": {"max_attempts": 2, "initial_delay": 0}, "continue_on_error": True}
    run, result = await run_of(journal, mapped(handling=handling, max_concurrency=1), work)
    assert result["step_error"] is True
    assert result["error_type"] == "MapItemFailed"
    assert calls == {1: 2, 2: 2, 3: 2}
    assert [row[:4] for row in await items_of(journal, run.execution_id)] == [
        (number, attempt, str(number), status)
        for number, ends in ((1, "completed"), (2, "completed"), (3, "failed"))
        for attempt, status in ((1, "failed"), (2, ends))
    ]


async def test_the_delay_of_a_retry_is_on_record_and_holds_no_place(journal: OperatorJournal) -> None:
    calls: list[int] = []

    async def work(data: dict[str, Any]) -> int:
        calls.append(data["item"])
        if calls == [1]:
            raise ConnectionError("busy")
        return data["item"]

    handling = {"retry": {"max_attempts": 2, "initial_delay": 0.05, "jitter": False}}
    run, result = await run_of(journal, mapped(handling=handling, max_concurrency=1), work)
    assert result["items"] == [1, 2, 3]
    assert calls[:2] == [1, 2]
    rows = await journal.get_execution_steps(run.execution_id, within=WORK)
    assert [row.wake_at is not None for row in rows if row.attempt == 2] == [True]


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ("{parameters.topic}", "map.over: found {parameters.topic}, which is a text; expected a list"),
        ("{pipeline_input.nothing}", "map.over: found pipeline_input.nothing, but the input has no 'nothing'"),
    ],
)
async def test_what_gives_no_list_is_refused(journal: OperatorJournal, over: str, message: str) -> None:
    written = document(task("work", map=over), parameters={"topic": "bees"})
    run = await started(journal, written, work=double)
    with pytest.raises(StepInputError) as failed:
        await run.to_end()
    assert message in str(failed.value)


async def test_two_items_of_one_key_are_refused_before_the_first_runs(journal: OperatorJournal) -> None:
    run = await started(journal, mapped(key="{item.id}"), {"numbers": [{"id": 1}, {"id": 2}, {"id": "1"}]}, work=double)
    with pytest.raises(StepInputError, match="the key '1' of the items 1 and 3"):
        await run.to_end()
    assert await items_of(journal, run.execution_id) == []


async def test_too_many_items_are_refused(journal: OperatorJournal) -> None:
    run = await started(journal, mapped(), {"numbers": [0] * 100_001}, work=double)
    with pytest.raises(MapTooLarge, match="100,001 entries; expected at most 100,000"):
        await run.to_end()


async def test_more_than_can_be_kept_fails_the_map_and_leaves_the_items(journal: OperatorJournal) -> None:
    async def work(data: dict[str, Any]) -> str:
        return "x" * 9_000_000

    run = await started(journal, mapped(max_concurrency=1), work=work)
    with pytest.raises(StepError, match="items: more than 16 MB of JSON; collect less"):
        await run.to_end()
    completed = [row for row in await items_of(journal, run.execution_id) if row[3] == "completed"]
    assert [row[0] for row in completed] == [1, 2]


async def test_resume_runs_what_has_not_completed(journal: OperatorJournal) -> None:
    calls: Counter[int] = Counter()
    is_broken = True

    async def work(data: dict[str, Any]) -> int:
        calls[data["item"]] += 1
        if is_broken and data["item"] == 2:
            raise ValueError("later")
        return data["item"] * 10

    pipeline = pipeline_of(mapped(max_concurrency=1), {"work": work})
    run = await Runner(journal).start(pipeline)
    with pytest.raises(MapItemFailed):
        await run.to_end()
    is_broken = False
    result = await (await Runner(journal).resume(pipeline, run.execution_id)).to_end()
    assert result["output"]["work"]["items"] == [10, 20, 30]
    assert calls == {1: 1, 2: 2, 3: 1}


async def test_an_item_may_call_inner_steps(journal: OperatorJournal) -> None:
    async def ask(number: int) -> int:
        return number + 1

    async def work(data: dict[str, Any]) -> int:
        return await current.context.step("ask", ask, data["item"])

    run, result = await run_of(journal, mapped(), work)
    assert result["items"] == [2, 3, 4]
    inner = await journal.get_execution_steps(run.execution_id, within=run_path(WORK, "work", 2))
    assert [(row.step_id, row.output_data) for row in inner] == [("ask", 3)]


async def test_a_map_in_a_loop_is_another_run_each_time(journal: OperatorJournal) -> None:
    async def head(data: dict[str, Any]) -> dict[str, Any]:
        return {"n": data.get("n", 0) + 1}

    written = document(
        "head",
        task("work", map="{parameters.numbers}"),
        paths=[
            ("head", "work"),
            ("work", "head", {"type": "field_less_than", "field": "n", "value": 2}),
            ("work", "end", "else"),
        ],
        parameters={"numbers": [1]},
    )
    run = await started(journal, written, head=head, work=double)
    await run.to_end()
    for iteration in (1, 2):
        rows: list[StepExecutionRecord] = await journal.get_execution_steps(
            run.execution_id, within=run_path(GRAPH, "work", iteration)
        )
        assert [row.output_data for row in rows] == [2]


async def test_a_list_that_is_shorter_than_what_is_on_record_is_refused(journal: OperatorJournal) -> None:
    async def work(data: dict[str, Any]) -> int:
        raise ValueError("always")

    async def give(data: dict[str, Any]) -> dict[str, Any]:
        return {"rows": [1, 2, 3]}

    written = document(
        "give",
        task("work", map={"over": "{steps.give.output.rows}", "on_item_failure": {"at_most": 2}}),
        paths=[("give", "work")],
    )
    run = await Runner(journal).start(pipeline_of(written, {"give": give, "work": work}))
    with pytest.raises(MapItemFailed):
        await run.to_end()
    written["steps"][1]["map"]["over"] = [1, 2]  # as no definition changes under a run: somebody has changed rows
    other = pipeline_of(written, {"give": give, "work": work})
    resumed = await Runner(journal).resume(run.pipeline, run.execution_id)
    with pytest.raises(StepError) as failed:
        await replace(resumed, pipeline=other).to_end()
    assert isinstance(failed.value.__cause__, StepConflict)
    execution, _ = await recorded(journal, run.execution_id)
    assert execution.status.value == "failed"


async def test_an_exception_that_cannot_say_what_it_is_fails_its_item(journal: OperatorJournal) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    async def work(data: dict[str, Any]) -> int:
        raise Odd

    run = await started(journal, mapped(max_concurrency=1), work=work)
    with pytest.raises(MapItemFailed, match="Odd that cannot be shown"):
        await run.to_end()
    execution, [step] = await recorded(journal, run.execution_id)
    assert (execution.status.value, step.status.value) == ("failed", "failed")


@dataclass
class Doc:
    id: str
    size: int = 0


def name_of(doc: Doc) -> str:
    return f"{doc.id}:{doc.size}"


def upper(word: str) -> str:
    return word.upper()


def size_of(size: int, id: str) -> int:  # noqa: A002 - a field of the item
    return size


@pytest.mark.parametrize(
    ("code", "items", "expected"),
    [
        (upper, ["a", "b"], ["A", "B"]),
        (upper, [{"word": "a"}], ["A"]),
        (name_of, [{"id": "x", "size": 2}, {"id": "y"}], ["x:2", "y:0"]),
        (name_of, [{"doc": {"id": "x"}}], ["x:0"]),
        (size_of, [{"id": "x", "size": 2}], [2]),
    ],
)
async def test_a_typed_function_is_written_for_one_item(
    journal: OperatorJournal, code: Code, items: list[Any], expected: list[Any]
) -> None:
    flow = Flow("Typed", parameters={"items": items})
    flow.add(code, id="work", map="{parameters.items}", max_concurrency=1)
    run = await Runner(journal).start(flow.load(), {"items": items})
    assert (await run.to_end())["output"]["work"]["items"] == expected
