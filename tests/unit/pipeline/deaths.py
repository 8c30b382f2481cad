"""Processes that die: at a write, between any two statements of a transaction, before or after a commit."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

from ia_modules.database.driver import Params, Plan, Rows, Script, Statement, advance
from ia_modules.database.postgresql_session import only_reads
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Recorded, Transition

T = TypeVar("T")


class ProcessDied(Exception):
    """Stands for the end of the process: whoever ran there is gone, only the records are left."""


@dataclass
class Life:
    """A process that lives for so many moments; each statement that writes, commit and answer is one."""

    moments: int

    def go_on(self) -> None:
        self.moments -= 1
        self.check()

    def check(self) -> None:
        if self.moments < 0:
            raise ProcessDied


@dataclass
class DyingJournal:
    """A journal whose process dies at one of its writes: before the commit, or after it and before the answer."""

    journal: Journal
    life: Life

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    async def record(self, transition: Transition) -> Recorded:
        self.life.go_on()
        recorded = await self.journal.record(transition)
        self.life.go_on()
        return recorded


@dataclass
class DyingDriver:
    """A driver whose process dies before a statement that writes, before a commit, or after it and before the answer.

    What it had begun is rolled back, as the database does when a connection ends.
    """

    driver: Any
    life: Life

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    async def run(self, script: Script[T], *limits: float | None) -> T:
        result = await self.driver.run(self._mortal(script), *limits)
        self.life.go_on()
        return result

    async def write_plan(self, plan: Plan, *limits: float | None) -> bool:
        """Nobody hears of a plan that the process died at; its transitions are written again, and that raises it."""
        with suppress(ProcessDied):
            self.life.go_on()
            written = await self.driver.write_plan(plan, *limits)
            self.life.go_on()
            return written
        return False

    async def read(self, script: Script[T]) -> T:
        self.life.check()
        return await self.driver.read(script)

    async def execute(self, sql: str, params: Params) -> int:
        self.life.go_on()
        return await self.driver.execute(sql, params)

    async def perform(self, statement: Statement) -> Rows:
        self.life.check()
        return await self.driver.perform(statement)

    def _mortal(self, script: Script[T]) -> Script[T]:
        rows: Rows | None = None
        while True:
            try:
                statement = advance(script, rows)
            except StopIteration as returned:
                self.life.go_on()
                return returned.value
            if not only_reads(statement.sql):
                self.life.go_on()
            self.life.check()
            try:
                rows = yield statement
            except Exception as error:
                script.throw(error)
                raise


@asynccontextmanager
async def dying(journal: Any, moments: int) -> AsyncGenerator[Journal]:
    """The journal as another process has it, which dies after so many moments.

    In memory, a moment is a write or its answer; in a database each statement of it and each commit is one, too.
    """
    if isinstance(journal, MemoryJournal):
        yield DyingJournal(journal, Life(moments // 2))  # pyright: ignore[reportReturnType] - the rest is the journal's
        return
    database = copy(journal._database)
    database._driver = DyingDriver(database._driver, Life(moments))
    tracker = ExecutionTracker(database, lease_seconds=None)
    try:
        yield tracker
    finally:
        await tracker.close()
