"""What it costs when another process writes to what runs here: it cancels every hundredth execution, or takes it over.

``python -m benchmarks.conflicts URL`` is that process: for each line of standard input it changes one execution that
runs elsewhere.
"""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from benchmarks.figures import ROOT, Figure, ratio
from benchmarks.race import WARM_UP, Bench, alternate, contestant, started
from benchmarks.sampling import Sample
from ia_modules import DatabaseManager, ExecutionTracker
from ia_modules.errors import IAModulesError

EVERY = 100
AT_ONCE = 50
LOOKS = 100
ALONE, DISTURBED = f"alone, {AT_ONCE} at a time", f"1 of {EVERY} is cancelled or taken over"

RUNNING = (
    "SELECT execution_id FROM pipeline_executions WHERE status = 'running' AND owner <> :owner"
    " ORDER BY execution_id DESC LIMIT 1"
)
"""The newest: it has the most before it."""
ENDS = "SELECT count(*) AS ended, count(CASE WHEN status <> 'completed' THEN 1 END) AS hit FROM pipeline_executions"


def measure_conflicts(bench: Bench) -> list[Figure]:
    """Executions per second with the other process and without it, and how many of a hundred it has changed."""
    figures: list[Figure] = []
    for database in bench.databases:
        with ExitStack() as stack:
            url = bench.new_database(database)
            alone = stack.enter_context(started(contestant("runner"), bench.new_database(database)))
            disturbed = stack.enter_context(started(contestant("disturbed"), url))
            for take in (alone, disturbed):
                take(AT_ONCE, bench.seconds * WARM_UP)
            measures: dict[str, Callable[[], Sample]] = {
                ALONE: partial(alone, AT_ONCE, bench.seconds),
                DISTURBED: partial(disturbed, AT_ONCE, bench.seconds),
            }
            found = alternate(measures, bench.rounds)
        rates = {
            case: Figure(database, case, "executions/s", tuple(each.executions / each.seconds for each in samples))
            for case, samples in found.items()
        }
        figures += [
            *rates.values(),
            ratio(rates[DISTURBED], rates[ALONE], "of the rate alone"),
            Figure(database, DISTURBED, "changed of 100", (asyncio.run(_changed_in(url)),)),
        ]
    return figures


async def changed_of_100(database: DatabaseManager) -> float:
    """Of how many of a hundred executions the end was another one than their own."""
    row = await database.fetch_one_async(ENDS)
    assert row is not None
    return 100 * row["hit"] / row["ended"]


async def _changed_in(url: str) -> float:
    async with DatabaseManager(url) as database:
        return await changed_of_100(database)


@contextmanager
def other_process(url: str) -> Generator[Callable[[], None]]:
    """The other process; what is yielded has it change one more."""
    command = [sys.executable, "-m", "benchmarks.conflicts", url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        write = process.stdin.write

        def change() -> None:
            write("one more\n")

        yield change
        process.stdin.close()
        process.wait(timeout=60)


async def running(database: DatabaseManager, owner: str) -> str | None:
    """One that runs elsewhere: they all begin and end in step, so that at a moment there may be none."""
    for _ in range(LOOKS):
        row = await database.fetch_one_async(RUNNING, {"owner": owner})
        if row is not None:
            return row["execution_id"]
        await asyncio.sleep(0.002)
    return None


async def main(url: str) -> None:
    async with DatabaseManager(url) as database, ExecutionTracker(database) as tracker:
        print("ready", flush=True)
        for number in itertools.count():
            if not await asyncio.to_thread(sys.stdin.readline):
                return
            execution_id = await running(database, tracker.owner)
            if execution_id is None:
                continue
            with suppress(IAModulesError):  # it has ended meanwhile
                if number % 2:
                    await tracker.request_cancel(execution_id)
                else:
                    await tracker.take_over(execution_id)
                    await tracker.update_execution_status(execution_id, "failed", error_message="taken over")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
