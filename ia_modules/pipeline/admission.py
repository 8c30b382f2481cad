"""Whether a definition from outside may be stored here: read strictly, its code there and allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import PipelineVersionRecord
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.code import load_pipeline, refused_names
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.loader import Loaded, examine
from ia_modules.pipeline.step_modules import StepModules
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
    modules = StepModules(folder, allowed=allowed)
    if examined.definition is None:
        raise PipelineDefinitionError([*examined.errors, *_refused_modules(document, modules)])
    if problems := list(_runtime_envs(examined.definition)):
        raise PipelineDefinitionError(problems)
    warnings = examined.warnings
    loaded = load_pipeline(
        examined.definition, modules, folder=folder, document=document, warnings=warnings, strict=True
    )
    return Loaded(loaded.definition, loaded.warnings)


def _runtime_envs(definition: PipelineDefinition) -> Iterator[Problem]:
    """What would be put into the processes of a cluster by somebody else than who runs it."""
    for index, step in enumerate(definition.steps):
        if step.resources.runtime_env is not None:
            found, expected = "a runtime_env, from outside", "none: it comes from the operator, or from a local file"
            yield Problem(f"$.steps[{index}].resources.runtime_env", found, expected, "Leave it out.")


def _refused_modules(document: Any, modules: StepModules) -> Iterator[Problem]:
    """Modules that may not be used, of a document that is wrong in other ways too."""
    steps = cast("Mapping[str, Any]", document).get("steps") if isinstance(document, Mapping) else None
    for index, step in enumerate(cast("list[Any]", steps) if isinstance(steps, list) else []):
        written: Mapping[str, Any] = cast("Mapping[str, Any]", step) if isinstance(step, Mapping) else {}
        module = written.get("module")
        if isinstance(module, str) and (wrong := modules.refused(module, "Step")):
            yield replace(wrong, where=f"$.steps[{index}].{wrong.where}")


def is_usable(stored: PipelineVersionRecord, allowed: AllowedCode) -> bool:
    """Whether a process that may use this code would find that of a stored version. Nothing is imported."""
    try:
        definition, folder = definition_of(stored), allowed.folder_of(stored)
    except PipelineDefinitionError:
        return False
    modules = StepModules(folder, allowed=allowed.modules)
    return next(refused_names(definition, modules), None) is None
