"""A pipeline as a picture (SVG), for notebooks: the steps in rows, each below all that lead to it.

It takes its colours from the page around it. A path that closes a loop is dashed and runs beside the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.drawing.diagram import Edge, edges_of

NAME_CHARACTERS, LABEL_CHARACTERS = 24, 28

_WIDTH, _HEIGHT, _BESIDE, _BELOW, _MARGIN = 180, 36, 28, 56, 16
_END_WIDTH = 72
_BOX = 'rx="8" fill="none" stroke="currentColor"'
_ASKS, _DECIDES = 'stroke-width="2" stroke-dasharray="5 3"', 'stroke-width="2"'


def svg(definition: PipelineDefinition) -> str:
    """The picture. Steps that no path leads to stand in the last row."""
    picture = _Picture.of(definition)
    lines = [*picture.edges(), *picture.nodes()]
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width}" height="{picture.height}" '
        f'viewBox="0 0 {picture.width} {picture.height}" role="img" aria-label="{escape(definition.name)}" '
        'font-family="sans-serif" font-size="12">'
    )
    return f"{opening}{''.join(lines)}</svg>"


@dataclass(slots=True)
class _Picture:
    """Where everything stands.

    Attributes:
        places: of the middle of each step, and of each end.
        back: the edges that close a loop.
    """

    graph: Graph
    rows: list[list[str]]
    back: set[tuple[str, str]]
    width: int = 0
    height: int = 0
    places: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    @classmethod
    def of(cls, definition: PipelineDefinition) -> "_Picture":
        graph = Graph(definition)
        back = _closing_edges(graph)
        picture = cls(graph, _rows(graph, back), back)
        widest = max(len(row) for row in picture.rows)
        picture.width = 2 * _MARGIN + widest * (_WIDTH + _BESIDE) + _BESIDE * bool(back)
        picture.height = 2 * _MARGIN + len(picture.rows) * (_HEIGHT + _BELOW) - _BELOW
        for number, row in enumerate(picture.rows):
            left = (picture.width - len(row) * (_WIDTH + _BESIDE)) // 2
            for place, node in enumerate(row):
                x = left + place * (_WIDTH + _BESIDE) + (_WIDTH + _BESIDE) // 2
                picture.places[node] = (x, _MARGIN + number * (_HEIGHT + _BELOW) + _HEIGHT // 2)
        return picture

    def nodes(self) -> Iterator[str]:
        for node, (x, y) in self.places.items():
            step = None if node not in self.graph.step_ids else self.graph.step(node)
            width = _END_WIDTH if step is None else _WIDTH
            look = "" if step is None else {"human_input": _ASKS, "condition": _DECIDES}.get(step.type, "")
            name = node if step is None else step.name
            rounded = _BOX.replace('rx="8"', 'rx="18"') if step is None else _BOX
            yield (
                f'<g><title>{escape(name)}</title><rect x="{x - width // 2}" y="{y - _HEIGHT // 2}" width="{width}" '
                f'height="{_HEIGHT}" {rounded} {look}/>'
                f'<text x="{x}" y="{y + 4}" text-anchor="middle" fill="currentColor">'
                f"{escape(_cut(name, NAME_CHARACTERS))}</text></g>"
            )

    def edges(self) -> Iterator[str]:
        for edge in _edges(self.graph):
            (x1, y1), (x2, y2) = self.places[edge.source], self.places[edge.target]
            y1, y2 = y1 + _HEIGHT // 2, y2 - _HEIGHT // 2
            middle = (y1 + y2) // 2
            if (edge.source, edge.target) in self.back:
                side = max(x1, x2) + _WIDTH // 2 + _BESIDE
                curve, look = f"M{x1} {y1} C{side} {y1 + 40} {side} {y2 - 40} {x2} {y2}", ' stroke-dasharray="4 3"'
                label = (side - 12, middle)
            else:
                curve, look = f"M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2}", ""
                label = ((x1 + x2) // 2, middle)
            yield f'<path d="{curve}" fill="none" stroke="currentColor" opacity="0.6"{look}/>'
            yield f'<circle cx="{x2}" cy="{y2}" r="3" fill="currentColor"/>'
            if edge.text:
                yield (
                    f'<text x="{label[0]}" y="{label[1]}" text-anchor="middle" font-size="10" fill="currentColor">'
                    f"<title>{escape(edge.text)}</title>{escape(_cut(edge.text, LABEL_CHARACTERS))}</text>"
                )


def _edges(graph: Graph) -> Iterator[Edge]:
    """All but those to the plain end, which every step without another path has."""
    for step_id in graph.step_ids:
        for edge in edges_of(graph, step_id):
            if edge.target != "end" or edge.text:
                yield edge


def _closing_edges(graph: Graph) -> set[tuple[str, str]]:
    """The edges that lead back to a step on the way from the start to where they begin."""
    closing: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for start in (graph.definition.flow.start_at, *graph.step_ids):
        if start in seen:
            continue
        seen.add(start)
        way, stack = {start}, [(start, iter(graph.targets_of(start)))]
        while stack:
            step_id, targets = stack[-1]
            for target in targets:
                if target in way:
                    closing.add((step_id, target))
                elif target not in seen:
                    seen.add(target)
                    way.add(target)
                    stack.append((target, iter(graph.targets_of(target))))
                    break
            else:
                way.discard(step_id)
                stack.pop()
    return closing


def _rows(graph: Graph, closing: set[tuple[str, str]]) -> list[list[str]]:
    """The steps by the longest way from the start; then the ends that have a condition or a name."""
    onward = {
        step_id: [target for target in graph.targets_of(step_id) if (step_id, target) not in closing]
        for step_id in graph.step_ids
    }
    waiting = dict.fromkeys(graph.step_ids, 0)
    for targets in onward.values():
        for target in targets:
            waiting[target] += 1
    row = dict.fromkeys(graph.step_ids, 0)
    order = [step_id for step_id, sources in waiting.items() if not sources]
    for step_id in order:  # grows while it is read
        for target in onward[step_id]:
            row[target] = max(row[target], row[step_id] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    last = max(row.values(), default=0)
    start = graph.definition.flow.start_at
    unreached = {step_id for step_id in graph.step_ids if not graph.sources_of(step_id)} - {start}
    rows: list[list[str]] = [[] for _ in range(last + 1)]
    for step_id in graph.step_ids:
        rows[last if step_id in unreached else row[step_id]].append(step_id)
    ends = list(dict.fromkeys(edge.target for edge in _edges(graph) if edge.leads_out))
    return [each for each in (*rows, ends) if each]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
