import orjson
import pytest

from ia_modules.database.manager import DatabaseManager, Script
from ia_modules.errors import PayloadError
from ia_modules.tracker.audit import audit_row


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
