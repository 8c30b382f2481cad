"""What a question to a person leads to: its answer, or what ``on_timeout`` says where nobody answers in time."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from ia_modules.errors import HumanInputTimeout
from ia_modules.models import InteractionRecord, StepExecutionId, StepExecutionRecord, new_id
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.code import LoadedPipeline
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
    )


def returned_question(waiting: StepExecutionRecord, question: InteractionRecord) -> dict[str, Any]:
    """What a waiting step returned, with the prompt and the schema of the answer where its config has them."""
    returned = cast("dict[str, Any]", waiting.output_data or {})
    return {"prompt": question.prompt, "ui_schema": question.ui_schema, **returned}


def answer_outcome(
    run: RecordedRun, question: InteractionRecord, pipeline: LoadedPipeline, *, by: Literal["answer", "time"]
) -> Outcome:
    """The outcome of a waiting step run whose question is over.

    Args:
        by: what ended it.
    """
    step_id, returned = run.run.key.step_id, cast("dict[str, Any]", question.data or {})
    if by == "answer":
        return _outcome(step_id, answered(returned, question.response))
    if isinstance(question.on_timeout, dict):
        return _outcome(step_id, answered(returned, question.on_timeout))
    if step_id in pipeline.graph.on_timeout:
        return _outcome(step_id, answered(returned, None), timeout_route(pipeline.graph, step_id))
    declared = pipeline.step(step_id).config.json.get("timeout_seconds")
    waited = (question.deadline_at or question.created_at) - question.created_at  # nearly: two clock readings
    seconds = declared if isinstance(declared, int | float) else round(waited.total_seconds(), 1)
    return Outcome(error=HumanInputTimeout(step_id, seconds))


def _outcome(step_id: str, result: dict[str, Any], routes: tuple[Route, ...] | None = None) -> Outcome:
    return Outcome(result, encode(result, f"result of step {step_id!r}"), routes=routes)
