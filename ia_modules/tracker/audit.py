"""Who did what: a row for everything that somebody changed. Rows are only added."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import orjson

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.models import Json, new_id, parse_time
from ia_modules.payload import check_id, check_name, encode
from ia_modules.transitions import Deed

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


def deed_detail(reason: str | None, idempotency_key: str | None) -> dict[str, Json]:
    """What the audit log keeps of a request, beside who and when. Raises PayloadError: the key cannot be stored."""
    key = None if idempotency_key is None else check_id(idempotency_key, "idempotency key")
    return {name: text for name, text in (("reason", reason), (KEY, key)) if text is not None}


def deed_row(query: Callable[[str], str], deed: Deed, subject: str, **facts: Json) -> Statement:
    """The row of a deed, to write in the transaction that does it; ``facts``: to keep beside its detail."""
    detail = _detail_of(deed) | facts
    row = {
        "audit_id": deed.audit_id,
        "actor": deed.actor,
        "action": deed.action,
        "subject": subject,
        "detail": encode(detail, "detail of an audit row") if detail else None,
    }
    return Statement(query("insert_audit"), [row])


def done_before(query: Callable[[str], str], deed: Deed, subject: str) -> Script[dict[str, Any] | None]:
    """What is on record of the request that did this with the same key; None: none did, or the deed has no key.

    Where the transaction holds the row of the subject, nobody else does it meanwhile.
    """
    key = _detail_of(deed).get(KEY)
    return None if key is None else (yield from done_with_key(query, deed.action, subject, key))


def done_with_key(
    query: Callable[[str], str], action: str, subject: str, idempotency_key: str
) -> Script[dict[str, Any] | None]:
    """What is on record of a request with this key, among the newest 1,000 times that this was done to a subject."""
    rows = yield Statement(query("read_audit_details"), [{"action": action, "subject": subject}])
    details: list[Any] = [orjson.loads(row["detail"]) for row in rows if row["detail"] is not None]
    facts = [cast("dict[str, Any]", each) for each in details if isinstance(each, dict)]
    return next((each for each in facts if each.get(KEY) == idempotency_key), None)


async def is_done(database: DatabaseManager, action: str, subject: str, *, idempotency_key: str) -> bool:
    """Whether a request with this key has done this to a subject, as :func:`done_with_key` finds it."""
    return await database.read(done_with_key(database.query, action, subject, idempotency_key)) is not None


def _detail_of(deed: Deed) -> dict[str, Any]:
    return {} if deed.detail is None else cast("dict[str, Any]", orjson.loads(deed.detail))
