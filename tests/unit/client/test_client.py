from pathlib import Path

from ia_modules import Client, DatabaseManager
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.lists import ExecutionFilters
from tests.unit.client.doubling import audit, pin


async def test_many_are_changed_each_by_itself_and_what_cannot_be_is_told(
    client: Client, file: Path, database: DatabaseManager
) -> None:
    await client.register(file)
    queued = [(await client.queue("double", {"n": n})).execution_id for n in range(4)]
    pipeline_id = (await client.pipeline("double")).id
    dry = await client.bulk("cancel", filters=ExecutionFilters(pipeline_id=pipeline_id), limit=3, dry_run=True)
    assert (dry.matched, dry.matched_capped, dry.done, dry.refused) == (3, True, 0, [])
    dry = await client.bulk("delete", [queued[0], "nobody"], dry_run=True)
    assert [refused.execution_id for refused in dry.refused] == [queued[0], "nobody"]
    assert len(await audit(database)) == 5

    cancelled = await client.bulk("cancel", [queued[0], queued[1], queued[0], "nobody"], actor="bob")
    assert (cancelled.matched, cancelled.done) == (3, 2)
    assert [refused.execution_id for refused in cancelled.refused] == ["nobody"]
    rows = await audit(database)
    assert {row[2] for row in rows if row[:2] == ("bob", "execution.cancel")} == set(queued[:2])
    assert rows[-1] == ("bob", "executions.cancel", "by ids", {"matched": 3, "done": 2})

    rerun = await client.bulk("rerun", filters=ExecutionFilters(status=ExecutionStatus.CANCELLED))
    assert (rerun.matched, rerun.done) == (2, 2)
    await pin(database, queued[0])
    dry = await client.bulk("delete", filters=ExecutionFilters(pipeline_id=pipeline_id), dry_run=True)
    deleted = await client.bulk("delete", filters=ExecutionFilters(pipeline_id=pipeline_id), actor="bob")
    assert dry.refused == deleted.refused
    assert [refused.execution_id for refused in deleted.refused] == [queued[0]]
    assert (deleted.matched, deleted.done) == (2, 1)
    assert (await audit(database))[-1] == ("bob", "executions.delete", "by filter", {"matched": 2, "done": 1})
    assert len((await client.executions()).items) == 5
