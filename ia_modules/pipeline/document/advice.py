"""What is right in a definition as it stands, and often not what is meant: warnings that keep nothing from running."""

from collections.abc import Container, Iterator, Sequence
from itertools import combinations, islice

from ia_modules.pipeline.document.conditions import Always, Else, exclusive, parts
from ia_modules.pipeline.document.definition import Path, StepDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.references import Finding

_MOST_PATHS, _MOST_PARTS, _MOST_FORKS = 30, 20, 300
"""Paths of a step, parts of a condition, and pairs of paths that may race: what is looked at, which takes time."""


def advice(graph: Graph) -> Iterator[Finding]:
    """The warnings, in file order."""
    for index, step in enumerate(graph.definition.steps):
        yield from _without_effect(index, step)
    for step_id in graph.step_ids:
        yield from _loop_goes_on(graph, step_id)
        yield from _never_taken(graph, step_id)
    yield from _two_ends(graph)


def _without_effect(index: int, step: StepDefinition) -> Iterator[Finding]:
    """What a step says under ``resources`` that nobody looks at."""
    at, expected = ("steps", index, "resources"), "cpu, gpu, memory, custom, required"
    for key in step.resources.others:
        hint = "Leave it out."
        if key == "runtime_env":
            hint = "Write it into a file beside this one and name that, or: ia-modules worker --ray-runtime-env FILE."
        yield Finding((*at, key), f"{key!r}, which changes nothing", expected, hint, is_advice=True)
    if step.resources.named and step.runs_in != "ray":
        where = f"a step that runs in {_PLACES[step.runs_in]}, where nobody counts them"
        found = f"{', '.join(step.resources.named)} on {where}"
        yield Finding(at, found, "resources on a step with executor: ray", "Say executor: ray.", is_advice=True)


_PLACES = {"local": "the worker itself", "process": "a process beside the worker"}


def _loop_goes_on(graph: Graph, step_id: str) -> Iterator[Finding]:
    """A step of a loop that may go on and leave the loop at once."""
    if not graph.reaches(step_id, step_id):
        return
    for (index, one), (_, other) in _pairs(graph, step_id):
        leaving = [path for path in (one, other) if not _stays(graph, path)]
        if len(leaving) != 1 or leaving[0].ends_execution or not _can_both_hold(one, other):
            continue
        both = f"{one.to_step!r} and {other.to_step!r}"
        found = f"paths of {step_id!r} to {both} can both hold: the loop then goes on beside the way out"
        at = ("flow", "paths", index)
        yield Finding(at, found, "one of them at a time", "Say route: first, or ends: execution.", is_advice=True)
        return


def _never_taken(graph: Graph, step_id: str) -> Iterator[Finding]:
    """The paths of a step that nothing comes to beside one that always holds."""
    paths = graph.paths_of(step_id)
    always = next((place for place, (_, path) in enumerate(paths) if isinstance(path.condition, Always)), None)
    if always is None:
        return
    for place, (index, path) in enumerate(paths):
        if isinstance(path.condition, Else) or (place > always and graph.takes_first(step_id)):
            never = f"the path of {step_id!r} to {path.to_step!r} is never taken"
            found = f"{never}: that to {paths[always][1].to_step!r} always holds"
            at = ("flow", "paths", index)
            yield Finding(at, found, "a path that can be taken", "Give the other one a condition.", is_advice=True)


def _stays(graph: Graph, path: Path) -> bool:
    """Whether a path keeps to a loop of the step that it leaves."""
    target = path.to_step
    return not path.leads_out and (target == path.from_step or graph.reaches(target, path.from_step))


def _pairs(graph: Graph, step_id: str) -> Iterator[tuple[tuple[int, Path], tuple[int, Path]]]:
    """Two paths each that a step may take at once, by what it says of its paths."""
    paths = () if graph.takes_first(step_id) else graph.paths_of(step_id)
    plain = [(index, path) for index, path in paths if not isinstance(path.condition, Else)]
    return combinations(plain[:_MOST_PATHS], 2)


def _can_both_hold(one: Path, other: Path) -> bool:
    """False also where the conditions are too long to be compared."""
    sizes = [sum(1 for _ in islice(parts(path.condition), _MOST_PARTS + 1)) for path in (one, other)]
    return max(sizes) <= _MOST_PARTS and not exclusive(one.condition, other.condition)


def _two_ends(graph: Graph) -> Iterator[Finding]:
    """Two branches that run at the same time and may each end the execution: timing decides which one does."""
    ends = {path.from_step: index for index, path in enumerate(graph.definition.flow.paths) if path.ends_execution}
    if len(ends) < 2:
        return
    forks = ((step_id, pair) for step_id in graph.step_ids for pair in _pairs(graph, step_id))
    for step_id, ((_, one), (_, other)) in islice(forks, _MOST_FORKS):
        if not _can_both_hold(one, other):
            continue
        branches = [path.to_step for path in (one, other) if not path.leads_out]
        if (apart := _apart(graph, step_id, branches, ends)) is not None:
            first, second = sorted(apart, key=graph.place.__getitem__)
            found = f"{first!r} and {second!r} can both end the execution, on branches that part at {step_id!r}"
            hint = "The first on record does. Let the branches join, and one step after them end it."
            yield Finding(("flow", "paths", ends[second]), found, "one branch that can", hint, is_advice=True)
            return


def _apart(graph: Graph, fork: str, branches: Sequence[str], ends: Container[str]) -> tuple[str, str] | None:
    """Two of ``ends`` that two branches of ``fork`` reach without a step in common; None: there are none.

    The second way is an augmenting path to the first one, where each step lets one way pass.
    """
    first = _way(graph, fork, branches, ends)
    passed, before = set(first), dict(zip(first[1:], first, strict=False))
    seen: set[tuple[str, bool]] = {(fork, False), (fork, True)}
    stack = [(branch, False) for branch in branches if branch != first[0]] if first else []
    while stack:
        step_id, is_left = place = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        if step_id in before:  # back along the first way, which then goes on from there
            stack.append((before[step_id], True))
        if step_id not in passed and step_id in ends:
            return first[-1], step_id
        if step_id not in passed or is_left:
            stack += [(target, False) for target in graph.targets_of(step_id)]
    return None


def _way(graph: Graph, fork: str, branches: Sequence[str], ends: Container[str]) -> list[str]:
    """The shortest way from one of the branches to one of the ends, not through the fork; empty: there is none."""
    came_from: dict[str, str | None] = dict.fromkeys((branch for branch in branches if branch != fork), None)
    for step_id in (queue := list(came_from)):  # grows while it is read
        if step_id in ends:
            way = [step_id]
            while (earlier := came_from[way[-1]]) is not None:
                way.append(earlier)
            return way[::-1]
        fresh = [target for target in graph.targets_of(step_id) if target != fork and target not in came_from]
        came_from |= dict.fromkeys(fresh, step_id)
        queue += fresh
    return []
