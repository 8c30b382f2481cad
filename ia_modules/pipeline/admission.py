"""Whether a definition from outside may be stored here: read strictly, its code there and allowed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import PipelineVersionRecord
from ia_modules.pipeline.allowed_code import MODULES_VARIABLE, AllowedCode
from ia_modules.pipeline.code import StepModules, load_pipeline
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import examine
from ia_modules.pipeline.routing import functions_asked
from ia_modules.pipeline.versions import definition_of


def admit(document: Any, *, folder: Path | None, allowed: tuple[str, ...]) -> PipelineDefinition:
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
    if problems := [*_refused_modules(examined.definition, modules, allowed)]:
        raise PipelineDefinitionError(problems)
    load_pipeline(examined.definition, modules, folder=folder)
    return examined.definition


def is_usable(stored: PipelineVersionRecord, allowed: AllowedCode) -> bool:
    """Whether a process that may use this code would find that of a stored version. Nothing is imported."""
    try:
        definition, folder = definition_of(stored), allowed.folder_of(stored)
    except PipelineDefinitionError:
        return False
    modules = StepModules(folder, allowed=allowed.modules)
    return next(_refused_modules(definition, modules, allowed.modules), None) is None


def _refused_modules(
    definition: PipelineDefinition, modules: StepModules, allowed: tuple[str, ...]
) -> Iterator[Problem]:
    """The modules that may not be used here."""
    expected = f"one that this server allows: {', '.join(allowed) or 'it allows none'}"
    hint = f"Allow it where the server is started, with {MODULES_VARIABLE}, or lay it beside the pipeline's file."
    graph = Graph(definition)
    for index, step in enumerate(definition.steps):
        if step.module is not None and not modules.allows(step.module):
            yield Problem(f"$.steps[{index}].module", f"the module {step.module!r}", expected, hint)
        for call in functions_asked(graph, step.id):
            if not modules.allows(call.module_path):
                found = f"the module {call.module_path!r} in a condition after step {step.id!r}"
                yield Problem("$.flow.paths", found, expected, hint)
