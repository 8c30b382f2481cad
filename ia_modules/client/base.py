"""What all verbs share: the database, the tracker, the runner, and how a pipeline or an execution is found."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ia_modules.client.blocking import Blocking
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    ExecutionNotFound,
    PipelineArchived,
    PipelineNotFound,
    PipelineNotRunnable,
    PipelineVersionNotFound,
    refuse_on_loop,
)
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionSummary,
    Json,
    PipelineRecord,
    PipelineVersionRecord,
)
from ia_modules.payload import check_id, check_name, encode
from ia_modules.pipeline.admission import is_usable
from ia_modules.pipeline.allowed_code import AllowedCode, allowed_code
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.capture import CaptureRules
from ia_modules.pipeline.code import LoadedPipeline, load_version
from ia_modules.pipeline.executor import StepExecutor
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner, read_pipeline_file
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.audit import EXECUTION_START, audit_row, done_with_key
from ia_modules.tracker.deletion import Deletion
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.failures import Failures
from ia_modules.tracker.usage import UsageReader
from ia_modules.transitions import Deed

PipelineSource = str | Path | Flow | LoadedPipeline
"""A pipeline: slug or id of a registered one, the path of a file, or one made in Python."""


class ClientBase:
    """What the verbs work with, over one database."""

    def __init__(
        self,
        database: DatabaseManager | str,
        *,
        tracker: ExecutionTracker | None = None,
        services: ServiceRegistry | None = None,
        executor: StepExecutor | None = None,
        allowed: AllowedCode | None = None,
        capture: CaptureRules | None = None,
        actor: str = "program",
    ) -> None:
        """``async with`` this.

        Args:
            database: a URL, whose schema is brought up to date; or a manager, which the caller opens and closes.
            tracker: over the same database; the caller closes it. None: the client has its own.
            services: what steps find under ``self.services`` when they run here; None: the tracker alone.
            allowed: the code that stored versions may use; None: what
                :func:`ia_modules.pipeline.allowed_code.allowed_code` finds in the environment.
            capture: what goes on record of the own logging and printing of steps that run here; None: as the
                environment says.
            actor: in whose name the audit log keeps what is done where a call names nobody.
        """
        self._owned = AsyncExitStack()
        self._own_database, self._own_tracker = isinstance(database, str), tracker is None
        self._database = DatabaseManager(database) if isinstance(database, str) else database
        self.tracker = ExecutionTracker(self._database) if tracker is None else tracker
        services = services or ServiceRegistry({TRACKER_SERVICE: self.tracker})
        self._runner = Runner(self.tracker, services=services, executor=executor, capture=capture)
        self._allowed = allowed_code() if allowed is None else allowed
        self._actor = actor
        self._deletion = Deletion(self._database, self.tracker.live)
        self._failures = Failures(self._database)
        self._usage = UsageReader(self._database)

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

    def __enter__(self) -> Blocking:
        """Open it for code without an event loop: its verbs without ``await``, on a loop in a thread of their own.

        Raises:
            BlockingCallOnLoop: an event loop runs here; use ``async with``.
            DatabaseError: as :meth:`__aenter__`.
        """
        refuse_on_loop("with Client(...)", "async with Client(...)")
        try:
            if self._own_database:
                self._database.initialize_sync()
            if self._own_tracker:
                self.tracker.call(self._owned.enter_async_context(self.tracker))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return Blocking(self, "client", self.tracker.call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.tracker.call(self._owned.aclose())
        if self._own_database:
            self._database.close_sync()

    @property
    def actor(self) -> str:
        """In whose name the audit log keeps what is done where a call names nobody."""
        return self._actor

    async def pipeline(self, slug_or_id: str) -> PipelineRecord:
        """Raises PipelineNotFound."""
        record = await self.tracker.get_pipeline(slug_or_id)
        if record is None:
            raise PipelineNotFound(slug_or_id)
        return record

    async def version(self, slug_or_id: str, version: int | None = None) -> PipelineVersionRecord:
        """A version of a pipeline; None: the current one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
        """
        return await self._version(await self.pipeline(slug_or_id), version)

    def is_usable(self, stored: PipelineVersionRecord) -> bool:
        """Whether a process that may use the same code as this client finds the version's. Nothing is imported."""
        return is_usable(stored, self._allowed)

    async def execution(self, execution_id: str) -> ExecutionRecord:
        """One execution, with what went in and what came out. Raises ExecutionNotFound."""
        record = await self.tracker.get_execution(execution_id)
        if record is None:
            raise ExecutionNotFound(execution_id)
        return record

    async def summary(self, execution_id: str) -> ExecutionSummary:
        """The same without payloads. Raises ExecutionNotFound."""
        summary = await self.tracker.get_execution_summary(execution_id)
        if summary is None:
            raise ExecutionNotFound(execution_id)
        return summary

    async def _audit(
        self, actor: str | None, action: str, subject: str, detail: Json = None, *, starts: ExecutionId | None = None
    ) -> None:
        """Keep on record who did what; ``starts``: an execution that was begun by it, which then says by whom."""
        actor = actor or self._actor
        row = audit_row(self._database.query, actor, action, subject, detail)
        if starts is None:
            await self._database.execute_many_async(row.sql, row.rows)
        else:
            start = audit_row(self._database.query, actor, EXECUTION_START, starts)
            await self._database.execute_many_async(row.sql, [*row.rows, *start.rows])

    def _deed(self, actor: str | None, action: str, detail: Json = None) -> Deed:
        """The same for what has the row written with it, in one transaction.

        Raises:
            PayloadError: the actor's name is empty or cannot be stored.
        """
        return Deed(
            actor=check_name(actor or self._actor, "name of the actor"),
            action=action,
            detail=None if detail is None else encode(detail, "detail of an audit row"),
        )

    async def _is_done(self, action: str, subject: str, idempotency_key: str | None) -> bool:
        """Whether the request of this key has done it before; None: it has no key."""
        return await self._done(action, subject, idempotency_key) is not None

    async def _done(self, action: str, subject: str, idempotency_key: str | None) -> dict[str, Any] | None:
        """What is on record of the request of this key; None: it has not done it before, or has no key."""
        if idempotency_key is None:
            return None
        key = check_id(idempotency_key, "idempotency key")
        return await self._database.read(done_with_key(self._database.query, action, subject, key))

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

    async def _load(self, stored: PipelineVersionRecord) -> LoadedPipeline:
        return await asyncio.to_thread(load_version, stored, allowed=self._allowed)


async def code_of(pipeline: Path | Flow | LoadedPipeline) -> LoadedPipeline:
    """The pipeline with its code; raises PipelineDefinitionError where that is not there or not right."""
    if isinstance(pipeline, Path):
        return await read_pipeline_file(pipeline)
    return _with_code(pipeline)


def _with_code(pipeline: Flow | LoadedPipeline) -> LoadedPipeline:
    return pipeline.load() if isinstance(pipeline, Flow) else pipeline
