"""The shape of a pipeline in lines of text, read from top to bottom.

    ● fetch
    ├─ rows > 0
    │  ● score
    │  ● rank
    ├─ otherwise
    │  ● apologize
    ● report          where the branches join

Branches stand one below the other, indented, up to the step that all of them lead to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.drawing.diagram import Edge, edges_of

_MARKS = {"task": "●", "condition": "◆", "human_input": "◇"}
_TYPES = {"task": "", "condition": "  (decides)", "human_input": "  (asks a person)"}


def shape(definition: PipelineDefinition) -> list[str]:
    """The lines of the drawing; every step that can be reached stands in it once, the others in a last line."""
    drawing = _Drawing(definition)
    drawing.draw(definition.flow.start_at)
    if missed := [step.id for step in definition.steps if step.id not in drawing.drawn]:
        drawing.lines.append(f"no path leads to: {', '.join(missed)}")
    return drawing.lines


@dataclass(slots=True)
class _Undrawn:
    """A part not drawn yet: the edges ``others``, then the chain of steps from ``step_id`` up to ``join``."""

    prefix: str
    step_id: str | None
    join: str | None
    others: list[Edge] = field(default_factory=list[Edge])


class _Drawing:
    def __init__(self, definition: PipelineDefinition) -> None:
        self.lines: list[str] = []
        self._definition = definition
        self._graph = Graph(definition)
        self.drawn: set[str] = set()
        self._onward = _without_loops(self._graph)
        self._joins = _joins(self._graph, self._onward)

    def draw(self, start: str) -> None:
        """Draws a step and everything after it. A stack instead of recursion: branches may nest to any depth."""
        stack = [_Undrawn("", start, None)]
        while stack:
            branch = stack[-1]
            if branch.others:
                stack += self._enter(branch)
            elif branch.step_id is None or branch.step_id == branch.join:
                stack.pop()
            else:
                self._chain_link(branch)

    def _chain_link(self, branch: _Undrawn) -> None:
        """Draws one step, and puts its edges into the branch."""
        step_id = branch.step_id
        assert step_id is not None
        if step_id in self.drawn:
            self.lines.append(f"{branch.prefix}→ {self._name(step_id)}")
            branch.step_id = None
            return
        self.drawn.add(step_id)
        step = self._graph.step(step_id)
        self.lines.append(f"{branch.prefix}{_MARKS[step.type]} {self._name(step_id)}{_TYPES[step.type]}")
        edges = edges_of(self._graph, step_id)
        ahead = [edge for edge in edges if not edge.leads_out and edge.target in self._onward[step_id]]
        join = self._joins[step_id]
        if len(edges) == 1 and ahead:
            if edges[0].label:  # the only path of a step may have a condition
                self.lines.append(f"{branch.prefix}│  {_when(edges[0])}")
            branch.step_id = edges[0].target
            return
        branch.others = [] if len(edges) == 1 and _is_plain_end(edges[0]) else edges
        branch.step_id = join if ahead else None

    def _enter(self, branch: _Undrawn) -> Iterator[_Undrawn]:
        """Draws the next edge of the step drawn last; returns the branch on it, up to the join."""
        edge = branch.others.pop(0)
        is_last = not branch.others and branch.step_id in (None, branch.join)
        corner, below = ("└─", "   ") if is_last else ("├─", "│  ")
        target, line = edge.target, f"{branch.prefix}{corner} {_when(edge)}"
        if edge.leads_out:
            self.lines.append(f"{line} → {target}{' (ends the execution)' if edge.ends_execution else ''}")
        elif target not in self._onward[edge.source]:
            self.lines.append(f"{line} ↺ back to {self._name(target)}")
        elif target in (branch.step_id, branch.join) or target in self.drawn:
            self.lines.append(f"{line} → {self._name(target)}")
        else:
            self.lines.append(line)
            yield _Undrawn(branch.prefix + below, target, branch.step_id or branch.join)

    def _name(self, step_id: str) -> str:
        name = self._graph.step(step_id).name
        return step_id if name == step_id else f"{step_id}: {' '.join(name.split())}"


def _is_plain_end(edge: Edge) -> bool:
    return edge.leads_out and edge.target == "end" and not edge.text


def _when(edge: Edge) -> str:
    words = (edge.label or "always") if edge.otherwise or not edge.label else f"when {edge.label}"
    return words if edge.order is None else f"{edge.order}. {words}"


def _without_loops(graph: Graph) -> dict[str, list[str]]:
    """The targets of each step, without paths that close a loop, which lead to a step of the current trail."""
    onward: dict[str, list[str]] = {}
    under_way: set[str] = set()
    stack: list[tuple[str, Iterator[str]]] = []

    def enter(step_id: str) -> None:
        onward[step_id] = []
        under_way.add(step_id)
        stack.append((step_id, iter(graph.targets_of(step_id))))

    enter(graph.definition.flow.start_at)
    while stack:
        step_id, targets = stack[-1]
        for target in targets:
            if target in under_way:
                continue
            onward[step_id].append(target)
            if target not in onward:
                enter(target)
                break
        else:
            under_way.discard(step_id)
            stack.pop()
    return onward


def _joins(graph: Graph, onward: dict[str, list[str]]) -> dict[str, str | None]:
    """For each step, where the branches from it join again; None where they do not.

    The nearest step that at least two branches lead to (one, if the others only lead back), and that no branch passes
    by: the others end before it.
    """
    order = _in_order(onward)
    rank = {step_id: place for place, step_id in enumerate(order)}
    reached: dict[str, int] = {}  # masks: steps that some branch from here leads to, itself among them
    certain: dict[str, int] = {}  # masks: those that every branch passes unless it ends
    returns: dict[str, bool] = {}  # whether every branch from here only leads back
    joins: dict[str, str | None] = {}
    for step_id in reversed(order):
        targets, itself = onward[step_id], graph.mask([step_id])
        leads_back = len(targets) < len(graph.targets_of(step_id))
        ends = any(path.leads_out for _, path in graph.paths_of(step_id))
        returns[step_id] = not ends and all(returns[target] for target in targets) and (leads_back or bool(targets))
        wanted = min(2, sum(not returns[target] for target in targets))
        reached[step_id] = itself
        candidates: set[str] = set()
        for target in targets:
            reached[step_id] |= reached[target]
            candidates |= set(_members(graph, certain[target]))
        joins[step_id] = None
        for candidate in sorted(candidates, key=rank.__getitem__):
            bit = graph.mask([candidate])
            passing = sum(bool(certain[target] & bit) for target in targets)
            able = sum(bool(reached[target] & bit) for target in targets)
            if passing == able >= max(1, wanted):
                joins[step_id] = candidate
                break
        join = joins[step_id]
        certain[step_id] = itself | (0 if join is None else certain[join])
    return joins


def _in_order(onward: dict[str, list[str]]) -> Sequence[str]:
    """The steps in topological order."""
    waiting = dict.fromkeys(onward, 0)
    for targets in onward.values():
        for target in targets:
            waiting[target] += 1
    order = [step_id for step_id, sources in waiting.items() if not sources]
    for step_id in order:  # grows while it is read
        for target in onward[step_id]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    return order


def _members(graph: Graph, mask: int) -> Iterator[str]:
    while mask:
        lowest = mask & -mask
        yield graph.step_ids[lowest.bit_length() - 1]
        mask ^= lowest
