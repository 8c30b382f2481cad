"""Problems between the parts of a definition whose parts are valid."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, islice

from ia_modules.pipeline.document.advice import advice
from ia_modules.pipeline.document.conditions import Always, Condition, Else, StepConditions, Success, parts
from ia_modules.pipeline.document.definition import PipelineDefinition, StepDefinition, is_end
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.merge import EVERY_OTHER, MergeRule, state_problems
from ia_modules.pipeline.document.references import ERROR_FIELDS, Finding, reference_findings
from ia_modules.pipeline.document.templates import Where
from ia_modules.pipeline.document.wording import did_you_mean

_MOST_ADVICE = 20


def findings(definition: PipelineDefinition) -> Iterator[Finding]:
    """All structural problems, in the order of the document."""
    broken = False
    for finding in chain(_names(definition), _targets(definition)):
        broken = True
        yield finding
    graph = Graph(definition)
    yield from _conditions(definition)
    yield from _merge(definition)
    yield from _searchable(definition)
    yield from _pools(definition)
    yield from reference_findings(definition, graph)
    if not broken:
        yield from _unreachable(definition, graph)
        yield from _endless(definition, graph)
        yield from islice(advice(graph), _MOST_ADVICE)


def _names(definition: PipelineDefinition) -> Iterator[Finding]:
    yield from _twice("parameter", ("parameters",), [each.name for each in definition.parameters], "name")
    yield from _twice("step", ("steps",), [step.id for step in definition.steps], "id")
    for index, step in enumerate(definition.steps):
        yield from _twice("input", ("steps", index, "inputs"), [each.name for each in step.inputs], "name")
        if is_end(step.id):
            expected = "another id: paths to end and end_* leave the pipeline"
            yield Finding(("steps", index, "id"), f"the reserved id {step.id!r}", expected)


def _twice(what: str, at: Where, names: list[str], key: str) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            yield Finding((*at, index, key), f"a second {what} {name!r}", f"each {key} only once")


def _pools(definition: PipelineDefinition) -> Iterator[Finding]:
    """Steps that say different things of the pool that they share: there is one process for all of them."""
    first: dict[str, StepDefinition] = {}
    for index, step in enumerate(definition.steps):
        if step.pool is None:
            continue
        other = first.setdefault(step.pool.name, step)
        facts = {
            "pool": (step.pool, other.pool),
            "resources": (step.resources, other.resources),
            "executor": (step.runs_in, other.runs_in),
        }
        if differing := next((key for key, (one, two) in facts.items() if one != two), None):
            what = "other resources" if differing == "resources" else f"another {differing}"
            found = f"{what} than in step {other.id!r}, which has the same pool {step.pool.name!r}"
            at = ("steps", index, differing if differing in step.model_fields_set else "pool")
            yield Finding(at, found, "the same pool, resources and executor in all steps of a pool")


def _targets(definition: PipelineDefinition) -> Iterator[Finding]:
    ids = {step.id for step in definition.steps}

    def unknown(at: Where, step_id: str, expected: str) -> Finding:
        return Finding(at, f"{step_id!r}, which is no step", expected, did_you_mean(step_id, ids))

    for index, step in enumerate(definition.steps):
        target = step.config.json.get("on_timeout")
        if step.type == "human_input" and isinstance(target, str) and target != "fail" and target not in ids:
            expected = "fail, a default answer (a mapping), or the id of a step"
            yield unknown(("steps", index, "config", "on_timeout"), target, expected)
        elif step.type == "human_input" and step.map is not None and isinstance(target, str) and target != "fail":
            at, found = ("steps", index, "config", "on_timeout"), f"the step {target!r} in a step with a map"
            yield Finding(at, found, "fail, or a default answer (a mapping): an item leads to no step")
    if definition.flow.start_at not in ids:
        yield unknown(("flow", "start_at"), definition.flow.start_at, "the id of the step that starts")
    for index, path in enumerate(definition.flow.paths):
        if path.from_step not in ids:
            yield unknown(("flow", "paths", index, "from_step"), path.from_step, "the id of a step")
        if path.to_step not in ids and not path.leads_out:
            yield unknown(("flow", "paths", index, "to_step"), path.to_step, "the id of a step, end or end_*")
        elif path.ends_execution and not path.leads_out:
            found = f"ends: execution on the path from {path.from_step!r} to the step {path.to_step!r}"
            hint = "A step after it would never run: lead it to end, or leave ends out."
            yield Finding(("flow", "paths", index, "ends"), found, "it on a path to end or end_*", hint)


def _conditions(definition: PipelineDefinition) -> Iterator[Finding]:
    """``else`` and ``condition`` stand directly on a path, the latter only after a step that has conditions."""
    types = {step.id: step.type for step in definition.steps}
    routes = {step.id: definition.route_of(step) for step in definition.steps}
    with_else: set[str] = set()
    for index, step in enumerate(definition.steps):
        for number, condition in enumerate(step.conditions):
            yield from _misplaced(condition, ("steps", index, "conditions", number))
    for index, path in enumerate(definition.flow.paths):
        at = ("flow", "paths", index, "condition")
        if isinstance(path.condition, Else) and path.from_step in with_else:
            found = f"a second else after {path.from_step!r}"
            takes_both = routes.get(path.from_step) == "all"  # as files of before have it, which still run
            hint = "Lead else to one step, and on from there."
            expected = "one else among the paths of a step"
            yield Finding(at, found, expected, hint, is_harmless=takes_both, is_reference=takes_both)
        elif isinstance(path.condition, Else):
            with_else.add(path.from_step)
        if not isinstance(path.condition, Else | StepConditions):
            yield from _misplaced(path.condition, at)
        elif isinstance(path.condition, StepConditions) and types.get(path.from_step, "condition") != "condition":
            found = f"a condition of type condition after {path.from_step!r}, a step of type {types[path.from_step]}"
            yield Finding(at, found, "it after a step of type condition, whose conditions it stands for")


def _misplaced(condition: Condition, at: Where) -> Iterator[Finding]:
    for place, part in parts(condition, at):
        if isinstance(part, Else | StepConditions):
            yield Finding(place, f"a condition of type {part.type} here", "it directly on a path")


def _searchable(definition: PipelineDefinition) -> Iterator[Finding]:
    """Each key once, and of the input only what may be in it."""
    seen: set[str] = set()
    known = {parameter.name for parameter in definition.parameters}
    for index, key in enumerate(definition.searchable):
        root, name = key.split(".")[:2]
        if key in seen:
            yield Finding(("searchable", index), f"a second {key!r}", "each key only once")
        elif root == "input" and known and name not in known:
            found = f"{key!r}, but there is no parameter {name!r}"
            yield Finding(("searchable", index), found, "the name of a parameter", did_you_mean(name, known))
        seen.add(key)


_RULES_OF: Mapping[str, tuple[tuple[MergeRule, ...], str]] = {
    EVERY_OTHER: (("last", "error"), "Give each key whose values are put together a rule of its own."),
    "human_input": (("append", "last", "error"), "Answers of people are of any kind, and null where nobody answers."),
    **dict.fromkeys(ERROR_FIELDS, (("last", "error"), "A failed step has it where the flow goes on.")),
}
"""Keys that cannot have every rule: those that they may have, and why."""


def _merge(definition: PipelineDefinition) -> Iterator[Finding]:
    """Rules that could not be kept, and values of the file that do not fit theirs."""
    rules = definition.folding_rules
    for key, rule in rules.items():
        if key in _RULES_OF and rule not in _RULES_OF[key][0]:
            rules_of, why = _RULES_OF[key]
            yield Finding(("merge", key), f"the rule {rule!r} for {key!r}", " or ".join(rules_of), why)
    for index, each in enumerate(definition.parameters):
        if each.has_default:
            for problem in state_problems(rules, {each.name: each.default}, "$"):
                yield Finding(("parameters", index, "default"), problem.found, problem.expected)
    for index, step in enumerate(definition.steps):
        for number, name in enumerate(each.name for each in step.inputs):
            if step.type == "condition" and name in rules:
                found = f"an input {name!r} of a step of type condition, whose result is its inputs"
                expected = f"another name: merge.{name} is {rules[name]}, and so its value would be added to the state"
                yield Finding(("steps", index, "inputs", number, "name"), found, expected)


def _unreachable(definition: PipelineDefinition, graph: Graph) -> Iterator[Finding]:
    start = definition.flow.start_at
    for index, step in enumerate(definition.steps):
        if step.id != start and not graph.reaches(start, step.id):
            found = f"the step {step.id!r}, to which no path leads from {start!r}"
            yield Finding(("steps", index), found, "every step within reach of the start", is_harmless=True)


def _endless(definition: PipelineDefinition, graph: Graph) -> Iterator[Finding]:
    """Loops that cannot end: every step of them always hands a token on to another step of them."""
    endless = {
        step.id: definition.error_handling_of(step).continue_on_error
        for step in definition.steps
        if graph.reaches(step.id, step.id)
    }
    unsure = list(endless)
    while unsure:
        step_id = unsure.pop()
        if step_id in endless and not _stays(graph, step_id, endless):
            del endless[step_id]
            unsure += graph.sources_of(step_id)
    if endless:
        first, _ = graph.paths_of(next(iter(endless)))[0]
        found = f"a loop without a way out: {', '.join(endless)}"
        hint = "Put a condition on the path that leads back."
        yield Finding(("flow", "paths", first), found, "a loop in which some step may end it", hint)


def _stays(graph: Graph, step_id: str, steps: Mapping[str, bool | None]) -> bool:
    """Whether a run of the step, once it has succeeded, is sure to put a token on one of these steps.

    ``steps``: step id → whether it lets the flow go on after a failure.
    """
    paths = [path for _, path in graph.paths_of(step_id)]
    sure = Always if steps[step_id] else Always | Success
    if graph.takes_first(step_id):
        first = next((index for index, path in enumerate(paths) if isinstance(path.condition, sure)), None)
        if first is not None:
            return all(path.to_step in steps for path in paths[: first + 1] if not isinstance(path.condition, Else))
    elif any(path.ends_execution for path in paths):
        return False
    elif any(isinstance(path.condition, sure) and path.to_step in steps for path in paths):
        return True
    has_else = any(isinstance(path.condition, Else) for path in paths)
    return has_else and all(path.to_step in steps for path in paths)
