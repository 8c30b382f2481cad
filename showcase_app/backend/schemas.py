"""What the API answers: the contract with its clients, read from the records and from nothing else.

Payloads are ``Any``: they pass through as they are, neither copied nor looked at, however large they are.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from ia_modules.models import (
    Changes,
    ExecutionRecord,
    ExecutionStatus,
    LogLevel,
    LogRecord,
    StepExecutionRecord,
    StepStatus,
    format_time,
)
from ia_modules.web.execution_tracker import ExecutionPage
from showcase_app.backend.services.stored import INLINE_BYTES, Stored, StoredSteps

ID_PATTERN = r"^[\w.:-]{1,200}$"
"""What may be an id at all; what may not is not asked of the database."""

LARGEST_CURSOR = 2**31 - 1
"""No execution changes so often; both databases take it as a number."""

Time = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""ISO 8601 in UTC, always with microseconds, so that the order of the texts is the order of the times."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError(
            "time_out_of_range", "Input should be a time of the years 1 to 9999 also in UTC"
        ) from None


AskedTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time that a client names, in UTC; at the ends of the calendar its own zone may name one that UTC cannot."""


class Out(BaseModel):
    """An answer, read from the attributes of what it is about."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    @classmethod
    def from_record(cls, record: object) -> Self:
        return cls.model_validate(record)


class ExecutionOut(Out):
    """An execution without its payloads."""

    execution_id: str
    pipeline_id: str
    pipeline_name: str
    pipeline_version: int | None
    status: ExecutionStatus
    managed: bool = Field(description="Whether workers may claim it; False: the program that records it runs it.")
    trigger: str
    priority: int
    run_at: Time | None
    owner: str | None = Field(description="The process that may write it.")
    epoch: int = Field(description="How often its owner has changed.")
    recoveries: int
    sequence: int = Field(description="Rises with every change.")
    cancel_requested: bool
    rerun_of: str | None
    total_steps: int = Field(description="As the program announced it; 0 = not known.")
    completed_steps: int
    failed_steps: int
    error_type: str | None
    error_message: str | None
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    duration_seconds: float | None = Field(description="null until it has ended.")


class StepOut(Out):
    """One attempt of one iteration of one step, without its payloads."""

    step_execution_id: str
    execution_id: str
    step_id: str
    step_name: str
    step_type: str
    iteration: int
    attempt: int
    retry_count: int = Field(description="Retries that the program made by itself inside this attempt.")
    status: StepStatus
    worker: str | None
    routes: Any
    error_type: str | None
    error_message: str | None
    progress: float | None = Field(description="From 0 to 1.")
    progress_message: str | None
    copied_from: str | None
    input_bytes: int
    output_bytes: int
    sequence: int
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    duration_seconds: float | None = Field(description="null until it has ended.")


class StepDetail(StepOut):
    """One attempt, with what went in, what came out, and its traceback.

    In an execution and in a page of steps, whatever of these has more than 65,536 bytes is null and named in
    ``omitted``; so is everything after the first 16 MiB of an answer. Asked for alone, an attempt comes whole.
    """

    input_data: Any
    input_refs: Any
    output_data: Any
    metadata: Any
    traceback: str | None
    input_refs_bytes: int
    metadata_bytes: int
    traceback_bytes: int
    omitted: list[Literal["input_data", "output_data", "metadata", "input_refs", "traceback"]] = Field(
        description="What is there but null here; the route of the attempt has it."
    )

    @classmethod
    def of(cls, stored: Stored[StepExecutionRecord]) -> Self:
        return cls.model_validate(_fields_of(stored))


class StepPageOut(Out):
    """Some attempts, in the order in which they began. ``next_cursor`` asks for those after; null: there are none."""

    items: list[StepDetail]
    next_cursor: str | None

    @classmethod
    def of(cls, page: StoredSteps) -> Self:
        return cls(
            items=[StepDetail.of(step) for step in page.items],
            next_cursor=page.items[-1].record.step_execution_id if page.more else None,
        )


class ExecutionDetail(ExecutionOut):
    """An execution with its payloads and the first 1,000 attempts of its steps, in the order in which they began.

    A payload of more than 65,536 bytes is null and named in ``omitted``.
    """

    input_data: Any
    output_data: Any
    metadata: Any
    input_bytes: int
    output_bytes: int
    metadata_bytes: int
    omitted: list[Literal["input_data", "output_data", "metadata"]] = Field(
        description="What is there but null here; `/api/executions/{execution_id}/payloads` has it."
    )
    steps: list[StepDetail]
    more_steps: bool = Field(
        description="Whether there are others: `/api/executions/{execution_id}/steps`, "
        "with the `step_execution_id` of the last one here as its cursor."
    )

    @classmethod
    def of(cls, stored: Stored[ExecutionRecord], steps: StoredSteps) -> Self:
        shown = [StepDetail.of(step) for step in steps.items]
        return cls.model_validate(_fields_of(stored) | {"steps": shown, "more_steps": steps.more})


class ExecutionPayloadsOut(BaseModel):
    """What went into an execution, what came out and what was noted about it, however large."""

    execution_id: str
    input_data: Any
    output_data: Any
    metadata: Any


def _fields_of(stored: Stored[ExecutionRecord] | Stored[StepExecutionRecord]) -> dict[str, Any]:
    """An answer's fields; its payloads are still to be put where None stands."""
    fields = stored.record.to_dict() | stored.sizes
    return fields | {"duration_seconds": stored.record.duration_seconds, "omitted": stored.omitted}


