"""Pipeline files that lie in folders, registered so that anybody may run them by their slugs."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError, PipelineDefinitionError, Problem
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.tracker.execution_tracker import ExecutionTracker

FILE_NAMES = ("pipeline.json", "pipeline.yaml", "pipeline.yml")


def pipeline_files(folder: Path) -> list[Path]:
    """The pipeline files directly in a folder and one level below, in the order of their paths.

    Raises:
        PipelineDefinitionError: there is no such folder.
    """
    if not folder.is_dir():
        raise PipelineDefinitionError([Problem(str(folder), "no such folder", "one with pipeline files in it")])
    found = [path for pattern in ("", "*/") for name in FILE_NAMES for path in folder.glob(pattern + name)]
    return sorted(found)


async def register_folders(
    database: DatabaseManager, tracker: ExecutionTracker, folders: Iterable[Path]
) -> list[IAModulesError]:
    """Register each pipeline file of the folders; what cannot be registered is returned, and keeps nothing else back.

    A file that changed since is the next version of its pipeline. One that did not leaves the current version alone,
    which somebody may have chosen in the meantime.
    """
    wrong: list[IAModulesError] = []
    for folder in folders:
        try:
            files = await asyncio.to_thread(pipeline_files, folder)
        except PipelineDefinitionError as error:
            wrong.append(error)
            continue
        for path in files:
            try:
                await _register(database, tracker, path)
            except IAModulesError as error:
                error.add_note(f"The file is {path}.")
                wrong.append(error)
    return wrong


async def _register(database: DatabaseManager, tracker: ExecutionTracker, path: Path) -> None:
    pipeline = await read_pipeline_file(path)
    definition = pipeline.definition
    document = definition.to_json()
    known = await tracker.get_pipeline(definition.slug)
    if known is not None and known.slug == definition.slug:
        content = content_hash(encode(document, f"definition of pipeline {definition.slug!r}"))
        asked = {"pipeline_id": known.id, "content_hash": content}
        if await database.fetch_one_async(database.query("read_pipeline_version"), asked) is not None:
            return
    await tracker.register_version(
        definition.slug,
        definition.name,
        document,
        description=definition.description,
        source_folder=str(pipeline.folder),
        new_version=True,
    )
