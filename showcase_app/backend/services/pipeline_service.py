"""Pipelines: stored, read, started. Executions are queued and read back through the tracker; none are kept here."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    ConstraintViolated,
    ExecutionNotFound,
    PipelineArchived,
    PipelineConflict,
    PipelineDefinitionError,
    PipelineInUse,
    PipelineNotFound,
    PipelineNotRunnable,
    PipelineVersionNotFound,
    SlugMismatch,
)
from ia_modules.models import ExecutionId, ExecutionSummary, JsonText, PipelineId, PipelineRecord, PipelineVersionRecord
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.inputs import prepare_input
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import COUNT_CAP
from ia_modules.worker.queue import enqueue
from showcase_app.backend.services.definitions import checked, nodes_of, parsed, ways_of
from showcase_app.backend.services.pipeline_views import (
    GraphView,
    PipelinePage,
    PipelineView,
    VersionPage,
    read_overviews,
    read_versions,
    read_view,
)
from showcase_app.backend.services.refusals import PipelineExists

_DELETED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is wrong with a definition."""

    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class Validation:
    """Whether a definition could be stored, and everything that is wrong with it."""

    valid: bool
    problems: list[Told]
    warnings: tuple[Told, ...] = ()


class PipelineService:
    def __init__(self, database: DatabaseManager, tracker: ExecutionTracker, *, allowed: tuple[str, ...]) -> None:
        """Work over a database and its tracker.

        Args:
            allowed: patterns of the module names that definitions from the API may use (``trust.allowed_modules``).
        """
        self._database = database
        self._tracker = tracker
        self._allowed = allowed

    async def list_pipelines(
        self, *, search: str | None, archived: bool, cursor: str | None, limit: int
    ) -> PipelinePage:
        """Pipelines by slug, with how each did lately."""
        return await read_overviews(self._database, search=search, archived=archived, cursor=cursor, limit=limit)

    async def get(self, slug_or_id: str, *, version: int | None = None) -> PipelineView:
        """A pipeline with one of its definitions, None = the current one if there is one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
        """
        pipeline = await self._pipeline(slug_or_id)
        stored = await self._tracker.get_pipeline_version(pipeline.id, version)
        if stored is None and version is not None:
            raise PipelineVersionNotFound(pipeline.slug, version)
        return await read_view(self._database, pipeline, stored)

    async def create(self, document: dict[str, Any]) -> PipelineView:
        """Store a pipeline. The definition that it has already changes nothing; an archived pipeline is active again.

        Raises:
            PipelineExists: its slug stands for another definition.
            PipelineDefinitionError: it is wrong, or its code is not there or may not be used.
        """
        definition = await self._checked(document, None)
        try:
            return await self._store(definition, None, new_version=False)
        except PipelineConflict as conflict:
            raise PipelineExists(conflict.slug, conflict.current_version) from None

    async def update(self, slug_or_id: str, document: dict[str, Any], *, base_version: int | None) -> PipelineView:
        """Store a version; modules beside the file of the version before may still be used.

        Raises:
            PipelineNotFound
            StaleVersion: ``base_version`` is not the current one.
            SlugMismatch: the definition is one of another pipeline.
            PipelineDefinitionError: as for :meth:`create`.
        """
        pipeline = await self._pipeline(slug_or_id)
        current = await self._tracker.get_pipeline_version(pipeline.id)
        folder = None if current is None else current.source_folder
        definition = await self._checked({"slug": pipeline.slug, **document}, folder)
        if definition.slug != pipeline.slug:
            raise SlugMismatch(pipeline.slug, definition.slug)
        return await self._store(definition, folder, new_version=True, base_version=base_version)

    async def archive(self, slug_or_id: str) -> PipelineId:
        """Let it start no more executions; its history stays. Returns its id.

        Raises:
            PipelineNotFound
        """
        pipeline = await self._pipeline(slug_or_id)
        await self._set_active(pipeline, is_active=False)
        return pipeline.id

    async def delete(self, slug_or_id: str) -> PipelineId:
        """Delete it with all its executions, archived first. Returns the id that it had.

        It works in parts, so that nobody waits for it who writes. What ends it on the way, such as the end of the
        server, leaves an archived pipeline with the rest of its history: deleting it again goes on.

        Raises:
            PipelineNotFound
            PipelineInUse: executions of it have not ended.
        """
        pipeline = await self._pipeline(slug_or_id)
        query, asked = self._database.query, {"pipeline_id": pipeline.id, "limit": _DELETED_AT_ONCE}
        if active := await self._active(pipeline):
            raise PipelineInUse(pipeline.slug, active=active)
        await self._set_active(pipeline, is_active=False)  # so that nothing is started meanwhile
        while gone := await self._database.fetch_all_async(query("delete_ended_executions"), asked):
            self._tracker.live.committed(row["execution_id"] for row in gone)
        try:
            await self._database.execute_async(query("delete_pipeline"), asked)
        except ConstraintViolated:
            raise PipelineInUse(pipeline.slug, active=await self._active(pipeline)) from None
        return pipeline.id

    async def list_versions(self, slug_or_id: str, *, before: int | None, limit: int) -> VersionPage:
        """The definitions that it has had, newest first.

        Raises:
            PipelineNotFound
        """
        return await read_versions(self._database, await self._pipeline(slug_or_id), before=before, limit=limit)

    async def graph(self, slug_or_id: str, *, version: int | None = None) -> GraphView:
        """The steps of a version, and the ways between them.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            PipelineDefinitionError: what is stored is no definition.
        """
        pipeline = await self._pipeline(slug_or_id)
        stored = await self._version(pipeline, version)
        graph = Graph(parsed(stored))
        return GraphView(
            pipeline_id=pipeline.id,
            version=stored.version,
            start_at=graph.definition.flow.start_at,
            nodes=nodes_of(graph),
            edges=ways_of(graph),
        )

    async def validate(self, document: Any, *, slug_or_id: str | None) -> Validation:
        """Everything that would keep a definition from being stored: as a new pipeline, or as a version of one.

        Raises:
            PipelineNotFound
        """
        current = None
        if slug_or_id is not None:
            current = await self._tracker.get_pipeline_version((await self._pipeline(slug_or_id)).id)
        try:
            await self._checked(document, None if current is None else current.source_folder)
        except PipelineDefinitionError as wrong:
            problems = [Told(each.where, str(each).removeprefix(f"{each.where}: ")) for each in wrong.problems]
            return Validation(valid=False, problems=problems)
        return Validation(valid=True, problems=[])

    async def start(
        self,
        slug_or_id: str,
        input_data: dict[str, Any],
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
    ) -> ExecutionSummary:
        """Queue an execution; the same request with the same key gives the execution that it gave before.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            PipelineArchived, PipelineNotRunnable
            PipelineInputError: the input is not what the parameters ask for.
            IdempotencyConflict: the key stands for another request.
        """
        pipeline = await self._pipeline(slug_or_id)
        given = encode(input_data, f"input of pipeline {pipeline.slug!r}")
        request_hash = content_hash(JsonText(f"[{version or 0},{given}]"))
        if idempotency_key is not None:  # whatever has become of the pipeline since
            known = await self._tracker.find_request(pipeline.id, idempotency_key)
            if known is not None and known[1] == request_hash:
                return await self.get_execution_from_db(known[0])
        if not pipeline.is_active:
            raise PipelineArchived(pipeline.slug)
        if pipeline.current_version is None:
            raise PipelineNotRunnable(pipeline.slug)
        stored = await self._version(pipeline, version)
        queued = await enqueue(
            self._tracker,
            stored,
            input_data,
            trigger="api",
            idempotency_key=idempotency_key,
            request_hash=request_hash if idempotency_key is not None else None,
        )
        return await self.get_execution_from_db(queued.execution_id)

    async def rerun(self, execution_id: str) -> ExecutionSummary:
        """Queue an execution of the same version with the same input.

        Raises:
            ExecutionNotFound, PipelineArchived
            PipelineNotRunnable: no definition of it is on record.
        """
        stored, given = await self._to_rerun(execution_id)
        queued = await enqueue(self._tracker, stored, given, trigger="rerun", rerun_of=ExecutionId(execution_id))
        return await self.get_execution_from_db(queued.execution_id)

    async def check_rerun(self, execution_id: str) -> None:
        """Raise what :meth:`rerun` would, and queue nothing."""
        stored, given = await self._to_rerun(execution_id)
        prepare_input(parsed(stored), given)

    async def _to_rerun(self, execution_id: str) -> tuple[PipelineVersionRecord, dict[str, Any] | None]:
        """The version and the input of an execution."""
        record = await self._tracker.get_execution(execution_id)
        if record is None:
            raise ExecutionNotFound(execution_id)
        pipeline = await self._pipeline(record.pipeline_id)
        if not pipeline.is_active:
            raise PipelineArchived(pipeline.slug)
        if record.pipeline_version is None or not isinstance(record.input_data, dict | None):
            raise PipelineNotRunnable(pipeline.slug)
        return await self._version(pipeline, record.pipeline_version), record.input_data

    async def get_execution_from_db(self, execution_id: str) -> ExecutionSummary:
        """The execution as it stands now.

        Raises:
            ExecutionNotFound
        """
        summary = await self._tracker.get_execution_summary(ExecutionId(execution_id))
        if summary is None:
            raise ExecutionNotFound(execution_id)
        return summary

    async def _checked(self, document: Any, folder: str | None) -> PipelineDefinition:
        return await asyncio.to_thread(
            checked, document, folder=None if folder is None else Path(folder), allowed=self._allowed
        )

    async def _store(
        self,
        definition: PipelineDefinition,
        folder: str | None,
        *,
        new_version: bool,
        base_version: int | None = None,
    ) -> PipelineView:
        registered = await self._tracker.register_version(
            definition.slug,
            definition.name,
            definition.to_json(),
            description=definition.description or "",
            source_folder=folder,
            new_version=new_version,
            base_version=base_version,
        )
        pipeline = await self._pipeline(registered.pipeline_id)
        await self._set_active(pipeline, is_active=True)
        return await self.get(pipeline.id)

    async def _pipeline(self, slug_or_id: str) -> PipelineRecord:
        pipeline = await self._tracker.get_pipeline(slug_or_id)
        if pipeline is None:
            raise PipelineNotFound(slug_or_id)
        return pipeline

    async def _version(self, pipeline: PipelineRecord, version: int | None) -> PipelineVersionRecord:
        stored = await self._tracker.get_pipeline_version(pipeline.id, version)
        if stored is None:
            raise PipelineVersionNotFound(pipeline.slug, version)
        return stored

    async def _set_active(self, pipeline: PipelineRecord, *, is_active: bool) -> None:
        change = {"pipeline_id": pipeline.id, "is_active": is_active}
        await self._database.execute_async(self._database.query("set_pipeline_active"), change)

    async def _active(self, pipeline: PipelineRecord) -> int:
        asked = {"pipeline_id": pipeline.id, "limit": COUNT_CAP}
        row = await self._database.fetch_one_async(self._database.query("count_active_of_pipeline"), asked)
        return 0 if row is None else row["active"]
