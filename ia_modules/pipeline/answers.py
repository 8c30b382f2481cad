"""What a question to a person leads to: its answer, or what ``on_timeout`` says where nobody answers in time."""

from collections.abc import Mapping
from typing import Any, cast

from ia_modules.errors import HumanInputTimeout
from ia_modules.models import InteractionRecord, StepExecutionId, StepExecutionRecord, new_id
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.human_input import HumanInput, answered
from ia_modules.pipeline.recorded import RecordedRun
from ia_modules.pipeline.routing import timeout_route
from ia_modules.pipeline.tokens import Route
from ia_modules.transitions import NewInteraction


def new_interaction(question: HumanInput, attempt: StepExecutionId, result: Mapping[str, Any]) -> NewInteraction:
    """The question as it is stored, with what the step returned beside it, for the person who answers."""
    shown = answered(result, None)
    del shown["human_input"]
    return NewInteraction(
        interaction_id=new_id(),
        step_execution_id=attempt,
        ui_schema=encode(question.ui_schema, "ui_schema"),
        prompt=question.prompt,
        data=encode(shown, "data of a question"),
        assigned_users=encode(list(question.assigned_users), "assigned_users"),
        on_timeout=encode(question.on_timeout, "on_timeout"),
        timeout_seconds=question.timeout_seconds,
    )


def returned_question(waiting: StepExecutionRecord, question: InteractionRecord) -> dict[str, Any]:
    """What a waiting step returned, with the prompt and the schema of the answer where its config has them."""
    returned = cast("dict[str, Any]", waiting.output_data or {})
    return {"prompt": question.prompt, "ui_schema": question.ui_schema, **returned}


def answer_outcome(run: RecordedRun, question: InteractionRecord, graph: Graph) -> Outcome | None:
    """The outcome of a waiting step run; None while its question is open."""
    step_id, returned = run.run.key.step_id, cast("dict[str, Any]", question.data or {})
    if question.status == "answered":
        return _outcome(step_id, answered(returned, question.response))
    if question.deadline_at is None or not question.is_overdue:
        return None
    if isinstance(question.on_timeout, dict):
        return _outcome(step_id, answered(returned, question.on_timeout))
    if step_id in graph.on_timeout:
        return _outcome(step_id, answered(returned, None), timeout_route(graph, step_id))
    waited = question.deadline_at - question.created_at
    return Outcome(error=HumanInputTimeout(step_id, round(waited.total_seconds(), 3)))


def _outcome(step_id: str, result: dict[str, Any], routes: tuple[Route, ...] | None = None) -> Outcome:
    return Outcome(result, encode(result, f"result of step {step_id!r}"), routes=routes)
