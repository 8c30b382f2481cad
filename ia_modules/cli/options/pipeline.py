"""FILE|SLUG: a pipeline from a file, or the one that is registered under a slug."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ia_modules.cli.output.terminal import not_started, warn
from ia_modules.client import Client
from ia_modules.errors import (
    PipelineArchived,
    PipelineConflict,
    PipelineDefinitionError,
    PipelineHasHistory,
    PipelineNotFound,
    PipelineNotRunnable,
    Problem,
)
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.loader import Examination
from ia_modules.pipeline.pipeline_file import PipelineFile, read_file
from ia_modules.pipeline.step_modules import StepModules

FileOrSlug = Annotated[
    str, typer.Argument(metavar="FILE|SLUG", help="A pipeline file, or the slug of a registered pipeline.")
]
NewVersion = Annotated[
    bool, typer.Option("--new-version", help="The slug stands for another definition: store this as its next version.")
]

FileFormat = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMAT", help="0.2: read it as a file of the 0.2 releases. Default: as it says."),
]

_SUFFIXES = (".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What a pipeline file turned out to be.

    Attributes:
        pipeline: None when there are errors.
        warnings: what does not keep it from being run.
    """

    path: str
    pipeline: LoadedPipeline | None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def is_file(source: str) -> bool:
    """Whether FILE|SLUG means a file: one that exists, or something that is spelled like one."""
    return source.endswith(_SUFFIXES) or "/" in source or Path(source).is_file()


def check_file(path: str, *, strict: bool, file_format: str | None = None) -> FileCheck:
    """Read a pipeline file and import its code; modules in its folder come first.

    Args:
        strict: unknown keys and unreachable steps are errors; for files that are stored or validated.
    """
    try:
        file = read_file(Path(path), file_format=file_format)
    except PipelineDefinitionError as wrong:
        return FileCheck(path, None, wrong.problems)
    examined = file.examine(strict=strict)
    runnable = file.examine(strict=False) if strict else examined
    if runnable.definition is None:
        return FileCheck(path, None, examined.errors, examined.warnings)
    loaded, missing = _with_code(file, runnable, strict=strict)
    errors = (*examined.errors, *missing)
    if loaded is None or errors:
        return FileCheck(path, None, errors, examined.warnings)
    return FileCheck(path, loaded, warnings=loaded.warnings)


def pipeline_of_file(path: str, *, file_format: str | None = None) -> LoadedPipeline:
    """A pipeline file to be run; its warnings are printed.

    Args:
        file_format: as which it is read; None: as it says.

    Raises:
        Exit: it cannot be run; all its problems have been printed.
    """
    check = check_file(path, strict=False, file_format=file_format)
    if check.pipeline is None:
        raise not_started("\n".join([f"{path} is not a pipeline that can be run:", *listed(check.errors)]))
    for problem in check.warnings:
        warn(f"Warning: {path}: {problem}")
    return check.pipeline


def flow_of(code: str) -> Flow:
    """The flow that MODULE:NAME names.

    Raises:
        Exit: there is none.
    """
    module, _, name = code.partition(":")
    try:
        flow = StepModules().attribute(module, name)
    except (LookupError, ValueError) as error:
        raise not_started(f"{code} cannot be used: {error.args[0]}. Expected MODULE:NAME, such as app:flow.") from None
    if not isinstance(flow, Flow):
        raise not_started(f"{code} is of type {type(flow).__name__}. Expected the name of a Flow, such as app:flow.")
    return flow


def definition_of_file(path: str) -> PipelineDefinition:
    """The definition in a file alone; its code is not imported.

    Raises:
        PipelineDefinitionError: with everything that is wrong with it.
    """
    examined = read_file(Path(path)).examine(strict=False)
    if examined.definition is None:
        raise PipelineDefinitionError(examined.errors)
    return examined.definition


@asynccontextmanager
async def refusals(client: Client, slug: str, version: int | None = None) -> AsyncGenerator[None]:
    """Ends the command when a client refuses something for a pipeline, with the command or option that helps.

    Args:
        version: the one that runs; None: the current one.
    """
    try:
        yield
    except PipelineNotFound:
        found = f"{slug!r} is neither a file here nor a registered pipeline."
        raise not_started(f"{found} See what there is: ia-modules pipelines list.") from None
    except PipelineNotRunnable:
        found = f"Pipeline {slug!r} is registered without a definition: a program of its own runs it."
        raise not_started(f"{found} Nothing to run here.") from None
    except PipelineArchived:
        undo = f"ia-modules pipelines archive --undo {slug}"
        raise not_started(f"Pipeline {slug!r} is archived and starts nothing. To use it again: {undo}.") from None
    except PipelineHasHistory as history:
        found = f"Pipeline {slug!r} has {history.executions} executions on record."
        keep = f"ia-modules pipelines archive {slug}"
        raise not_started(f"{found} To delete them too: --with-history. To keep them: {keep}.") from None
    except PipelineConflict as conflict:
        found = f"Pipeline {slug!r} exists with another definition (version {conflict.current_version})."
        hint = "Add --new-version to store this one as its next version, or give it a slug of its own."
        raise not_started(f"{found} {hint}") from None
    except PipelineDefinitionError as wrong:
        stored = await client.version(slug, version)
        folder = f"its folder, {stored.source_folder}" if stored.source_folder else "no folder of its own"
        lines = [f"The code of version {stored.version} cannot be used (it has {folder}):", *listed(wrong.problems)]
        hint = "Run its file, or name the modules that may be used: IA_MODULES_STEP_MODULES='my_company.steps.*'."
        if any("__main__" in problem.found for problem in wrong.problems):
            hint = (
                "__main__ is the program that was started then. Start it again with flow.run(..., recover=True) or "
                "flow.recover(), or go on by hand: ia-modules executions resume ID --code MODULE:FLOW."
            )
        raise not_started("\n".join([*lines, hint])) from None


def listed(problems: Iterable[Problem]) -> list[str]:
    return [f"- {problem}" for problem in problems]


def _with_code(
    file: PipelineFile, examined: Examination, *, strict: bool
) -> tuple[LoadedPipeline | None, tuple[Problem, ...]]:
    assert examined.definition is not None
    folder = file.path.absolute().parent
    try:
        with file.locating():
            loaded = load_pipeline(
                examined.definition,
                StepModules(folder),
                folder=folder,
                document=file.document,
                warnings=examined.warnings,
                strict=strict,
            )
            return loaded, ()
    except PipelineDefinitionError as wrong:
        return None, wrong.problems
