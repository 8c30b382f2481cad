"""Questions to people: lists of them, in pages, and how many are open. Nothing here scans a table of executions."""

from dataclasses import dataclass
from typing import Any, Literal

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import NO_ID, InteractionSummary, PipelineId, is_id, sought_id
from ia_modules.payload import encode
from ia_modules.tracker.alias import rows_of
from ia_modules.tracker.lists import Sentence
from ia_modules.tracker.responses import summaries

OPEN_COUNT_CAP = 1000
"""Beyond this many open questions, a count only says "more"."""

InteractionStatus = Literal["pending", "answered", "expired", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may answer; ``role`` None: not known."""

    name: str
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFilters:
    """Filters of a list of questions; None = any.

    Attributes:
        execution_id: of this execution, by its id or alias.
        assigned_to: assigned to this name.
        answerable_by: assigned to this person, by name or by role, or to nobody.
    """

    status: InteractionStatus | None = None
    assigned_to: str | None = None
    answerable_by: Person | None = None
    pipeline_id: PipelineId | None = None
    execution_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionPage:
    """Some questions, newest first. ``next_cursor``: the cursor of the next, older page; None: this is the last one."""

    items: list[InteractionSummary]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionCount:
    """How many questions are open; ``capped``: there are more, and counting ended."""

    pending: int
    capped: bool


def inbox_script(
    sentence: Sentence, filters: InteractionFilters, *, cursor: str | None, limit: int
) -> Script[InteractionPage]:
    """Reads one page of questions; ``sentence`` returns the SQL of a name.

    Raises:
        InvalidArgument: the cursor is none.
        PayloadError: a name cannot be stored.
    """
    if cursor is not None and not is_id(cursor):
        raise InvalidArgument("cursor", repr(cursor)[:80], "next_cursor of a page of questions")
    conditions, params = _conditions(filters)
    if filters.execution_id is not None:
        found = yield from rows_of(sentence, "find_execution", {"execution_id": filters.execution_id})
        conditions.append("interactions.execution_id = :execution_id")
        params["execution_id"] = found[0]["execution_id"] if found else NO_ID
    if cursor is not None:
        conditions.append("interactions.interaction_id < :cursor")
    sql = sentence("list_interactions").format(conditions=" AND ".join(conditions) or "TRUE")
    rows = yield Statement(sql, [{**params, **({} if cursor is None else {"cursor": cursor}), "limit": limit + 1}])
    items = yield from summaries(sentence, rows[:limit])
    return InteractionPage(items=items, next_cursor=items[-1].interaction_id if len(rows) > limit else None)


def open_count_script(
    sentence: Sentence, answerable_by: Person | None, *, cap: int = OPEN_COUNT_CAP
) -> Script[InteractionCount]:
    """Counts open questions up to ``cap``; ``answerable_by`` None: whoever they are assigned to.

    Raises:
        PayloadError: a name cannot be stored.
    """
    conditions, params = _conditions(InteractionFilters(status="pending", answerable_by=answerable_by))
    sql = sentence("count_open_interactions").format(conditions=" AND ".join(conditions))
    [row] = yield Statement(sql, [{**params, "most": cap + 1}])
    return InteractionCount(pending=min(row["pending"], cap), capped=row["pending"] > cap)


def inbox_mark_script(sentence: Sentence, person: Person, *, most: int = OPEN_COUNT_CAP) -> Script[str]:
    """Reads what is another text when one of the newest ``most`` open questions of a person has changed.

    Raises:
        PayloadError: the name cannot be stored.
    """
    conditions, params = _conditions(InteractionFilters(status="pending", answerable_by=person))
    sql = sentence("mark_open_interactions").format(conditions=" AND ".join(conditions))
    [row] = yield Statement(sql, [{**params, "most": most}])
    return f"{row['pending']} {row['newest']} {row['sequences']}"


def _conditions(filters: InteractionFilters) -> tuple[list[str], dict[str, Any]]:
    """The conditions in SQL, and the values of their parameters."""
    conditions: list[str] = []
    params: dict[str, Any] = {}
    if filters.status == "pending":
        conditions.append("interactions.status = 'pending'")  # as its index has it
    elif filters.status is not None:
        conditions.append("interactions.status = :status")
        params["status"] = filters.status
    if filters.pipeline_id is not None:
        conditions.append("pipeline_executions.pipeline_id = :pipeline_id")
        params["pipeline_id"] = sought_id(filters.pipeline_id)
    if filters.assigned_to is not None:
        conditions.append(_BY_NAME.format(name="assigned"))
        params |= _name_params("assigned", filters.assigned_to)
    if (person := filters.answerable_by) is not None:
        conditions.append(f"({_BY_NAME.format(name='person')} OR assigned_role = :role OR {_TO_NOBODY})")
        params |= _name_params("person", person.name) | {"role": person.role}
    return conditions, params


# Whether a name is in the list: it stands at the beginning or after a comma, as nothing inside of a name can, whose
# quotes are escaped. The text is the one that ``encode`` writes, on both databases; LIKE does not tell A from a on one.
_BY_NAME = """(REPLACE(CAST(assigned_users AS TEXT), :{name}_first, '') <> CAST(assigned_users AS TEXT)
    OR REPLACE(CAST(assigned_users AS TEXT), :{name}_later, '') <> CAST(assigned_users AS TEXT))"""
_TO_NOBODY = "(assigned_role IS NULL AND COALESCE(CAST(assigned_users AS TEXT), '[]') = '[]')"


def _name_params(name: str, person: str) -> dict[str, str]:
    text = encode(person, "name of a person")
    return {f"{name}_first": f"[{text}", f"{name}_later": f",{text}"}
