"""The verbs for executions on record: look at them, wait for them, stop and delete them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

from ia_modules.client.base import ClientBase
from ia_modules.errors import (
    AlreadyFinished,
    StepExecutionNotFound,
)
from ia_modules.models import (
    Changes,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    Json,
    LogRecord,
    StepExecutionRecord,
)
from ia_modules.paths import GRAPH
from ia_modules.pieces import OutputPage, OutputPiece
from ia_modules.pipeline.comparing.comparison import Comparison, compare
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.outcome import recorded_result
from ia_modules.pipeline.recorded import input_of, item_input_of
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.audit import deed_detail
from ia_modules.tracker.comparing import last_good, read_both
from ia_modules.tracker.export import every_line, export_execution
from ia_modules.tracker.levels import ItemGrid, RunFilters, RunPage
from ia_modules.tracker.lines import LogFilters, LogPage
from ia_modules.tracker.lists import ExecutionFilters, ExecutionPage, ExecutionStatistics, Sort
from ia_modules.tracker.usage import UsageByModel, WindowUsage


class ExecutionVerbs(ClientBase):
    """Look at executions, follow, compare, cancel and delete them."""

    async def result(self, execution_id: str) -> dict[str, Any]:
        """What :meth:`run` returns of it, as far as it has come. Raises ExecutionNotFound."""
        return await recorded_result(self.tracker, await self.execution(execution_id))

    async def executions(
        self,
        filters: ExecutionFilters | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
        sort: Sort = "newest",
    ) -> ExecutionPage:
        """A page of executions, newest first; as :meth:`ExecutionReader.list_executions`."""
        return await self.tracker.list_executions(filters, cursor, limit, sort=sort)

    async def usage(self, execution_id: str) -> UsageByModel:
        """What all attempts of an execution have told of their calls of models. Raises ExecutionNotFound."""
        return await self._usage.of_execution(execution_id)

    async def usage_of_window(self, window: timedelta | None = None, pipeline_id: str | None = None) -> WindowUsage:
        """The same of the attempts that began within the last ``window`` (None: all), also over time."""
        return await self._usage.of_window(window, pipeline_id)

    async def statistics(self, filters: ExecutionFilters | None = None) -> ExecutionStatistics:
        """How many executions of each status there are, and how the newest went."""
        return await self.tracker.get_execution_statistics(filters)

    async def steps(self, execution_id: str) -> list[StepExecutionRecord]:
        """All attempts of an execution's steps, in the order in which they began. Raises ExecutionNotFound."""
        summary = await self.summary(execution_id)
        return await self.tracker.get_execution_steps(summary.execution_id)

    async def runs(
        self, execution_id: str, filters: RunFilters | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> RunPage:
        """A page of what is within a run: the items of a map, the calls of a step; as :meth:`tracker.list_runs`.

        What is within one of them is the level of its own path: ``run_path(run.within, run.step_id, run.iteration)``.
        """
        return await self.tracker.list_runs(execution_id, filters, cursor, limit)

    async def item_grid(self, execution_id: str, step_id: str, *, iteration: int = 1) -> ItemGrid:
        """How the items of a map stand, in the order of its list; as :meth:`tracker.item_grid`."""
        return await self.tracker.item_grid(execution_id, step_id, iteration)

    async def step_input(self, execution_id: str, step_execution_id: str) -> Json:
        """What an attempt of a step got: its inputs, or the state, put together from what it is made of.

        So is that of an item of a map. Of what is within a step otherwise, it is what is stored; None: nothing is.

        Raises:
            ExecutionNotFound, StepExecutionNotFound
            StepConflict: its steps do not follow from its definition.
        """
        record = await self.execution(execution_id)
        step = await self.tracker.get_step_execution(step_execution_id)
        if step is None or step.execution_id != record.execution_id:
            raise StepExecutionNotFound(step_execution_id)
        if record.pipeline_version is None:
            return step.input_data
        definition = definition_of(await self.version(record.pipeline_id, record.pipeline_version))
        steps = await self.tracker.get_execution_steps(record.execution_id)
        graph, input_data = Graph(definition), cast("dict[str, Any]", record.input_data or {})
        if step.within == GRAPH:
            return input_of(step, graph, input_data, steps)
        return item_input_of(step, graph, input_data, steps, is_lenient=definition.is_lenient)

    async def logs(self, execution_id: str, filters: LogFilters | None = None) -> AsyncGenerator[LogRecord]:
        """All log lines that there are now, oldest first. Raises ExecutionNotFound."""
        summary = await self.summary(execution_id)
        async for line in every_line(self.tracker, summary.execution_id, filters):
            yield line

    async def log_page(
        self, execution_id: str, filters: LogFilters | None = None, *, cursor: str | None = None, limit: int = 200
    ) -> LogPage:
        """A page of log lines, oldest first; ``cursor`` is a page's ``next_cursor``. Raises ExecutionNotFound."""
        summary = await self.summary(execution_id)
        return await self.tracker.list_logs(summary.execution_id, filters, cursor, limit)

    async def export(self, execution_id: str) -> AsyncIterator[bytes]:
        """Everything on record about an execution as one JSON document, in parts.

        Raises:
            ExecutionNotFound: at once, before the first part is asked for.
        """
        summary = await self.summary(execution_id)
        return export_execution(self._database, summary.execution_id)

    async def compare(self, a: str, b: str | None = None) -> Comparison:
        """Two executions beside each other: what differs in each run, and where they first went different ways.

        They may be of two pipelines, and may still run; the answer says so.

        Args:
            b: None: the last good one: the newest of the same pipeline that was made before ``a`` and completed; what
                came from a run file is none, but for what did, too.

        Raises:
            ExecutionNotFound
            NothingToCompareWith: there is no last good one.
        """
        other = (await last_good(self.tracker, a)).execution_id if b is None else b
        both, now = await read_both(self._database, a, other)
        return await asyncio.to_thread(compare, *both, now=now)

    async def last_good(self, execution_id: str) -> ExecutionSummary | None:
        """The newest execution of the same pipeline that was made before this one and completed; None: there is none.

        What came from a run file is none, but for what did, too. Raises ExecutionNotFound.
        """
        return await self.tracker.get_last_good(await self.summary(execution_id))

    async def follow(self, execution_id: str, after: int = 0, *, to_rest: bool = False) -> AsyncGenerator[Changes]:
        """What came after a sequence, then what comes, until the execution has ended.

        Args:
            to_rest: ends also when it waits for a person.

        Raises:
            ExecutionNotFound
        """
        summary = await self.summary(execution_id)
        if _is_over(summary.status, to_rest=to_rest) and summary.sequence <= after:
            return
        async with aclosing(self.tracker.subscribe(summary.execution_id, after)) as pages:
            async for changes in pages:
                yield changes
                if _is_over(changes.execution.status, to_rest=to_rest) and not changes.more:
                    return

    async def output(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        limit: int = 200,
    ) -> OutputPage:
        """A page of what steps gave as it came (``context.emit``); as :meth:`ExecutionReader.output`."""
        return await self.tracker.output(execution_id, after, step_execution_id=step_execution_id, limit=limit)

    async def stream(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        to_rest: bool = False,
    ) -> AsyncGenerator[OutputPiece]:
        """The same piece by piece, then what comes, until what gives it has ended; as :meth:`ExecutionTracker.stream`.

        Whichever process runs it: ``piece.cursor`` is where another stream goes on.
        """
        pieces = self.tracker.stream(execution_id, after, step_execution_id=step_execution_id, to_rest=to_rest)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def wait(self, execution_id: str, *, timeout_seconds: float | None = None) -> ExecutionRecord:
        """Wait until an execution has ended or waits for a person, whoever runs it; as it stands then.

        Raises:
            ExecutionNotFound
            TimeoutError: it took longer; it goes on.
        """
        async with asyncio.timeout(timeout_seconds):
            return await self.tracker.wait(execution_id)

    async def cancel(
        self,
        execution_id: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> ExecutionSummary:
        """Ask for an execution to be stopped, whoever runs it; what nobody runs is cancelled at once.

        Args:
            reason: why, for the audit log.
            idempotency_key: names the request: sent again, it changes nothing and is no error, whatever has become of
                the execution since.

        Raises:
            ExecutionNotFound, AlreadyFinished
        """
        summary = await self.summary(execution_id)
        if await self._is_done("execution.cancel", summary.execution_id, idempotency_key):
            return summary
        deed = self._deed(actor, "execution.cancel", deed_detail(reason, idempotency_key) or None)
        try:
            await self.tracker.request_cancel(summary.execution_id, deed=deed)
        except AlreadyFinished:
            if not await self._is_done("execution.cancel", summary.execution_id, idempotency_key):
                raise
        return await self.summary(summary.execution_id)

    async def delete(self, execution_id: str, *, actor: str | None = None) -> None:
        """Delete an execution that has ended, with its steps, log lines and questions.

        Raises:
            ExecutionNotFound
            ExecutionKept: it has not ended, or is pinned.
        """
        await self._deletion.delete_execution(execution_id, actor=actor or self._actor)

    async def _check_cancel(self, execution_id: str) -> None:
        """Raise what :meth:`cancel` would, and stop nothing."""
        summary = await self.summary(execution_id)
        if summary.status.is_terminal:
            status, ended_at = summary.status, summary.completed_at
            raise AlreadyFinished(
                "execution", summary.execution_id, status=status, wanted="cancelled", ended_at=ended_at
            )


def _is_over(status: ExecutionStatus, *, to_rest: bool) -> bool:
    return status.is_at_rest if to_rest else status.is_terminal
