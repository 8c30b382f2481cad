"""The verbs that give an execution a second chance: go on where it stopped, or once more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ia_modules.client.base import ClientBase, code_of
from ia_modules.errors import (
    AlreadyFinished,
    AlreadyResumed,
    CodeNotFound,
    InvalidTransition,
    PipelineNotRunnable,
)
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    PipelineVersionRecord,
)
from ia_modules.pipeline.ahead import Ahead
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.runner import StartedExecution
from ia_modules.tracker.audit import deed_detail, last_deed
from ia_modules.tracker.queue import find_queued, put_back, resume_ahead
from ia_modules.tracker.rerunning import RerunFrom, queue_rerun, request_hash, rerun_ahead


class SecondChanceVerbs(ClientBase):
    """Resume executions and run them again."""

    async def resume(
        self,
        execution_id: str,
        *,
        pipeline: Path | Flow | LoadedPipeline | None = None,
        give_up_remote: bool = False,
    ) -> StartedExecution:
        """Claim an execution that failed, was cancelled or was left behind; ``await started.to_end()`` goes on with it.

        Completed steps are not run again.

        Args:
            pipeline: the definition that it began with, from elsewhere; None: as it is stored.
            give_up_remote: attempts that run on a Ray cluster are lost, and made again; nothing stops their code there.

        Raises:
            ExecutionNotFound
            RunsElsewhere: an attempt runs on a Ray cluster that this process is not joined to; nothing has changed.
            PipelineNotRunnable: no definition of it is on record.
            InvalidArgument: ``pipeline`` is another definition; nothing has changed.
            PipelineDefinitionError: its code is not there or may not be used.
            AlreadyFinished: it has completed.
            ExecutionIsCopy: it came from a run file.
        """
        record = await self.execution(execution_id)
        if record.pipeline_version is None:
            raise PipelineNotRunnable(record.pipeline_name)
        if pipeline is None:
            loaded = await self._load(await self.version(record.pipeline_id, record.pipeline_version))
        else:
            loaded = await code_of(pipeline)
        return await self._runner.resume(loaded, record.execution_id, give_up_remote=give_up_remote)

    async def requeue(
        self,
        execution_id: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> ExecutionSummary:
        """Let workers go on with an execution that failed or was cancelled, from where it stopped.

        Completed steps are not run again; what had failed gets all its attempts anew. One that its own program ran
        becomes the workers'. To go on in this process: :meth:`resume`.

        Args:
            reason: why, for the audit log.
            idempotency_key: names the request: sent again, it resumes nothing twice and is no error, whatever has
                become of the execution since.

        Raises:
            ExecutionNotFound
            PipelineNotRunnable: no definition of it is on record.
            CodeNotFound: this program would not find its code, so workers beside it would not either.
            StepConflict: its steps do not follow from its definition.
            AlreadyFinished: it has completed.
            AlreadyResumed: it has not ended; says who resumed it.
            ExecutionIsCopy: it came from a run file.
        """
        record = await self.execution(execution_id)
        if await self._is_done("execution.resume", record.execution_id, idempotency_key):
            return await self.summary(record.execution_id)
        stored = await self._to_resume(record)
        detail = {"was": record.status.value, "reason": reason, **deed_detail(None, idempotency_key)}
        deed = self._deed(actor, "execution.resume", detail)
        try:
            await put_back(self.tracker, record, stored, deed=deed)
        except InvalidTransition as goes_on:
            if not await self._is_done("execution.resume", record.execution_id, idempotency_key):
                raise await self._already_resumed(record.execution_id, goes_on.status) from goes_on
        return await self.summary(record.execution_id)

    async def rerun(
        self,
        execution_id: str,
        *,
        input_data: Mapping[str, Any] | None = None,
        begin: RerunFrom | None = None,
        version: int | None = None,
        unless_repeated: bool = False,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> ExecutionId:
        """Queue an execution once more, whole or from a step; returns the new one's id. The old one stays as it is.

        From a step, the step runs that do not depend on it are copied, with their results and people's answers; of a
        step with a map the items that have completed, too, where only the failed ones are to run (``RerunFrom.items``).

        Args:
            input_data: of a whole one, instead of the one that it had; None: that one.
            begin: from where, and what is changed there; None: all of it runs.
            version: of its pipeline; None: the one that it ran.
            unless_repeated: not where a re-run of it, or of one of its re-runs, goes on or has completed; of requests
                at the same moment one queues it.
            idempotency_key: names the request: sent twice, it is queued once.

        Raises:
            ExecutionNotFound, PipelineVersionNotFound, PipelineArchived
            PipelineNotRunnable: no definition of it is on record.
            PipelineInputError: the input is not what the parameters ask for.
            InvalidArgument: no such step run is on record, an input is given beside a step, or of the items of the step
                none has failed, or none can be kept.
            RerunRefused: what would be copied does not fit the version; says what, and from which step it would.
            StepInputError, StepOutputError: what is to stand in a step's place is not what its schema says.
            IdempotencyConflict: the key stands for another request.
            AlreadyRepeated: ``unless_repeated``, and it is.
        """
        if idempotency_key is not None:  # whatever has become of the pipeline since
            record = await self.execution(execution_id)
            wanted = request_hash(record, version or record.pipeline_version or 0, input_data, begin)
            known = await find_queued(self.tracker, record.pipeline_id, idempotency_key, wanted)
            if known is not None:
                return known.execution_id
        record, began_with, stored = await self._to_rerun(execution_id, version)
        actor = actor or self._actor
        queued = await queue_rerun(
            self.tracker,
            record,
            began_with,
            stored,
            input_data=input_data,
            begin=begin,
            unless_repeated=unless_repeated,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        if queued.created:
            summary, starts = begin and begin.summary, queued.execution_id
            await self._audit(actor, "execution.rerun", record.execution_id, summary, starts=starts)
        return queued.execution_id

    async def plan_rerun(
        self,
        execution_id: str,
        *,
        input_data: Mapping[str, Any] | None = None,
        begin: RerunFrom | None = None,
        version: int | None = None,
    ) -> Ahead:
        """What :meth:`rerun` would keep, ask again and run; raises as that, and records nothing."""
        record, began_with, stored = await self._to_rerun(execution_id, version)
        return await rerun_ahead(self.tracker, record, began_with, stored, input_data=input_data, begin=begin)

    async def plan_resume(self, execution_id: str) -> Ahead:
        """What an execution would run when it goes on; of one that has not ended, as if its process were gone.

        Raises:
            ExecutionNotFound
            PipelineNotRunnable: no definition of it is on record.
            StepConflict: its steps do not follow from its definition.
            AlreadyFinished: it has completed.
        """
        record = await self.execution(execution_id)
        if record.pipeline_version is None:
            raise PipelineNotRunnable(record.pipeline_name)
        if record.status is ExecutionStatus.COMPLETED:
            raise AlreadyFinished(
                "execution",
                record.execution_id,
                status=record.status,
                wanted="resumed",
                ended_at=record.completed_at,
            )
        stored = await self.version(record.pipeline_id, record.pipeline_version)
        return await resume_ahead(self.tracker, record, stored)

    async def _to_rerun(
        self, execution_id: str, version: int | None = None
    ) -> tuple[ExecutionRecord, PipelineVersionRecord, PipelineVersionRecord]:
        """An execution, the version that it ran, and the one that is to run; None: the same."""
        record = await self.execution(execution_id)
        if record.pipeline_version is None or not isinstance(record.input_data, dict | None):
            raise PipelineNotRunnable(record.pipeline_name)
        began_with = await self._runnable(record.pipeline_id, record.pipeline_version)
        return record, began_with, await self._runnable(record.pipeline_id, version) if version else began_with

    async def _to_resume(self, record: ExecutionRecord) -> PipelineVersionRecord:
        """The version that a worker goes on with."""
        if record.pipeline_version is None:
            raise PipelineNotRunnable(record.pipeline_name)
        stored = await self.version(record.pipeline_id, record.pipeline_version)
        if not self.is_usable(stored):
            raise CodeNotFound(record.pipeline_name, stored.version, execution_id=record.execution_id)
        return stored

    async def _already_resumed(self, execution_id: ExecutionId, status: str) -> AlreadyResumed:
        by, resumed_at = await last_deed(self._database, "execution.resume", execution_id) or (None, None)
        return AlreadyResumed(execution_id, status=status, actor=by, resumed_at=resumed_at)

    async def _check_resume(self, execution_id: str) -> Ahead:
        """Raise what :meth:`requeue` would, and put nothing back; what it would run."""
        record = await self.execution(execution_id)
        plan = await self.plan_resume(execution_id)
        await self._to_resume(record)
        if not record.status.is_terminal:
            raise await self._already_resumed(record.execution_id, record.status)
        return plan
