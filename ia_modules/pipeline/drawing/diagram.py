"""A pipeline as a drawing in text: Mermaid for documents, DOT for Graphviz. The shape on a terminal is ``shape.py``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, repeat

from ia_modules.pipeline.document.conditions import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    Else,
    Expression,
    FunctionCall,
    Not,
    ParameterIsTrue,
    StepConditions,
    Success,
)
from ia_modules.pipeline.document.definition import PipelineDefinition, is_end
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.operators import IN_WORDS
from ia_modules.pipeline.document.scope import Reference
from ia_modules.pipeline.document.wording import repr_of

LONGEST_LABEL, LONGEST_VALUE = 60, 30


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of the drawing, from one step to the next.

    Attributes:
        target: the id of a step, or ``end`` or ``end_*``.
        label: when it is taken, in words; empty for always.
        otherwise: it is taken when none of its siblings is.
        order: its place among those of which the first is taken, from 1; None where all are, and for ``otherwise``.
        ends_execution: taken, it completes the execution.
    """

    source: str
    target: str
    label: str = ""
    otherwise: bool = False
    order: int | None = None
    ends_execution: bool = False

    @property
    def leads_out(self) -> bool:
        return is_end(self.target)

    @property
    def text(self) -> str:
        """What stands at it, all told; empty for an edge that is always taken."""
        label = self.label if self.order is None else f"{self.order}. {self.label or 'always'}"
        return ", ".join(filter(None, (label, "ends the execution" if self.ends_execution else "")))


def edges_of(graph: Graph, step_id: str) -> list[Edge]:
    """The edges from a step, in file order, then the one for a question that nobody answers in time."""
    own = graph.step(step_id).conditions
    edges: list[Edge] = []
    places = count(1) if graph.takes_first(step_id) and len(graph.paths_of(step_id)) > 1 else repeat(None)
    for _, path in graph.paths_of(step_id):
        condition = AllOf(type="all", conditions=own) if isinstance(path.condition, StepConditions) else path.condition
        otherwise = isinstance(condition, Else)
        words, order = condition_in_words(condition), None if otherwise else next(places)
        edges.append(Edge(step_id, path.to_step, words, otherwise, order, path.ends_execution))
    if step_id in graph.on_timeout:
        edges.append(Edge(step_id, graph.on_timeout[step_id], "nobody answers in time"))
    return edges


def condition_in_words(condition: Condition) -> str:
    """When a path is taken: a clause; empty for always."""
    return _short(_in_words(condition), LONGEST_LABEL)


def mermaid(definition: PipelineDefinition) -> str:
    """A Mermaid flowchart, such as GitHub draws in Markdown between ```` ```mermaid ```` fences."""
    graph = Graph(definition)
    nodes = _node_names(definition)
    lines = ["flowchart TD", '    start((" "))']
    for step in definition.steps:
        left, right = {"condition": ("{", "}"), "human_input": ("[/", "/]")}.get(step.type, ("[", "]"))
        lines.append(f"    {nodes[step.id]}{left}{_mermaid_text(step.name)}{right}")
    lines += [f"    {nodes[end]}([{_mermaid_text(end)}])" for end in _ends(definition)]
    lines.append(f"    start --> {nodes[definition.flow.start_at]}")
    for edge in _all_edges(graph):
        arrow = "-.->" if edge.otherwise else "-->"
        label = f"|{_mermaid_text(edge.text)}|" if edge.text else ""
        lines.append(f"    {nodes[edge.source]} {arrow}{label} {nodes[edge.target]}")
    return "\n".join(lines) + "\n"


