"""How a row that is kept in memory begins, and what it becomes; pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
from msgspec.structs import asdict, replace

from ia_modules.answering import answer_columns
from ia_modules.models import (
    ExecutionRecord,
    InteractionRecord,
    Json,
    JsonText,
    ResponseRecord,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.payload import encode, size_bytes
from ia_modules.states import ExecutionState, GivenAnswer, InteractionState
from ia_modules.transitions import Answer, NewExecution, NewInteraction, StepStart, StepUpdate, cluster_in
from ia_modules.usage import Spent

NO_USAGE: Mapping[str, None] = dict.fromkeys(
    ("input_tokens", "output_tokens", "cost_micros", "unpriced_calls", "usage", "first_token_ms")
)
"""Of an attempt that has told nothing."""


def created_execution(new: NewExecution, state: ExecutionState, registered_name: str, now: datetime) -> ExecutionRecord:
    return ExecutionRecord(
        execution_id=state.execution_id,
        alias=new.alias,
        pipeline_id=new.pipeline_id,
        pipeline_name=new.pipeline_name or registered_name,
        pipeline_version=new.pipeline_version,
        status=state.status,
        managed=new.managed,
        trigger=new.trigger,
        priority=new.priority,
        run_at=new.run_at,
        owner=state.owner,
        epoch=state.epoch,
        recoveries=0,
        sequence=state.sequence,
        cancel_requested=False,
        rerun_of=new.rerun_of,
        total_steps=state.total_steps,
        completed_steps=state.completed_steps,
        failed_steps=state.failed_steps,
        input_tokens=None,
        output_tokens=None,
        cost_micros=None,
        unpriced_calls=None,
        error_type=None,
        error_message=None,
        failure_group=None,
        failed_step=None,
        imported_at=None,
        rows_sha256=None,
        went_on=None,
        created_at=now,
        started_at=None,
        completed_at=None,
        input_data=decoded(new.input_data, None),
        output_data=None,
        metadata=decoded(new.metadata, None),
        overrides=decoded(new.overrides, None),
        traceparent=new.traceparent,
    )


def new_interaction(
    ask: NewInteraction, asker: StepExecutionRecord, execution: ExecutionRecord, now: datetime
) -> InteractionRecord:
    return InteractionRecord(
        interaction_id=ask.interaction_id,
        execution_id=execution.execution_id,
        step_execution_id=ask.step_execution_id,
        step_id=asker.step_id,
        pipeline_id=execution.pipeline_id,
        pipeline_name=execution.pipeline_name,
        pipeline_version=execution.pipeline_version,
        status="pending",
        prompt=ask.prompt,
        ui_schema=decoded(ask.ui_schema, None),
        data=decoded(ask.data, None),
        assigned_users=decoded(ask.assigned_users, None),
        assigned_role=ask.assigned_role,
        answers=ask.answers,
        decided_by=ask.decided_by,
        on_timeout=decoded(ask.on_timeout, None),
        deadline_at=None,
        created_at=now,
        completed_at=None,
        actor=None,
        verified=False,
        answered_by=0,
        response=None,
        responses=(),
        sequence=execution.sequence,
    )


def state_of(question: InteractionRecord) -> InteractionState:
    return InteractionState(
        interaction_id=question.interaction_id,
        execution_id=question.execution_id,
        step_execution_id=question.step_execution_id,
        status=question.status,
        assigned_users=question.assigned_users,
        assigned_role=question.assigned_role,
        answers=question.answers,
        decided_by=question.decided_by,
        completed_at=question.completed_at,
        responses=tuple(
            GivenAnswer(actor=each.actor, revision=each.revision, response=encode(each.response, "answer"))
            for each in question.responses
        ),
    )


def with_state(
    question: InteractionRecord, state: InteractionState, sequence: int, now: datetime, answer: Answer | None = None
) -> InteractionRecord:
    """``answer``: the last of what it has been given, where that has just come."""
    if state == state_of(question):
        return question
    responses = question.responses
    if answer is not None:
        response = ResponseRecord(
            actor=answer.actor,
            verified=answer.verified,
            revision=state.responses[-1].revision,
            response=decoded(answer.response, None),
            answered_at=now,
        )
        responses = (*responses, response)
    closed = state.status != "pending"
    changed = replace(
        question,
        status=state.status,
        assigned_users=state.assigned_users,
        sequence=sequence,
        completed_at=now if closed else None,
        responses=responses,
    )
    return replace(changed, **answer_columns(state.status, state.answers, responses))


def started_step(start: StepStart, state: ExecutionState, now: datetime) -> StepExecutionRecord:
    began = now - timedelta(seconds=start.age_seconds)
    return StepExecutionRecord(
        step_execution_id=start.step_execution_id,
        execution_id=state.execution_id,
        within=start.within,
        step_id=start.step_id,
        step_name=start.step_name,
        step_type=start.step_type,
        iteration=start.iteration or 1,
        attempt=start.attempt or 1,
        retry_count=0,
        status=start.status,
        worker=start.worker,
        wake_at=_after(now, start.wake_after_seconds),
        awaits=start.awaits,
        effect=start.effect,
        routes=None,
        error_type=None,
        error_message=None,
        progress=None,
        progress_message=None,
        copied_from=None,
        **NO_USAGE,
        input_bytes=size_bytes(start.input_data),
        output_bytes=0,
        sequence=state.sequence,
        created_at=began,
        started_at=began if start.status is StepStatus.RUNNING else None,
        completed_at=began if start.status.is_terminal else None,
        input_data=decoded(start.input_data, None),
        input_refs=decoded(start.input_refs, None),
        output_data=None,
        metadata=decoded(start.metadata, None),
        traceback=None,
    )


def updated_step(step: StepExecutionRecord, update: StepUpdate, sequence: int, now: datetime) -> StepExecutionRecord:
    status, failure = update.status or step.status, update.failure
    keeps_its_time = update.awaits is None or cluster_in(update.awaits) is not None
    if update.usage is not None:
        usage = update.usage
        fields = asdict(usage.spent) | {"usage": decoded(usage.by_model, None), "first_token_ms": usage.first_token_ms}
        step = replace(step, **fields)
    return replace(
        step,
        status=status,
        worker=update.worker or step.worker,
        sequence=sequence,
        output_data=decoded(update.output_data, step.output_data),
        output_bytes=size_bytes(update.output_data) if update.output_data is not None else step.output_bytes,
        routes=decoded(update.routes, step.routes),
        error_type=(failure and failure.type) or step.error_type,
        error_message=failure.message if failure else step.error_message,
        traceback=(failure and failure.traceback) or step.traceback,
        retry_count=step.retry_count if update.retry_count is None else update.retry_count,
        progress=step.progress if update.progress is None else update.progress,
        progress_message=update.progress_message or step.progress_message,
        wake_at=_after(now, update.wake_after_seconds) or (step.wake_at if keeps_its_time else None),
        awaits=update.awaits or step.awaits,
        started_at=step.started_at or (now if status is StepStatus.RUNNING else None),
        metadata=decoded(update.metadata, step.metadata),
        place=update.place or step.place,
        completed_at=now - timedelta(seconds=update.age_seconds) if status.is_terminal else None,
    )


def with_more_spent(execution: ExecutionRecord, more: Spent) -> ExecutionRecord:
    """The execution whose attempts have used so much more."""
    before = Spent(
        input_tokens=execution.input_tokens or 0,
        output_tokens=execution.output_tokens or 0,
        cost_micros=execution.cost_micros,
        unpriced_calls=execution.unpriced_calls or 0,
    )
    return replace(execution, **asdict(before.plus(more)))


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def decoded(text: JsonText | None, otherwise: Json) -> Json:
    """A fresh copy of what a text says; ``otherwise`` where there is none."""
    return otherwise if text is None else orjson.loads(text)
