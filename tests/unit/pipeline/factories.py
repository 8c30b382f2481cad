"""Makes definitions for tests: as little as the case needs, spelled as a file spells it."""

from typing import Any

from ia_modules.errors import FORMAT_HINT, Problem
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import load


def task(step_id: str, **keys: Any) -> dict[str, Any]:
    return {"id": step_id, "step_class": "Step", "module": "steps", **keys}


def path(from_step: str, to_step: str, condition: Any = "always") -> dict[str, Any]:
    return {"from_step": from_step, "to_step": to_step, "condition": condition}


def document(*steps: str | dict[str, Any], paths: list[Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A pipeline file: steps by id or in full, paths as (from, to) or (from, to, condition); it starts at the first."""
    written = [task(step) if isinstance(step, str) else step for step in steps]
    edges: list[dict[str, Any]] = [each if isinstance(each, dict) else path(*each) for each in paths or []]
    return {"name": "test", "steps": written, "flow": {"start_at": written[0]["id"], "paths": edges}, **keys}


def definition(*steps: str | dict[str, Any], paths: list[Any] | None = None, **keys: Any) -> PipelineDefinition:
    return load(document(*steps, paths=paths, **keys)).definition


def graph(*steps: str | dict[str, Any], paths: list[Any] | None = None, **keys: Any) -> Graph:
    """A graph that may have steps out of reach."""
    return Graph(load(document(*steps, paths=paths, **keys), strict=False).definition)


def ask(**config: Any) -> dict[str, Any]:
    return {"id": "ask", "type": "human_input", "config": config}


def without_format_hint(problem: Problem) -> str:
    """A problem in words; the advice about older files stands on one of a document's problems and is the same."""
    return str(problem).removesuffix(FORMAT_HINT).rstrip()


def with_condition(condition: Any, **keys: Any) -> dict[str, Any]:
    return document("a", "b", paths=[("a", "b", condition)], **keys)


def with_inputs(inputs: Any, **keys: Any) -> dict[str, Any]:
    return document(task("a", inputs=inputs), **keys)
