"""What stays quick with a million executions: each question at 1,000 and at 1,000,000, side by side.

    .venv/bin/python -m benchmarks.million
    .venv/bin/python -m benchmarks.million --database SQLite --executions 100000

Both sizes are asked in turn, so that whatever else the machine does slows both; each pair is compared. Making the
executions takes a few minutes and about 2 GB for each database, which are gone afterwards.

What must not take more than twice as long is marked; the program ends with 1 when one of these does. The others look at
more the more there is, up to a limit that they have: counting ends at 10,000, times are of the newest 2,000, and what
no index has is looked for in the newest 10,000.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.databases import BOTH, new_databases
from benchmarks.figures import Figure, as_table, ratio
from benchmarks.sampling import milliseconds
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.admission import is_usable
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.details import read_execution
from ia_modules.tracker.failures import Failures
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.tracker.reader import ExecutionReader
from ia_modules.tracker.system import SystemReader
from showcase_app.backend.schemas.metrics import Window
from showcase_app.backend.services.pipeline_views import read_overviews
from tests.scale import analyze, execution_id, failure_group, generate, pipeline_id

ANY = ExecutionFilters()
COMPLETED = ExecutionFilters(status=ExecutionStatus.COMPLETED)
RUNNING = ExecutionFilters(status=ExecutionStatus.RUNNING)
FAILED = ExecutionFilters(status=ExecutionStatus.FAILED)
OF_CUSTOMER = ExecutionFilters(attributes={"input.customer": "customer-7"})
OF_TEAM = ExecutionFilters(attributes={"metadata.team": "blue"})
OF_TEAM_FAILED = ExecutionFilters(attributes={"metadata.team": "blue"}, status=ExecutionStatus.FAILED)
FAILED_OR_CANCELLED = ExecutionFilters(status=(ExecutionStatus.FAILED, ExecutionStatus.CANCELLED))
FREQUENT = pipeline_id(20)
OF_FREQUENT_FAILED = ExecutionFilters(status=ExecutionStatus.FAILED, pipeline_id=FREQUENT)
FAILED_ALIKE = ExecutionFilters(failure_group=failure_group(0))
SMALL, PAGE, WITH_STEPS = 1_000, 50, 20_000
MOST_ROUNDS, MOST_SECONDS = 200, 8.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A database with so many executions, the newest of which was created at ``until_ms``."""

    database: DatabaseManager
    executions: int
    until_ms: int

    @property
    def reader(self) -> ExecutionReader:
        return ExecutionReader(self.database)

    def id_of(self, number: int) -> str:
        return execution_id(number, self.executions, until_ms=self.until_ms)

    async def page(self, filters: ExecutionFilters = ANY, *, below: int | None = None, limit: int = PAGE) -> None:
        """A page, which must be full: with fewer rows it would be quicker.

        Args:
            limit: of the page; 0: it must be empty.
            below: the number of the execution that was the last on the page above.
        """
        page = await self.reader.list_executions(filters, None if below is None else self.id_of(below), limit or PAGE)
        assert len(page.items) == limit, f"{len(page.items)} of {self.executions} for {filters}"


@dataclass(frozen=True, slots=True)
class Question:
    """``must_stay``: it must not take more than twice as long with many as with few."""

    name: str
    ask: Callable[[Subject], Awaitable[object]]
    must_stay: bool = True


def metrics(subject: Subject) -> MetricsReader:
    return MetricsReader(subject.database, patience_seconds=120)


async def failures(subject: Subject, window: Window) -> None:
    page = await Failures(subject.database).page(since=window.span)
    assert page.items or window is Window.DAY  # of few, none failed so lately


async def pipelines(subject: Subject) -> None:
    usable = partial(is_usable, allowed=AllowedCode())
    page = await read_overviews(subject.database, usable, search=None, archived=False, cursor=None, limit=20)
    assert len(page.items) == 20


