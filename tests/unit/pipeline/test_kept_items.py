"""Re-runs of the failed items only, on every journal: what has completed is copied, and never made again."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ia_modules.errors import InvalidArgument, StepError
from ia_modules.models import ExecutionId, ExecutionRecord, ExecutionStatus, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline import kept_items
from ia_modules.pipeline.ahead import ahead_of_repeat
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.kept_items import ItemsAhead, items_ahead
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.overrides import Override, overrides_json
from ia_modules.pipeline.recorded import recorded_runs
from ia_modules.pipeline.repeating import Repeat, plan_repeat
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.start import new_execution, record_start, registered_version
from ia_modules.pipeline.tokens import StepRunKey
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import Code, pipeline_of, recorded
from tests.unit.pipeline.test_mapped_questions import answer, begun, goes_on
from tests.unit.pipeline.test_repeating import queued_again
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, TIMINGS, dies

WORK = run_path(GRAPH, "work", 1)
BOTH = pytest.mark.parametrize("handling", ["continue", "fail", {"at_most": 1}])


@pytest.fixture(autouse=True)
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is copied is written in parts, between which a process may die."""
    monkeypatch.setattr(kept_items, "_COPIES_AT_ONCE", 2)
    yield
    gc.collect()  # how the tasks of dead processes ended is told now: Python 3.11 cannot while it parses something


def written(count: int, *, key: str | None = "{item.id}", over: str = "{steps.give.output.rows}", **keys: Any) -> Any:
    """A step gives rows, the next one runs for each of them, the last one gets the result."""
    mapped = {"over": over, "collect": ["{run.index}", "{result}"], **keys}
    work = task("work", map=mapped if key is None else {**mapped, "key": key})
    paths = [("give", "work"), ("work", "tell")]
    return document("give", work, "tell", paths=paths, parameters={"count": count})


@dataclass
class World:
    """The code; rows of these ids fail.

    Attributes:
        made: how often each row was.
        lists: how often the list was.
    """

    failing: set[str] = field(default_factory=set[str])
    made: Counter[str] = field(default_factory=Counter[str])
    lists: int = 0
    draw: random.Random = field(default_factory=lambda: random.Random(1))

    def pipeline(self, file: dict[str, Any]) -> LoadedPipeline:
        code: dict[str, Code] = {"give": self._give, "work": self._work, "tell": self._tell}
        return pipeline_of(file, code)

    async def _give(self, data: dict[str, Any]) -> dict[str, Any]:
        self.lists += 1
        rows = [{"id": chr(ord("a") + number), "n": number} for number in range(data["count"])]
        return {"rows": rows, "others": [{"id": "new", "n": 40}, *reversed(rows[1:])]}

    async def _work(self, data: dict[str, Any]) -> int:
        self.made[data["id"]] += 1
        for _ in range(self.draw.randrange(3)):
            await asyncio.sleep(0)
        if data["id"] in self.failing:
            raise ValueError(f"no {data['id']}")
        return data["n"] * 10

    async def _tell(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"told": data["items"]}


async def ran(journal: OperatorJournal, pipeline: LoadedPipeline) -> ExecutionRecord:
    """An execution, whatever it has come to."""
    run = await Runner(journal).start(pipeline, new_version=True)
    with suppress(StepError):
        await run.to_end()
    return (await recorded(journal, run.execution_id))[0]


async def items(journal: OperatorJournal, execution_id: ExecutionId) -> list[StepExecutionRecord]:
    rows = await journal.get_execution_steps(execution_id, within=WORK)
    return sorted(rows, key=lambda row: (row.iteration, row.attempt))


async def planned(
    journal: OperatorJournal, before: ExecutionRecord, ran: LoadedPipeline, runs: LoadedPipeline | None = None
) -> Repeat:
    """What a re-run of the failed items does; ``runs``: another version that is to run."""
    then, now = ran.definition, (runs or ran).definition
    on_record = recorded_runs(await journal.get_attempts(before.execution_id))
    repeat = plan_repeat(then, now, on_record, "work")
    [run] = [each for each in on_record if each.run.key == repeat.start]
    steps = Graph(then).step("work"), Graph(now).step("work")
    attempts = await journal.get_attempts(before.execution_id, within=WORK)
    ahead = items_ahead(*steps, run, attempts, may_differ=bool(repeat.asked_again))
    return replace(repeat, items=ahead)


