"""All verbs in one class, and those over many executions."""

from collections.abc import Callable, Mapping
from typing import Any

from ia_modules.client.beginning import BeginningVerbs
from ia_modules.client.executions import ExecutionVerbs
from ia_modules.client.failures import FailureVerbs
from ia_modules.client.pipelines import PipelineVerbs
from ia_modules.client.questions import QuestionVerbs
from ia_modules.client.second_chances import SecondChanceVerbs
from ia_modules.models import (
    Json,
)
from ia_modules.tracker.bulk import (
    BULK_LIMIT,
    BulkAction,
    BulkResult,
    change_each,
    find_suited,
)
from ia_modules.tracker.lists import ExecutionFilters


class Client(PipelineVerbs, BeginningVerbs, SecondChanceVerbs, ExecutionVerbs, QuestionVerbs, FailureVerbs):
    """The verbs of the product over one database. Use it from the tasks of one event loop."""

    async def bulk(
        self,
        action: BulkAction,
        execution_ids: list[str] | None = None,
        *,
        filters: ExecutionFilters | None = None,
        limit: int = BULK_LIMIT,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> BulkResult:
        """Cancel, re-run or delete many executions, each by itself: those named, or the newest that filters find.

        Of those that filters find, only what has not ended is cancelled, and only what has ended is re-run or deleted.
        Each change leaves its row in the audit log, and all together leave one with their count.

        Args:
            dry_run: change nothing, only count and say which would be refused.

        Raises:
            DatabaseError: it went away in between; what had been changed is on record, the rest was left.
        """
        changes: Mapping[BulkAction, tuple[Callable[..., Any], Callable[[str], Any]]] = {
            "cancel": (self.cancel, self._check_cancel),
            "rerun": (self.rerun, self._check_rerun),
            "delete": (self.delete, self._deletion.check_execution),
        }
        change, check = changes[action]
        ids, more = list(dict.fromkeys(execution_ids or [])), False
        if filters is not None:
            ids, more = await find_suited(self.tracker, filters, ended=action != "cancel", limit=limit)
        if dry_run:
            refused = await change_each(ids, check)
            return BulkResult(matched=len(ids), matched_capped=more, done=0, refused=refused)
        refused = await change_each(ids, lambda execution_id: change(execution_id, actor=actor))
        result = BulkResult(matched=len(ids), matched_capped=more, done=len(ids) - len(refused), refused=refused)
        counts: Json = {"matched": result.matched, "done": result.done}
        await self._audit(actor, f"executions.{action}", "by ids" if filters is None else "by filter", counts)
        return result
