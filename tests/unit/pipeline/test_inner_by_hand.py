"""Records that a running step makes by hand: they stand within it, as its calls do."""

import asyncio
import threading
from typing import Any

import pytest

from ia_modules import current
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, StepError
from ia_modules.paths import run_path
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import recorded, started
from tests.unit.pipeline.test_inner import THINK, fails_then_resumes, inner_of, lines_of


async def test_what_is_recorded_by_hand_inside_a_step_stands_within_it(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:

        async def by_hand(name: str) -> None:
            execution_id = current.context.execution_id
            attempt = await tracker.start_step_execution(execution_id, name, name, "task", {"a": 1})
            await tracker.complete_step_execution(attempt, "completed", {"b": 2})

        async def think(data: dict[str, Any]) -> dict[str, Any]:
            await by_hand("look")
            await current.context.step("inside", by_hand, "look")
            await tracker.start_step_execution(current.context.execution_id, "left", "left", "task")
            if current.context.attempt == 1:
                raise ValueError("again")
            return {}

        result, inner, execution_id = await fails_then_resumes(tracker, think)
        assert result["status"] == "completed"
        assert lines_of(inner) == [
            ("look", 1, 1, "completed", {"b": 2}),
            ("inside", 1, 1, "completed", None),
            ("left", 1, 1, "cancelled", None),
            ("look", 2, 1, "completed", {"b": 2}),
            ("left", 2, 1, "cancelled", None),
        ]
        deeper = await tracker.get_execution_steps(execution_id, within=run_path(THINK, "inside", 1))
        assert [step.step_id for step in deeper] == ["look"]


async def test_a_thread_that_was_not_told_its_place_cannot_record_in_a_run(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        messages: list[str] = []

        async def think(data: dict[str, Any]) -> dict[str, Any]:
            execution_id, loop = current.context.execution_id, asyncio.get_running_loop()

            def record() -> None:
                starting = tracker.start_step_execution(execution_id, "look", "look", "task")
                asyncio.run_coroutine_threadsafe(starting, loop).result()

            def try_it() -> None:
                try:
                    record()
                except InvalidArgument as error:
                    messages.append(str(error))

            for target in (try_it, current.carry(try_it)):
                thread = threading.Thread(target=target)
                thread.start()
                await asyncio.to_thread(thread.join)
            return {}

        run = await started(tracker, document("think"), think=think)
        await run.to_end()
        assert len(messages) == 1
        assert "is run by its pipeline" in messages[0]
        assert [step.step_id for step in await inner_of(tracker, run.execution_id)] == ["look"]
        _, steps = await recorded(tracker, run.execution_id)
        assert [step.step_id for step in steps] == ["think"]


async def test_a_name_that_is_recorded_by_hand_too_is_refused(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:

        async def think(data: dict[str, Any]) -> None:
            await tracker.start_step_execution(current.context.execution_id, "look", "look", "task")
            await current.context.step("look", str.upper, "a")

        run = await started(tracker, document("think"), think=think)
        with pytest.raises(StepError, match="recorded by hand"):
            await run.to_end()
