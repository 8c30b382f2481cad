"""Calls of tracked functions in threads, in what is recorded by hand, and in steps of pipelines."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ia_modules import ExecutionTracker, Flow, ServiceRegistry, current, tracked
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId, RunPath
from ia_modules.paths import path_of
from ia_modules.place import here
from tests.unit.tracker.test_tracked import both, double
from tests.unit.tracker.tracked_records import Programs, only


def test_a_thread_of_ones_own_begins_anew_unless_it_is_carried_there(programs: Programs) -> None:
    @tracked
    def spread() -> list[int]:
        with ThreadPoolExecutor(2) as threads:
            return [*threads.map(current.carry(double), range(3)), *threads.map(double, [10])]

    assert spread() == [0, 2, 4, 20]
    alone, spread_over = sorted(programs(), key=lambda each: each.name)
    assert (alone.name, alone.output_data) == ("double", 20)
    assert sorted(call.output_data for call in spread_over.calls.values()) == [0, 2, 4]


def test_many_threads_at_once(programs: Programs) -> None:
    @tracked
    def work(number: int) -> list[int]:
        return both([number, number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorded = programs()
    assert sorted(each.input_data["number"] for each in recorded) == list(range(20))
    for each in recorded:
        assert each.status == "completed"
        assert each.statuses == dict.fromkeys(["both#1", "both#1/double#1", "both#1/double#2"], "completed")


async def test_inside_of_what_is_recorded_by_hand_it_is_a_part_of_that(
    database: DatabaseManager, programs: Programs
) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("by hand", "By hand")
        async with tracker.execution(pipeline_id) as execution:
            both([1])
            async with execution.step("work"):
                assert await asyncio.to_thread(both, [1]) == [2]
                both([2, 3])
            double(5)
        done = "completed"
        for within, expected in {
            "": {"both#1": done, "work#1": done, "double#1": done},
            "both#1": {"both#1/double#1": done},
            "work#1": {"work#1/both#1": done, "work#1/both#2": done},
            "work#1/both#1": {"work#1/both#1/double#1": done},
            "work#1/both#2": {"work#1/both#2/double#1": done, "work#1/both#2/double#2": done},
        }.items():
            steps = await tracker.get_execution_steps(execution.id, within=RunPath(within))
            above = f"{within}/" if within else ""
            assert {f"{above}{each.step_id}#{each.iteration}": each.status.value for each in steps} == expected
        double(6)
    assert here.get() is None
    assert [each.name for each in await asyncio.to_thread(programs)] == ["By hand", "double"]


async def test_by_hand_inside_of_a_call_is_an_execution_of_its_own(
    database: DatabaseManager, programs: Programs
) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id: PipelineId = await tracker.register_pipeline("by hand", "By hand")

        @tracked
        async def calls() -> None:
            async with tracker.execution(pipeline_id):
                double(1)
            double(2)

        await calls()
    outer, by_hand = await asyncio.to_thread(programs)
    assert (outer.name, outer.statuses) == ("calls", {"double#1": "completed"})
    assert (by_hand.name, by_hand.calls["double#1"].output_data) == ("By hand", 2)


def runs_of(url: str) -> dict[str, str]:
    with DatabaseManager(url) as database:
        steps = database.fetch_all("SELECT within, step_id, iteration, status FROM step_executions ORDER BY attempt")
    return {path_of(step["within"], step["step_id"], step["iteration"]): step["status"] for step in steps}


async def test_inside_of_a_step_of_a_pipeline_it_is_a_part_of_that(
    database: DatabaseManager, database_url: str, programs: Programs
) -> None:
    flow = Flow("Doubles")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0.01})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        both([1])
        await current.context.step("looked up", double, 4)
        if current.context.attempt == 1:
            raise LookupError
        return {}

    @flow.step
    def write(data: dict[str, Any]) -> dict[str, Any]:
        return {"doubles": both([2, 3])}

    flow.connect("think", "write")
    async with ExecutionTracker(database) as tracker:
        result = await flow.run({}, ServiceRegistry({"execution_tracker": tracker}))
    assert result["output"]["doubles"] == [4, 6]
    done = "completed"
    assert await asyncio.to_thread(runs_of, database_url) == {
        "think#1": done,
        "think#1/both#1": done,
        "think#1/both#1/double#1": done,
        "think#1/both#2": done,
        "think#1/both#2/double#1": done,
        "think#1/looked up#1": done,
        "think#1/looked up#1/double#1": done,
        "write#1": done,
        "write#1/both#1": done,
        "write#1/both#1/double#1": done,
        "write#1/both#1/double#2": done,
    }
    [one] = await asyncio.to_thread(programs)
    assert (one.name, one.status) == ("Doubles", done)


async def test_inside_of_a_pipeline_that_nothing_records_nothing_is_recorded(programs: Programs) -> None:
    flow = Flow("Doubles")

    @flow.step
    def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"four": double(2)}

    assert (await flow.run({}))["output"]["four"] == 4
    assert await asyncio.to_thread(programs) == []


def test_what_nests_too_deep_is_run_and_not_recorded(programs: Programs) -> None:
    name = "d" * 100

    @tracked(name=name)
    def down(depth: int) -> int:
        return 0 if depth == 0 else 1 + down(depth - 1)

    assert down(30) == 30
    recorded = only(programs)
    assert recorded.status == "completed"
    assert 4 <= len(recorded.calls) <= 6
