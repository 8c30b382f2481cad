"""Where a pipeline comes from: a file, or what is registered under a slug."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ia_modules.cli.output.terminal import fail, warn
from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import PipelineVersionRecord
from ia_modules.pipeline.code import LoadedPipeline, StepModules, allowed_modules, load_pipeline, load_version
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.loader import Examination, document_of, examine, syntax_of
from ia_modules.tracker.reader import ExecutionReader

NOT_STARTED = 2
"""Exit status: it could not even begin, and nothing was recorded."""

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


def check_file(path: str, *, strict: bool) -> FileCheck:
    """Read a pipeline file and import its code; the modules beside it come first.

    Args:
        strict: for what is stored or validated; unknown keys and steps out of reach are errors then.
    """
    try:
        document = document_of(_text_of(path), syntax_of(path))
    except PipelineDefinitionError as wrong:
        return FileCheck(path, None, wrong.problems)
    examined = examine(document, strict=strict)
    runnable = examine(document, strict=False) if strict else examined
    if runnable.definition is None:
        return FileCheck(path, None, examined.errors, examined.warnings)
    loaded, missing = _with_code(path, runnable)
    errors = (*examined.errors, *missing)
    return FileCheck(path, None if errors else loaded, errors, examined.warnings)


def pipeline_of_file(path: str) -> LoadedPipeline:
    """A pipeline file to be run; what is odd about it goes to stderr.

    Raises:
        Exit: it cannot be run; everything that is wrong with it has been said.
    """
    check = check_file(path, strict=False)
    if check.pipeline is None:
        raise fail("\n".join([f"{path} is not a pipeline that can be run:", *listed(check.errors)]), status=NOT_STARTED)
    for problem in check.warnings:
        warn(f"Warning: {path}: {problem}")
    return check.pipeline


def definition_of_file(path: str) -> PipelineDefinition:
    """The definition in a file alone; its code is not imported.

    Raises:
        PipelineDefinitionError: with everything that is wrong with it.
    """
    examined = examine(document_of(_text_of(path), syntax_of(path)), strict=False)
    if examined.definition is None:
        raise PipelineDefinitionError(examined.errors)
    return examined.definition


async def version_of_slug(reader: ExecutionReader, slug: str) -> PipelineVersionRecord:
    """The current definition of a registered pipeline.

    Raises:
        Exit: there is none.
    """
    pipeline = await reader.get_pipeline(slug)
    if pipeline is None:
        found = f"{slug!r} is neither a file here nor a registered pipeline."
        raise fail(f"{found} See what there is: ia-modules pipelines list.", status=NOT_STARTED)
    stored = await reader.get_pipeline_version(pipeline.id)
    if stored is None:
        found = f"Pipeline {slug!r} is registered without a definition: a program of its own runs it."
        raise fail(f"{found} Nothing to run here.", status=NOT_STARTED)
    return stored


def pipeline_of_version(stored: PipelineVersionRecord) -> LoadedPipeline:
    """A stored definition with its code.

    Raises:
        Exit: its code is not to be had, or may not be used here; all that is missing has been said.
    """
    try:
        return load_version(stored, allowed=allowed_modules())
    except PipelineDefinitionError as wrong:
        folder = f"its folder, {stored.source_folder}" if stored.source_folder else "no folder of its own"
        lines = [f"The code of version {stored.version} cannot be used (it has {folder}):", *listed(wrong.problems)]
        hint = "Run its file, or name the modules that may be used: IA_MODULES_STEP_MODULES='my_company.steps.*'."
        raise fail("\n".join([*lines, hint]), status=NOT_STARTED) from None


def listed(problems: Iterable[Problem]) -> list[str]:
    return [f"- {problem}" for problem in problems]


def _with_code(path: str, examined: Examination) -> tuple[LoadedPipeline | None, tuple[Problem, ...]]:
    assert examined.definition is not None
    folder = Path(path).absolute().parent
    try:
        return load_pipeline(examined.definition, StepModules(folder), folder=folder), ()
    except PipelineDefinitionError as wrong:
        return None, wrong.problems


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        found, expected = f"{error.strerror or error}", "a file that can be read"
    except UnicodeDecodeError as error:
        found, expected = f"what is not UTF-8 at byte {error.start}", "text in UTF-8"
    raise PipelineDefinitionError([Problem("the file", found, expected)])
