"""Runs one execution in a process of its own and prints what each of its steps took, in bytes, as JSON.

python -m tests.acceptance.long_execution SHAPE COUNT FILE
"""

import asyncio
import gc
import json
import sys

import psutil

from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.acceptance.test_growth import flow_of


async def main(shape: str, count: int, file: str) -> None:
    async with DatabaseManager(f"sqlite:///{file}") as database, ExecutionTracker(database) as tracker:
        runner = Runner(tracker)

        async def run(steps: int) -> tuple[int, int]:
            loaded = flow_of(shape, steps).load()
            gc.collect()
            memory = psutil.Process().memory_info().rss
            await runner.to_end(await runner.start(loaded, {}))
            await database.fetch_all_async("PRAGMA wal_checkpoint(TRUNCATE)")
            row = await database.fetch_one_async(
                "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size"
            )
            return psutil.Process().memory_info().rss - memory, int((row or {})["bytes"])

        _, before = await run(10)
        memory, after = await run(count)
        print(json.dumps({"memory": memory / count, "stored": (after - before) / count}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
