"""Re-runs from a step: which step runs of the execution before are kept, and whether they fit the version that runs.

The graph is run once more on what is on record, as if the run that is made again took very long: what comes to its end
without it is copied, and all else waits for it. Step runs do not depend on timing, so the same ones follow, with the
same parents, as long as their results are the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ia_modules.errors import InvalidArgument, RerunRefused
from ia_modules.models import JsonText, StepExecutionId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.pipeline.causality import causal_ancestors
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.kept_items import ItemsAhead
from ia_modules.pipeline.overrides import Override
from ia_modules.pipeline.recorded import RecordedRun, routes_json, state_of
from ia_modules.pipeline.tokens import GraphState, Route, Start, StepRun, StepRunKey, ready
from ia_modules.transitions import ANSWER, StepCopy


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A step run that is copied.

    Attributes:
        routes: where it leads, by the places that its paths have in the version that runs.
    """

    run: RecordedRun
    routes: JsonText


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a re-run from a step does.

    Attributes:
        start: the run that is made again.
        kept: what is copied, each after its parents.
        begins: what begins first, with the tokens that it took before: ``start``, and what had not ended well.
        again: the recorded runs that are not copied; others may follow instead of those after ``begins``.
        asked_again: those of ``again`` whose answer does not count for an edit.
        items: what becomes of the items of ``start``, where only those that failed run; None: all of it runs.
    """

    start: StepRunKey
    kept: tuple[KeptRun, ...]
    begins: tuple[Start, ...]
    again: tuple[StepRunKey, ...]
    asked_again: tuple[StepRunKey, ...]
    items: ItemsAhead | None = None

    def copies(self) -> tuple[StepCopy, ...]:
        """What the new execution begins with, each with new ids."""
        return tuple(
            StepCopy(
                step_execution_id=StepExecutionId(new_id()),
                copied_from=kept.run.last.step_execution_id,
                status=kept.run.last.status,
                routes=kept.routes,
                interaction_id=new_id(),
            )
            for kept in self.kept
        )

    def overrides(self, edit: Override | None = None) -> tuple[Override, ...]:
        """What is decided before the new execution begins; ``edit``: what is changed at ``start``; None: nothing."""
        begins = [Override(each.key, each.parents, closes_loop=each.closes_loop) for each in self.begins]
        if self.items is not None and self.items.kept:
            edit = Override(self.start, items="failed")
        if edit is None:
            return tuple(begins)
        own = next((each for each in begins if each.key == edit.key), Override(edit.key))
        edited = replace(edit, parents=own.parents, closes_loop=own.closes_loop)
        return (*(each for each in begins if each is not own), edited)


def plan_repeat(
    before: PipelineDefinition,
    now: PipelineDefinition,
    runs: Sequence[RecordedRun],
    step_id: str,
    iteration: int | None = None,
    *,
    is_edited: bool = False,
) -> Repeat:
    """What a re-run from a step does.

    Args:
        before: the definition that these step runs are of.
        now: the one that is to run.
        runs: all of the execution, each after its parents and its step's previous iteration.
        iteration: of the step; None: its last one.
        is_edited: its input or its result is another one: answers of people that led to it do not count for that,
            unless their question says ``carries``.

    Raises:
        InvalidArgument: no such step run is on record, or the version has no such step.
        RerunRefused: what would be copied does not fit the version; says what, and from which step it would fit.
    """
    start = _start_of(runs, step_id, iteration)
    state = state_of(Graph(before), runs)
    asked_again: set[StepRunKey] = set()
    if is_edited or now != before:
        led_here = set(causal_ancestors(state, state.runs[start].parents))
        asks = {run.run.key for run in runs if run.last.awaits == ANSWER and not run.last.carries}
        asked_again = led_here & asks
    open_ends = {run.run.key for run in runs if not run.has_result or _ended_all(state.graph, run)}
    first = {start} | asked_again | open_ends
    kept, _ = _run_through(Graph(before), {run.run.key: run.run for run in runs}, first)
    _refuse_what_does_not_fit(before, now, kept)
    graph, places = Graph(now), _places(before, now)
    if step_id not in graph.place:
        raise InvalidArgument("from_step", repr(step_id), "a step of the version that is to run")
    recorded = {run.run.key: run for run in runs}
    routes = {key: _moved(recorded[key].run.routes or (), places) for key in kept}
    moved = {key: StepRun(key, recorded[key].run.status, recorded[key].run.parents, routes[key]) for key in kept}
    kept, begins = _run_through(graph, moved, first)
    return Repeat(
        start=start,
        kept=tuple(KeptRun(recorded[key], encode(routes_json(routes[key]), "routes")) for key in kept),
        begins=tuple(begins),
        again=tuple(run.run.key for run in runs if run.run.key not in kept),
        asked_again=tuple(run.run.key for run in runs if run.run.key in asked_again),
    )


def _run_through(
    graph: Graph, recorded: Mapping[StepRunKey, StepRun], first: set[StepRunKey]
) -> tuple[list[StepRunKey], list[Start]]:
    """The runs that come to their recorded end while those of ``first`` do not, and the starts of what does not."""
    state, kept = GraphState(graph), list[StepRunKey]()
    begins: list[Start] = []
    while starts := ready(state):
        for start in starts:
            run = recorded.get(start.key)
            if run is None or start.key in first or run.parents != start.parents:
                begins.append(start)
                state.record(StepRun(start.key, StepStatus.RUNNING, start.parents))
            else:
                kept.append(start.key)
                state.record(run)
    return kept, begins


def _start_of(runs: Iterable[RecordedRun], step_id: str, iteration: int | None) -> StepRunKey:
    keys = [run.run.key for run in runs]
    iterations = [key.iteration for key in keys if key.step_id == step_id]
    if not iterations:
        ran = ", ".join(sorted({key.step_id for key in keys})) or "none"
        raise InvalidArgument("from_step", repr(step_id), f"a step that has run: {ran}")
    if iteration is not None and iteration not in iterations:
        raise InvalidArgument("iteration", str(iteration), f"1 to {max(iterations)}, those of step {step_id!r}")
    return StepRunKey(step_id, max(iterations) if iteration is None else iteration)


def _ended_all(graph: Graph, run: RecordedRun) -> bool:
    """Whether it ended the execution: copied, it would end the re-run before anything ran."""
    ends = graph.exits_of(run.run.key.step_id).ending
    return any(route.taken and route.path in ends for route in run.run.routes or ())


def _refuse_what_does_not_fit(before: PipelineDefinition, now: PipelineDefinition, kept: Sequence[StepRunKey]) -> None:
    if before == now:
        return
    then, there = _as_copied(before), _as_copied(now)
    problems: dict[str, str] = {}
    for step_id, _ in kept:
        if step_id not in there:
            problems[step_id] = "is gone"
        elif changed := [name for name, value in then[step_id].items() if there[step_id][name] != value]:
            problems[step_id] = f"has {' and '.join(f'other {name}' for name in changed)}"
    if problems:
        first = next(step_id for step_id, _ in kept if step_id in problems)
        raise RerunRefused(problems, fits_from=first if first in there else None)


def _as_copied(definition: PipelineDefinition) -> dict[str, dict[str, Any]]:
    """By step: what has to be the same where a result of it is copied."""
    graph, document = Graph(definition), definition.to_json()
    found: dict[str, dict[str, Any]] = {}
    for step in document["steps"]:
        paths = [document["flow"]["paths"][place] for place, _ in graph.paths_of(step["id"])]
        found[step["id"]] = {
            "code": [step.get(key) for key in ("type", "module", "step_class", "conditions")],
            "config": step.get("config"),
            "inputs": step.get("inputs"),
            "paths": [graph.takes_first(step["id"]), graph.on_timeout.get(step["id"]), paths],
        }
    return found


def _places(before: PipelineDefinition, now: PipelineDefinition) -> Mapping[int | None, int | None]:
    """Where the paths of the steps that both have stand now, by their places before."""
    then, there = Graph(before), Graph(now)
    places: dict[int | None, int | None] = {None: None}
    for step_id in then.place.keys() & there.place.keys():
        pairs = zip(then.paths_of(step_id), there.paths_of(step_id), strict=False)
        places.update({old: new for (old, _), (new, _) in pairs})
    return places


def _moved(routes: Iterable[Route], places: Mapping[int | None, int | None]) -> tuple[Route, ...]:
    return tuple(Route(places[route.path], route.to_step, route.taken, route.why) for route in routes)