async def repeated(
    journal: OperatorJournal, before: ExecutionRecord, ran: LoadedPipeline, runs: LoadedPipeline | None = None
) -> ExecutionId:
    """A re-run of the failed items, on record and not begun."""
    return await queued_again(journal, runs or ran, before, await planned(journal, before, ran, runs))


async def finished(journal: OperatorJournal, pipeline: LoadedPipeline, execution_id: ExecutionId) -> Any:
    """Its output, once it has completed."""
    await (await Runner(journal).resume(pipeline, execution_id)).to_end()
    return (await recorded(journal, execution_id))[0].output_data


@BOTH
async def test_only_what_has_not_completed_runs_and_the_result_is_that_of_a_fresh_run(
    journal: OperatorJournal, handling: Any
) -> None:
    world = World(failing={"b", "d"})
    pipeline = world.pipeline(written(6, on_item_failure=handling, max_concurrency=1))
    before = await ran(journal, pipeline)
    assert before.status.value == ("completed" if handling == "continue" else "failed")
    rows = await items(journal, before.execution_id)
    done = {row.step_name: row.step_execution_id for row in rows if row.status is StepStatus.COMPLETED}
    world.failing, world.made = set(), Counter()
    plan = await planned(journal, before, pipeline)
    assert plan.items == ItemsAhead(step_id="work", iteration=1, kept=len(done), runs=6 - len(done))
    assert ahead_of_repeat(pipeline.definition, plan).to_dict()["items"] == {
        "step_id": "work",
        "iteration": 1,
        "kept": len(done),
        "runs": 6 - len(done),
    }
    again = await repeated(journal, before, pipeline)
    output = await finished(journal, pipeline, again)
    assert world.made == dict.fromkeys({*"abcdef"} - done.keys(), 1)
    assert world.lists == 1, "what led to it ran again"
    copies = [(row.iteration, row.step_name, row.copied_from, row.output_data) for row in await items(journal, again)]
    assert copies == [(number, key, done.get(key), (number - 1) * 10) for number, key in enumerate("abcdef", 1)]
    assert output["work"] == {"items": [[n, n * 10] for n in range(6)], "count": 6, "failed": 0, "errors": []}
    fresh = await ran(journal, pipeline)
    assert encode(output, "output") == encode(fresh.output_data, "output")
    assert await items(journal, before.execution_id) == rows, "the one before has changed"


async def test_in_another_version_items_are_found_by_their_keys(journal: OperatorJournal) -> None:
    world = World(failing={"c"})
    first = world.pipeline(written(4, on_item_failure="continue"))
    second = world.pipeline(written(4, over="{steps.give.output.others}", collect="{result}"))
    before = await ran(journal, first)
    world.failing, world.made = set(), Counter()
    plan = await planned(journal, before, first, second)
    assert plan.items == ItemsAhead(step_id="work", iteration=1, kept=3, runs=None)
    again = await repeated(journal, before, first, second)
    output = await finished(journal, second, again)
    assert world.made == {"new": 1, "c": 1}
    rows = await items(journal, again)
    assert [(row.iteration, row.step_name, row.copied_from is not None) for row in rows] == [
        (1, "new", False),
        (2, "d", True),
        (3, "c", False),
        (4, "b", True),
    ]
    assert output["work"]["items"] == [400, 30, 20, 10]


async def test_a_rerun_of_a_rerun_keeps_what_either_has_made(journal: OperatorJournal) -> None:
    world = World(failing={"b", "c"})
    pipeline = world.pipeline(written(3, on_item_failure="continue"))
    first = await ran(journal, pipeline)
    world.failing = {"c"}
    second = await repeated(journal, first, pipeline)
    await finished(journal, pipeline, second)
    world.failing = set()
    third = await repeated(journal, (await recorded(journal, second))[0], pipeline)
    output = await finished(journal, pipeline, third)
    assert world.made == {"a": 1, "b": 2, "c": 3}
    assert output["work"]["items"] == [[0, 0], [1, 10], [2, 20]]
    sources = {row.step_execution_id for row in await items(journal, second)}
    assert [row.copied_from in sources for row in await items(journal, third)] == [True, True, False]


