"""Reads executions and pipelines. Every answer comes from the rows; lists never load a payload."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ExecutionNotFound, StepExecutionNotFound
from ia_modules.models import (
    AttemptRecord,
    Changes,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    InteractionRecord,
    InteractionWithInput,
    Json,
    LogRecord,
    PipelineId,
    PipelineRecord,
    PipelineSummary,
    PipelineVersionRecord,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    StepSummary,
    parse_time,
    sought_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import check_count, is_storable_id
from ia_modules.pieces import OutputCursor, OutputPage, OutputRow, output_page
from ia_modules.pipeline.journal import PAGE_LIMIT, page_of
from ia_modules.tracker.alias import row_id, rows_of
from ia_modules.tracker.inbox import (
    InteractionCount,
    InteractionFilters,
    InteractionPage,
    Person,
    inbox_mark_script,
    inbox_script,
    open_count_script,
)
from ia_modules.tracker.levels import ItemGrid, RunFilters, RunPage, grid_script, levels_script, runs_script
from ia_modules.tracker.lines import LogFilters, LogPage, log_page, log_params
from ia_modules.tracker.lists import (
    COUNT_CAP,
    ExecutionFilters,
    ExecutionPage,
    ExecutionStatistics,
    Sort,
    page_script,
    statistics_script,
)
from ia_modules.tracker.liveness import Liveness
from ia_modules.tracker.rebuilding import with_output
from ia_modules.tracker.responses import records, summaries

_EVERY_SIZE = 2**31 - 1


class ExecutionReader:
    """Reads executions; needs no process of its own, and any number may read beside those who write.

    An ``execution_id`` may be the execution's own or its caller's (``alias``); its own is looked for first.
    """

    def __init__(self, database: DatabaseManager) -> None:
        self._database = database

    async def now(self) -> datetime:
        """The time by the database's clock, which all rows have theirs from. It may be set back."""
        row = await self._database.fetch_one_async(self._database.query("clock"))
        assert row is not None
        return parse_time(row["now"])

    async def list_pipelines(self) -> list[PipelineSummary]:
        """All pipelines with their newest executions, by slug."""
        rows = await self._database.fetch_all_async(self._database.query("list_pipelines"), {})
        return [PipelineSummary.from_row(row) for row in rows]

    async def get_pipeline(self, slug_or_id: str) -> PipelineRecord | None:
        """The pipeline with this slug, or else this id; None when there is none."""
        if not is_storable_id(slug_or_id):
            return None
        params = {"slug": slug_or_id, "id": sought_id(slug_or_id)}
        row = await self._database.fetch_one_async(self._database.query("get_pipeline"), params)
        return None if row is None else PipelineRecord.from_row(row)

    async def get_pipeline_version(self, pipeline_id: str, version: int | None = None) -> PipelineVersionRecord | None:
        """One definition of a pipeline, None = the current one; None when there is no such pipeline or version."""
        params = {"pipeline_id": sought_id(pipeline_id), "version": version}
        row = await self._database.fetch_one_async(self._database.query("get_pipeline_version"), params)
        return None if row is None else PipelineVersionRecord.from_row(row)

    async def list_pipeline_versions(
        self, pipeline_id: PipelineId, *, before: int | None, limit: int
    ) -> list[PipelineVersionRecord]:
        """The definitions of a pipeline below a version (None: all), the newest first."""
        params = {"pipeline_id": pipeline_id, "before": 2**31 - 1 if before is None else before, "limit": limit}
        rows = await self._database.fetch_all_async(self._database.query("list_pipeline_versions"), params)
        return [PipelineVersionRecord.from_row(row) for row in rows]

    async def get_execution(self, execution_id: str) -> ExecutionRecord | None:
        """The execution; None when there is none."""
        if not is_storable_id(execution_id):
            return None
        query = self._database.query

        def read() -> Script[ExecutionRecord | None]:
            rows = yield from rows_of(query, "get_execution", {"execution_id": execution_id})
            return ExecutionRecord.from_row((yield from with_output(query, rows[0]))) if rows else None

        return await self._database.read(read())

    async def get_execution_summary(self, execution_id: str) -> ExecutionSummary | None:
        """The execution without its payloads; None when there is none."""
        rows = await self._rows_of("get_execution_summary", execution_id=execution_id)
        return ExecutionSummary.from_row(rows[0]) if rows else None

    async def get_last_good(self, execution: ExecutionSummary) -> ExecutionSummary | None:
        """The newest execution of the same pipeline that was made before this one and has completed; None: none was.

        What came from a run file did not run here: it is none, unless this execution came from one, too.
        """
        params = {"pipeline_id": execution.pipeline_id, "execution_id": execution.execution_id}
        row = await self._database.fetch_one_async(self._database.query("find_last_good"), params)
        return None if row is None else ExecutionSummary.from_row(row)

    async def is_copy(self, execution_id: ExecutionId) -> bool:
        """Whether an execution came from a run file, so that nobody goes on with it here."""
        row = await self._database.fetch_one_async(
            self._database.query("is_imported"), {"execution_id": sought_id(execution_id)}
        )
        return row is not None

    async def get_execution_steps(
        self, execution_id: str, *, within: RunPath = GRAPH, inline_bytes: int = _EVERY_SIZE
    ) -> list[StepExecutionRecord]:
        """All attempts of one level in the order in which they began; empty also when there is no such execution.

        Args:
            within: the path of the run whose parts they are; the graph's own steps by default.
            inline_bytes: inputs and outputs beyond this size are None; ``input_bytes`` and ``output_bytes`` tell.
        """
        rows = await self._rows_of("list_steps", execution_id=execution_id, within=within, inline_bytes=inline_bytes)
        return [StepExecutionRecord.from_row(row) for row in rows]

    async def get_step_execution(self, step_execution_id: str) -> StepExecutionRecord | None:
        """One attempt with all its payloads; None when there is none."""
        rows = await self._rows_of("get_step", step_execution_id=sought_id(step_execution_id))
        return StepExecutionRecord.from_row(rows[0]) if rows else None

    async def get_attempts(self, execution_id: str, *, within: RunPath = GRAPH) -> list[AttemptRecord]:
        """All attempts of one level without any payload: what the course of the execution follows from."""
        rows = await self._rows_of("list_attempts", execution_id=execution_id, within=within)
        return [AttemptRecord.from_row(row) for row in rows]

    async def results(self, attempts: Iterable[StepExecutionId]) -> dict[StepExecutionId, Json]:
        """What these attempts gave (``output_data``), by their ids; one that is not on record is left out."""
        ids = [{"step_execution_id": sought_id(attempt)} for attempt in attempts]

        def read() -> Script[list[dict[str, Any]]]:
            return (yield Statement(self._database.query("get_output"), ids))

        rows = await self._database.read(read())
        return {row["step_execution_id"]: row["output_data"] and orjson.loads(row["output_data"]) for row in rows}

    async def get_interactions(
        self, execution_id: str, *, awaited: bool = False, within: RunPath | None = None
    ) -> list[InteractionRecord]:
        """The questions of an execution to people, with their answers, in the order in which they were asked.

        Args:
            awaited: only those that an attempt still waits for, answered or not.
            within: only those of the parts of the run with this path; None: those of all levels.
        """
        query = self._database.query

        def read() -> Script[list[InteractionRecord]]:
            params = {"execution_id": execution_id, "awaited": awaited, "within": within, "most_within": None}
            rows = yield from rows_of(query, "get_interactions", params)
            return (yield from records(query, rows, InteractionRecord))

        return await self._database.read(read())

    async def get_interaction(self, interaction_id: str) -> InteractionWithInput | None:
        """One question to a person, with what led to it and its answers; None when there is none."""
        query = self._database.query

        def read() -> Script[list[InteractionWithInput]]:
            rows = yield Statement(query("get_interaction"), [{"interaction_id": sought_id(interaction_id)}])
            return (yield from records(query, rows, InteractionWithInput))

        return next(iter(await self._database.read(read())), None)

    async def list_interactions(
        self, filters: InteractionFilters | None = None, cursor: str | None = None, limit: int = 50
    ) -> InteractionPage:
        """A page of questions to people, newest first, without what led to them and what was answered.

        Args:
            cursor: a page's ``next_cursor``.
            limit: 1 to 1,000.

        Raises:
            InvalidArgument: the limit is out of range, or the cursor is none.
        """
        check_count(limit, "limit", low=1, high=1000)
        filters = filters or InteractionFilters()
        return await self._database.read(inbox_script(self._database.query, filters, cursor=cursor, limit=limit))

    async def count_open_interactions(self, answerable_by: Person | None = None) -> InteractionCount:
        """How many questions to people are open, up to 1,000.

        Args:
            answerable_by: only those that this person may answer; None: all of them.
        """
        return await self._database.read(open_count_script(self._database.query, answerable_by))

    async def mark_of_inbox(self, person: Person) -> str:
        """A text that is another one when a question that this person may answer is asked, changed, assigned or closed.

        Of the open ones, the newest 1,000 count.
        """
        return await self._database.read(inbox_mark_script(self._database.query, person))

    async def find_request(self, pipeline_id: str, idempotency_key: str) -> tuple[ExecutionId, str | None] | None:
        """The execution that a request of this key queued, and the request's hash; None when there was none."""
        rows = await self._rows_of("find_request", pipeline_id=sought_id(pipeline_id), idempotency_key=idempotency_key)
        return (ExecutionId(rows[0]["execution_id"]), rows[0]["request_hash"]) if rows else None

    async def get_recent_executions(self, limit: int = 50, pipeline_id: str | None = None) -> list[ExecutionSummary]:
        """The newest executions, newest first, without their payloads."""
        filters = ExecutionFilters(pipeline_id=None if pipeline_id is None else PipelineId(pipeline_id))
        return (await self.list_executions(filters, limit=limit)).items

    async def list_executions(
        self,
        filters: ExecutionFilters | None = None,
        cursor: str | None = None,
        limit: int = 50,
        *,
        sort: Sort = "newest",
    ) -> ExecutionPage:
        """A page of executions, newest first.

        Args:
            cursor: a page's ``next_cursor``, of the same order.
            limit: 1 to 1,000.
            sort: ``cost``: the dearest first, without those of which no cost is known.

        Raises:
            InvalidArgument: the limit is out of range, or the cursor is none.
        """
        check_count(limit, "limit", low=1, high=1000)
        filters = filters or ExecutionFilters()
        return await self._database.read(
            page_script(self._database.query, filters, cursor=cursor, limit=limit, sort=sort)
        )

    async def get_execution_statistics(
        self, filters: ExecutionFilters | None = None, *, cap: int = COUNT_CAP
    ) -> ExecutionStatistics:
        """How the executions stand, counted up to ``cap`` for each status, and how the newest went.

        Each status is counted as its own list would show it: what has no index is looked for in ``look_back`` of each.
        """
        filters = filters or ExecutionFilters()
        return await self._database.read(statistics_script(self._database.query, filters, cap=cap))

    async def list_logs(
        self, execution_id: str, filters: LogFilters | None = None, cursor: str | None = None, limit: int = 200
    ) -> LogPage:
        """A page of log lines, oldest first; empty also when there is no such execution.

        Those of an execution are in the order in which they were written, those of an attempt in that in which they
        were logged: of very many, the last are written when it has ended.

        Args:
            cursor: a page's ``next_cursor``.

        Raises:
            InvalidArgument: the cursor is none.
        """
        check_count(limit, "limit", low=1, high=1000)
        params = log_params(execution_id, filters or LogFilters(), cursor=cursor) | {"limit": limit + 1}

        def read() -> Script[LogPage]:
            name = "list_logs" if params["step_execution_id"] is None else "list_logs_of_attempt"
            rows = yield from rows_of(self._database.query, name, params)
            gaps = (yield from rows_of(self._database.query, "list_gaps", params)) if cursor is None else None
            return log_page(rows, gaps, limit=limit)

        return await self._database.read(read())

    async def list_runs(
        self, execution_id: str, filters: RunFilters | None = None, cursor: str | None = None, limit: int = 50
    ) -> RunPage:
        """A page of the runs of one level, by their step and their number, each as its latest attempt stands.

        Args:
            cursor: a page's ``next_cursor``.
            limit: 1 to 1,000.

        Raises:
            ExecutionNotFound
            InvalidArgument: the limit is out of range, or the cursor is none.
        """
        check_count(limit, "limit", low=1, high=1000)

        def read() -> Script[RunPage]:
            found = yield from row_id(self._database.query, execution_id)
            filtered = filters or RunFilters()
            return (yield from runs_script(self._database.query, found, filtered, cursor=cursor, limit=limit))

        return await self._database.read(read())

    async def list_levels(self, execution_id: str) -> list[RunPath]:
        """The paths of the graph's runs that have something within them, the first 10,000 by their paths.

        Raises:
            ExecutionNotFound
        """

        def read() -> Script[list[RunPath]]:
            found = yield from row_id(self._database.query, execution_id)
            return (yield from levels_script(self._database.query, found))

        return await self._database.read(read())

    async def item_grid(self, execution_id: str, step_id: str, iteration: int = 1) -> ItemGrid:
        """How the items of a map in the graph stand, as at most 2,000 squares; no item is read.

        Raises:
            ExecutionNotFound
        """

        def read() -> Script[ItemGrid]:
            found = yield from row_id(self._database.query, execution_id)
            return (yield from grid_script(self._database.query, found, step_id, iteration))

        return await self._database.read(read())

    async def liveness(self, owner: str) -> Liveness | None:
        """Whether the process with this id (``owner`` of an execution) lives, by its heartbeats.

        None: it has never given a sign of life, as one with ``lease_seconds=None``; then only a person can tell.
        """
        row = await self._database.fetch_one_async(self._database.query("liveness"), {"owner": owner})
        return None if row is None else Liveness.from_row(row)

    async def changes(
        self, execution_id: str, after: int = 0, *, within: RunPath = GRAPH, limit: int = PAGE_LIMIT
    ) -> Changes:
        """What is newer than a cursor, of one moment: at most ``limit`` rows of a kind, whole sequence numbers only.

        Args:
            within: the path of the run whose parts and lines are read; the graph's own by default. Questions are
                those of all levels.

        Raises:
            ExecutionNotFound
        """
        check_count(after, "cursor", high=2**63 - 1)
        check_count(limit, "limit", low=1, high=_EVERY_SIZE - 1)
        query = self._database.query

        def read() -> Script[Changes]:
            rows = yield from rows_of(query, "get_execution_summary", {"execution_id": execution_id})
            if not rows:
                raise ExecutionNotFound(execution_id)
            execution = ExecutionSummary.from_row(rows[0])
            window = {
                "execution_id": execution.execution_id,
                "within": within,
                "after": after,
                "upto": execution.sequence,
                "limit": limit + 1,
            }
            found: list[list[dict[str, Any]]] = []
            for name in ("changed_steps", "changed_interactions", "changed_logs"):
                rows = yield Statement(query(name), [window])
                if len(rows) > limit and rows[0]["sequence"] == rows[-1]["sequence"]:
                    # One number has more rows than a page: take all of them, as it is never split.
                    whole = window | {"upto": rows[0]["sequence"], "limit": _EVERY_SIZE}
                    rows = yield Statement(query(name), [whole])
                found.append(rows)
            steps = [StepSummary.from_row(row) for row in found[0]]
            interactions = yield from summaries(query, found[1])
            logs = [LogRecord.from_row(row) for row in found[2]]
            return page_of(execution, steps, interactions, logs, after=after, limit=limit)

        return await self._database.read(read())

    async def output(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        limit: int = 200,
    ) -> OutputPage:
        """What steps gave as it came after a cursor, at all levels, of one moment; at most ``limit`` pieces.

        Args:
            after: the ``cursor`` of a piece or a page, or a sequence; None: the beginning.
            step_execution_id: only of this attempt; None: of all.
            limit: 1 to 1,000.

        Raises:
            ExecutionNotFound, StepExecutionNotFound
            InvalidArgument: the cursor or the limit is none.
        """
        check_count(limit, "limit", low=1, high=1000)
        cursor, query = OutputCursor.of(after), self._database.query

        def read() -> Script[OutputPage]:
            rows = yield from rows_of(query, "read_status", {"execution_id": execution_id})
            if not rows:
                raise ExecutionNotFound(execution_id)
            [execution] = rows
            status, name, is_over = ExecutionStatus(execution["status"]), "read_output", False
            params: dict[str, Any] = {
                "execution_id": execution["execution_id"],
                "cursor_sequence": cursor.sequence,
                "cursor_id": cursor.log_id,
                "limit": limit + 1,
            }
            if step_execution_id is not None:
                params["step_execution_id"], name = sought_id(step_execution_id), "read_output_of_attempt"
                attempts = yield Statement(query("read_status_of_attempt"), [params])
                if not attempts:
                    raise StepExecutionNotFound(step_execution_id)
                is_over = StepStatus(attempts[0]["status"]).is_terminal
            lines = yield Statement(query(name), [params])
            is_over = is_over or status.is_terminal
            found = map(OutputRow.from_row, lines)
            return output_page(found, cursor, limit=limit, is_over=is_over, rests=status.is_at_rest)

        return await self._database.read(read())

    async def _rows_of(self, name: str, **params: str | int | None) -> list[dict[str, Any]]:
        """The rows of a named query, whose ids come from outside; an execution may be named by its alias."""
        if "execution_id" in params:
            return await self._database.read(rows_of(self._database.query, name, params))
        return await self._database.fetch_all_async(self._database.query(name), params)

    async def _row_id(self, id_or_alias: str) -> ExecutionId:
        """The id of the execution that a text names. Raises ExecutionNotFound."""
        return await self._database.read(row_id(self._database.query, id_or_alias))
