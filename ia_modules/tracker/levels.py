"""What is within a run: the runs of one level, in pages, and how many of them stand how.

A level may have 100,000 runs, so nothing here reads all of its rows: a page is a range of an index, and counting reads
indexes alone. A text is looked for in the names of the level one after the other, until the page is full.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionId, RunPath, StepStatus, StepSummary
from ia_modules.paths import GRAPH
from ia_modules.payload import is_storable_id
from ia_modules.tracker.batch import Query
from ia_modules.tracker.lists import pattern_of

MOST_LEVELS = 10_000
"""So many runs of the graph are told to have something within them."""

_MOST_ITERATIONS = 2**31 - 1
_NOT_COMPLETED = "status <> 'completed'"
_WITHIN_A_RUN = f"within <> '' AND {_NOT_COMPLETED}"  # the rule of the index runs_not_completed
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


def _count(query: Query, execution_id: ExecutionId, within: RunPath) -> Script[Mapping[StepStatus, int]]:
    level = {"execution_id": execution_id, "within": within}
    [counted] = yield Statement(query("count_runs"), [level])
    conditions = _NOT_COMPLETED if within == GRAPH else _WITHIN_A_RUN
    rows = yield Statement(query("count_runs_not_completed").format(conditions=conditions), [level])
    others = {row["status"]: row["runs"] for row in rows}
    every = others | {StepStatus.COMPLETED: counted["runs"] - sum(others.values())}
    return {status: every[status] for status in StepStatus if every.get(status)}
