"""All verbs in one class, and those over many executions."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ia_modules.client.beginning import BeginningVerbs
from ia_modules.client.executions import ExecutionVerbs
from ia_modules.client.failures import FailureVerbs
from ia_modules.client.pipelines import PipelineVerbs
from ia_modules.client.questions import QuestionVerbs
from ia_modules.client.run_files import RunFileVerbs
from ia_modules.client.second_chances import SecondChanceVerbs
from ia_modules.errors import AlreadyRepeated, PipelineArchived
from ia_modules.models import VersionOrigin
from ia_modules.pipeline.ahead import Ahead, StepAhead
from ia_modules.pipeline.inputs import InputData, prepare_input
from ia_modules.tracker.bulk import (
    BULK_LIMIT,
    BulkAction,
    BulkResult,
    LeftOut,
    change_each,
    choose,
    find_repeated,
    key_of_each,
    left_out_of,
    steps_of_many,
    token_over,
)
from ia_modules.tracker.lists import ExecutionFilters
from ia_modules.tracker.queue import Queued
from ia_modules.tracker.rerunning import RerunFrom


class Client(
    RunFileVerbs, PipelineVerbs, BeginningVerbs, SecondChanceVerbs, ExecutionVerbs, QuestionVerbs, FailureVerbs
):
    """The verbs of the product over one database. Use it from the tasks of one event loop."""

    async def run_once(
        self,
        document: Mapping[str, Any],
        input_data: InputData | None = None,
        *,
        version_of: str,
        note: str | None = None,
        origin: VersionOrigin = "program",
        trigger: str = "program",
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> Queued:
        """Store a document as a version that is not made current, and queue one execution of that.

        It is checked as :meth:`check` does, and nothing is stored where it or the input is wrong. The first version of
        a pipeline is current whatever made it.

        Args:
            version_of: slug or id of the pipeline.

        Raises:
            PipelineNotFound, PipelineArchived
            PipelineDefinitionError, SlugMismatch: as :meth:`register`.
            PipelineInputError: the input is not what the document's parameters ask for.
            IdempotencyConflict: the key stands for another request.
        """
        pipeline = await self.pipeline(version_of)
        if not pipeline.is_active:
            raise PipelineArchived(pipeline.slug)
        checked = await self.check({"slug": pipeline.slug, **document}, version_of=pipeline.id)
        prepare_input(checked.definition, input_data)
        stored = await self.register(
            document, version_of=pipeline.id, make_current=False, note=note, origin=origin, actor=actor
        )
        return await self.queue(
            pipeline.id,
            input_data,
            version=stored.version,
            trigger=trigger,
            idempotency_key=idempotency_key,
            actor=actor,
        )

    async def bulk(
        self,
        action: BulkAction,
        execution_ids: list[str] | None = None,
        *,
        filters: ExecutionFilters | None = None,
        token: str | None = None,
        skip: int = 0,
        limit: int = BULK_LIMIT,
        input_data: Mapping[str, Any] | None = None,
        begin: RerunFrom | None = None,
        version: int | None = None,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> BulkResult:
        """Cancel, resume, re-run or delete many executions, each by itself: those named, or those that are found.

        Of those that filters find, only what has not ended is cancelled, only what failed or was cancelled is resumed,
        and only what has ended is re-run or deleted. One that has a re-run under way or completed, or whose re-run is
        among those to run again, is left out of a re-run that does not name it. Each change leaves its row in the audit
        log, and all together leave one with their counts.

        Args:
            execution_ids: those to change; or else ``filters`` or ``token``.
            filters: the newest ``limit`` that they find.
            token: of a dry run with filters: those that it found, and no others; ``limit`` of them after the first
                ``skip``, so that many can be changed in parts, with the same key.
            input_data, begin, version: of a re-run, as :meth:`rerun` takes them, the same for each.
            reason: of cancelling and resuming, for the audit log.
            dry_run: change nothing, only count, say which would be refused, and what would run.
            idempotency_key: names the request: each execution has a key made of it and of its id, so that what was sent
                twice, or broke off and is sent again, cancels, resumes and starts nothing twice.

        Raises:
            InvalidArgument: the token is none of a dry run of this action.
            DatabaseError: it went away in between; what had been changed is on record, the rest was left.
        """
        chosen = await choose(
            self.tracker, action, execution_ids=execution_ids, filters=filters, token=token, skip=skip, limit=limit
        )
        once = chosen.named != "by ids"
        again = {"input_data": input_data, "begin": begin, "version": version}
        verbs: Mapping[BulkAction, tuple[Callable[..., Any], Callable[[str], Any]]] = {
            "cancel": (partial(self.cancel, reason=reason), self._check_cancel),
            "resume": (partial(self.requeue, reason=reason), self._check_resume),
            "rerun": (partial(self.rerun, **again, unless_repeated=once), partial(self.plan_rerun, **again)),
            "delete": (self.delete, self._deletion.check_execution),
        }
        change, look = verbs[action]
        left_out: list[LeftOut] = []
        if action == "rerun" and once:
            left_out = await find_repeated(self._database, chosen.ids, idempotency_key=idempotency_key)
        steps: list[tuple[StepAhead, ...]] = []

        async def look_at(execution_id: str) -> None:
            ahead = await look(execution_id)
            if isinstance(ahead, Ahead):
                steps.append(ahead.steps)

        async def change_one(execution_id: str) -> None:
            key: dict[str, str] = {}
            if idempotency_key is not None and action != "delete":
                row_id = (await self.summary(execution_id)).execution_id
                key["idempotency_key"] = key_of_each(idempotency_key, row_id)
            try:
                await change(execution_id, actor=actor, **key)
            except AlreadyRepeated as repeated:  # since it was looked for
                left_out.append(left_out_of(repeated))

        others = {each.execution_id for each in left_out}
        ids = [each for each in chosen.ids if each not in others]
        refused = await change_each(ids, look_at if dry_run else change_one)
        result = BulkResult(
            matched=len(chosen.ids),
            matched_capped=chosen.more,
            done=0 if dry_run else len(chosen.ids) - len(left_out) - len(refused),
            refused=refused,
            left_out=left_out,
            token=token_over(action, chosen.ids) if dry_run and chosen.named == "by filter" else None,
            steps=steps_of_many(steps),
        )
        if not dry_run:
            counts: dict[str, Any] = {"matched": result.matched, "done": result.done}
            counts |= {"left_out": len(left_out)} if left_out else {}
            await self._audit(actor, f"executions.{action}", chosen.named, counts)
        return result
