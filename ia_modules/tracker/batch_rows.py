"""What is written of a transition, as rows of parameters. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from ia_modules.deciding import Decision
from ia_modules.models import ExecutionStatus, StepPlace, StepStatus, sought_id
from ia_modules.payload import encode, size_bytes
from ia_modules.transitions import NewExecution, Requeue, StepStart, StepUpdate, Transition
from ia_modules.usage import Usage


def new_execution_row(new: NewExecution, registered_name: str) -> dict[str, Any]:
    """A new execution as it is inserted; the rest of it is :func:`execution_row`."""
    return {
        "pipeline_id": new.pipeline_id,
        "pipeline_name": new.pipeline_name or registered_name,
        "pipeline_version": new.pipeline_version,
        "managed": new.managed,
        "trigger": new.trigger,
        "priority": new.priority,
        "run_at": new.run_at,
        "rerun_of": sought_id(new.rerun_of),
        "input_data": new.input_data,
        "metadata": new.metadata,
        "overrides": new.overrides,
        "traceparent": new.traceparent,
        "ago_seconds": -new.age_seconds,
        **NO_RESULT,
    }


_NO_ERROR: Mapping[str, Any] = {"error_type": None, "error_message": None}
NO_RESULT: Mapping[str, Any] = {
    "output_data": None,
    "output_refs": None,
    **_NO_ERROR,
    "started": False,
    "reopened": False,
    "queued": False,
    "ended_ago_seconds": 0.0,
}
"""Of an execution of which nothing else is said."""


def execution_row(transition: Transition, decision: Decision) -> dict[str, Any]:
    """What a transition changes in its execution's row; a later one of the same batch is laid over it."""
    after, failure, change = decision.execution, decision.failure, transition.change
    row: dict[str, Any] = {
        "execution_id": after.execution_id,
        "owner": after.owner,
        "epoch": after.epoch,
        "recoveries": after.recoveries,
        "sequence": after.sequence,
        "status": after.status.value,
        "cancel_requested": after.cancel_requested,
        "total_steps": after.total_steps,
        "completed_steps": after.completed_steps,
        "failed_steps": after.failed_steps,
        "ended": after.status.is_terminal,
    }
    if after.status is ExecutionStatus.RUNNING:
        row["started"] = True
    if decision.reopened:
        row |= {"reopened": True, **_NO_ERROR}
    if isinstance(transition.ownership, Requeue):
        row["queued"] = True
    if change is not None:
        texts = {"output_data": change.output_data, "output_refs": change.output_refs, "metadata": change.metadata}
        row |= {name: text for name, text in texts.items() if text is not None}
        row["ended_ago_seconds"] = -change.age_seconds
    if failure is not None:
        row["error_message"] = failure.message
    if failure is not None and failure.type is not None:  # else that of the one before stays, as in a batch of its own
        row["error_type"] = failure.type
    return row


def start_row(start: StepStart) -> dict[str, Any]:
    """A step run as it is inserted."""
    return {
        "step_execution_id": start.step_execution_id,
        "within": start.within,
        "step_id": start.step_id,
        "step_name": start.step_name,
        "step_type": start.step_type,
        "iteration": start.iteration,
        "attempt": start.attempt,
        "status": start.status.value,
        "worker": start.worker,
        "input_data": start.input_data,
        "input_refs": start.input_refs,
        "metadata": start.metadata,
        "effect": start.effect,
        "wake_after_seconds": start.wake_after_seconds,
        "awaits": start.awaits,
        "input_bytes": size_bytes(start.input_data),
        "started": start.status is StepStatus.RUNNING,
        "ended": start.status.is_terminal,
        "ago_seconds": -start.age_seconds,
    }


def usage_row(update: StepUpdate, usage: Usage) -> dict[str, Any]:
    """What a step run has used until now."""
    all_told = {"usage": usage.by_model, "first_token_ms": usage.first_token_ms}
    return asdict(usage.spent) | all_told | {"step_execution_id": update.step_execution_id}


def place_row(update: StepUpdate, place: StepPlace) -> dict[str, Any]:
    """Where a step run is on a cluster."""
    resources = encode(place.resources, "resources")
    return place.to_dict() | {"resources": resources, "step_execution_id": update.step_execution_id}


def update_row(update: StepUpdate) -> dict[str, Any]:
    """What changes in a step run; None: what it is stays."""
    failure = update.failure
    return {
        "step_execution_id": update.step_execution_id,
        "status": update.status.value if update.status else None,
        "worker": update.worker,
        "output_data": update.output_data,
        "output_bytes": None if update.output_data is None else size_bytes(update.output_data),
        "routes": update.routes,
        "error_type": failure.type if failure else None,
        "error_message": failure.message if failure else None,
        "traceback": failure.traceback if failure else None,
        "retry_count": update.retry_count,
        "progress": update.progress,
        "progress_message": update.progress_message,
        "wake_after_seconds": update.wake_after_seconds,
        "awaits": update.awaits,
        "metadata": update.metadata,
        "started": update.status is StepStatus.RUNNING,
        "ended": update.status is not None and update.status.is_terminal,
        "ago_seconds": -update.age_seconds,
    }
