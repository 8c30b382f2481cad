"""The front door: every verb of the product, once. API routes, the command line and programs are thin over it.

    async with Client("sqlite:///ia_modules.db") as client:
        result = await client.run(Path("pipelines/nightly.json"), {"day": "2026-11-24"})
        queued = await client.queue("nightly", {"day": "2026-11-25"})
        record = await client.wait(queued.execution_id)

A pipeline in a call is a ``PipelineSource``: slug or id of a registered one, the path of a file, a flow, or one that
is loaded. An execution is named by its id, or by the one that its caller gave it (``alias``). ``actor`` is who does it,
for the audit log; None: the client's own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    AlreadyAnswered,
    AlreadyFinished,
    AlreadyResumed,
    CodeNotFound,
    ExecutionNotFound,
    FailureGroupNotFound,
    InteractionNotFound,
    InvalidAnswer,
    InvalidTransition,
    PipelineArchived,
    PipelineNotFound,
    PipelineNotRunnable,
    PipelineVersionNotFound,
    SlugMismatch,
)
from ia_modules.models import (
    Changes,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    InteractionRecord,
    Json,
    LogRecord,
    PipelineRecord,
    PipelineSummary,
    PipelineVersionRecord,
    StepExecutionRecord,
)
from ia_modules.payload import content_hash, encode, is_storable_id
from ia_modules.pipeline.admission import admit, is_usable
from ia_modules.pipeline.allowed_code import AllowedCode, allowed_code
from ia_modules.pipeline.answers import is_repeat, problems_of_answer, refuse_unlike
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline, load_version
from ia_modules.pipeline.comparing.comparison import Comparison, compare
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.executor import StepExecutor
from ia_modules.pipeline.inputs import input_schema_of, prepare_input
from ia_modules.pipeline.loader import Loaded
from ia_modules.pipeline.repeating import Repeat
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner, StartedExecution, read_pipeline_file
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.start import register_loaded
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.audit import audit_row, last_deed
from ia_modules.tracker.bulk import (
    BULK_LIMIT,
    AnsweredEach,
    BulkAction,
    BulkResult,
    RefusedAnswer,
    change_each,
    find_suited,
)
from ia_modules.tracker.comparing import last_good, read_both
from ia_modules.tracker.deletion import Deletion
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.export import every_line, export_execution
from ia_modules.tracker.failures import FailurePage, Failures, FailureState, FailureSummary
from ia_modules.tracker.inbox import InteractionFilters, InteractionPage
from ia_modules.tracker.lists import ExecutionFilters, ExecutionPage, ExecutionStatistics, LogFilters, LogPage
from ia_modules.tracker.queue import Queued, enqueue, find_queued, put_back
from ia_modules.tracker.rerunning import RerunFrom, plan_rerun, queue_rerun

PipelineSource = str | Path | Flow | LoadedPipeline
"""A pipeline: slug or id of a registered one, the path of a file, or one made in Python."""


class Client:
    """The verbs of the product over one database. Use it from the tasks of one event loop."""

    def __init__(
        self,
        database: DatabaseManager | str,
        *,
        tracker: ExecutionTracker | None = None,
        services: ServiceRegistry | None = None,
        executor: StepExecutor | None = None,
        allowed: AllowedCode | None = None,
        actor: str = "program",
    ) -> None:
        """``async with`` this.

        Args:
            database: a URL, whose schema is brought up to date; or a manager, which the caller opens and closes.
            tracker: over the same database; the caller closes it. None: the client has its own.
            services: what steps find under ``self.services`` when they run here; None: the tracker alone.
            allowed: the code that stored versions may use; None: what
                :func:`ia_modules.pipeline.allowed_code.allowed_code` finds in the environment.
            actor: in whose name the audit log keeps what is done where a call names nobody.
        """
        self._owned = AsyncExitStack()
        self._own_database, self._own_tracker = isinstance(database, str), tracker is None
        self._database = DatabaseManager(database) if isinstance(database, str) else database
        self.tracker = ExecutionTracker(self._database) if tracker is None else tracker
        services = services or ServiceRegistry({TRACKER_SERVICE: self.tracker})
        self._runner = Runner(self.tracker, services=services, executor=executor)
        self._allowed = allowed_code() if allowed is None else allowed
        self._actor = actor
        self._deletion = Deletion(self._database, self.tracker.live)
        self._failures = Failures(self._database)

    async def __aenter__(self) -> Self:
        """Open what the client owns.

        Raises:
            DatabaseError: the database cannot be reached, or its schema needs another program.
        """
        if self._own_database:
            await self._owned.enter_async_context(self._database)
        if self._own_tracker:
            await self._owned.enter_async_context(self.tracker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._owned.aclose()

    # Pipelines

    async def register(
        self,
        pipeline: Path | Flow | LoadedPipeline | Mapping[str, Any],
        *,
        new_version: bool = False,
        version_of: str | None = None,
        base_version: int | None = None,
        actor: str | None = None,
    ) -> PipelineVersionRecord:
        """Store a definition and make it the current one; an archived pipeline is active again.

        A mapping is a document from outside, checked as :meth:`check` does. Files and flows are local code.

        Args:
            new_version: its slug may stand for another definition; this becomes the next version.
            version_of: slug or id of the pipeline that it is a version of; implies ``new_version``.
            base_version: store nothing unless this is the current version; None: do not look.

        Raises:
            PipelineDefinitionError: it is wrong, or its code is not there or may not be used; with every problem.
            PipelineConflict: the slug has another definition, and this was not said to be a new version.
            PipelineNotFound, SlugMismatch: ``version_of`` is no pipeline, or not this one.
            StaleVersion: ``base_version`` is not the current version.
        """
        before = None if version_of is None else await self.pipeline(version_of)
        definition, folder = await self._read(pipeline, before)
        if before is not None and definition.slug != before.slug:
            raise SlugMismatch(before.slug, definition.slug)
        registered = await self.tracker.register_version(
            definition.slug,
            definition.name,
            definition.to_json(),
            description=definition.description or "",
            source_folder=None if folder is None else str(folder),
            new_version=new_version or before is not None,
            base_version=base_version,
        )
        await self._deletion.set_active(await self.pipeline(registered.pipeline_id), is_active=True)
        await self._audit(actor, "pipeline.create" if before is None else "pipeline.update", registered.pipeline_id)
        return await self.version(registered.pipeline_id, registered.version)

    async def check(self, document: Any, *, version_of: str | None = None) -> Loaded:
        """What a document from outside means, and what it is warned of; its steps may only use allowed modules.

        Args:
            version_of: slug or id of a pipeline; modules beside the file of its current version may be used too.

        Raises:
            PipelineDefinitionError: it could not be stored; with everything that is wrong.
            PipelineNotFound
        """
        before = None if version_of is None else await self.pipeline(version_of)
        return (await self._admitted(document, before))[0]

    async def archive(self, pipeline: str, *, actor: str | None = None) -> None:
        """Let a pipeline start no more executions; its history stays. Storing a version makes it active again.

        Raises:
            PipelineNotFound
        """
        record = await self.pipeline(pipeline)
        await self._deletion.set_active(record, is_active=False)
        await self._audit(actor, "pipeline.archive", record.id)

    async def unarchive(self, pipeline: str, *, actor: str | None = None) -> None:
        """Let an archived pipeline start executions again, with the version that was current.

        Raises:
            PipelineNotFound
        """
        record = await self.pipeline(pipeline)
        await self._deletion.set_active(record, is_active=True)
        await self._audit(actor, "pipeline.unarchive", record.id)

    async def delete_pipeline(
        self, pipeline: str, *, with_history: bool = False, dry_run: bool = False, actor: str | None = None
    ) -> int:
        """Delete a pipeline with its versions; returns how many executions are deleted with it.

        Args:
            with_history: its executions may be deleted too. They are in parts; what breaks off leaves an archived
                pipeline, and is called again.
            dry_run: delete nothing, only count.

        Raises:
            PipelineNotFound
            PipelineInUse: executions of it have not ended, or are pinned.
            PipelineHasHistory: it has executions, without ``with_history``.
        """
        record = await self.pipeline(pipeline)
        if dry_run:
            return await self._deletion.check_pipeline(record, with_history=with_history)
        return await self._deletion.delete_pipeline(record, with_history=with_history, actor=actor or self._actor)

    async def pipeline(self, slug_or_id: str) -> PipelineRecord:
        """Raises PipelineNotFound."""
        record = await self.tracker.get_pipeline(slug_or_id)
        if record is None:
            raise PipelineNotFound(slug_or_id)
        return record

    async def pipelines(self) -> list[PipelineSummary]:
        """All pipelines with their newest executions, by slug."""
        return await self.tracker.list_pipelines()

    async def version(self, slug_or_id: str, version: int | None = None) -> PipelineVersionRecord:
        """A version of a pipeline; None: the current one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
        """
        return await self._version(await self.pipeline(slug_or_id), version)

    def is_usable(self, stored: PipelineVersionRecord) -> bool:
        """Whether a process that may use the same code as this client finds the version's. Nothing is imported."""
        return is_usable(stored, self._allowed)

    async def input_schema(self, slug_or_id: str, version: int | None = None) -> dict[str, Any]:
        """The JSON Schema of a version's input; None: of the current one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            PipelineDefinitionError: what is stored is no definition.
        """
        return input_schema_of(definition_of(await self.version(slug_or_id, version)))

    # Executions: begin

    async def start(
        self,
        pipeline: PipelineSource,
        input_data: Mapping[str, Any] | None = None,
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
        input_data: Mapping[str, Any] | None = None,
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
        input_data: Mapping[str, Any] | None = None,
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
            loaded = await _loaded(pipeline)
            prepare_input(loaded.definition, input_data)
            await self._refuse_archived(loaded)
            registered = await register_loaded(self.tracker, loaded, new_version=new_version)
            pipeline, version = registered.pipeline_id, registered.version
        request_hash: str | None = None
        if idempotency_key is not None:
            record = await self.pipeline(pipeline)
            request = encode([version or 0, dict(input_data or {})], f"input of pipeline {record.slug!r}")
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
            await self._audit(actor, "execution.start", queued.execution_id)
        return queued

    async def rerun(
        self,
        execution_id: str,
        *,
        input_data: Mapping[str, Any] | None = None,
        begin: RerunFrom | None = None,
        version: int | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> ExecutionId:
        """Queue an execution once more, whole or from a step; returns the new one's id. The old one stays as it is.

        From a step, the step runs that do not depend on it are copied, with their results and people's answers.

        Args:
            input_data: of a whole one, instead of the one that it had; None: that one.
            begin: from where, and what is changed there; None: all of it runs.
            version: of its pipeline; None: the one that it ran.
            idempotency_key: names the request: sent twice, it is queued once.

        Raises:
            ExecutionNotFound, PipelineVersionNotFound, PipelineArchived
            PipelineNotRunnable: no definition of it is on record.
            PipelineInputError: the input is not what the parameters ask for.
            InvalidArgument: no such step run is on record, or an input is given beside a step.
            RerunRefused: what would be copied does not fit the version; says what, and from which step it would.
            StepInputError, StepOutputError: what is to stand in a step's place is not what its schema says.
            IdempotencyConflict: the key stands for another request.
        """
        record, began_with, stored = await self._to_rerun(execution_id, version)
        actor = actor or self._actor
        queued = await queue_rerun(
            self.tracker,
            record,
            began_with,
            stored,
            input_data=input_data,
            begin=begin,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        if queued.created:
            await self._audit(actor, "execution.rerun", record.execution_id, begin and begin.summary)
        return queued.execution_id

    async def plan_rerun(self, execution_id: str, begin: RerunFrom, *, version: int | None = None) -> Repeat:
        """What :meth:`rerun` from a step would copy and run again; raises as that, and records nothing."""
        record, began_with, stored = await self._to_rerun(execution_id, version)
        return await plan_rerun(self.tracker, record, began_with, stored, begin)

    async def resume(
        self, execution_id: str, *, pipeline: Path | Flow | LoadedPipeline | None = None
    ) -> StartedExecution:
        """Claim an execution that failed, was cancelled or was left behind; ``await started.to_end()`` goes on with it.

        Completed steps are not run again.

        Args:
            pipeline: the definition that it began with, from elsewhere; None: as it is stored.

        Raises:
            ExecutionNotFound
            PipelineNotRunnable: no definition of it is on record.
            InvalidArgument: ``pipeline`` is another definition; nothing has changed.
            PipelineDefinitionError: its code is not there or may not be used.
            AlreadyFinished: it has completed.
        """
        record = await self.execution(execution_id)
        if record.pipeline_version is None:
            raise PipelineNotRunnable(record.pipeline_name)
        if pipeline is None:
            loaded = await self._load(await self.version(record.pipeline_id, record.pipeline_version))
        else:
            loaded = await _loaded(pipeline)
        return await self._runner.resume(loaded, record.execution_id)

    # Executions: look

    async def execution(self, execution_id: str) -> ExecutionRecord:
        """One execution, with what went in and what came out. Raises ExecutionNotFound."""
        record = await self.tracker.get_execution(execution_id)
        if record is None:
            raise ExecutionNotFound(execution_id)
        return record

    async def result(self, execution_id: str) -> dict[str, Any]:
        """What :meth:`run` returns of it, as far as it has come. Raises ExecutionNotFound."""
        return await self._runner.result((await self.summary(execution_id)).execution_id)

    async def summary(self, execution_id: str) -> ExecutionSummary:
        """The same without payloads. Raises ExecutionNotFound."""
        summary = await self.tracker.get_execution_summary(execution_id)
        if summary is None:
            raise ExecutionNotFound(execution_id)
        return summary

    async def executions(
        self, filters: ExecutionFilters | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> ExecutionPage:
        """A page of executions, newest first; as :meth:`ExecutionReader.list_executions`."""
        return await self.tracker.list_executions(filters, cursor, limit)

    async def statistics(self, filters: ExecutionFilters | None = None) -> ExecutionStatistics:
        """How many executions of each status there are, and how the newest went."""
        return await self.tracker.get_execution_statistics(filters)

    async def steps(self, execution_id: str) -> list[StepExecutionRecord]:
        """All attempts of an execution's steps, in the order in which they began. Raises ExecutionNotFound."""
        summary = await self.summary(execution_id)
        return await self.tracker.get_execution_steps(summary.execution_id)

    async def logs(self, execution_id: str, filters: LogFilters | None = None) -> AsyncGenerator[LogRecord]:
        """All log lines that there are now, oldest first. Raises ExecutionNotFound."""
        summary = await self.summary(execution_id)
        async for line in every_line(self.tracker, summary.execution_id, filters):
            yield line

    async def log_page(
        self, execution_id: str, filters: LogFilters | None = None, *, cursor: str | None = None, limit: int = 200
    ) -> LogPage:
        """A page of log lines, oldest first; ``cursor`` is a page's ``next_cursor``. Raises ExecutionNotFound."""
        summary = await self.summary(execution_id)
        return await self.tracker.list_logs(summary.execution_id, filters, cursor, limit)

    async def export(self, execution_id: str) -> AsyncIterator[bytes]:
        """Everything on record about an execution as one JSON document, in parts.

        Raises:
            ExecutionNotFound: at once, before the first part is asked for.
        """
        summary = await self.summary(execution_id)
        return export_execution(self._database, summary.execution_id)

    async def compare(self, a: str, b: str | None = None) -> Comparison:
        """Two executions beside each other: what differs in each run, and where they first went different ways.

        They may be of two pipelines, and may still run; the answer says so.

        Args:
            b: None: the last good one: the newest of the same pipeline that was made before ``a`` and completed.

        Raises:
            ExecutionNotFound
            NothingToCompareWith: there is no last good one.
        """
        other = (await last_good(self.tracker, a)).execution_id if b is None else b
        both, now = await read_both(self._database, a, other)
        return await asyncio.to_thread(compare, *both, now=now)

    async def follow(self, execution_id: str, after: int = 0, *, to_rest: bool = False) -> AsyncGenerator[Changes]:
        """What came after a sequence, then what comes, until the execution has ended.

        Args:
            to_rest: ends also when it waits for a person.

        Raises:
            ExecutionNotFound
        """
        summary = await self.summary(execution_id)
        if _is_over(summary.status, to_rest=to_rest) and summary.sequence <= after:
            return
        async with aclosing(self.tracker.subscribe(summary.execution_id, after)) as pages:
            async for changes in pages:
                yield changes
                if _is_over(changes.execution.status, to_rest=to_rest) and not changes.more:
                    return

    async def wait(self, execution_id: str, *, timeout_seconds: float | None = None) -> ExecutionRecord:
        """Wait until an execution has ended or waits for a person, whoever runs it; as it stands then.

        Raises:
            ExecutionNotFound
            TimeoutError: it took longer; it goes on.
        """
        async with asyncio.timeout(timeout_seconds):
            return await self.tracker.wait(execution_id)

    # Executions: change

    async def cancel(self, execution_id: str, *, actor: str | None = None) -> ExecutionSummary:
        """Ask for an execution to be stopped, whoever runs it; what nobody runs is cancelled at once.

        Raises:
            ExecutionNotFound, AlreadyFinished
        """
        summary = await self.summary(execution_id)
        await self.tracker.request_cancel(summary.execution_id)
        await self._audit(actor, "execution.cancel", summary.execution_id)
        return await self.summary(summary.execution_id)

    async def requeue(
        self, execution_id: str, *, reason: str | None = None, actor: str | None = None
    ) -> ExecutionSummary:
        """Let workers go on with an execution that failed or was cancelled, from where it stopped.

        Completed steps are not run again; what had failed gets all its attempts anew. One that its own program ran
        becomes the workers'. To go on in this process: :meth:`resume`.

        Args:
            reason: why, for the audit log.

        Raises:
            ExecutionNotFound
            PipelineNotRunnable: no definition of it is on record.
            CodeNotFound: this program would not find its code, so workers beside it would not either.
            StepConflict: its steps do not follow from its definition.
            AlreadyFinished: it has completed.
            AlreadyResumed: it has not ended; says who resumed it.
        """
        record = await self.execution(execution_id)
        if record.pipeline_version is None:
            raise PipelineNotRunnable(record.pipeline_name)
        stored = await self.version(record.pipeline_id, record.pipeline_version)
        if not self.is_usable(stored):
            raise CodeNotFound(record.pipeline_name, stored.version, execution_id=record.execution_id)
        try:
            await put_back(self.tracker, record, stored)
        except InvalidTransition as goes_on:
            deed = await last_deed(self._database, "execution.resume", record.execution_id)
            by, resumed_at = deed or (None, None)
            raise AlreadyResumed(
                record.execution_id, status=goes_on.status, actor=by, resumed_at=resumed_at
            ) from goes_on
        detail: Json = {"was": record.status.value, "reason": reason}
        await self._audit(actor, "execution.resume", record.execution_id, detail)
        return await self.summary(record.execution_id)

    # Questions to people

    async def interactions(
        self, filters: InteractionFilters | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> InteractionPage:
        """A page of questions to people, newest first; as :meth:`ExecutionReader.list_interactions`."""
        return await self.tracker.list_interactions(filters, cursor, limit)

    async def interaction(self, interaction_id: str) -> InteractionRecord:
        """One question, with what led to it and what was answered. Raises InteractionNotFound."""
        question = await self.tracker.get_interaction(interaction_id)
        if question is None:
            raise InteractionNotFound(interaction_id)
        return question

    async def answer(
        self,
        interaction_id: str,
        response: Json,
        *,
        actor: str | None = None,
        role: str | None = None,
        verified: bool = False,
    ) -> ExecutionId:
        """Keep a person's answer; an execution that waited for people only goes on when that decides it.

        It is checked before anything is stored. The same answer by the same person again changes nothing, also when the
        question is not open any more. Another one, while it is, is kept beside the first, and counts.

        Args:
            actor: who answers; None: the client's own, where the question is assigned to nobody and takes one answer.
            role: which role they have; None: not known, and not held against what the question is assigned to.
            verified: the name is that of a key; otherwise it is on record as not verified.

        Returns:
            The id of its execution.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; says who answered, and when.
            InvalidAnswer: it is not what the question asks for, or not from one who may answer.
            PayloadError: the answer is not JSON.
        """
        question = await self.interaction(interaction_id)
        if question.status == "pending" and (
            problems := problems_of_answer(question, response, actor=actor, role=role)
        ):
            raise InvalidAnswer(interaction_id, problems)
        try:
            execution_id = await self.tracker.answer_interaction(
                interaction_id, response, actor=actor or self._actor, verified=verified
            )
        except AlreadyAnswered as late:
            raise await self._with_time(late) from None
        if not is_repeat(question, response, actor=actor or self._actor):
            await self._audit(actor, "interaction.answer", interaction_id)
        return execution_id

    async def answer_each(
        self,
        interaction_ids: Iterable[str],
        response: Json,
        *,
        actor: str | None = None,
        role: str | None = None,
        verified: bool = False,
    ) -> AnsweredEach:
        """Give the same answer to many questions that are alike, each by itself.

        Args:
            interaction_ids: of the same pipeline, version, step and schema.
            actor, role, verified: as in :meth:`answer`.

        Returns:
            How many have it, and those that were left: answered meanwhile, or assigned to others.

        Raises:
            InteractionNotFound, QuestionsDiffer, InvalidAnswer: nothing was stored.
            DatabaseError: it went away in between; what was answered is on record.
        """
        ids = list(dict.fromkeys(interaction_ids))
        questions = [await self.interaction(interaction_id) for interaction_id in ids]
        refuse_unlike(questions)
        for question in questions:
            problems = problems_of_answer(question, response, actor=actor, role=role)
            if of_all := [problem for problem in problems if actor is None or problem.where != "actor"]:
                raise InvalidAnswer(question.interaction_id, of_all)
        refused: list[RefusedAnswer] = []
        for interaction_id in ids:
            try:
                await self.answer(interaction_id, response, actor=actor, role=role, verified=verified)
            except (AlreadyAnswered, InvalidAnswer) as error:
                late = error if isinstance(error, AlreadyAnswered) else None
                refused.append(
                    RefusedAnswer(
                        interaction_id=interaction_id,
                        reason=str(error),
                        actor=late and late.actor,
                        closed_at=late and late.closed_at,
                    )
                )
        return AnsweredEach(done=len(ids) - len(refused), refused=refused)

    async def assign(self, interaction_id: str, users: Iterable[str], *, actor: str | None = None) -> InteractionRecord:
        """Let others answer a question, by name; nobody: it is assigned to nobody by name. Returns it as it is then.

        What was answered stays, and where that is enough now, it is decided.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; says who answered, and when.
            TooFewUsers: they could never decide it.
            PayloadError: a name cannot be stored.
        """
        names = list(users)
        try:
            await self.tracker.assign_interaction(interaction_id, names, actor=actor or self._actor)
        except AlreadyAnswered as late:
            raise await self._with_time(late) from None
        await self._audit(actor, "interaction.assign", interaction_id, {"assigned_users": names})
        return await self.interaction(interaction_id)

    async def _with_time(self, late: AlreadyAnswered) -> AlreadyAnswered:
        """The error with the time, which is not known where both came at once."""
        if late.closed_at is not None:
            return late
        question = await self.interaction(late.interaction_id)
        return AlreadyAnswered(
            late.interaction_id, status=question.status, actor=question.actor, closed_at=question.completed_at
        )

    # Executions: many

    async def delete(self, execution_id: str, *, actor: str | None = None) -> None:
        """Delete an execution that has ended, with its steps, log lines and questions.

        Raises:
            ExecutionNotFound
            ExecutionKept: it has not ended, or is pinned.
        """
        await self._deletion.delete_execution(execution_id, actor=actor or self._actor)

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

    # Failures

    async def failures(
        self,
        *,
        pipeline: str | None = None,
        since: datetime | timedelta | None = None,
        state: FailureState | None = None,
        limit: int = 50,
    ) -> FailurePage:
        """What failed alike since a time, in groups; the one that failed last comes first.

        Args:
            pipeline: slug or id; None: of all.
            since: a time, or how long ago by the database's clock; None: seven days.
            state: only these; None: all.
            limit: 1 to 200.

        Raises:
            PipelineNotFound
            InvalidArgument: the limit is out of range.
            ReadTooLong: there are too many to be counted in time.
        """
        pipeline_id = None if pipeline is None else (await self.pipeline(pipeline)).id
        return await self._failures.page(pipeline_id=pipeline_id, since=since, state=state, limit=limit)

    async def failure(self, failure_id: str, *, since: datetime | timedelta | None = None) -> FailureSummary:
        """One group of failures, counted since a time.

        Args:
            failure_id: the pipeline's slug or id, a full stop, and the ``failure_group`` of an execution.
            since: as in :meth:`failures`.

        Raises:
            FailureGroupNotFound
            ReadTooLong: there are too many to be counted in time.
        """
        pipeline, failure_group = await self._failure_group(failure_id)
        found = await self._failures.group(pipeline.id, failure_group, since=since)
        if found is None:
            raise FailureGroupNotFound(failure_id)
        return found

    async def mute_failure(self, failure_id: str, *, actor: str | None = None) -> None:
        """Say that a group of failures is known and needs nobody, until :meth:`unmute_failure`.

        Raises:
            FailureGroupNotFound
        """
        await self._mark_failure(failure_id, "muted", None, actor)

    async def unmute_failure(self, failure_id: str, *, actor: str | None = None) -> None:
        """Say that a group of failures is open, whatever was said of it before.

        Raises:
            FailureGroupNotFound
        """
        await self._mark_failure(failure_id, "open", None, actor)

    async def mend_failure(self, failure_id: str, version: int, *, actor: str | None = None) -> None:
        """Say that a version mends a group of failures: it is open again when that or a later one fails so after this.

        Raises:
            FailureGroupNotFound, PipelineVersionNotFound
        """
        pipeline, _ = await self._failure_group(failure_id)
        await self._version(pipeline, version)
        await self._mark_failure(failure_id, "mended", version, actor)

    # What the verbs share

    async def _failure_group(self, failure_id: str) -> tuple[PipelineRecord, str]:
        """The pipeline and the group that an id names."""
        slug, _, failure_group = failure_id.rpartition(".")
        pipeline = await self.tracker.get_pipeline(slug) if slug else None
        if pipeline is None or not is_storable_id(failure_group):
            raise FailureGroupNotFound(failure_id)
        return pipeline, failure_group

    async def _mark_failure(self, failure_id: str, state: FailureState, version: int | None, actor: str | None) -> None:
        pipeline, failure_group = await self._failure_group(failure_id)
        await self._failures.mark(pipeline.id, failure_group, state, version=version, actor=actor or self._actor)

    async def _audit(self, actor: str | None, action: str, subject: str, detail: Json = None) -> None:
        row = audit_row(self._database.query, actor or self._actor, action, subject, detail)
        await self._database.execute_many_async(row.sql, row.rows)

    async def _read(
        self, pipeline: Path | Flow | LoadedPipeline | Mapping[str, Any], before: PipelineRecord | None
    ) -> tuple[PipelineDefinition, Path | None]:
        if isinstance(pipeline, Mapping):
            document = dict(pipeline)
            named = document if before is None else {"slug": before.slug, **document}
            admitted, folder = await self._admitted(named, before)
            return admitted.definition, folder
        loaded = await _loaded(pipeline)
        return loaded.definition, loaded.folder

    async def _admitted(self, document: Any, before: PipelineRecord | None) -> tuple[Loaded, Path | None]:
        """The definition, and the folder whose modules it may use: that of the version before."""
        current = None if before is None else await self.tracker.get_pipeline_version(before.id)
        folder = None if current is None else self._allowed.folder_of(current)
        return await asyncio.to_thread(admit, document, folder=folder, allowed=self._allowed.modules), folder

    async def _version(self, pipeline: PipelineRecord, version: int | None) -> PipelineVersionRecord:
        stored = await self.tracker.get_pipeline_version(pipeline.id, version)
        if stored is None:
            raise PipelineVersionNotFound(pipeline.slug, version)
        return stored

    async def _runnable(self, slug_or_id: str, version: int | None) -> PipelineVersionRecord:
        """The version to run; of an archived pipeline, and of one without a definition, there is none."""
        pipeline = await self.pipeline(slug_or_id)
        if not pipeline.is_active:
            raise PipelineArchived(pipeline.slug)
        if pipeline.current_version is None:
            raise PipelineNotRunnable(pipeline.slug)
        return await self._version(pipeline, version)

    async def _to_start(
        self, pipeline: PipelineSource, version: int | None
    ) -> tuple[LoadedPipeline, PipelineVersionRecord | None]:
        """What a source runs, and the version that it is on record as; None: it is to be registered."""
        if isinstance(pipeline, str):
            stored = await self._runnable(pipeline, version)
            return await self._load(stored), stored
        loaded = await _loaded(pipeline)
        await self._refuse_archived(loaded)
        return loaded, None

    async def _refuse_archived(self, loaded: LoadedPipeline) -> None:
        known = await self.tracker.get_pipeline(loaded.definition.slug)
        if known is not None and not known.is_active:
            raise PipelineArchived(known.slug)

    async def _load(self, stored: PipelineVersionRecord) -> LoadedPipeline:
        return await asyncio.to_thread(load_version, stored, allowed=self._allowed)

    async def _to_rerun(
        self, execution_id: str, version: int | None = None
    ) -> tuple[ExecutionRecord, PipelineVersionRecord, PipelineVersionRecord]:
        """An execution, the version that it ran, and the one that is to run; None: the same."""
        record = await self.execution(execution_id)
        if record.pipeline_version is None or not isinstance(record.input_data, dict | None):
            raise PipelineNotRunnable(record.pipeline_name)
        began_with = await self._runnable(record.pipeline_id, record.pipeline_version)
        return record, began_with, await self._runnable(record.pipeline_id, version) if version else began_with

    async def _check_rerun(self, execution_id: str) -> None:
        """Raise what :meth:`rerun` would, and queue nothing."""
        record, _, stored = await self._to_rerun(execution_id)
        prepare_input(definition_of(stored), _input_of(record))

    async def _check_cancel(self, execution_id: str) -> None:
        """Raise what :meth:`cancel` would, and stop nothing."""
        summary = await self.summary(execution_id)
        if summary.status.is_terminal:
            status, ended_at = summary.status, summary.completed_at
            raise AlreadyFinished(
                "execution", summary.execution_id, status=status, wanted="cancelled", ended_at=ended_at
            )


async def _loaded(pipeline: Path | Flow | LoadedPipeline) -> LoadedPipeline:
    return await read_pipeline_file(pipeline) if isinstance(pipeline, Path) else _with_code(pipeline)


def _input_of(record: ExecutionRecord) -> dict[str, Any] | None:
    return cast("dict[str, Any] | None", record.input_data)


def _with_code(pipeline: Flow | LoadedPipeline) -> LoadedPipeline:
    return pipeline.load() if isinstance(pipeline, Flow) else pipeline


def _is_over(status: ExecutionStatus, *, to_rest: bool) -> bool:
    return status.is_at_rest if to_rest else status.is_terminal
