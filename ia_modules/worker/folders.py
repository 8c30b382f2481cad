"""Pipeline files that lie in folders, registered so that anybody may run them by their slugs."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from ia_modules.errors import IAModulesError, PipelineDefinitionError, Problem
from ia_modules.models import RegisteredVersion
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.tracker.execution_tracker import ExecutionTracker

logger = logging.getLogger("ia_modules.worker")

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


async def register_folders(tracker: ExecutionTracker, folders: Iterable[Path]) -> list[IAModulesError]:
    """Register each pipeline file of the folders; what cannot be registered is returned, and keeps nothing else back.

    What a file that changed holds becomes the current version of its pipeline. A file that did not change leaves the
    current version alone, which somebody may have chosen in the meantime; a warning in the log says so.
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
                await _register(tracker, path)
            except IAModulesError as error:
                error.add_note(f"The file is {path}.")
                wrong.append(error)
    return wrong


async def register_file(
    tracker: ExecutionTracker, pipeline: LoadedPipeline, file: str, *, new_version: bool = True
) -> RegisteredVersion:
    """Register what a pipeline file holds; as :meth:`ExecutionTracker.register_version` with ``file``."""
    definition = pipeline.definition
    return await tracker.register_version(
        definition.slug,
        definition.name,
        definition.to_json(),
        description=definition.description,
        source_folder=None if pipeline.folder is None else str(pipeline.folder),
        new_version=new_version,
        file=file,
    )


def kept_line(registered: RegisteredVersion, slug: str, file: str) -> str | None:
    """A line for people when a file was registered and another version stays the current one; None when it does not."""
    if registered.version == registered.current_version:
        return None
    return (
        f"{slug}: version {registered.current_version} stays the current one; it was chosen after {file} was last "
        f"changed. The file holds version {registered.version}: choose that on the pipeline's page, or change the file."
    )


async def _register(tracker: ExecutionTracker, path: Path) -> None:
    pipeline = await read_pipeline_file(path)
    registered = await register_file(tracker, pipeline, str(path))
    if line := kept_line(registered, pipeline.definition.slug, str(path)):
        logger.warning(line)
