"""Memory is flat: nothing of an execution stays behind in the process that tracked it."""

import asyncio
import gc

import psutil

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker

EXECUTIONS, WARM_UP, AT_ONCE = 20_000, 1_000, 50
LIMIT_BYTES = 20 * 2**20


async def test_no_memory_leak_over_twenty_thousand_executions(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("work", "Work")

        async def track(numbers: "asyncio.Queue[int]") -> None:
            while not numbers.empty():
                number = numbers.get_nowait()
                async with (
                    tracker.execution(pipeline_id, input_data={"number": number}) as execution,
                    execution.step("only", input_data={"number": number}) as step,
                ):
                    step.output = {"text": "x" * 200}

        async def track_all(count: int) -> int:
            numbers: asyncio.Queue[int] = asyncio.Queue()
            for number in range(count):
                numbers.put_nowait(number)
            await asyncio.gather(*(track(numbers) for _ in range(AT_ONCE)))
            gc.collect()
            return psutil.Process().memory_info().rss

        before = await track_all(WARM_UP)
        after = await track_all(EXECUTIONS - WARM_UP)
        assert after - before < LIMIT_BYTES
        statistics = await tracker.get_execution_statistics(cap=EXECUTIONS)
        assert (statistics.by_status["completed"], statistics.capped) == (EXECUTIONS, ())
