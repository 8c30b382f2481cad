"""Whether a definition from outside may be stored here: read strictly, its code there and allowed."""

from pathlib import Path
from typing import Any

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import PipelineVersionRecord
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.code import StepModules, load_pipeline, refused_names
from ia_modules.pipeline.loader import Loaded, examine
from ia_modules.pipeline.versions import definition_of


def admit(document: Any, *, folder: Path | None, allowed: tuple[str, ...]) -> Loaded:
    """The definition that a document from outside means. Its code is imported only when all of it may be used.

    This may take a while: call it in a thread.

    Args:
        folder: where modules may lie beside the file that the pipeline came from.
        allowed: patterns of the module names that may be used besides.

    Raises:
        PipelineDefinitionError: with everything that is wrong, or with all code that is not there or may not be used.
    """
    examined = examine(document, strict=True)
    if examined.definition is None:
        raise PipelineDefinitionError(examined.errors)
    modules = StepModules(folder, allowed=allowed)
    warnings = examined.warnings
    loaded = load_pipeline(
        examined.definition, modules, folder=folder, document=document, warnings=warnings, strict=True
    )
    return Loaded(loaded.definition, loaded.warnings)


def is_usable(stored: PipelineVersionRecord, allowed: AllowedCode) -> bool:
    """Whether a process that may use this code would find that of a stored version. Nothing is imported."""
    try:
        definition, folder = definition_of(stored), allowed.folder_of(stored)
    except PipelineDefinitionError:
        return False
    modules = StepModules(folder, allowed=allowed.modules)
    return next(refused_names(definition, modules), None) is None
