"""A question to people, from the step that asks to what it leads to: its answers, or what ``on_timeout`` says."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from ia_modules.answering import names_in, newest_of_each
from ia_modules.errors import HumanInputTimeout, Problem, QuestionsDiffer
from ia_modules.models import (
    InteractionRecord,
    InteractionSummary,
    Json,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    format_time,
    new_id,
)
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import Outcome
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.human_input import HumanInput, answered
from ia_modules.pipeline.document.json_schema import problems_of
from ia_modules.pipeline.routing import timeout_route
from ia_modules.pipeline.tokens import Route
from ia_modules.pipeline.turn import LONGEST_WAIT_SECONDS
from ia_modules.transitions import ANSWER, Failure, NewInteraction, StepUpdate


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
        assigned_role=question.assigned_role,
        answers=question.needed_answers,
        decided_by=question.decided_by,
        carries=question.carries,
        on_timeout=encode(question.on_timeout, "on_timeout"),
    )


def waiting_update(attempt: StepExecutionId, outcome: Outcome, question: HumanInput) -> StepUpdate:
    """The update of an attempt that asks people, and waits."""
    seconds = question.timeout_seconds
    return StepUpdate(
        step_execution_id=attempt,
        status=StepStatus.WAITING,
        output_data=outcome.stored,
        failure=None if outcome.error is None else Failure.of(outcome.error),
        awaits=ANSWER,
        wake_after_seconds=None if seconds is None else min(seconds, LONGEST_WAIT_SECONDS),
    )


def returned_question(waiting: StepExecutionRecord, question: InteractionRecord) -> dict[str, Any]:
    """What a waiting step returned, with the prompt and the schema of the answer where its config has them."""
    returned = cast("dict[str, Any]", waiting.output_data or {})
    return {"prompt": question.prompt, "ui_schema": question.ui_schema, **returned}


def answer_outcome(
    step_id: str, question: InteractionRecord, pipeline: LoadedPipeline, *, by: Literal["answer", "time"]
) -> Outcome:
    """The outcome of a waiting run of a step whose question is over.

    Args:
        by: what ended it.
    """
    returned = cast("dict[str, Any]", question.data or {})
    if by == "answer":
        return _outcome(step_id, answered(returned, _human_input(question)))
    if isinstance(question.on_timeout, dict):
        return _outcome(step_id, answered(returned, _human_input(question, default=question.on_timeout)))
    if step_id in pipeline.graph.on_timeout:
        return _outcome(step_id, answered(returned, _human_input(question)), timeout_route(pipeline.graph, step_id))
    declared = pipeline.step(step_id).config.json.get("timeout_seconds")
    waited = (question.deadline_at or question.created_at) - question.created_at  # nearly: two clock readings
    seconds = declared if isinstance(declared, int | float) else round(waited.total_seconds(), 1)
    return Outcome(error=HumanInputTimeout(step_id, seconds, answered_by=question.answered_by))


def problems_of_answer(
    question: InteractionRecord, response: Json, *, actor: str | None, role: str | None
) -> list[Problem]:
    """Why an answer cannot be taken: from whom it is, and what its schema says of it.

    Args:
        actor: who answers; None: nobody was named.
        role: which role they have; None: that is not known, and not looked at.
    """
    problems = _problems_of_person(question, actor, role)
    schema = question.ui_schema
    return problems + (problems_of(response, schema, root="response") if isinstance(schema, dict | bool) else [])


def refuse_unlike(questions: Sequence[InteractionRecord]) -> None:
    """Raise QuestionsDiffer unless one answer can be meant for all of them."""
    for question in questions[1:]:
        for name, differs_in in _ALIKE.items():
            if getattr(question, name) != getattr(questions[0], name):
                raise QuestionsDiffer(question.interaction_id, differs_in)


_ALIKE = {"pipeline_id": "pipeline", "pipeline_version": "version", "step_id": "step", "ui_schema": "schema"}


def may_answer(question: InteractionSummary, actor: str, role: str | None) -> bool:
    """Whether a question is assigned to somebody, by name or by role, or to nobody; ``role`` None: not known."""
    users = names_in(question.assigned_users)
    if not users and question.assigned_role is None:
        return True
    return actor in users or (question.assigned_role is not None and role in (None, question.assigned_role))


def _problems_of_person(question: InteractionRecord, actor: str | None, role: str | None) -> list[Problem]:
    users = names_in(question.assigned_users)
    if actor is None:
        if question.answers == 1 and not users and question.assigned_role is None:
            return []
        return [Problem("actor", "no name", "who answers: it is assigned to people, or takes more than one answer")]
    if may_answer(question, actor, role):
        return []
    assigned = [*users, *([] if question.assigned_role is None else [f"anybody who is {question.assigned_role}"])]
    hint = "It can be assigned to others: ia-modules interactions assign."
    return [Problem("actor", repr(actor), f"one of those that it is assigned to: {', '.join(assigned)}", hint)]


def _human_input(question: InteractionRecord, *, default: Json = None) -> Json:
    """What a question is closed with: the answer, or where it takes several those of each person, in their order.

    Args:
        default: the answer that is taken when its time is over, of nobody.
    """
    if question.answers == 1:
        return question.response if default is None else default
    answers = [
        {"actor": each.actor, "response": each.response, "answered_at": format_time(each.answered_at)}
        for each in newest_of_each(question.responses)
    ]
    if default is not None:
        at = question.deadline_at or question.created_at
        answers.append({"actor": None, "response": default, "answered_at": format_time(at)})
    return {"answers": answers}


def _outcome(step_id: str, result: dict[str, Any], routes: tuple[Route, ...] | None = None) -> Outcome:
    return Outcome(result, encode(result, f"result of step {step_id!r}"), routes=routes)
