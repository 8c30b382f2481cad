"""The verbs for pipelines and their versions."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ia_modules.client.base import ClientBase, code_of
from ia_modules.errors import PipelineDefinitionError, SlugMismatch
from ia_modules.models import (
    PipelineRecord,
    PipelineSummary,
    PipelineVersionRecord,
    VersionOrigin,
)
from ia_modules.pipeline.admission import admit
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.inputs import input_schema_of
from ia_modules.pipeline.loader import Loaded
from ia_modules.pipeline.offered_code import OfferedModule, offered_code
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.audit import deed_detail
from ia_modules.tracker.offers import DefinitionOwner


class PipelineVerbs(ClientBase):
    """Register pipelines, look at them, archive and delete them."""

    async def register(
        self,
        pipeline: Path | Flow | LoadedPipeline | Mapping[str, Any],
        *,
        new_version: bool = False,
        version_of: str | None = None,
        base_version: int | None = None,
        stale_beside: bool = False,
        make_current: bool = True,
        origin: VersionOrigin = "program",
        note: str | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> PipelineVersionRecord:
        """Store a definition and make it the current one; an archived pipeline is active again.

        A mapping is a document from outside, checked as :meth:`check` does. Files and flows are local code.

        Args:
            new_version: its slug may stand for another definition; this becomes the next version.
            version_of: slug or id of the pipeline that it is a version of; implies ``new_version``.
            base_version: store nothing unless this is the current version; None: do not look.
            stale_beside: where it is not, store it all the same, beside the current one.
            make_current: False stores it as a version to run by its number; the current one, where there is one, stays.
            origin: where it comes from.
            note: what it is for; kept with a version that is new, as is who stored it.
            idempotency_key: names the request: sent again, it returns the version that it stored, and changes nothing,
                whatever has become of the pipeline since.

        Raises:
            PipelineDefinitionError: it is wrong, or its code is not there or may not be used; with every problem.
            PipelineConflict: the slug has another definition, and this was not said to be a new version.
            PipelineNotFound, SlugMismatch: ``version_of`` is no pipeline, or not this one.
            StaleVersion: ``base_version`` is not the current version, without ``stale_beside``.
        """
        before = None if version_of is None else await self.pipeline(version_of)
        action = "pipeline.create" if before is None else "pipeline.update"
        definition, folder = await self._read(pipeline, before)
        if before is not None and definition.slug != before.slug:
            raise SlugMismatch(before.slug, definition.slug)
        known = before or await self.tracker.get_pipeline(definition.slug)
        if known is not None and (done := await self._done(action, known.id, idempotency_key)) is not None:
            return await self._version(known, done["version"])
        registered = await self.tracker.register_version(
            definition.slug,
            definition.name,
            definition.to_json(),
            description=definition.description or "",
            source_folder=None if folder is None else str(folder),
            new_version=new_version or before is not None,
            base_version=base_version,
            stale_beside=stale_beside,
            make_current=make_current,
            origin=origin,
            author=actor or self.actor,
            note=note,
            deed=self._deed(actor, action, deed_detail(None, idempotency_key) or None),
        )
        if make_current:
            await self._deletion.set_active(await self.pipeline(registered.pipeline_id), is_active=True)
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

    async def offered_code(self, *, version_of: str | None = None) -> list[OfferedModule]:
        """The step code that a document from outside may name, as far as its source can be read here.

        Args:
            version_of: slug or id of a pipeline; modules beside the file of its current version count, too.

        Raises:
            PipelineNotFound
            PipelineDefinitionError: that folder may not be used here.
        """
        before = None if version_of is None else await self.pipeline(version_of)
        current = None if before is None else await self.tracker.get_pipeline_version(before.id)
        folder = None if current is None else self._allowed.folder_of(current)
        return await asyncio.to_thread(offered_code, folder, self._allowed.modules)

    @property
    def allowed_modules(self) -> tuple[str, ...]:
        """Patterns of the module names that a document from outside may name, besides those beside its file."""
        return self._allowed.modules

    async def make_current(
        self,
        pipeline: str,
        version: int,
        *,
        base_version: int | None = None,
        origin: VersionOrigin = "program",
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> PipelineVersionRecord:
        """Make a stored version the current one, or confirm that it is; what stood beside it is decided with that.

        Of a pipeline that a file owns this is an edit: its file is followed again where the version is what it holds.

        Args:
            pipeline: slug or id.
            base_version: change nothing unless this is the current version; None: do not look.
            idempotency_key: names the request: sent again, it changes nothing, whatever was chosen since.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            StaleVersion: ``base_version`` is not the current version.
        """
        record = await self.pipeline(pipeline)
        stored = await self._version(record, version)
        name, description = _named(stored, record.name)
        await self.tracker.choose_version(
            record,
            version,
            name=name,
            description=description,
            base_version=base_version,
            origin=origin,
            idempotency_key=idempotency_key,
            actor=actor or self.actor,
        )
        return stored

    async def versions(
        self, pipeline: str, *, before: int | None = None, limit: int = 50
    ) -> list[PipelineVersionRecord]:
        """The versions of a pipeline below ``before``, the newest first. Raises PipelineNotFound."""
        return await self.tracker.list_pipeline_versions((await self.pipeline(pipeline)).id, before=before, limit=limit)

    async def definition_owner(self, pipeline: str) -> DefinitionOwner:
        """Whether a file, a page or a program owns a pipeline's definition, and what is stored beside the current one.

        Raises:
            PipelineNotFound
        """
        return await self.tracker.definition_owner((await self.pipeline(pipeline)).id)

    async def archive(self, pipeline: str, *, idempotency_key: str | None = None, actor: str | None = None) -> None:
        """Let a pipeline start no more executions; its history stays. Storing a version makes it active again.

        Args:
            idempotency_key: names the request: sent again, it changes nothing, whatever has become of it since.

        Raises:
            PipelineNotFound
        """
        deed = self._deed(actor, "pipeline.archive", deed_detail(None, idempotency_key) or None)
        await self._deletion.archive(await self.pipeline(pipeline), deed)

    async def unarchive(self, pipeline: str, *, idempotency_key: str | None = None, actor: str | None = None) -> None:
        """Let an archived pipeline start executions again, with the version that was current.

        Args:
            idempotency_key: as in :meth:`archive`.

        Raises:
            PipelineNotFound
        """
        deed = self._deed(actor, "pipeline.unarchive", deed_detail(None, idempotency_key) or None)
        await self._deletion.archive(await self.pipeline(pipeline), deed, is_active=True)

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

    async def pipelines(self) -> list[PipelineSummary]:
        """All pipelines with their newest executions, by slug."""
        return await self.tracker.list_pipelines()

    async def input_schema(self, slug_or_id: str, version: int | None = None) -> dict[str, Any]:
        """The JSON Schema of a version's input; None: of the current one.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            PipelineDefinitionError: what is stored is no definition.
        """
        return input_schema_of(definition_of(await self.version(slug_or_id, version)))

    async def _read(
        self, pipeline: Path | Flow | LoadedPipeline | Mapping[str, Any], before: PipelineRecord | None
    ) -> tuple[PipelineDefinition, Path | None]:
        if isinstance(pipeline, Mapping):
            document = dict(pipeline)
            named = document if before is None else {"slug": before.slug, **document}
            admitted, folder = await self._admitted(named, before)
            return admitted.definition, folder
        loaded = await code_of(pipeline)
        return loaded.definition, loaded.folder

    async def _admitted(self, document: Any, before: PipelineRecord | None) -> tuple[Loaded, Path | None]:
        """The definition, and the folder whose modules it may use: that of the version before."""
        current = None if before is None else await self.tracker.get_pipeline_version(before.id)
        folder = None if current is None else self._allowed.folder_of(current)
        return await asyncio.to_thread(admit, document, folder=folder, allowed=self._allowed.modules), folder


def _named(stored: PipelineVersionRecord, name: str) -> tuple[str, str | None]:
    """Name and description that a version gives its pipeline; where it is no definition, those that stand."""
    try:
        definition = definition_of(stored)
    except PipelineDefinitionError:
        return name, None
    return definition.name, definition.description or ""