async def test_what_fails_again_is_resumed_as_any_map_also_without_the_one_before(journal: Any) -> None:
    world = World(failing={"b"})
    pipeline = world.pipeline(written(3, max_concurrency=1))
    before = await ran(journal, pipeline)
    again = await repeated(journal, before, pipeline)
    with pytest.raises(StepError, match="no b"):
        await finished(journal, pipeline, again)
    world.failing, world.made = set(), Counter()
    if not isinstance(journal, MemoryJournal):  # in memory nothing is ever deleted
        sql = "DELETE FROM pipeline_executions WHERE execution_id = :execution_id"
        await journal._database.execute_async(sql, {"execution_id": before.execution_id})
    output = await finished(journal, pipeline, again)
    assert (world.made, output["work"]["items"]) == ({"b": 1, "c": 1}, [[0, 0], [1, 10], [2, 20]])


async def test_what_people_have_answered_is_kept_and_only_the_others_are_asked(journal: OperatorJournal) -> None:
    world, failing = World(), {"b"}

    async def work(data: dict[str, Any]) -> dict[str, Any]:
        if data["id"] in failing:
            raise ValueError("not yet")
        return {"status": "human_input_required", "prompt": f"Is {data['id']} good?"}

    file = written(3, on_item_failure="continue", collect="{result.human_input.ok}")
    pipeline, first, _ = await begun(journal, file, give=world._give, work=work, tell=world._tell)
    for key in "ac":
        await answer(journal, first, f"Is {key} good?", ok=key)
    assert await goes_on(journal, pipeline, first) is ExecutionStatus.COMPLETED
    failing.clear()
    again = await repeated(journal, (await recorded(journal, first))[0], pipeline)
    assert await goes_on(journal, pipeline, again, managed=False) is ExecutionStatus.WAITING_FOR_HUMAN
    questions = await journal.get_interactions(again)
    assert sorted((each.prompt, each.status, each.actor) for each in questions) == [
        ("Is a good?", "answered", "ann"),
        ("Is b good?", "pending", None),
        ("Is c good?", "answered", "ann"),
    ]
    assert await answer(journal, again, "Is b good?", ok="b") is ExecutionStatus.PENDING
    assert await goes_on(journal, pipeline, again, managed=False) is ExecutionStatus.COMPLETED
    [_, work_step, _] = (await recorded(journal, again))[1]
    assert work_step.output_data["items"] == ["a", "b", "c"]  # type: ignore[index]


async def test_where_the_one_before_is_gone_it_fails_and_makes_no_item_twice(journal: OperatorJournal) -> None:
    world = World(failing={"b"})
    pipeline = world.pipeline(written(3, on_item_failure="continue"))
    before = await ran(journal, pipeline)
    world.made.clear()
    version = await registered_version(journal, pipeline, new_version=True)
    only_failed = overrides_json([Override(StepRunKey("work", 1), items="failed")])
    new = await new_execution(
        journal,
        pipeline.definition,
        version,
        encode(before.input_data, "input"),
        queued=True,
        trigger="rerun",
        overrides=only_failed,
    )
    with pytest.raises(StepError, match=r"was deleted\. Run it again from this step, with all items"):
        await finished(journal, pipeline, await record_start(journal, new))
    assert world.made == {}


async def test_when_all_that_it_lacked_was_room_nothing_runs() -> None:
    journal, world = MemoryJournal(), World()

    async def large(data: dict[str, Any]) -> str:
        world.made[data["id"]] += 1
        return "x" * 9_000_000

    def pipeline(collect: Any) -> LoadedPipeline:
        loaded = written(2, max_concurrency=1, collect=collect)
        return pipeline_of(loaded, {"give": world._give, "work": large, "tell": world._tell})

    first, second = pipeline("{result}"), pipeline(1)
    before = await ran(journal, first)
    assert (before.status.value, world.made) == ("failed", {"a": 1, "b": 1})
    again = await repeated(journal, before, first, second)
    output = await finished(journal, second, again)
    assert (output["work"]["items"], world.made) == ([1, 1], {"a": 1, "b": 1})