class ExecutionPageOut(Out):
    """Some executions, newest first. ``next_cursor`` asks for those below; null: there are none."""

    items: list[ExecutionOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: ExecutionPage) -> Self:
        return cls(items=[ExecutionOut.from_record(item) for item in page.items], next_cursor=page.next_cursor)


class StatisticsOut(Out):
    """How all executions stand."""

    total: int
    by_status: dict[ExecutionStatus, int]
    success_rate: float | None = Field(description="Completed among completed and failed; null when there are neither.")
    median_seconds: float | None = Field(description="Of the newest 1,000 that completed; null when there are none.")


class LogOut(Out):
    """A line that a step wrote, or the program itself (``step_execution_id`` null)."""

    log_id: str
    execution_id: str
    step_execution_id: str | None
    level: LogLevel
    message: str
    data: Any
    data_omitted: bool = Field(description="`data` has more than 65,536 bytes and is null here.")
    logged_at: Time
    sequence: int

    @classmethod
    def of(cls, line: LogRecord) -> Self:
        omitted = line.data is not None and len(orjson.dumps(line.data)) > INLINE_BYTES
        return cls.model_validate(line.to_dict() | {"data_omitted": omitted} | ({"data": None} if omitted else {}))


class StepUpdate(BaseModel):
    type: Literal["step_update"] = "step_update"
    sequence: int
    data: StepOut


class LogMessage(BaseModel):
    type: Literal["log"] = "log"
    sequence: int
    data: LogOut


class ExecutionUpdate(BaseModel):
    """Ends a page: its ``sequence`` is the cursor that continues after everything before it."""

    type: Literal["execution_update"] = "execution_update"
    sequence: int
    data: ExecutionOut


Message = Annotated[StepUpdate | LogMessage | ExecutionUpdate, Field(discriminator="type")]


def messages_of(changes: Changes) -> list[StepUpdate | LogMessage | ExecutionUpdate]:
    """A page of changes as it is told: in the order of their numbers, a step before its lines, the execution last.

    Nothing new is told with no message at all.
    """
    if changes.upto == changes.after:
        return []
    rows: list[StepUpdate | LogMessage] = [
        *(StepUpdate(sequence=step.sequence, data=StepOut.from_record(step)) for step in changes.steps),
        *(LogMessage(sequence=line.sequence, data=LogOut.of(line)) for line in changes.logs),
    ]
    rows.sort(key=lambda row: row.sequence)
    return [*rows, ExecutionUpdate(sequence=changes.upto, data=ExecutionOut.from_record(changes.execution))]


class ChangesOut(BaseModel):
    """What is newer than a cursor. ``upto`` is the next cursor; ``more`` says that there is more already."""

    after: int
    upto: int
    more: bool
    messages: list[Message]

    @classmethod
    def of(cls, changes: Changes) -> Self:
        return cls(after=changes.after, upto=changes.upto, more=changes.more, messages=[*messages_of(changes)])
