"""References of a definition that lead nowhere: to steps, parameters and fields that do not exist.

Placeholders for steps and parameters name what must be declared. A bare path of a condition may name any field of the
state; it is only wrong where it is nearly the name of something and nothing is known to have that name.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ia_modules.pipeline.document.conditions import references
from ia_modules.pipeline.document.definition import PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.known_fields import Anything, BySchema, Closed, Shape, absent
from ia_modules.pipeline.document.scope import RUN_FIELDS, Reference
from ia_modules.pipeline.document.templates import ROOTS, Where
from ia_modules.pipeline.document.wording import did_you_mean, misspelled

_MOST_LISTED = 50
"""Names that a message lists."""

_MOST_COMPARED = 200
"""Names that are compared with what there is, which takes time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        at: keys and indexes in the canonical form.
        is_harmless: it has no effect on a run, so a file may be run with it.
        is_reference: it names what is not there, which files of the 0.2 format may do.
        is_advice: it is right as it stands, and often not what is meant: only ever a warning.
    """

    at: Where
    found: str
    expected: str
    hint: str = ""
    is_harmless: bool = False
    is_reference: bool = False
    is_advice: bool = False


def reference_findings(definition: PipelineDefinition, graph: Graph) -> Iterator[Finding]:
    """Placeholders for steps and parameters that do not exist, or that never resolve where they stand."""
    parameters = {parameter.name: None for parameter in definition.parameters}
    for at, reference, reader in _all_references(definition):
        if reference.root == "parameters":
            yield from _unknown_parameter(at, reference, parameters)
        elif reference.root == "steps":
            yield from _unknown_step(at, reference, reader, graph)
        elif reference.is_of_item:
            yield from _item(at, reference, definition)
        elif reference.root == "run" and at[0] != "flow" and at[2:3] != ("conditions",):
            yield Finding(at, f"the placeholder {{{reference}}} here", "it in a condition, which follows a step run")
    yield from _copied_lists(definition)


def field_findings(definition: PipelineDefinition, returned: Mapping[str, Shape]) -> Iterator[Finding]:
    """Fields that a closed result does not have, and bare paths that are nearly the name of something.

    Args:
        returned: what the code of each step is known to return, by step id.
    """
    shapes = {step.id: _shape_of(step, definition, returned.get(step.id, Anything())) for step in definition.steps}
    declared = _declared(definition, shapes)
    parameters = {each.name for each in definition.parameters}
    compared: set[str] = set()
    own, known = shapes.keys() - declared, declared | shapes.keys()
    has_own_run = definition.has_own_run or "run" in known
    roots = {True: parameters | shapes.keys(), False: parameters}
    before = {str(index): path.from_step for index, path in enumerate(definition.flow.paths)}
    for at, reference, _ in _all_references(definition):
        last = before.get(str(at[2])) if at[0] == "flow" else None
        read = _field_of_step(reference, last, own)
        if read is not None and read[0] in shapes:
            yield from _absent_field(at, *read, shapes[read[0]])
        elif reference.root == "state" and reference.path[0] == "run" and not has_own_run:
            yield from _unknown_of_run(at, reference)
        elif reference.root == "state" and (root := reference.path[0]) not in known:
            compared.add(root)
            if len(compared) <= _MOST_COMPARED:
                yield from _near_miss(at, reference, root, roots[len(reference.path) > 1])


def _all_references(definition: PipelineDefinition) -> Iterator[tuple[Where, Reference, str | None]]:
    """Every path with its place, and the step at which it is read: it itself counts when its result is known there."""
    for index, step in enumerate(definition.steps):
        yield from ((("steps", index, *at), reference, step.id) for at, reference in _references_of(step))
    for index, path in enumerate(definition.flow.paths):
        for at, reference in references(path.condition):
            own = reference.step == path.from_step
            yield ("flow", "paths", index, "condition", *at), reference, None if own else path.from_step
    for name, template in definition.outputs.items():
        yield from ((("outputs", name, *at), reference, None) for at, reference in template.references())


def _references_of(step: StepDefinition) -> Iterator[tuple[Where, Reference]]:
    yield from ((("config", *at), reference) for at, reference in step.config.references())
    if step.map is not None:
        yield from ((("map", *at), reference) for at, reference in step.map.references())
    for number, each in enumerate(step.inputs):
        yield from ((("inputs", number, "source", *at), reference) for at, reference in each.source.references())
    for number, condition in enumerate(step.conditions):
        yield from ((("conditions", number, *at), reference) for at, reference in references(condition))


def _item(at: Where, reference: Reference, definition: PipelineDefinition) -> Iterator[Finding]:
    """What only a step of a map can read: elsewhere it is text, where it stands in other text."""
    step = definition.steps[at[1]] if at[0] == "steps" and isinstance(at[1], int) else None
    if step is None or step.map is None:
        if _is_whole(at, reference, definition):
            yield Finding(at, f"the placeholder {{{reference}}} here", "it in a step with a map")
    elif at[2:4] == ("map", "over"):
        yield Finding(at, f"the placeholder {{{reference}}} in over", "a list that is there before the first item")


def _is_whole(at: Where, reference: Reference, definition: PipelineDefinition) -> bool:
    """Whether the text at a place, or one of its alternatives, is the placeholder and nothing else."""
    value: Any = definition.to_json()
    for key in at:
        value = value[key]
    return any(part.strip() == f"{{{reference}}}" for part in str(value).split("|"))


def _copied_lists(definition: PipelineDefinition) -> Iterator[Finding]:
    for index, step in enumerate(definition.steps):
        if step.map is None or step.map.over.is_literal:
            continue
        for number, each in enumerate(step.inputs):
            if each.source == step.map.over:
                found = f"the whole list of the map in the input {each.name!r}"
                hint = "The whole list is copied for each item. Read {item} instead."
                at = ("steps", index, "inputs", number, "source")
                yield Finding(at, found, "the item", hint, is_harmless=True, is_advice=True)


def _unknown_parameter(at: Where, reference: Reference, names: Collection[str]) -> Iterator[Finding]:
    name = reference.path[0]
    if names and name not in names:
        expected = f"one of the parameters {_listed(names)}"
        yield Finding(at, f"the unknown parameter {name!r}", expected, did_you_mean(name, names), is_reference=True)


def _unknown_step(at: Where, reference: Reference, reader: str | None, graph: Graph) -> Iterator[Finding]:
    step = reference.step
    if _is_short_for_item(reference) and reader in graph.place and graph.step(reader).map is not None:
        if step in graph.place:
            found = f"{{{{ {step}.… }}}} in a step with a map, where a step is called {step!r}, too"
            yield Finding(at, found, "another id for that step", f"Rename the step {step!r}.")
        return
    if step not in graph.place:
        found = f"a placeholder for the step {step!r}, which does not exist"
        yield Finding(at, found, "the id of a step", did_you_mean(step, [*graph.place, *ROOTS]), is_reference=True)
    elif reader in graph.place and not graph.reaches(step, reader):
        found = f"a placeholder for the step {step!r}, from which no path leads to {reader!r}"
        hint = "It never resolves."
        yield Finding(at, found, "a step that runs before", hint, is_harmless=True, is_reference=True)


def _is_short_for_item(reference: Reference) -> bool:
    """Whether it may be ``{{ item.X }}`` or ``{{ run.index }}``, which read as a step's output do."""
    return reference.step == "item" or (reference.step == "run" and reference.path[:1] in (("index",), ("key",)))


