"""The verbs for runs as files: write one, look what is in it, take it in."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson

from ia_modules.client.pipelines import PipelineVerbs
from ia_modules.errors import SlugMismatch
from ia_modules.tracker.audit import deed_detail
from ia_modules.tracker.run_file import Part, RunFileContents, RunFilePlan
from ia_modules.tracker.run_file_import import ImportedRun, import_run_file
from ia_modules.tracker.run_file_reading import OpenedRunFile, opened_run_file
from ia_modules.tracker.run_file_writing import plan_run_file, write_run_file


class RunFileVerbs(PipelineVerbs):
    """Export executions as run files, and import them."""

    async def export_run(
        self,
        execution_id: str,
        path: Path,
        *,
        lineage: bool = False,
        left_out: Sequence[Part] = (),
        actor: str | None = None,
    ) -> RunFileContents:
        """Write everything on record about an execution as a file that ia_modules opens anywhere.

        Nobody but the file's owner may read it. A file of that name is replaced.

        Args:
            lineage: the executions too that it comes from.
            left_out: parts that the file has not.

        Raises:
            ExecutionNotFound
            DatabaseError: the file cannot be written, or the database is away.
        """
        return await write_run_file(
            self._database, execution_id, path, lineage=lineage, left_out=left_out, actor=actor or self._actor
        )

    async def plan_export(
        self, execution_id: str, *, lineage: bool = False, left_out: Sequence[Part] = ()
    ) -> RunFilePlan:
        """What :meth:`export_run` would write now, in words. Nothing is written or put on record.

        Raises:
            ExecutionNotFound
        """
        return await plan_run_file(self._database, execution_id, lineage=lineage, left_out=left_out)

    async def import_run(
        self, path: Path, *, idempotency_key: str | None = None, actor: str | None = None
    ) -> ImportedRun:
        """Take in the executions of a run file, as copies: read, compared, run again, never gone on with.

        Those that are here already are left as they are, so a file may come twice. Definitions that are new here are
        checked as :meth:`check` does.

        Args:
            idempotency_key: names the request: sent again, it brings nothing, and returns what it brought.

        Raises:
            FileRefused: it is damaged, was changed, is of a newer program, or is no run file; nothing was stored.
            PipelineDefinitionError: a definition in it is not taken from outside: with every problem.
            SlugMismatch: a definition in it is one of another pipeline.
        """
        async with opened_run_file(path) as run:
            folders = await self._folders_of_new_versions(run)
            deed = self._deed(actor, "execution.import", deed_detail(None, idempotency_key) or None)
            imported = await import_run_file(self._database, run, folders=folders, deed=deed)
        self.tracker.live.committed(imported.imported)
        return imported

    async def _folders_of_new_versions(self, run: OpenedRunFile) -> dict[tuple[str, str], Path]:
        """Where the modules of the definitions lie that are new here; raises PipelineDefinitionError."""
        folders: dict[tuple[str, str], Path] = {}
        for slug, content, definition in await asyncio.to_thread(run.definitions):
            before = await self.tracker.get_pipeline(slug)
            if before is not None:
                params = {"pipeline_id": before.id, "content_hash": content}
                if await self._database.fetch_one_async(self._database.query("read_pipeline_version"), params):
                    continue
            loaded, folder = await self._admitted(orjson.loads(definition), before)
            if loaded.definition.slug != slug:
                raise SlugMismatch(slug, loaded.definition.slug)
            if folder is not None:
                folders[slug, content] = folder
        return folders
