"""What the API answers: the contract with its clients, read from the records and from nothing else.

Payloads are ``Any``: they pass through as they are, neither copied nor looked at, however large they are.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from ia_modules.models import (
    Changes,
    ExecutionRecord,
    ExecutionStatus,
    LogLevel,
    StepExecutionRecord,
    StepStatus,
    format_time,
)
from ia_modules.web.execution_tracker import ExecutionPage

INLINE_BYTES = 65_536
"""Inputs and outputs of steps up to this size come with the execution; larger ones are fetched step by step."""

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

    As part of an execution, an input or output of more than 65,536 bytes is null; ``input_bytes`` and ``output_bytes``
    tell. Asked for alone, an attempt comes whole.
    """

    input_data: Any
    input_refs: Any
    output_data: Any
    metadata: Any
    traceback: str | None


class ExecutionDetail(ExecutionOut):
    """An execution with its payloads and all attempts of its steps, in the order in which they began."""

    input_data: Any
    output_data: Any
    metadata: Any
    steps: list[StepDetail]

    @classmethod
    def of(cls, execution: ExecutionRecord, steps: list[StepExecutionRecord]) -> Self:
        return cls(
            **execution.to_dict(),
            duration_seconds=execution.duration_seconds,
            steps=[StepDetail.from_record(step) for step in steps],
        )


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
    logged_at: Time
    sequence: int


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
        *(LogMessage(sequence=line.sequence, data=LogOut.from_record(line)) for line in changes.logs),
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
