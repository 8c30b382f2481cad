"""The graph of a pipeline: which step a path leads to, and which step can still reach which."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from ia_modules.pipeline.document.definition import Path, PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.merge import FoldingRules


class Exits(NamedTuple):
    """Where a step may lead.

    Attributes:
        targets: the targets of its paths, by their places in the file; that of ``on_timeout`` under None.
        ending: the places of those that end the execution.
    """

    targets: Mapping[int | None, str | None]
    ending: frozenset[int]


class Graph:
    """Steps and paths, with reachability, and whatever else stands still while they run, computed once.

    Sets of steps are bit masks over their place in the file. A path between steps that do not exist is left out; the
    loader refuses it.

    Attributes:
        definition: what the graph was made from.
        place: step id → its place in the file.
        on_timeout: step id → the step that follows when nobody answers in time; an edge like a path.
    """

    def __init__(self, definition: PipelineDefinition) -> None:
        self.definition = definition
        self.step_ids = tuple(step.id for step in definition.steps)
        self.place = {step_id: place for place, step_id in enumerate(self.step_ids)}
        self.on_timeout = {
            step.id: target
            for step in definition.steps
            if isinstance(target := step.config.json.get("on_timeout"), str) and target in self.place
        }
        self._paths: dict[str, list[tuple[int, Path]]] = {step_id: [] for step_id in self.step_ids}
        for index, path in enumerate(definition.flow.paths):
            self._paths.get(path.from_step, []).append((index, path))
        self._exits: dict[str, Exits] = {}
        self._next = [sorted(self._targets_of(step_id)) for step_id in self.step_ids]
        self._previous = _reversed(self._next)
        self._after = _closure(self._next)
        self._before = _closure(self._previous)
        forward = _without_returns(self._next, self.place.get(definition.flow.start_at, 0))
        self._before_forward = _closure(_reversed(forward))

    def step(self, step_id: str) -> StepDefinition:
        return self.definition.steps[self.place[step_id]]

    def paths_of(self, step_id: str) -> Sequence[tuple[int, Path]]:
        """The paths that leave a step, in file order, with their places in the file."""
        return self._paths[step_id]

    def exits_of(self, step_id: str) -> Exits:
        known = self._exits.get(step_id)
        if known is None:
            paths = self._paths[step_id]
            targets = {None: self.on_timeout.get(step_id), **{index: path.to_step for index, path in paths}}
            known = Exits(targets, frozenset(index for index, path in paths if path.ends_execution))
            self._exits[step_id] = known
        return known

    @cached_property
    def folding_rules(self) -> FoldingRules:
        """Those of the definition."""
        return self.definition.folding_rules

    @cached_property
    def has_own_run(self) -> bool:
        """As the definition says it."""
        return self.definition.has_own_run

    def takes_first(self, step_id: str) -> bool:
        """Whether one path of the step is taken, the first that holds, and not all that hold."""
        return self.definition.route_of(self.step(step_id)) == "first"

    def targets_of(self, step_id: str) -> list[str]:
        """The steps that a step may hand a token to, in file order."""
        return [self.step_ids[place] for place in self._next[self.place[step_id]]]

    def sources_of(self, step_id: str) -> list[str]:
        """The steps that may hand a token to a step, in file order."""
        return [self.step_ids[place] for place in self._previous[self.place[step_id]]]

    def reaches(self, step_id: str, target: str) -> bool:
        """Whether at least one path, or several in a row, lead from the step to the target."""
        return bool(self._after[self.place[step_id]] & self.mask([target]))

    def after(self, step_id: str) -> int:
        """The steps that the step reaches; itself only when it stands in a cycle."""
        return self._after[self.place[step_id]]

    def before(self, step_id: str) -> int:
        """The steps that reach the step."""
        return self._before[self.place[step_id]]

    def before_forward(self, step_id: str) -> int:
        """The steps that reach the step without closing a loop."""
        return self._before_forward[self.place[step_id]]

    def mask(self, step_ids: Iterable[str]) -> int:
        """The set of these steps."""
        mask = 0
        for step_id in step_ids:
            mask |= 1 << self.place[step_id]
        return mask

    def leads_back(self, path: int) -> bool:
        """Whether the path closes a loop: its target reaches its start and is not later in the file."""
        return path in self._returns

    @cached_property
    def _returns(self) -> frozenset[int]:
        place = self.place
        return frozenset(
            index
            for index, path in enumerate(self.definition.flow.paths)
            if path.from_step in place and path.to_step in place and not path.leads_out
            if place[path.to_step] <= place[path.from_step] and self.reaches(path.to_step, path.from_step)
        )

    def is_in_loop(self, step_id: str) -> bool:
        """Whether the step reaches itself, and so may run more than once."""
        return bool(self.after(step_id) >> self.place[step_id] & 1)

    def _targets_of(self, step_id: str) -> set[int]:
        targets = {path.to_step for _, path in self._paths[step_id] if not path.leads_out}
        return {self.place[target] for target in targets | {self.on_timeout.get(step_id)} if target in self.place}


def _reversed(successors: list[list[int]]) -> list[list[int]]:
    predecessors: list[list[int]] = [[] for _ in successors]
    for node, targets in enumerate(successors):
        for target in targets:
            predecessors[target].append(node)
    return predecessors


def _without_returns(successors: list[list[int]], start: int) -> list[list[int]]:
    """The edges without those that close a cycle in a depth-first search from ``start``."""
    on_the_way: dict[int, bool] = {}
    kept: list[list[int]] = [[] for _ in successors]
    for root in (start, *range(len(successors))):
        stack = [] if root in on_the_way else [(root, iter(successors[root]))]
        on_the_way.setdefault(root, True)
        while stack:
            node, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                on_the_way[node] = False
                stack.pop()
            elif not on_the_way.get(target):
                kept[node].append(target)
                if target not in on_the_way:
                    on_the_way[target] = True
                    stack.append((target, iter(successors[target])))
    return kept


def _closure(successors: list[list[int]]) -> list[int]:
    """For each node, the set of all nodes after it, passed on along the edges until no set grows."""
    after = [0] * len(successors)
    order, grows = _deepest_first(successors), True
    while grows:
        grows = False
        for node in order:
            grown = after[node]
            for target in successors[node]:
                grown |= after[target] | 1 << target
            if grown != after[node]:
                after[node], grows = grown, True
    return after


def _deepest_first(successors: list[list[int]]) -> list[int]:
    """All nodes, each after its successors where there is no cycle, so that few passes are needed."""
    order: dict[int, None] = {}
    entered: set[int] = set()
    stack = list(range(len(successors)))
    while stack:
        node = stack[-1]
        if node in entered:
            order.setdefault(stack.pop())
        else:
            entered.add(node)
            stack += [target for target in successors[node] if target not in entered]
    return list(order)
