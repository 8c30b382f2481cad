"""What a step reads of what led to it: the results that must be at hand before it begins."""

from dataclasses import dataclass

from ia_modules.pipeline.document.conditions import function_calls, references
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.inputs import takes_state


@dataclass(frozen=True, slots=True)
class Reads:
    """What a step reads, the conditions of its paths included.

    Attributes:
        steps: whose last results it names.
        fields: the same by bare paths (``draft.score``): where no such step led here, they mean fields of the state.
        state: it reads the state, which is made of all results.
    """

    steps: frozenset[str]
    fields: frozenset[str]
    state: bool


EVERYTHING = Reads(frozenset(), frozenset(), state=True)


def reads_of(graph: Graph, step_id: str) -> Reads:
    """What a step reads."""
    step = graph.definition.steps[graph.place[step_id]]
    conditions = [*step.conditions, *(path.condition for _, path in graph.paths_of(step_id))]
    templates = [step.config, *(each.source for each in step.inputs)]
    found = [reference for template in templates for _, reference in template.references()]
    found += [] if step.map is None else [reference for _, reference in step.map.references()]
    found += [reference for condition in conditions for _, reference in references(condition)]
    bare = [reference.path for reference in found if reference.root == "state"]
    fields = {path[0] for path in bare if len(path) > 1 and path[0] in graph.place}
    return Reads(
        steps=frozenset(reference.step for reference in found if reference.root == "steps"),
        fields=frozenset(fields),
        state=takes_state(step, is_lenient=graph.definition.is_lenient)
        or any(path[0] not in fields for path in bare)
        or any(True for condition in conditions for _ in function_calls(condition)),
    )