def dot(definition: PipelineDefinition) -> str:
    """A graph in the language of Graphviz: ``dot -Tsvg`` draws it."""
    graph = Graph(definition)
    nodes = _node_names(definition)
    shapes = {"condition": "diamond", "human_input": "parallelogram"}
    lines = [
        f"digraph {_dot_text(definition.slug)} {{",
        f"    label={_dot_text(definition.name)}; labelloc=t;",
        '    node [shape=box, style=rounded, fontname="sans-serif"];',
        '    edge [fontname="sans-serif", fontsize=10];',
        '    start [shape=circle, label="", width=0.2];',
    ]
    for step in definition.steps:
        shape = f", shape={shapes[step.type]}, style=solid" if step.type in shapes else ""
        lines.append(f"    {nodes[step.id]} [label={_dot_text(step.name)}{shape}];")
    lines += [f"    {nodes[end]} [label={_dot_text(end)}, shape=oval];" for end in _ends(definition)]
    lines.append(f"    start -> {nodes[definition.flow.start_at]};")
    for edge in _all_edges(graph):
        attributes = [f"label={_dot_text(edge.text)}"] if edge.text else []
        attributes += ["style=dashed"] if edge.otherwise else []
        look = f" [{', '.join(attributes)}]" if attributes else ""
        lines.append(f"    {nodes[edge.source]} -> {nodes[edge.target]}{look};")
    return "\n".join([*lines, "}"]) + "\n"


def _all_edges(graph: Graph) -> Iterator[Edge]:
    for step_id in graph.step_ids:
        yield from edges_of(graph, step_id)


def _ends(definition: PipelineDefinition) -> list[str]:
    """The targets that leave the pipeline, each once, in file order."""
    return list(dict.fromkeys(path.to_step for path in definition.flow.paths if path.leads_out))


def _node_names(definition: PipelineDefinition) -> dict[str, str]:
    """Names that mean nothing in either language: a step may be called ``end`` something, or ``graph``."""
    steps = {step.id: f"s{place}" for place, step in enumerate(definition.steps, start=1)}
    return steps | {end: f"e{place}" for place, end in enumerate(_ends(definition), start=1)}


def _in_words(condition: Condition) -> str:
    match condition:
        case Always():
            return ""
        case Else():
            return "otherwise"
        case Success():
            return "it succeeded"
        case StepConditions():
            return "its conditions hold"
        case Expression(operator="exists"):
            return f"{_source_of(condition)} {'is missing' if condition.value.json is False else 'exists'}"
        case Expression():
            return f"{_source_of(condition)} {IN_WORDS[condition.operator][0]} {_value_of(condition)}"
        case ParameterIsTrue(parameter=name):
            return f"parameter {name}"
        case FunctionCall():
            return f"{condition} returns true"
        case AllOf(conditions=conditions):
            return _joined(" and ", conditions)
        case AnyOf(conditions=conditions):
            return _joined(" or ", conditions)
        case Not(condition=inner):
            return f"not ({_in_words(inner) or 'always'})"


def _source_of(condition: Expression) -> str:
    """The left side of a comparison; a parameter by its name alone."""
    return _named(condition.path) if condition.path.root in ("parameters", "run") else condition.source


def _value_of(condition: Expression) -> str:
    """The right side of a comparison: a placeholder by its name, everything else as JSON."""
    named = condition.value.whole_reference
    return _short(repr_of(condition.value.json), LONGEST_VALUE) if named is None else _named(named)


def _named(reference: Reference) -> str:
    return ".".join(reference.path) if reference.root == "parameters" else str(reference)


def _joined(word: str, conditions: tuple[Condition, ...]) -> str:
    clauses = [_in_words(each) or "always" for each in conditions]
    nested = [isinstance(each, AllOf | AnyOf) and len(conditions) > 1 for each in conditions]
    return word.join(f"({clause})" if inner else clause for clause, inner in zip(clauses, nested, strict=True))


def _short(text: str, longest: int) -> str:
    """On one line, and not longer than so many characters: cut between words where that leaves most of it."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    cut = line[: longest - 1]
    words = cut if line[longest - 1] == " " else cut.rpartition(" ")[0]
    return f"{words if len(words) > longest // 2 else cut}…"


def _mermaid_text(text: str) -> str:
    """Quoted, with everything that Mermaid, or the HTML it makes, would read as its own as a character code."""
    quoted = re.sub(r"""[^\w .,;:!?()=≠≥≤…/\\'+*-]""", lambda found: f"#{ord(found[0])};", " ".join(text.split()))
    return f'"{quoted}"'


def _dot_text(text: str) -> str:
    line = " ".join(text.split())
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