def _listed(names: Collection[str]) -> str:
    return ", ".join(islice(names, _MOST_LISTED)) + (", …" if len(names) > _MOST_LISTED else "")


def _near_miss(at: Where, reference: Reference, root: str, known: set[str]) -> Iterator[Finding]:
    """``known``: a path of one name is a field of the state; only longer ones may mean a step."""
    if (meant := misspelled(root, known)) is not None:
        found = f"the path {str(reference)!r}, and nothing is known to have a {root!r}"
        expected = "the id of a step, a parameter, or a declared field"
        yield Finding(at, found, expected, f"Did you mean {meant!r}?", is_reference=True)


def _unknown_of_run(at: Where, reference: Reference) -> Iterator[Finding]:
    """A bare path that is nearly one of the step run; any other may be a field of the state that nobody declared."""
    if len(reference.path) == 2 and not reference.may_be_run and (hint := did_you_mean(reference.path[1], RUN_FIELDS)):
        found = f"the path {str(reference)!r}, and nothing is known to have a 'run'"
        expected = f"one of {', '.join(f'run.{name}' for name in RUN_FIELDS)}"
        yield Finding(at, found, expected, hint, is_harmless=True, is_reference=True)


def _absent_field(at: Where, step_id: str, path: tuple[str, ...], shape: Shape) -> Iterator[Finding]:
    place = absent(shape, path)
    if place is None:
        return
    found = f"the field {'.'.join(path[: place + 1])!r}, which the result of step {step_id!r} never has"
    for key in path[:place]:
        names, _ = shape.fields()
        shape = names[key] if key in names else shape.items()
    names = sorted(shape.fields()[0])
    expected = f"one of its fields {_listed(names)}" if names else "a field of it, and it has none"
    yield Finding(at, found, expected, did_you_mean(path[place], names), is_harmless=True, is_reference=True)


