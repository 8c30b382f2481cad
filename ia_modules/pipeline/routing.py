"""Which paths are taken once a step has run, and why: what is recorded with its completion."""

from collections.abc import Iterator, Mapping

from ia_modules.pipeline.document.conditions import (
    AllOf,
    Call,
    Condition,
    Else,
    FunctionCall,
    StepConditions,
    Verdict,
    evaluate,
    function_calls,
)
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.tokens import Route, StepRun


def route(graph: Graph, step_id: str, scope: Scope, call: Call) -> tuple[Route, ...]:
    """Every path that leaves the step, taken or not.

    Args:
        scope: after the step, with its own result (:meth:`Scope.after`).
        call: returns the answer of each function that :func:`next_function` names.
    """
    verdicts: dict[int, Verdict] = {}
    taken: list[str] = []
    for index, path in graph.paths_of(step_id):
        if isinstance(path.condition, Else):
            continue
        if taken and graph.takes_first(step_id):
            verdicts[index] = Verdict(False, f"an earlier path was taken: to {taken[0]}")
            continue
        verdicts[index] = evaluate(_on_its_own(graph, step_id, path.condition), scope, call)
        taken += [path.to_step] if verdicts[index].holds else []
    otherwise = Verdict(
        not taken, f"another path was taken: to {', '.join(taken)}" if taken else "no other path was taken"
    )
    return tuple(
        Route(index, path.to_step, verdict.holds, f"{verdict.why}{ends if verdict.holds else ''}")
        for index, path in graph.paths_of(step_id)
        for verdict in [verdicts.get(index, otherwise)]
        for ends in ["; this ends the execution" if path.ends_execution else ""]
    )


def ended_by(graph: Graph, run: StepRun) -> str:
    """Which path of a step run ended the execution: a clause without its full stop."""
    paths = dict(graph.paths_of(run.key.step_id))
    ends = next(each for each in run.routes or () if each.taken and each.path is not None and paths[each.path].ends)
    return f"ended by path {run.key.step_id} → {ends.to_step}"


def next_function(
    graph: Graph, step_id: str, scope: Scope, answers: Mapping[FunctionCall, Verdict]
) -> FunctionCall | None:
    """The function whose answer is needed next to know the paths; None when :func:`route` has all that it needs.

    Where the first path that holds is taken, no function of a path after it is called.
    """
    for _, path in graph.paths_of(step_id):
        if isinstance(path.condition, Else):
            continue
        condition = _on_its_own(graph, step_id, path.condition)
        for call in function_calls(condition):
            if call not in answers:
                return call
        if graph.takes_first(step_id) and evaluate(condition, scope, answers.__getitem__).holds:
            return None
    return None


def untaken(graph: Graph, step_id: str, why: str) -> tuple[Route, ...]:
    """Every path of a step, none of them taken for one reason."""
    return tuple(Route(index, path.to_step, False, why) for index, path in graph.paths_of(step_id))


def timeout_route(graph: Graph, step_id: str) -> tuple[Route, ...]:
    """The same when nobody answered in time and ``on_timeout`` names a step."""
    why = "nobody answered in time"
    return (*untaken(graph, step_id, why), Route(None, graph.on_timeout[step_id], True, why))


def functions_asked(graph: Graph, step_id: str) -> Iterator[FunctionCall]:
    """The functions that the conditions of a step's paths may call."""
    for _, path in graph.paths_of(step_id):
        yield from function_calls(_on_its_own(graph, step_id, path.condition))


def _on_its_own(graph: Graph, step_id: str, condition: Condition) -> Condition:
    """The condition, with the conditions of the step in place of a reference to them."""
    if not isinstance(condition, StepConditions):
        return condition
    return AllOf(type="all", conditions=graph.step(step_id).conditions)
