"""The verbs with which an execution begins."""

from datetime import datetime, timedelta
from typing import Any

from ia_modules.client.base import ClientBase, PipelineSource, code_of
from ia_modules.errors import (
    PipelineArchived,
)
from ia_modules.models import (
    Json,
    PipelineVersionRecord,
)
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.inputs import InputData, fields_of, prepare_input
from ia_modules.pipeline.runner import StartedExecution
from ia_modules.pipeline.start import register_loaded
from ia_modules.tracker.audit import EXECUTION_START
from ia_modules.tracker.queue import Queued, enqueue, find_queued


class BeginningVerbs(ClientBase):
    """Start, run and queue executions."""

    async def start(
        self,
        pipeline: PipelineSource,
        input_data: InputData | None = None,
        context: ExecutionContext | None = None,
        *,
        version: int | None = None,
        new_version: bool = False,
        resume: bool = False,
    ) -> StartedExecution:
        """Record that an execution begins in this process; ``await started.to_end()`` runs it.

        Args:
            version: of a registered pipeline; None: the current one.
            new_version: of a file: its slug may stand for another definition, as that of a flow always may.
            resume: where the context's ``execution_id`` stands for an execution that failed, was cancelled, or was left
                behind by a process whose lease has passed: go on with that one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound, PipelineArchived, PipelineNotRunnable
            PipelineDefinitionError: it is wrong, or its code is not there or may not be used.
            PipelineInputError: the input is not what the pipeline asks for; nothing was recorded.
            PipelineConflict: another definition is registered under this slug.
            ExecutionIdConflict: the context's ``execution_id`` stands for another pipeline, input or version.
            AlreadyStarted: it stands for an execution that is not to be gone on with here.
        """
        loaded, stored = await self._to_start(pipeline, version)
        return await self._runner.start(
            loaded,
            input_data,
            context,
            version=stored,
            new_version=new_version or isinstance(pipeline, Flow),
            resume=resume,
        )

    async def run(
        self,
        pipeline: PipelineSource,
        input_data: InputData | None = None,
        context: ExecutionContext | None = None,
        *,
        version: int | None = None,
        new_version: bool = False,
        resume: bool = False,
    ) -> dict[str, Any]:
        """Run a pipeline here to its end; returns ``{input, steps, output, execution_id, status}``.

        Where the context's ``execution_id`` stands for an execution already, it waits for that one, whoever runs it.

        Args:
            version, new_version, resume: as in :meth:`start`.

        Raises:
            StepError: a step failed; its own exception is the cause.
            ExecutionFailed, ExecutionCancelled: the one that it waited for did not complete.
            IAModulesError: as :meth:`start`, and :meth:`ia_modules.pipeline.runner.Runner.to_end`.
        """
        loaded, stored = await self._to_start(pipeline, version)
        return await self._runner.run(
            loaded,
            input_data,
            context,
            version=stored,
            new_version=new_version or isinstance(pipeline, Flow),
            resume=resume,
        )

    async def queue(
        self,
        pipeline: PipelineSource,
        input_data: InputData | None = None,
        *,
        version: int | None = None,
        new_version: bool = False,
        execution_id: str | None = None,
        trigger: str = "program",
        metadata: Json = None,
        priority: int = 0,
        run_at: datetime | timedelta | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> Queued:
        """Record an execution for a worker to run. A file or a flow is registered first.

        Args:
            execution_id: the caller's own id of it, as in :class:`ExecutionContext`: where it stands for an execution
                with the same input already, that one is returned, however it stands.
            priority: the highest is taken first; may be negative.
            run_at: it waits until this time, which has its zone, or so long from now, by the database's clock; None, or
                a time that has passed: a worker may take it at once.
            idempotency_key: names the request: the same request sent twice with one key is queued once, whatever has
                become of the pipeline since.

        Raises:
            PipelineNotFound, PipelineVersionNotFound, PipelineArchived, PipelineNotRunnable
            InvalidArgument: ``run_at`` has no zone or lies after the year 9999, or ``priority`` is no whole number of
                32 bits.
            PipelineInputError: the input is not what the parameters ask for; nothing was recorded.
            ExecutionIdConflict: the ``execution_id`` stands for another pipeline or input.
            IdempotencyConflict: the key stands for another request.
            PipelineDefinitionError, PipelineConflict: of a file or a flow, as :meth:`register`.
        """
        if not isinstance(pipeline, str):
            loaded = await code_of(pipeline)
            prepare_input(loaded.definition, input_data)
            await self._refuse_archived(loaded)
            registered = await register_loaded(self.tracker, loaded, new_version=new_version)
            pipeline, version = registered.pipeline_id, registered.version
        request_hash: str | None = None
        if idempotency_key is not None:
            record = await self.pipeline(pipeline)
            request = encode([version or 0, dict(fields_of(input_data))], f"input of pipeline {record.slug!r}")
            request_hash = content_hash(request)
            known = await find_queued(self.tracker, record.id, idempotency_key, request_hash)
            if known is not None:
                return known
        queued = await enqueue(
            self.tracker,
            await self._runnable(pipeline, version),
            input_data,
            alias=execution_id,
            trigger=trigger,
            metadata=metadata,
            priority=priority,
            run_at=run_at,
            idempotency_key=idempotency_key,
            request_hash=request_hash,
        )
        if queued.created:
            await self._audit(actor, EXECUTION_START, queued.execution_id)
        return queued

    async def _to_start(
        self, pipeline: PipelineSource, version: int | None
    ) -> tuple[LoadedPipeline, PipelineVersionRecord | None]:
        """What a source runs, and the version that it is on record as; None: it is to be registered."""
        if isinstance(pipeline, str):
            stored = await self._runnable(pipeline, version)
            return await self._load(stored), stored
        loaded = await code_of(pipeline)
        await self._refuse_archived(loaded)
        return loaded, None

    async def _refuse_archived(self, loaded: LoadedPipeline) -> None:
        known = await self.tracker.get_pipeline(loaded.definition.slug)
        if known is not None and not known.is_active:
            raise PipelineArchived(known.slug)
