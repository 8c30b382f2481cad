"""What a definition says, and whether one that came over the API may be stored. Nothing here asks the database."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import Json, PipelineVersionRecord
from ia_modules.pipeline.code import MODULES_VARIABLE, StepModules, load_pipeline
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.drawing.diagram import edges_of
from ia_modules.pipeline.loader import examine, load
from ia_modules.pipeline.routing import functions_asked

_PARSED_KEPT = 50  # definitions; one of a thousand steps takes some MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step, as it is drawn."""

    id: str
    name: str
    type: Literal["task", "human_input", "condition"]
    description: str | None
    module: str | None
    step_class: str | None
    max_iterations: int
    retry_max_attempts: int
    timeout_seconds: float | None
    has_fallback: bool
    continues_on_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way from a step to the next; ``index`` is its place in ``flow.paths``, None: for when nobody answers."""

    index: int | None
    source: str
    target: str
    label: str
    is_back_edge: bool


def nodes_of(graph: Graph) -> list[Node]:
    """The steps, in the order of the file."""
    definition = graph.definition
    nodes: list[Node] = []
    for step in definition.steps:
        handling = definition.error_handling_of(step)
        nodes.append(
            Node(
                id=step.id,
                name=step.name,
                type=step.type,
                description=step.description,
                module=step.module,
                step_class=step.step_class,
                max_iterations=definition.loop_config.max_iterations if graph.reaches(step.id, step.id) else 1,
                retry_max_attempts=handling.retry.max_attempts if handling.retry else 1,
                timeout_seconds=step.timeout_seconds,
                has_fallback=bool(handling.enable_fallback),
                continues_on_error=bool(handling.continue_on_error),
            )
        )
    return nodes


def ways_of(graph: Graph) -> list[Way]:
    """The ways that leave each step, in the order of the file."""
    ways: list[Way] = []
    for step_id in graph.step_ids:
        indexes: list[int | None] = [index for index, _ in graph.paths_of(step_id)]
        edges = edges_of(graph, step_id)
        for index, edge in zip([*indexes, *[None] * (len(edges) - len(indexes))], edges, strict=True):
            if index is not None:
                leads_back = graph.leads_back(index)
            else:
                leads_back = graph.place[edge.target] <= graph.place[step_id] and graph.reaches(edge.target, step_id)
            ways.append(Way(index=index, source=step_id, target=edge.target, label=edge.label, is_back_edge=leads_back))
    return ways


def defaults_of(definition: PipelineDefinition) -> dict[str, Any]:
    """The input that a run has when nothing is given."""
    return {each.name: each.default for each in definition.parameters if each.has_default}


def parsed(stored: PipelineVersionRecord) -> PipelineDefinition:
    """What a stored version says. A version never changes, so the last ones that were asked for are kept.

    Raises:
        PipelineDefinitionError: it is no definition, which programs that register their own may store.
    """
    return _parsed(_Content(stored.content_hash, stored.definition))


def understood(stored: PipelineVersionRecord) -> PipelineDefinition | None:
    """The same; None when it is no definition."""
    try:
        return parsed(stored)
    except PipelineDefinitionError:
        return None


@dataclass(frozen=True, slots=True)
class _Content:
    """A document, known by its hash."""

    content_hash: str
    document: Json = field(compare=False)


@lru_cache(maxsize=_PARSED_KEPT)
def _parsed(content: _Content) -> PipelineDefinition:
    return load(cast("dict[str, Any]", content.document), strict=False).definition


def checked(document: Any, *, folder: Path | None, allowed: tuple[str, ...]) -> PipelineDefinition:
    """A definition that came over the API. Its code is imported only when all of it may be used; this may take a while.

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
    if refused := [*_refused(examined.definition, modules, allowed)]:
        raise PipelineDefinitionError(refused)
    load_pipeline(examined.definition, modules, folder=folder)
    return examined.definition


def _refused(definition: PipelineDefinition, modules: StepModules, allowed: tuple[str, ...]) -> Iterator[Problem]:
    """The modules that may not be used here."""
    expected = f"one that this server allows: {', '.join(allowed) or 'it allows none'}"
    hint = f"Allow it where the server is started, with {MODULES_VARIABLE}, or lay it beside the pipeline's file."
    graph = Graph(definition)
    for index, step in enumerate(definition.steps):
        if step.module is not None and not modules.allows(step.module):
            yield Problem(f"$.steps[{index}].module", f"the module {step.module!r}", expected, hint)
        for asked in functions_asked(graph, step.id):
            if not modules.allows(asked.module_path):
                found = f"the module {asked.module_path!r} in a condition after step {step.id!r}"
                yield Problem("$.flow.paths", found, expected, hint)