def _field_of_step(reference: Reference, before: str | None, steps: set[str]) -> tuple[str, tuple[str, ...]] | None:
    """The step whose result a path reads for certain, and the path in it; None for any other path.

    Args:
        before: the step that has just run.
        steps: those whose id nothing else has for its name.
    """
    match reference.root:
        case "steps":
            return reference.step, reference.path
        case "result" if before is not None:
            return before, reference.path
        case "state" if len(reference.path) > 1 and reference.path[0] in steps:
            return reference.path[0], reference.path[1:]
        case _:
            return None


ERROR_FIELDS: Mapping[str, Shape] = {name: Anything() for name in ("step_error", "error_message", "error_type")}
"""What a failed step leaves where the flow goes on."""

_OF_MAP: Mapping[str, Shape] = {name: Anything() for name in ("items", "count", "failed", "errors")}

_ANSWER: Mapping[str, Shape] = {"human_input": Anything()}


def _shape_of(step: StepDefinition, definition: PipelineDefinition, returned: Shape) -> Shape:
    """What is known of the result of a step, whatever becomes of it: a failure, a question, its fallback."""
    handling = definition.error_handling_of(step)
    errors: Mapping[str, Shape] = ERROR_FIELDS if handling.continue_on_error else {}
    if step.map is not None:
        return Closed({**errors, **_OF_MAP})
    if step.type == "human_input":
        return Closed({**errors, "human_input": _shape_of_answer(step.config.json)})
    if step.type == "condition":
        return Anything()
    if step.output_schema is not None:
        by_schema = BySchema(step.output_schema, step.output_schema)
        names, is_closed = returned.fields()  # a schema that was made of this type lets others pass
        is_made = is_closed and names.keys() == by_schema.fields()[0].keys()
        return Closed({**errors, **_ANSWER}, returned if is_made else by_schema)
    return Anything() if handling.enable_fallback else Closed({**errors, **_ANSWER}, returned)


def _shape_of_answer(config: Mapping[str, Any]) -> Shape:
    """What is known of ``human_input``: the answer, or a list of answers, where the config says which."""
    schema, answers = config.get("ui_schema"), config.get("answers", 1)
    if answers == 1:
        return BySchema(schema, schema)
    return Closed({"answers": Anything()}) if isinstance(answers, int) or answers == "all" else Anything()


def _declared(definition: PipelineDefinition, shapes: Mapping[str, Shape]) -> set[str]:
    """Names that a field of the state may have: parameters, properties of schemas of the state, fields of results."""
    schemas = [definition.input_schema, *(step.input_schema for step in definition.steps)]
    names = {name for shape in shapes.values() for name in shape.fields()[0]}
    names |= {name for schema in schemas for name in BySchema(schema, schema).fields()[0]}
    names |= {each.name for step in definition.steps for each in step.outputs}
    return (
        names | {each.name for each in definition.parameters} | {*definition.merge, "result", *ERROR_FIELDS, *_ANSWER}
    )
