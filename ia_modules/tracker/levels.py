"""What is within a run: the runs of one level, in pages, and how many of them stand how.

A level may have 100,000 runs, so nothing here reads all of its rows: a page is a range of an index, and counting reads
indexes alone. A text is looked for in the names of the level one after the other, until the page is full.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionId, Row, RunPath, StepStatus, StepSummary
from ia_modules.paths import GRAPH, path_of
from ia_modules.payload import is_storable_id
from ia_modules.tracker.batch import Query
from ia_modules.tracker.lists import pattern_of

MOST_LEVELS = 10_000
"""So many runs of the graph are told to have something within them."""

MOST_SQUARES = 2_000
"""So many squares show the items of a map; where it has more items, several share one."""

_MOST_ITERATIONS = 2**31 - 1
_NOT_COMPLETED = "status <> 'completed'"
_WITHIN_A_RUN = f"within <> '' AND {_NOT_COMPLETED}"  # the rule of the index runs_not_completed
_WORST_FIRST = (
    StepStatus.FAILED,
    StepStatus.LOST,
    StepStatus.CANCELLED,
    StepStatus.WAITING,
    StepStatus.RUNNING,
    StepStatus.PENDING,
)
_NAMED = "ia_fold(step_name) LIKE ia_fold(:pattern) ESCAPE '!'"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """Filters of the runs of a level; None = any.

    Attributes:
        within: the path of the run whose parts they are; the graph's own runs by default.
        status: of the latest attempt.
        text: found in the run's name, which for an item of a map is its key; letters of both cases are alike.
    """

    within: RunPath = GRAPH
    status: StepStatus | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Some runs of a level, by their step and their number.

    Attributes:
        items: the latest attempt of each; its ``attempt`` says how many there are.
        next_cursor: the cursor of the runs after them; None: there are none now.
        by_status: how many runs the level has of each status that there is, whatever the filters; None: not counted,
            as on all pages but the first.
    """

    items: list[StepSummary]
    next_cursor: str | None
    by_status: Mapping[StepStatus, int] | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "items": [item.to_dict() for item in self.items],
            "next_cursor": self.next_cursor,
            "by_status": self.by_status and {status.value: count for status, count in self.by_status.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemGrid:
    """How the items of a map stand: squares in the order of its list.

    Attributes:
        items: how many there are, whether they have begun or not; 0: it has none, or there is no such map.
        per_square: how many neighbours share a square; the last may have fewer.
        squares: the worst status in each; None: an item has not begun, and no other stands worse.
        by_status: how many items stand how, of those that have begun.
        sequence: the execution's; all that has happened up to it is counted.
    """

    items: int
    per_square: int
    squares: tuple[StepStatus | None, ...]
    by_status: Mapping[StepStatus, int]
    sequence: int


def run_params(filters: RunFilters, cursor: str | None) -> dict[str, str | int]:
    """The parameters of a page but for the execution and the limit.

    Raises:
        InvalidArgument: the cursor is none.
    """
    position = re.fullmatch(r"([0-9]{1,10}):(.*)", "0:" if cursor is None else cursor, re.DOTALL)
    if position is None or int(position[1]) > _MOST_ITERATIONS or not is_storable_id(position[2] or "-"):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of runs")
    params: dict[str, str | int] = {
        "within": filters.within,
        "step_id": position[2],
        "iteration": int(position[1]),
    }
    if filters.status is not None:
        params["status"] = filters.status
    if filters.text:
        params["pattern"] = pattern_of(filters.text)
    return params


def run_conditions(filters: RunFilters) -> str:
    """What of the level a page is read of, as SQL."""
    conditions: list[str] = []
    if filters.status is not None:
        conditions.append("status = :status")
        if filters.within != GRAPH and filters.status is not StepStatus.COMPLETED:
            conditions.append(_WITHIN_A_RUN)
    if filters.text:
        conditions.append(_NAMED)
    return " AND ".join(conditions) or "TRUE"


def runs_script(
    query: Query, execution_id: ExecutionId, filters: RunFilters, *, cursor: str | None, limit: int
) -> Script[RunPage]:
    """A page of the runs of a level, and how many there are of each status.

    Raises:
        InvalidArgument: the cursor is none.
    """
    params = {"execution_id": execution_id, "limit": limit + 1} | run_params(filters, cursor)
    rows = yield Statement(query("list_runs").format(conditions=run_conditions(filters)), [params])
    items = [StepSummary.from_row(row) for row in rows[:limit]]
    return RunPage(
        items=items,
        next_cursor=f"{items[-1].iteration}:{items[-1].step_id}" if len(rows) > limit else None,
        by_status=(yield from _count(query, execution_id, filters.within)) if cursor is None else None,
    )


def levels_script(query: Query, execution_id: ExecutionId) -> Script[list[RunPath]]:
    """The paths of the graph's runs that have something within them, at most ``MOST_LEVELS``."""
    rows = yield Statement(query("list_levels"), [{"execution_id": execution_id, "limit": MOST_LEVELS}])
    return [RunPath(row["within"]) for row in rows]


def grid_script(query: Query, execution_id: ExecutionId, step_id: str, iteration: int) -> Script[ItemGrid]:
    """The items of a map in the graph as squares."""
    run = {"execution_id": execution_id, "step_id": step_id, "iteration": iteration}
    [mapped] = yield Statement(query("get_map"), [run])
    items: int = mapped["items"] or 0
    per_square = max(1, -(-items // MOST_SQUARES))
    level = {
        "execution_id": execution_id,
        "within": path_of(GRAPH, step_id, iteration),
        "step_id": step_id,
        "per_square": per_square,
    }
    begun = (yield Statement(query("count_items"), [level])) if items else []
    others = (yield Statement(query("count_items_not_completed"), [level])) if begun else []
    counts = _counts_of_squares(begun, others)
    every = sum(counts.values(), Counter[StepStatus]())
    sizes = (min(per_square, items - first) for first in range(0, items, per_square))
    return ItemGrid(
        items=items,
        per_square=per_square,
        squares=tuple(_worst(counts[number], size) for number, size in enumerate(sizes)),
        by_status={status: every[status] for status in StepStatus if every[status]},
        sequence=mapped["sequence"],
    )


def _counts_of_squares(begun: Iterable[Row], others: Iterable[Row]) -> defaultdict[int, Counter[StepStatus]]:
    """How many items of each square stand how; what has begun and is none of the others has completed."""
    counts: defaultdict[int, Counter[StepStatus]] = defaultdict(Counter)
    for row in begun:
        counts[row["square"]][StepStatus.COMPLETED] = row["runs"]
    for row in others:
        counts[row["square"]][StepStatus(row["status"])] = row["runs"]
        counts[row["square"]][StepStatus.COMPLETED] -= row["runs"]
    return counts


def _worst(counts: Counter[StepStatus], items: int) -> StepStatus | None:
    worst = next((status for status in _WORST_FIRST if counts[status]), None)
    if worst is not None or counts.total() < items:
        return worst
    return StepStatus.SKIPPED if counts[StepStatus.SKIPPED] else StepStatus.COMPLETED


def _count(query: Query, execution_id: ExecutionId, within: RunPath) -> Script[Mapping[StepStatus, int]]:
    level = {"execution_id": execution_id, "within": within}
    [counted] = yield Statement(query("count_runs"), [level])
    conditions = _NOT_COMPLETED if within == GRAPH else _WITHIN_A_RUN
    rows = yield Statement(query("count_runs_not_completed").format(conditions=conditions), [level])
    others = {row["status"]: row["runs"] for row in rows}
    every = others | {StepStatus.COMPLETED: counted["runs"] - sum(others.values())}
    return {status: every[status] for status in StepStatus if every.get(status)}