QUESTIONS = (
    Question("first page", lambda it: it.page()),
    Question("most: completed", lambda it: it.page(COMPLETED)),
    Question("few: the 20 that run", lambda it: it.page(RUNNING, limit=20)),
    Question("failed, from the middle on", lambda it: it.page(FAILED, below=it.executions // 2, limit=20)),
    Question("a pipeline", lambda it: it.page(ExecutionFilters(pipeline_id=FREQUENT))),
    Question("a pipeline, failed", lambda it: it.page(OF_FREQUENT_FAILED, limit=5)),
    Question("by attribute, few have it", lambda it: it.page(OF_CUSTOMER, limit=2)),
    Question("by attribute, many have it", lambda it: it.page(OF_TEAM), must_stay=False),
    Question("by attribute, failed", lambda it: it.page(OF_TEAM_FAILED, limit=5), must_stay=False),
    Question("failed or cancelled", lambda it: it.page(FAILED_OR_CANCELLED, limit=20)),
    Question("by trigger, all have it", lambda it: it.page(ExecutionFilters(trigger="api"))),
    Question("by trigger, none has it", lambda it: it.page(ExecutionFilters(trigger="none"), limit=0), must_stay=False),
    Question("by version, none has it", lambda it: it.page(ExecutionFilters(version=7), limit=0), must_stay=False),
    Question("by worker, none has it", lambda it: it.page(ExecutionFilters(worker="none"), limit=0), must_stay=False),
    Question(
        "by time taken, none took it",
        lambda it: it.page(ExecutionFilters(status=ExecutionStatus.COMPLETED, min_seconds=3_600), limit=0),
        must_stay=False,
    ),
    Question("by error, few have it", lambda it: it.page(ExecutionFilters(text="number 7"), limit=1), must_stay=False),
    Question("by error, none has it", lambda it: it.page(ExecutionFilters(text="no such"), limit=0), must_stay=False),
    Question("failed alike", lambda it: it.page(FAILED_ALIKE, limit=20)),
    Question(
        "a group of failures, 24h",
        lambda it: Failures(it.database).group(FREQUENT, failure_group(0), since=Window.DAY.span),
        must_stay=False,
    ),
    Question("failures in groups, 24h", lambda it: failures(it, Window.DAY), must_stay=False),
    Question("failures in groups, 30d", lambda it: failures(it, Window.MONTH), must_stay=False),
    Question("page 20,000, the last one", lambda it: it.page(below=PAGE + 1)),
    Question("search by id", lambda it: it.page(ExecutionFilters(text=it.id_of(it.executions // 2)), limit=1)),
    Question(
        "detail with steps",
        lambda it: read_execution(it.database, it.id_of(it.executions - 85), step_limit=1_000, rerun_limit=20),
    ),
    Question("the queue", lambda it: SystemReader(it.database).measure_queue()),
    Question("sizes of tables", lambda it: SystemReader(it.database).measure_database(), must_stay=False),
    Question("page of pipelines", pipelines, must_stay=False),
    Question("statistics (chips)", lambda it: it.reader.get_execution_statistics(), must_stay=False),
    Question("metrics report, 24h", lambda it: metrics(it).measure(Window.DAY.span), must_stay=False),
    Question("metrics history, 24h", lambda it: metrics(it).history(Window.DAY.span), must_stay=False),
    Question("metrics report, 30d", lambda it: metrics(it).measure(Window.MONTH.span), must_stay=False),
    Question("metrics history, 30d", lambda it: metrics(it).history(Window.MONTH.span), must_stay=False),
    Question("metrics report, all", lambda it: metrics(it).measure(), must_stay=False),
    Question("metrics history, all", lambda it: metrics(it).history(), must_stay=False),
)


async def compare(name: str, small_url: str, large_url: str, executions: int) -> bool:
    """Print how long each question takes; whether those that must stay quick do."""
    async with DatabaseManager(small_url) as small, DatabaseManager(large_url) as large:
        few, many = await make(small, SMALL), await make(large, executions)
        size = (await SystemReader(large).measure_database()).size_bytes
        figures: list[Figure] = []
        for question in QUESTIONS:
            quick, slow = await times(question, [few, many])
            pair = [
                Figure(name, question.name, f"{subject.executions:,}, ms", tuple(taken))
                for subject, taken in ((few, quick), (many, slow))
            ]
            figures += [*pair, ratio(pair[1], pair[0], "times", better="less")]
    print(f"\n{size / 2**30:.1f} GiB\n\n{as_table(figures)}", flush=True)
    must_stay = {question.name for question in QUESTIONS if question.must_stay}
    slow_ones = [each.case for each in figures if each.unit == "times" and each.case in must_stay and each.median > 2]
    print(*(f"TOO SLOW: {case}" for case in slow_ones), sep="\n")
    return not slow_ones


async def make(database: DatabaseManager, executions: int) -> Subject:
    began, until_ms = time.perf_counter(), int(time.time() * 1000)
    await generate(database, executions, with_steps=WITH_STEPS, until_ms=until_ms)
    if database.dialect == "postgresql":
        await analyze(database)  # SQLite never learns by itself how much there is of what
    print(f"{database.dialect}: {executions:,} executions made in {time.perf_counter() - began:.0f} s", flush=True)
    return Subject(database, executions, until_ms)


async def times(question: Question, subjects: Sequence[Subject]) -> list[list[float]]:
    """Milliseconds for each subject, asked in turn."""
    taken: list[list[float]] = [[] for _ in subjects]
    for subject in subjects:
        await question.ask(subject)  # the first time it is prepared
    ends = time.perf_counter() + MOST_SECONDS
    while len(taken[0]) < MOST_ROUNDS and (len(taken[0]) < 3 or time.perf_counter() < ends):
        for mine, subject in zip(taken, subjects, strict=True):
            mine.append(await milliseconds(partial(question.ask, subject)))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--database", choices=BOTH, help="only on this one")
    options = parser.parse_args()
    good = True
    for name in (options.database,) if options.database else BOTH:
        with new_databases() as new_database:
            good &= asyncio.run(compare(name, new_database(name), new_database(name), options.executions))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
