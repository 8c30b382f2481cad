"""What of an execution and of its attempts a span says: pure, and nothing of OpenTelemetry.

No payload is in it, nor what may have been made of one: messages of errors, tracebacks, the keys of items and of calls,
ids that callers gave. With ``payloads`` these are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from msgspec import Struct

from ia_modules.models import (
    Effect,
    ExecutionId,
    ExecutionStatus,
    Json,
    JsonText,
    Record,
    RunPath,
    StepExecutionId,
    StepStatus,
)
from ia_modules.traces.ids import span_id_again, span_id_of

PAYLOAD_CHARACTERS = 8_192
"""Of a payload, so many characters are in an attribute, where they are wanted."""

AttributeValue = str | int | float | bool

_NAMES = ("gen_ai.request.model", "gen_ai.provider.name")
_SUMS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
)
_WENT_WRONG = (ExecutionStatus.FAILED, StepStatus.FAILED, StepStatus.LOST)


class TracedExecution(Record, kw_only=True, frozen=True):
    """An execution, as much of it as its span says.

    Attributes:
        reopened: the sequence with which it went on after it had ended badly; None: it never did.
        again_at: when the first attempt after that was made; None: there is none.
        rerun_traceparent: what the execution that it repeats was begun in.
        input_tokens, output_tokens, cost_micros: of all that its attempts have told; None: nothing is known.
        input_data, output_data: None unless payloads are wanted.
    """

    execution_id: ExecutionId
    pipeline_name: str
    pipeline_version: int | None
    status: ExecutionStatus
    trigger: str
    sequence: int
    traceparent: str | None
    reopened: int | None
    again_at: datetime | None
    rerun_of: ExecutionId | None
    rerun_traceparent: str | None
    error_type: str | None
    error_message: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micros: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    input_data: JsonText | None
    output_data: JsonText | None


class TracedAttempt(Record, kw_only=True, frozen=True):
    """An attempt that has ended, as much of it as its span says.

    Attributes:
        usage: what its calls of models used, by model, as :mod:`ia_modules.usage` writes it; None: it told nothing.
        first_token_ms: until the first piece of the first answer came; None: it told none.
        input_data, output_data, traceback: None unless payloads are wanted.
    """

    step_execution_id: StepExecutionId
    execution_id: ExecutionId
    within: RunPath
    step_id: str
    step_name: str
    step_type: str
    iteration: int
    attempt: int
    status: StepStatus
    worker: str | None
    effect: Effect | None
    input_refs: Json
    error_type: str | None
    error_message: str | None
    usage: Json
    first_token_ms: int | None
    sequence: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime
    traceback: str | None
    input_data: JsonText | None
    output_data: JsonText | None

    @property
    def name(self) -> str:
        """What the span is called: of a call with a key its name alone, since the key is the caller's."""
        return self.step_id.partition("[")[0] or self.step_id if self.step_type == "inner" else self.step_id


class SpanFacts(Struct, kw_only=True, frozen=True):
    """A span that has ended.

    Attributes:
        id_: whose it is.
        parent: whose it stands below; None: it is the execution's own, below what that was begun in.
        error: what went wrong, in words; None: nothing, or it is not to be said.
        events: name and attributes of what happened at its end.
    """

    id_: ExecutionId | StepExecutionId
    span_id: int
    parent: ExecutionId | StepExecutionId | None
    name: str
    started_at: datetime
    ended_at: datetime
    is_error: bool
    error: str | None
    attributes: dict[str, AttributeValue]
    events: tuple[tuple[str, dict[str, AttributeValue]], ...] = ()


