"""Which execution a text names: the one whose id it is, or else the one whose caller gave it this id."""

from collections.abc import Mapping
from typing import Any

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import ExecutionNotFound
from ia_modules.models import ExecutionId, is_id
from ia_modules.payload import is_storable_id
from ia_modules.tracker.batch import Query


def rows_of(query: Query, name: str, params: Mapping[str, Any]) -> Script[list[dict[str, Any]]]:
    """The rows of a named query about ``execution_id``; where that finds none, of the execution with this alias."""
    named = params["execution_id"]
    if is_id(named) and (rows := (yield Statement(query(name), [params]))):
        return rows
    if (execution_id := (yield from _of_alias(query, named))) is None:
        return []
    return (yield Statement(query(name), [{**params, "execution_id": execution_id}]))


def row_id(query: Query, id_or_alias: str) -> Script[ExecutionId]:
    """The id of the execution that a text names.

    Raises:
        ExecutionNotFound
    """
    rows = yield from rows_of(query, "find_execution", {"execution_id": id_or_alias})
    if not rows:
        raise ExecutionNotFound(id_or_alias)
    return rows[0]["execution_id"]


def _of_alias(query: Query, alias: str) -> Script[ExecutionId | None]:
    if not is_storable_id(alias):
        return None
    rows = yield Statement(query("find_alias"), [{"alias": alias}])
    return rows[0]["execution_id"] if rows else None