@pytest.mark.parametrize(
    ("before", "now", "failing", "message"),
    [
        ({}, {}, set[str](), "of which no item has failed"),
        ({}, {"key": "{item.n}"}, {"a"}, "another key in the version that is to run"),
        ({"key": None}, {"key": "{item.id}"}, {"a"}, "another key in the version that is to run"),
        ({"key": None}, {"key": None, "over": "{steps.give.output.others}"}, {"a"}, "no key to be found by"),
    ],
)
async def test_what_cannot_be_kept_is_refused(
    before: dict[str, Any], now: dict[str, Any], failing: set[str], message: str
) -> None:
    journal, world = MemoryJournal(), World(failing=failing)
    first, second = (world.pipeline(written(3, on_item_failure="continue", **keys)) for keys in (before, now))
    record = await ran(journal, first)
    with pytest.raises(InvalidArgument, match=message):
        await planned(journal, record, first, second)


async def test_a_step_without_a_map_and_a_copied_map_have_no_failed_items() -> None:
    journal, world = MemoryJournal(), World(failing={"a"})
    pipeline = world.pipeline(written(2, on_item_failure="continue"))
    before = await ran(journal, pipeline)
    [give, work, tell] = recorded_runs(await journal.get_attempts(before.execution_id))
    graph = Graph(pipeline.definition)
    with pytest.raises(InvalidArgument, match="which has no map; expected a step with a map"):
        items_ahead(graph.step("give"), graph.step("give"), give, [], may_differ=False)
    kept = plan_repeat(pipeline.definition, pipeline.definition, [give, work, tell], "tell")
    copied = await queued_again(journal, pipeline, before, kept)
    await finished(journal, pipeline, copied)
    record, _ = await recorded(journal, copied)
    with pytest.raises(InvalidArgument, match="whose run is a copy: its items stand in the execution"):
        await planned(journal, record, pipeline)
    running = await Runner(journal).start(pipeline)
    await dies(journal, pipeline, running.execution_id, 3)
    runs = recorded_runs(await journal.get_attempts(running.execution_id))
    if (run := next((each for each in runs if each.run.key.step_id == "work"), None)) is not None:
        with pytest.raises(InvalidArgument, match="whose run is running; expected a run that has ended"):
            items_ahead(graph.step("work"), graph.step("work"), run, [], may_differ=False)


class Case(NamedTuple):
    """Rows of which some fail at first, and how their failures are taken."""

    fails: list[bool]
    max_concurrency: int
    handling: Any

    @property
    def failing(self) -> set[str]:
        return {chr(ord("a") + number) for number, fails in enumerate(self.fails) if fails}


CASES = st.builds(
    Case,
    st.lists(st.booleans(), min_size=1, max_size=8),
    st.integers(1, 4),
    st.sampled_from(["fail", "continue"]) | st.integers(0, 3).map(lambda most: {"at_most": most}),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES, deaths=DEATHS, timing=TIMINGS)
async def test_whoever_dies_when_the_result_is_that_of_a_fresh_run_and_nothing_that_completed_is_made_again(
    journal: OperatorJournal, case: Case, deaths: list[int], timing: int
) -> None:
    assume(case.failing)
    world = World(failing=case.failing, draw=random.Random(timing))
    file = written(len(case.fails), on_item_failure=case.handling, max_concurrency=case.max_concurrency)
    pipeline = world.pipeline(file)
    before = await ran(journal, pipeline)
    rows = await items(journal, before.execution_id)
    again = await repeated(journal, before, pipeline)
    done = {row.step_name for row in rows if row.status is StepStatus.COMPLETED}
    world.failing, world.made = set(), Counter()
    for moments in (*deaths, FOREVER):
        earlier = world.made.copy()
        done |= {row.step_name for row in await items(journal, again) if row.status is StepStatus.COMPLETED}
        is_open = await dies(journal, pipeline, again, moments)
        assert not [key for key in done if world.made[key] > earlier[key]], "what had completed was made again"
        if not is_open:
            break
    record, _ = await recorded(journal, again)
    fresh = await ran(journal, pipeline)
    assert encode(record.output_data, "output") == encode(fresh.output_data, "output")
    completed = Counter(row.iteration for row in await items(journal, again) if row.status is StepStatus.COMPLETED)
    assert completed == dict.fromkeys(range(1, len(case.fails) + 1), 1)