def execution_span(execution: TracedExecution, *, again: bool, payloads: bool, page_url: str | None) -> SpanFacts:
    """The span of an execution that has ended.

    Args:
        again: it had ended before, badly, and has a span for that; this one is of what came after, and stands below it.
        payloads: input, output and messages are in it.
        page_url: where the pages are; None: nowhere that is known.
    """
    assert execution.completed_at is not None
    id_ = execution.execution_id
    began = execution.started_at or execution.created_at
    began = execution.again_at or execution.completed_at if again else began
    attributes = {
        "ia_modules.execution.id": id_,
        "ia_modules.pipeline.name": execution.pipeline_name,
        "ia_modules.pipeline.version": execution.pipeline_version,
        "ia_modules.trigger": execution.trigger,
        "ia_modules.status": execution.status.value,
        "ia_modules.rerun_of": execution.rerun_of,
        "ia_modules.url": None if page_url is None else f"{page_url}/executions/{id_}",
        "error.type": execution.error_type,
        "ia_modules.usage.input_tokens": execution.input_tokens,
        "ia_modules.usage.output_tokens": execution.output_tokens,
        "ia_modules.usage.cost_micros": execution.cost_micros,
    }
    return SpanFacts(
        id_=id_,
        span_id=span_id_again(id_, execution.reopened or 0) if again else span_id_of(id_),
        parent=id_ if again else None,
        name=f"{execution.pipeline_name}, again" if again else execution.pipeline_name,
        started_at=min(began, execution.completed_at),
        ended_at=execution.completed_at,
        is_error=execution.status in _WENT_WRONG,
        error=execution.error_message if payloads else None,
        attributes=_present({**attributes, **_payloads(execution.input_data, execution.output_data, wanted=payloads)}),
    )


def attempt_span(
    attempt: TracedAttempt, parent: ExecutionId | StepExecutionId, *, payloads: bool, page_url: str | None
) -> SpanFacts:
    """The span of an attempt that has ended.

    Args:
        parent: the attempt that it is a part of, or the execution.
        payloads, page_url: as for :func:`execution_span`.
    """
    began = attempt.started_at or attempt.created_at
    execution_id = attempt.execution_id
    attributes = {
        "ia_modules.execution.id": execution_id,
        "ia_modules.step_execution.id": attempt.step_execution_id,
        "ia_modules.step.id": attempt.name,
        "ia_modules.step.type": attempt.step_type,
        "ia_modules.step.iteration": attempt.iteration,
        "ia_modules.step.attempt": attempt.attempt,
        "ia_modules.step.name": attempt.step_name if payloads else None,
        "ia_modules.status": attempt.status.value,
        "ia_modules.worker": attempt.worker,
        "ia_modules.effect": attempt.effect,
        "ia_modules.url": None if page_url is None else f"{page_url}/executions/{execution_id}",
        "error.type": attempt.error_type,
    }
    thrown = {
        "exception.type": attempt.error_type,
        "exception.message": attempt.error_message,
        "exception.stacktrace": attempt.traceback,
    }
    used = _entries_of(attempt.usage)
    events = [("ia_modules.usage", _present(entry)) for entry in used] if len(used) > 1 else []
    if payloads and attempt.error_type is not None:
        events.append(("exception", _present(thrown)))
    attributes |= _usage_attributes(used, attempt.first_token_ms)
    return SpanFacts(
        id_=attempt.step_execution_id,
        span_id=span_id_of(attempt.step_execution_id),
        parent=parent,
        name=attempt.name,
        started_at=min(began, attempt.completed_at),
        ended_at=attempt.completed_at,
        is_error=attempt.status in _WENT_WRONG,
        error=attempt.error_message if payloads else None,
        attributes=_present({**attributes, **_payloads(attempt.input_data, attempt.output_data, wanted=payloads)}),
        events=tuple(events),
    )


def _usage_attributes(used: Sequence[Mapping[str, Any]], first_token_ms: int | None) -> dict[str, AttributeValue]:
    """What calls of models used, by the names that OpenTelemetry has: of several models their sums, and no name.

    Where a sum has a part that nobody knows, it is left out.
    """
    if not used:
        return {}
    sums = {name: sum(entry[name] or 0 for entry in used) for name in _SUMS if name in used[0]}
    same = {name: used[0].get(name) for name in _NAMES if len({entry.get(name) for entry in used}) == 1}
    costs = [entry["cost.micros"] for entry in used]
    return _present(
        {
            **same,
            **sums,
            "gen_ai.response.time_to_first_chunk": None if first_token_ms is None else first_token_ms / 1000,
            "ia_modules.usage.calls": sum(entry["calls"] for entry in used),
            "ia_modules.usage.cost_micros": None if None in costs else sum(costs),
            "ia_modules.usage.currency": used[0].get("cost.currency"),
        }
    )


def _entries_of(usage: Json) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", usage or [])


def _payloads(input_data: str | None, output_data: str | None, *, wanted: bool) -> dict[str, str | None]:
    if not wanted:
        return {}
    texts = {"ia_modules.input": input_data, "ia_modules.output": output_data}
    return {name: None if text is None else text[:PAYLOAD_CHARACTERS] for name, text in texts.items()}


def _present(attributes: dict[str, Any]) -> dict[str, AttributeValue]:
    """Those that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}
