"""Causal ancestors of a step run, in the order in which their results are merged into the state."""

import heapq
from collections.abc import Callable, Container, Iterable, Iterator

from ia_modules.pipeline.tokens import GraphState, StepRunKey


def causal_ancestors(
    state: GraphState, parents: Iterable[StepRunKey], *, beyond: Container[StepRunKey] = ()
) -> list[StepRunKey]:
    """The ancestors of a step run with these parents, the parents included, in causal order.

    An earlier iteration comes before a later one. Where branches join, the branches come in the order of their paths in
    the file. The ancestors of a single parent keep the order in which that parent saw them.

    Args:
        beyond: step runs that are left out, with all their ancestors.
    """
    roots = [parent for parent in parents if parent not in beyond]
    ancestors = set(_reached(roots, lambda key: (each for each in state.runs[key].parents if each not in beyond)))
    return list(_postorder(roots, lambda key: _directly_before(state, key, ancestors)))


def causal_order(state: GraphState) -> list[StepRunKey]:
    """All step runs, in causal order; independent ones in file order."""
    if all(run.parents == (earlier,) for earlier, run in zip(state.runs, list(state.runs.values())[1:], strict=False)):
        return [*state.runs]  # a chain: each started after the one before it
    before = {key: set(_directly_before(state, key, state.runs)) for key in state.runs}
    waiting = {key: len(earlier) for key, earlier in before.items()}
    after: dict[StepRunKey, list[StepRunKey]] = {key: [] for key in state.runs}
    for key, earlier in before.items():
        for each in earlier:
            after[each].append(key)
    place = state.graph.place
    heap = [(place[key.step_id], key) for key, count in waiting.items() if not count]
    heapq.heapify(heap)
    order: list[StepRunKey] = []
    while heap:
        _, key = heapq.heappop(heap)
        order.append(key)
        for later in after[key]:
            waiting[later] -= 1
            if not waiting[later]:
                heapq.heappush(heap, (place[later.step_id], later))
    return order


def _directly_before(state: GraphState, key: StepRunKey, among: Container[StepRunKey]) -> Iterator[StepRunKey]:
    """The parents and the previous iteration, where ``among`` has them."""
    before = (*state.runs[key].parents, StepRunKey(key.step_id, key.iteration - 1))
    return (each for each in before if each in among)


def _reached(
    roots: Iterable[StepRunKey], following: Callable[[StepRunKey], Iterable[StepRunKey]]
) -> Iterator[StepRunKey]:
    seen = set(roots)
    stack = list(seen)
    while stack:
        key = stack.pop()
        yield key
        fresh = [each for each in following(key) if each not in seen]
        seen.update(fresh)
        stack += fresh


def _postorder(
    roots: Iterable[StepRunKey], before: Callable[[StepRunKey], Iterator[StepRunKey]]
) -> Iterator[StepRunKey]:
    """Each key once, after its predecessors. Not recursive: a chain may be longer than Python's stack."""
    seen: set[StepRunKey] = set()
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, before(root))]
        while stack:
            key, rest = stack[-1]
            earlier = next((each for each in rest if each not in seen), None)
            if earlier is None:
                stack.pop()
                yield key
            else:
                seen.add(earlier)
                stack.append((earlier, before(earlier)))
