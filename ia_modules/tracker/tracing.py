"""Writes what has ended as spans: from the rows, behind those who write them.

    commit → the execution is looked at again soon → its rows that have ended since → spans → how far that has come

How far is on record (``execution_traces``), so that another process goes on where this one stopped. What ends is
handed on once; where a process dies between handing it on and saying so, twice, with the same ids.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from ia_modules.database.driver import Rows
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import DatabaseError
from ia_modules.models import ExecutionId, Row, RunPath, StepExecutionId, parse_time
from ia_modules.paths import GRAPH, last_of
from ia_modules.tasks import background, in_thread, set_within
from ia_modules.traces.running import TraceSource
from ia_modules.traces.spans import TracedAttempt, TracedExecution
from ia_modules.tracker.liveness import Liveness

logger = logging.getLogger("ia_modules.tracker")

_PAUSE_SECONDS = 0.2
"""Between two looks, so that executions are not read for each commit; and nine times what the last look took."""

_OTHERS_EVERY_SECONDS = 15.0
_AFTER_FAILURE_SECONDS = 2.0
_CLOSE_SECONDS = 12.0  # the provider has ten to hand on what it has
_EXECUTIONS, _ATTEMPTS = 100, 500  # at once


class TraceWriter(TraceSource, Protocol):
    """What writes spans: :class:`ia_modules.traces.otel.Traces`.

    Attributes:
        payloads: it wants payloads, too.
    """

    payloads: bool

    def write(
        self,
        execution: TracedExecution,
        attempts: Iterable[tuple[TracedAttempt, ExecutionId | StepExecutionId]],
        *,
        has_ended: bool,
        again: bool = False,
    ) -> None: ...

    def flush(self) -> bool: ...


class _Taken(NamedTuple):
    """What of an execution is handed on next.

    Attributes:
        upto: the sequence up to which this is all that has ended.
        has_ended: the execution itself is among it; ``again``: it had been before.
        more: there is more after it.
    """

    execution: TracedExecution
    attempts: list[tuple[TracedAttempt, ExecutionId | StepExecutionId]]
    upto: int
    has_ended: bool
    again: bool
    more: bool


class Tracing:
    """Hands on the traces of the executions that this process writes, and what processes that died had taken."""

    def __init__(
        self,
        database: DatabaseManager,
        writer: str,
        traces: TraceWriter,
        *,
        show_life: Callable[[], Awaitable[None]],
    ) -> None:
        """Nothing is read before something was committed.

        Args:
            writer: who hands it on.
            show_life: puts this process on record as alive, so that others leave to it what it has taken.
        """
        self._database, self._writer, self._traces, self._show_life = database, writer, traces, show_life
        self._changed: set[ExecutionId] = set()
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def changed(self, execution_ids: Iterable[ExecutionId]) -> None:
        """Something of these was committed."""
        self._changed.update(execution_ids)
        if self._task is None or self._task.done():
            self._look = asyncio.Event()
            self._task = background(self._go_on(), "traces")
        self._look.set()

    async def close(self) -> None:
        """Hand on what is left, for a limited time."""
        self._closing = True
        self._look.set()
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
            self._task.cancel()

    async def _go_on(self) -> None:
        clock = asyncio.get_running_loop().time
        await self._show_life()
        others_at, pause_seconds = clock(), _PAUSE_SECONDS
        while True:
            if not (self._changed or self._closing):
                await set_within(others_at - clock(), self._look)
            await self._pause(pause_seconds)
            if self._closing and not self._changed:
                return
            began = clock()
            try:
                if began >= others_at:
                    await self._hand_on(await self._left_by_others())
                    others_at = began + _OTHERS_EVERY_SECONDS
                await self._some()
            except DatabaseError:
                if self._closing:
                    return
                pause_seconds = _AFTER_FAILURE_SECONDS
            else:
                pause_seconds = max(_PAUSE_SECONDS, 9 * (clock() - began))

    async def _pause(self, seconds: float) -> None:
        """What is committed meanwhile is looked at together; the end of this process is not waited out."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while not self._closing and (left := until - clock()) > 0:
            self._look.clear()
            await set_within(left, self._look)

    async def _left_by_others(self) -> list[ExecutionId]:
        params = {"writer": self._writer, "limit": _EXECUTIONS}
        rows = await self._database.fetch_all_async(self._database.query("traces_under_way"), params)
        return sorted(ExecutionId(row["execution_id"]) for row in rows)

    async def _some(self) -> None:
        ids = sorted(self._changed)[:_EXECUTIONS]
        self._changed.difference_update(ids)
        try:
            later = await self._hand_on(ids)
        except DatabaseError:
            self._changed.update(ids)
            raise
        if later:
            self._changed |= later
            await asyncio.sleep(_PAUSE_SECONDS)  # also where this process ends: somebody else has to be done first

    async def _hand_on(self, ids: list[ExecutionId]) -> set[ExecutionId]:
        """Hand on what has ended of some executions, ids in order; returns those that others hand on just now."""
        if not ids:
            return set()
        taken, later = await self._database.run(self._take(ids))
        for each in taken:
            self._traces.write(each.execution, each.attempts, has_ended=each.has_ended, again=each.again)
        if taken and not await in_thread(self._traces.flush, "traces"):
            logger.warning("Spans of %d executions were not handed on within their time.", len(taken))
        await self._database.run(self._mark(taken))
        self._changed |= {each.execution.execution_id for each in taken if each.more}
        return later

    # What is read

    def _take(self, ids: list[ExecutionId]) -> Script[tuple[list[_Taken], set[ExecutionId]]]:
        """What is to be handed on of some executions, ids in order; and those that somebody else hands on just now."""
        query, payloads = self._database.query, self._traces.payloads
        rows = yield Statement(query("traced_execution"), [{"execution_id": id_, "payloads": payloads} for id_ in ids])
        taken: list[_Taken] = []
        claims: list[dict[str, Any]] = []
        later: set[ExecutionId] = set()
        for row in rows:
            if not (yield from self._is_free(row)):
                later.add(row["execution_id"])
                continue
            found = yield from self._read(row)
            if found.attempts or found.has_ended or found.more:
                taken.append(found)
                claims.append(
                    {
                        "execution_id": row["execution_id"],
                        "upto": found.upto,
                        "writer": self._writer,
                        "known_exported": row["exported"],
                        "known_upto": row["upto"],
                    }
                )
        if not claims:
            return [], later
        claimed = {each["execution_id"] for each in (yield Statement(query("take_trace"), claims))}
        later |= {id_ for each in taken if (id_ := each.execution.execution_id) not in claimed}
        return [each for each in taken if each.execution.execution_id in claimed], later

    def _is_free(self, row: Row) -> Script[bool]:
        """Whether nobody else, who lives, hands on what has ended."""
        if row["writer"] in (None, self._writer) or row["exported"] == row["upto"]:
            return True
        beats = yield Statement(self._database.query("liveness"), [{"owner": row["writer"]}])
        return not beats or Liveness.from_row(beats[0]).is_gone

    def _read(self, row: Row) -> Script[_Taken]:
        query = self._database.query
        ended, reopened = row["ended"], row["reopened"] or 0
        again = bool(ended) and reopened >= ended
        params = {"execution_id": row["execution_id"], "after": row["exported"], "upto": row["sequence"]}
        attempts, more = yield from self._attempts(params)
        upto = attempts[-1].sequence if more else row["sequence"]
        again_at = None
        if again:
            found = yield Statement(query("went_on_at"), [{"execution_id": row["execution_id"], "reopened": reopened}])
            again_at = found[0]["again_at"]
        execution = TracedExecution.from_row({**row, "again_at": again_at})
        has_ended = execution.status.is_terminal and not more and (again or not ended)
        parents = yield from self._parents(attempts)
        return _Taken(execution, parents, upto, has_ended, again, more)

    def _attempts(self, params: Mapping[str, Any]) -> Script[tuple[list[TracedAttempt], bool]]:
        """Those that have ended after a sequence, whole sequences only; and whether there are more."""
        params = {**params, "payloads": self._traces.payloads, "limit": _ATTEMPTS}
        query = self._database.query("ended_attempts")
        rows = yield Statement(query, [params])
        if len(rows) < _ATTEMPTS:
            return [TracedAttempt.from_row(row) for row in rows], False
        last = rows[-1]["sequence"]
        whole = [row for row in rows if row["sequence"] < last]
        if not whole:  # more than fit ended at once
            whole = yield Statement(query, [{**params, "upto": last, "limit": 2**31 - 1}])
        return [TracedAttempt.from_row(row) for row in whole], True

    def _parents(
        self, attempts: list[TracedAttempt]
    ) -> Script[list[tuple[TracedAttempt, ExecutionId | StepExecutionId]]]:
        """Each with the attempt that it is a part of, or else with its execution."""
        keys: dict[tuple[ExecutionId, RunPath], dict[str, Any]] = {}
        for each in attempts:
            if each.within != GRAPH and (each.execution_id, each.within) not in keys:
                within, step_id, iteration = last_of(each.within)
                around = {"within": within, "step_id": step_id, "iteration": iteration}
                keys[each.execution_id, each.within] = {"execution_id": each.execution_id, **around}
        around_of: dict[tuple[ExecutionId, RunPath], Rows] = {}
        for key, params in keys.items():
            around_of[key] = yield Statement(self._database.query("attempts_of_run"), [params])
        return [(each, _parent_of(each, around_of.get((each.execution_id, each.within), []))) for each in attempts]

    def _mark(self, taken: list[_Taken]) -> Script[None]:
        rows = [
            {
                "execution_id": each.execution.execution_id,
                "upto": each.upto,
                "has_ended": each.has_ended,
                "writer": self._writer,
            }
            for each in taken
        ]
        if rows:
            yield Statement(self._database.query("mark_traced"), rows)


def _parent_of(attempt: TracedAttempt, around: Rows) -> ExecutionId | StepExecutionId:
    """Of the attempts of the run around one, that in which it was made: as it says, else the newest there was.

    A call says it, since one that waited may have been made in an attempt before.
    """
    if not around:
        return attempt.execution_id
    refs = attempt.input_refs
    number = refs.get("attempt") if isinstance(refs, dict) else None
    named = [row for row in around if row["attempt"] == number]
    before = [row for row in around if parse_time(row["created_at"]) <= attempt.created_at]
    return StepExecutionId((named or before or around[:1])[-1]["step_execution_id"])
