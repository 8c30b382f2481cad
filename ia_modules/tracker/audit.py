"""Who did what: a row for everything that somebody changed. Rows are only added."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import orjson

from ia_modules.database.manager import DatabaseManager, Statement
from ia_modules.models import Json, new_id, parse_time
from ia_modules.payload import check_name, encode

EXECUTION_START = "execution.start"
"""The action under which it is on record who started an execution."""

KEY = "idempotency_key"
"""Where the detail of a row has the key of the request that did it."""


def audit_row(query: Callable[[str], str], actor: str, action: str, subject: str, detail: Json = None) -> Statement:
    """The row to write when it is done, best in the transaction that does it.

    Args:
        action: object and verb, such as ``execution.cancel``; of many at once ``executions.cancel``.
        subject: an id; of many at once what they have in common.
        detail: further facts, such as a count; JSON.

    Raises:
        PayloadError: the actor's name is empty or cannot be stored.
    """
    row = {
        "audit_id": new_id(),
        "actor": check_name(actor, "name of the actor"),
        "action": action,
        "subject": subject,
        "detail": None if detail is None else encode(detail, "detail of an audit row"),
    }
    return Statement(query("insert_audit"), [row])


async def last_deed(database: DatabaseManager, action: str, subject: str) -> tuple[str, datetime] | None:
    """Who did this to a subject last, and when; None: nobody has."""
    row = await database.fetch_one_async(database.query("read_last_audit"), {"action": action, "subject": subject})
    return None if row is None else (row["actor"], parse_time(row["created_at"]))


async def is_done(database: DatabaseManager, action: str, subject: str, *, idempotency_key: str) -> bool:
    """Whether a request with this key has done this to a subject, among the newest 1,000 times that it was done."""
    rows = await database.fetch_all_async(database.query("read_audit_details"), {"action": action, "subject": subject})
    details = [orjson.loads(row["detail"]) for row in rows if row["detail"] is not None]
    return any(_key_in(detail) == idempotency_key for detail in details)


def _key_in(detail: Any) -> Any:
    return cast("dict[str, Any]", detail).get(KEY) if isinstance(detail, dict) else None
