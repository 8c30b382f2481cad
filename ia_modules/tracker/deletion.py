"""Deleting: an execution that has ended, or a pipeline with its history, in parts, so that writers do not wait."""

from collections.abc import Callable
from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import ConstraintViolated, ExecutionKept, ExecutionNotFound, PipelineHasHistory, PipelineInUse
from ia_modules.live.wake_up import Live
from ia_modules.models import ExecutionId, PipelineRecord
from ia_modules.tracker.alias import row_id, rows_of
from ia_modules.tracker.audit import audit_row, deed_row, done_before
from ia_modules.transitions import Deed

_EXECUTIONS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes rows of one database, and leaves a row in the audit log in the transaction that deletes."""

    database: DatabaseManager
    live: Live

    async def delete_execution(self, execution_id: str, *, actor: str) -> None:
        """Delete an execution with its steps, log lines and questions.

        Raises:
            ExecutionNotFound
            ExecutionKept: it has not ended, or is pinned.
        """
        query = self.database.query

        def delete() -> Script[ExecutionId]:
            found = yield from row_id(query, execution_id)
            if not (yield Statement(query("delete_execution"), [{"execution_id": found}])):
                yield from _refuse(query, found)
                raise ExecutionNotFound(execution_id)
            yield audit_row(query, actor, "execution.delete", found)
            return found

        self.live.committed([await self.database.run(delete())])

    async def check_execution(self, execution_id: str) -> None:
        """Raise what :meth:`delete_execution` would, and delete nothing."""
        await self.database.read(_refuse(self.database.query, execution_id))

    async def check_pipeline(self, pipeline: PipelineRecord, *, with_history: bool) -> int:
        """How many executions would be deleted with a pipeline.

        Raises:
            PipelineInUse: some have not ended, or are pinned.
            PipelineHasHistory: there are some, and they are not to be deleted.
        """
        params = {"pipeline_id": pipeline.id}
        [history] = await self.database.fetch_all_async(self.database.query("count_history_of_pipeline"), params)
        if history["active"] or history["pinned"]:
            raise PipelineInUse(pipeline.slug, active=history["active"], pinned=history["pinned"])
        if history["executions"] and not with_history:
            raise PipelineHasHistory(pipeline.slug, history["executions"])
        return history["executions"]

    async def delete_pipeline(self, pipeline: PipelineRecord, *, with_history: bool, actor: str) -> int:
        """Delete a pipeline, archived first; returns how many executions went with it.

        A deletion that breaks off leaves an archived pipeline with the rest of its history: deleting it again goes on.

        Raises:
            PipelineInUse, PipelineHasHistory: as :meth:`check_pipeline`; also when an execution was started meanwhile.
        """
        await self.check_pipeline(pipeline, with_history=with_history)
        await self.set_active(pipeline, is_active=False)  # so that nothing is started meanwhile
        query, deleted = self.database.query, 0

        def delete_part() -> Script[list[ExecutionId]]:
            params = {"pipeline_id": pipeline.id, "limit": _EXECUTIONS_AT_ONCE}
            rows = yield Statement(query("delete_ended_executions"), [params])
            if rows:
                yield audit_row(query, actor, "executions.delete", pipeline.id, {"done": len(rows)})
            return [row["execution_id"] for row in rows]

        def delete_rest() -> Script[None]:
            yield Statement(query("delete_pipeline"), [{"pipeline_id": pipeline.id}])
            yield audit_row(
                query, actor, "pipeline.delete", pipeline.id, {"slug": pipeline.slug, "executions": deleted}
            )

        while with_history and (part := await self.database.run(delete_part())):
            deleted += len(part)
            self.live.committed(part)
        try:
            await self.database.run(delete_rest())
        except ConstraintViolated:
            await self.check_pipeline(pipeline, with_history=with_history)
            raise
        return deleted

    async def archive(self, pipeline: PipelineRecord, deed: Deed, *, is_active: bool = False) -> None:
        """Archive a pipeline, or make it active again, once for the key of a request.

        Args:
            deed: whose, for the audit log.
        """
        query, params = self.database.query, {"pipeline_id": pipeline.id, "is_active": is_active}

        def change() -> Script[None]:
            yield Statement(query("lock_pipeline_by_id"), [params])
            if (yield from done_before(query, deed, pipeline.id)) is None:
                yield Statement(query("set_pipeline_active"), [params])
                yield deed_row(query, deed, pipeline.id)

        await self.database.run(change())

    async def set_active(self, pipeline: PipelineRecord, *, is_active: bool) -> None:
        """The same without a word in the audit log: something else is on record, which does it."""
        params = {"pipeline_id": pipeline.id, "is_active": is_active}
        await self.database.execute_async(self.database.query("set_pipeline_active"), params)


def _refuse(query: Callable[[str], str], execution_id: str) -> Script[None]:
    rows = yield from rows_of(query, "read_deletable", {"execution_id": execution_id})
    if not rows:
        raise ExecutionNotFound(execution_id)
    [row] = rows
    if row["pinned"] or row["status"] not in ("completed", "failed", "cancelled"):
        raise ExecutionKept(execution_id, status=row["status"], pinned=bool(row["pinned"]))
