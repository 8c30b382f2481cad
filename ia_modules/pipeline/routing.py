"""Which paths are taken once a step has run, and why: what is recorded with its completion."""

from collections.abc import Iterator

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
from ia_modules.pipeline.tokens import Route


def route(graph: Graph, step_id: str, scope: Scope, call: Call) -> tuple[Route, ...]:
    """Every path that leaves the step, taken or not.

    Args:
        scope: after the step, with its own result (:meth:`Scope.after`).
        call: returns the answer of each function that :func:`functions_asked` names.
    """
    verdicts = {
        index: evaluate(_on_its_own(graph, step_id, path.condition), scope, call)
        for index, path in graph.paths_of(step_id)
        if not isinstance(path.condition, Else)
    }
    taken = [path.to_step for index, path in graph.paths_of(step_id) if index in verdicts and verdicts[index].holds]
    otherwise = Verdict(
        not taken, f"another path was taken: to {', '.join(taken)}" if taken else "no other path was taken"
    )
    return tuple(
        Route(index, path.to_step, verdict.holds, verdict.why)
        for index, path in graph.paths_of(step_id)
        for verdict in [verdicts.get(index, otherwise)]
    )


def timeout_route(graph: Graph, step_id: str) -> tuple[Route, ...]:
    """The same when nobody answered in time and ``on_timeout`` names a step."""
    why = "nobody answered in time"
    not_taken = (Route(index, path.to_step, False, why) for index, path in graph.paths_of(step_id))
    return (*not_taken, Route(None, graph.on_timeout[step_id], True, why))


def functions_asked(graph: Graph, step_id: str) -> Iterator[FunctionCall]:
    """The functions that the conditions of a step's paths may call."""
    for _, path in graph.paths_of(step_id):
        yield from function_calls(_on_its_own(graph, step_id, path.condition))


def _on_its_own(graph: Graph, step_id: str, condition: Condition) -> Condition:
    """The condition, with the conditions of the step in place of a reference to them."""
    if not isinstance(condition, StepConditions):
        return condition
    return AllOf(type="all", conditions=graph.definition.steps[graph.place[step_id]].conditions)
