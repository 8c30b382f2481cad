"""Pipeline files that lie in folders, registered so that anybody may run them by their slugs."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from ia_modules.errors import IAModulesError, PipelineDefinitionError, Problem
from ia_modules.models import RegisteredVersion
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.definition import slug_of
from ia_modules.pipeline.pipeline_file import PipelineFile, read_file
from ia_modules.pipeline.runner import load_file
from ia_modules.tracker.execution_tracker import ExecutionTracker

logger = logging.getLogger("ia_modules.worker")

SUFFIXES = (".json", ".yaml", ".yml")


def pipeline_files(folder: Path) -> list[Path]:
    """The files in a folder and one level below that may hold a pipeline, by their names; hidden ones are left out.

    Raises:
        PipelineDefinitionError: there is no such folder.
    """
    if not folder.is_dir():
        raise PipelineDefinitionError([Problem(str(folder), "no such folder", "one with pipeline files in it")])
    below = [path for path in _seen(folder) if path.is_dir()]
    files = [path for inner in (folder, *below) for path in _seen(inner)]
    return sorted(path for path in files if path.suffix.lower() in SUFFIXES and path.is_file())


async def register_folders(tracker: ExecutionTracker, folders: Iterable[Path]) -> list[IAModulesError]:
    """Register each pipeline file of the folders; what cannot be registered is returned, and keeps nothing else back.

    A file is one of a pipeline when it has ``steps`` and ``flow`` at its top; nothing is imported to find that out. The
    log says which files are left out. Of two with one slug, the first counts, by the order of folders and paths.

    What a file that changed holds becomes the current version of its pipeline, unless somebody has chosen another
    since; then it is stored beside that, and the log says so once.
    """
    wrong: list[IAModulesError] = []
    files: dict[Path, Path] = {}  # by what they really are: a folder may be named twice, or within another
    for folder in folders:
        try:
            for path in await asyncio.to_thread(pipeline_files, folder):
                real = path.resolve()
                if real not in files or files[real].is_symlink():  # its modules lie beside the file itself
                    files[real] = path
        except PipelineDefinitionError as error:
            wrong.append(error)
    slugs: dict[str, Path] = {}
    for path in files.values():
        try:
            file = await asyncio.to_thread(read_file, path)
            if is_pipeline(file.document):
                _claim_slug(slugs, file)
                await _register(tracker, file)
            else:
                logger.warning("%s is left out: it has no steps and flow at its top, so it is no pipeline.", path)
        except IAModulesError as error:
            error.add_note(f"The file is {path}.")
            wrong.append(error)
    return wrong


def is_pipeline(document: Any) -> bool:
    """Whether a document means to be a pipeline; it may still be a wrong one."""
    return isinstance(document, dict) and {"steps", "flow"} <= cast("dict[str, Any]", document).keys()


async def register_file(
    tracker: ExecutionTracker,
    pipeline: LoadedPipeline,
    file: str,
    *,
    new_version: bool = True,
    author: str | None = None,
    note: str | None = None,
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
        author=author,
        note=note,
    )


def kept_line(registered: RegisteredVersion, slug: str, file: str) -> str | None:
    """A line for people when a file was registered and another version stays the current one; None when it does not."""
    if registered.version == registered.current_version:
        return None
    return (
        f"{slug}: version {registered.current_version} stays the current one; it was chosen elsewhere. {file} holds "
        f"version {registered.version}, which is stored beside it. Choose one of them: on the pipeline's page, or "
        f"ia-modules pipelines make-current {slug} {registered.version}."
    )


def _seen(folder: Path) -> list[Path]:
    """What is in a folder that may be read, without what is hidden."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        logger.warning("%s is left out: %s.", folder, error.strerror or error)
        return []


def _claim_slug(slugs: dict[str, Path], file: PipelineFile) -> None:
    """Take a file's slug, also when the file turns out to be wrong: which of two counts does not depend on that."""
    slug = str(file.document.get("slug") or slug_of(str(file.document.get("name", ""))))
    first = slugs.setdefault(slug, file.path)
    if first is not file.path:
        found = f"the slug {slug!r}, which {first} has too"
        with file.locating():
            raise PipelineDefinitionError([Problem("$.slug", found, "a slug of its own", "It is left out.")])


async def _register(tracker: ExecutionTracker, file: PipelineFile) -> None:
    pipeline = load_file(file)
    registered = await register_file(tracker, pipeline, str(file.path))
    if line := kept_line(registered, pipeline.definition.slug, str(file.path)):
        logger.log(logging.WARNING if registered.stored_beside else logging.INFO, line)
