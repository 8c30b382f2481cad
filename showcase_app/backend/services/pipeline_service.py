"""Pipelines over HTTP: what the pages show of them, and storing what comes from outside."""

import asyncio
from collections.abc import Iterable
from typing import Any

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError, PipelineConflict, PipelineDefinitionError, Problem
from ia_modules.models import VersionOrigin
from ia_modules.pipeline.inputs import input_schema_of
from ia_modules.pipeline.loader import examine
from showcase_app.backend.schemas.pipelines import (
    AllowedCodeOut,
    CurrentVersionRequest,
    DefinitionProblem,
    GraphOut,
    NewVersionRequest,
    OfferedModuleOut,
    PipelineDetail,
    PipelinePageOut,
    PipelineVersionPageOut,
    ValidationOut,
)
from showcase_app.backend.services.pipeline_views import (
    defaults_of,
    drawn,
    graph_of,
    read_overviews,
    read_versions,
    read_view,
)


class PipelineExists(IAModulesError):
    """The slug stands for another definition already; says what to do about it over HTTP."""

    def __init__(self, slug: str, current_version: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} exists with another definition (version {current_version}). "
            f"Store this one as its next version with PUT /api/pipelines/{slug}, or choose another slug."
        )
        self.slug, self.current_version = slug, current_version


class PipelineService:
    def __init__(self, database: DatabaseManager, client: Client) -> None:
        self._database, self._client = database, client

    async def list_pipelines(
        self, *, search: str | None, archived: bool, cursor: str | None, limit: int
    ) -> PipelinePageOut:
        """Pipelines by slug, with how each did lately."""
        return await read_overviews(
            self._database, self._client.is_usable, search=search, archived=archived, cursor=cursor, limit=limit
        )

    async def get(self, slug_or_id: str, *, version: int | None = None) -> PipelineDetail:
        """A pipeline with one of its definitions, None = the current one if there is one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
        """
        pipeline = await self._client.pipeline(slug_or_id)
        has_version = version is not None or pipeline.current_version is not None
        stored = await self._client.version(pipeline.id, version) if has_version else None
        return await read_view(self._database, self._client.is_usable, pipeline, stored)

    async def create(
        self,
        document: dict[str, Any],
        *,
        note: str | None,
        origin: VersionOrigin,
        idempotency_key: str | None,
        actor: str,
    ) -> PipelineDetail:
        """Store a pipeline; the definition that it has already changes nothing.

        Raises:
            PipelineExists: its slug stands for another definition.
            PipelineDefinitionError: it is wrong, or its code is not there or may not be used.
        """
        try:
            stored = await self._client.register(
                document, note=note, origin=origin, idempotency_key=idempotency_key, actor=actor
            )
        except PipelineConflict as conflict:
            raise PipelineExists(conflict.slug, conflict.current_version) from None
        return await self.get(stored.pipeline_id)

    async def update(
        self,
        slug_or_id: str,
        request: NewVersionRequest,
        *,
        origin: VersionOrigin,
        idempotency_key: str | None,
        actor: str,
    ) -> PipelineDetail:
        """Store a version, and show that; raises as :meth:`Client.register`."""
        stored = await self._client.register(
            request.definition,
            version_of=slug_or_id,
            base_version=request.base_version,
            stale_beside=request.if_stale == "beside",
            note=request.note,
            origin=origin,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        return await self.get(stored.pipeline_id, version=stored.version)

    async def make_current(
        self,
        slug_or_id: str,
        request: CurrentVersionRequest,
        *,
        origin: VersionOrigin,
        idempotency_key: str | None,
        actor: str,
    ) -> PipelineDetail:
        """Choose the current version; raises as :meth:`Client.make_current`."""
        chosen = await self._client.make_current(
            slug_or_id,
            request.version,
            base_version=request.base_version,
            origin=origin,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        return await self.get(chosen.pipeline_id)

    async def list_versions(self, slug_or_id: str, *, before: int | None, limit: int) -> PipelineVersionPageOut:
        """The definitions that it has had, newest first. Raises PipelineNotFound."""
        pipeline = await self._client.pipeline(slug_or_id)
        return await read_versions(self._database, pipeline, before=before, limit=limit)

    async def graph(self, slug_or_id: str, *, version: int | None = None) -> GraphOut:
        """The steps of a version, and the edges between them.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            PipelineDefinitionError: what is stored is no definition.
        """
        return graph_of(await self._client.version(slug_or_id, version))

    async def validate(self, document: Any, *, slug_or_id: str | None) -> ValidationOut:
        """Everything that would keep a definition from being stored: as a new pipeline, or as a version of one.

        Raises:
            PipelineNotFound
        """
        graph = await asyncio.to_thread(_graph_of, document)
        try:
            checked = await self._client.check(document, version_of=slug_or_id)
        except PipelineDefinitionError as wrong:
            problems = _problems(wrong.problems)
            return ValidationOut(
                valid=False, problems=problems, warnings=[], graph=graph, input_schema=None, default_input={}
            )
        return ValidationOut(
            valid=True,
            problems=[],
            warnings=_problems(checked.warnings),
            graph=graph,
            input_schema=input_schema_of(checked.definition),
            default_input=defaults_of(checked.definition),
        )

    async def allowed_code(self, slug_or_id: str | None) -> AllowedCodeOut:
        """The step code that a definition may name here; raises as :meth:`Client.offered_code`."""
        modules = await self._client.offered_code(version_of=slug_or_id)
        return AllowedCodeOut(
            patterns=list(self._client.allowed_modules),
            modules=[OfferedModuleOut.model_validate(each) for each in modules],
        )


def _graph_of(document: Any) -> GraphOut | None:
    """The graph of what is being written, also where it could not be stored yet; no code is imported."""
    definition = examine(document, strict=False).definition
    return None if definition is None else drawn(definition, pipeline_id="", version=0)


def _problems(problems: Iterable[Problem]) -> list[DefinitionProblem]:
    return [DefinitionProblem(path=each.where, detail=each.text) for each in problems]
