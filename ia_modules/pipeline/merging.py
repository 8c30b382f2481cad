"""Keys of the state that branches of a join have written beside each other."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ia_modules.errors import KEEP_BOTH, LostUpdate, both_wrote
from ia_modules.models import StepStatus
from ia_modules.pipeline.document.merge import is_folding
from ia_modules.pipeline.tokens import GraphState, StepRunKey


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two runs, neither before the other, wrote one key of the state, which no rule puts together.

    Attributes:
        runs: the one in fewer of the joining branches first, else in the order of these in the file.
        is_refused: ``merge`` says ``error`` for the key; otherwise the later one stands.
    """

    key: str
    runs: tuple[StepRunKey, StepRunKey]
    is_refused: bool


def conflicts(
    state: GraphState, parents: Sequence[StepRunKey], written: Callable[[StepRunKey], Iterable[str]]
) -> list[Conflict]:
    """The keys that meet in a step run with these parents, by their names; none where no branches join.

    Looks at the runs since the branches' common ancestors only. What met at an earlier join is not told again, unless a
    branch comes past that join, too.

    Args:
        written: the keys of a run's result.
    """
    rule_of = state.graph.definition.merge_rule_of
    writers: dict[str, dict[int, StepRunKey]] = {}  # by key, and by the branches that the writer is in
    for run, branches in in_branches(state, parents):
        if state.runs[run].status is StepStatus.FAILED:
            continue  # its result is what a failure leaves, and no work is lost with it
        for key in written(run):
            if not is_folding(rule_of(key)):
                of_key = writers.setdefault(key, {})
                of_key[branches] = max(of_key.get(branches, run), run, key=_lateness(state))
    return [
        Conflict(key, pair, rule_of(key) == "error")
        for key, of_key in sorted(writers.items())
        if (pair := _apart(of_key)) is not None
    ]


def lost_update(step_id: str, found: Iterable[Conflict]) -> LostUpdate | None:
    """Why a step must not run on what meets in it; None: it may."""
    refused = next((conflict for conflict in found if conflict.is_refused), None)
    return None if refused is None else LostUpdate(step_id, refused.key, refused.runs)


def overwritten(found: Iterable[Conflict]) -> list[str]:
    """A sentence for each key of which one value stands and the others are lost to the state."""
    kept = "The value from the later path in the file is kept"
    return [f"{both_wrote(each.key, each.runs)}. {kept}. {KEEP_BOTH}" for each in found if not each.is_refused]


def _apart(writers: dict[int, StepRunKey]) -> tuple[StepRunKey, StepRunKey] | None:
    """Two of these, each in a branch that the other is not in; what one branch has in full is not beside it."""
    by_branches = sorted(writers, key=lambda branches: (branches.bit_count(), branches))
    pairs = combinations(by_branches, 2)
    return next(((writers[one], writers[other]) for one, other in pairs if one & ~other and other & ~one), None)


def _lateness(state: GraphState) -> Callable[[StepRunKey], tuple[int, int]]:
    """An order that does not depend on timing."""
    return lambda run: (run.iteration, state.graph.place[run.step_id])


def in_branches(state: GraphState, parents: Sequence[StepRunKey]) -> Iterator[tuple[StepRunKey, int]]:
    """The runs that lead to some of these parents and not to all, each with a bit for every such parent."""
    everywhere = (1 << len(parents)) - 1
    reached = {parent: 1 << number for number, parent in enumerate(parents)}
    heap = [(-state.started[parent], parent) for parent in parents]
    heapq.heapify(heap)
    in_some = sum(branches != everywhere for branches in reached.values())
    while in_some:
        _, run = heapq.heappop(heap)  # the latest: all that follow from it have been taken before
        branches = reached.pop(run)
        if branches != everywhere:
            in_some -= 1
            yield run, branches
        for parent in state.runs[run].parents:
            before = reached.get(parent)
            if before is None:
                heapq.heappush(heap, (-state.started[parent], parent))
            reached[parent] = after = (before or 0) | branches
            in_some += (after != everywhere) - (before is not None and before != everywhere)
