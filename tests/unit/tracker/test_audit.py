import orjson
import pytest

from ia_modules.database.manager import DatabaseManager, Script
from ia_modules.errors import PayloadError
from ia_modules.tracker.audit import KEY, audit_row, is_done


async def test_a_row_says_who_did_what_to_what(database: DatabaseManager) -> None:
    def write() -> Script[None]:
        yield audit_row(database.query, "ann", "execution.cancel", "e1")
        yield audit_row(database.query, "bob", "executions.cancel", "by ids", {"done": 2})

    await database.run(write())
    rows = await database.fetch_all_async("SELECT actor, action, subject, detail FROM audit_log ORDER BY audit_id")
    assert [(row["actor"], row["action"], row["subject"], orjson.loads(row["detail"] or "null")) for row in rows] == [
        ("ann", "execution.cancel", "e1", None),
        ("bob", "executions.cancel", "by ids", {"done": 2}),
    ]


def test_an_actor_has_a_name() -> None:
    with pytest.raises(PayloadError, match="name of the actor"):
        audit_row(str, "", "execution.cancel", "e1")


async def test_what_a_request_with_a_key_has_done_is_known(database: DatabaseManager) -> None:
    def write() -> Script[None]:
        for detail in (None, ["a list"], {"reason": "x"}, {KEY: "mine", "reason": None}):
            yield audit_row(database.query, "ann", "execution.resume", "e1", detail)

    assert not await is_done(database, "execution.resume", "e1", idempotency_key="mine")
    await database.run(write())
    assert await is_done(database, "execution.resume", "e1", idempotency_key="mine")
    assert not await is_done(database, "execution.resume", "e1", idempotency_key="other")
    assert not await is_done(database, "execution.resume", "e2", idempotency_key="mine")
    assert not await is_done(database, "execution.cancel", "e1", idempotency_key="mine")
