"""What requests say of executions: their names, which of them are meant, and what one starts with."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from ia_modules.models import ExecutionStatus, PipelineId
from ia_modules.payload import (
    ATTRIBUTE_KEY_CHARACTERS,
    ATTRIBUTE_VALUE_CHARACTERS,
    ID_LIMIT_CHARACTERS,
    NAME_LIMIT_CHARACTERS,
)
from ia_modules.tracker.lists import LOOK_BACK, MOST_LOOK_BACK, ExecutionFilters
from showcase_app.backend.schemas.base import ID_PATTERN, LARGEST_CURSOR, JsonObject, TimeParameter, storable

PAGE_LIMIT = 500

MOST_SECONDS = 10 * 365 * 86_400
"""No execution is asked for that takes longer."""

SearchText = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(storable)]
FailureGroupParameter = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
FilterText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LIMIT_CHARACTERS, strip_whitespace=True),
    AfterValidator(storable),
]
MOST_ATTRIBUTES = 5
AttributeText = Annotated[
    str,
    StringConstraints(pattern=r"^[^=]+=(.|\n)+$", max_length=ATTRIBUTE_KEY_CHARACTERS + ATTRIBUTE_VALUE_CHARACTERS + 1),
    AfterValidator(storable),
]
"""A key, ``=`` and a value."""
TakenSeconds = Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
IdParameter = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
StepName = Annotated[str, StringConstraints(min_length=1, max_length=ID_LIMIT_CHARACTERS), AfterValidator(storable)]
"""What may be the id of a step."""
RunCursor = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_LIMIT_CHARACTERS + 11), AfterValidator(storable)
]
"""A number, ``:`` and the id of a step."""
ExecutionName = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_LIMIT_CHARACTERS), AfterValidator(storable)
]
"""What may name an execution: its own id, or its caller's."""
PersonName = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LIMIT_CHARACTERS), AfterValidator(storable)]
"""What may name a person."""


class ExecutionScope(BaseModel):
    """Which executions are meant, whatever their status; null = any. A name that is none of these is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline_id: IdParameter | None = Field(None, description="Only of this pipeline.")
    failure_group: FailureGroupParameter | None = Field(None, description="Only those that failed alike.")
    failed_after: TimeParameter | None = Field(
        None, description="With `failure_group`: only those that failed at or after this time."
    )
    started_after: TimeParameter | None = Field(
        None,
        description="Started at or after this time; what has not started counts by its `created_at`.",
        examples=["2026-11-24T03:00:00Z"],
    )
    started_before: TimeParameter | None = Field(None, description="Started before this time; see `started_after`.")
    q: SearchText | None = Field(
        None,
        description="Only those whose id or `alias` begins with this, or that have it in their error, or whose "
        "pipeline has it in its name or slug.",
    )
    attribute: list[AttributeText] | None = Field(
        None,
        max_length=MOST_ATTRIBUTES,
        description="Only those with this value, as `searchable` of the pipeline's file names it: the key, `=` and the "
        "whole value; of several, all.",
        examples=[["input.customer=acme"]],
    )
    version: int | None = Field(None, ge=1, le=LARGEST_CURSOR, description="Only of this version of the pipeline.")
    trigger: FilterText | None = Field(None, description="Only what this started.", examples=["api"])
    worker: FilterText | None = Field(
        None, description="Only those with this in the name of the process that runs them, or ran them last."
    )
    min_seconds: TakenSeconds | None = Field(None, description="Only what took so long or longer, or runs so long.")
    max_seconds: TakenSeconds | None = Field(None, description="Only what took no longer, or has not so far.")
    look_back: int | None = Field(
        None,
        ge=1,
        le=MOST_LOOK_BACK,
        description="Errors, versions, triggers, workers and seconds have no index: they are looked for in so many of "
        "the newest executions that all else lets through; null: in 10,000.",
    )

    def as_filters(self, status: Sequence[ExecutionStatus] | None = None) -> ExecutionFilters:
        """What the tracker is asked for; without a status: of any."""
        return ExecutionFilters(
            status=tuple(status or ()) or None,
            pipeline_id=None if self.pipeline_id is None else PipelineId(self.pipeline_id),
            failure_group=self.failure_group,
            failed_after=self.failed_after,
            started_after=self.started_after,
            started_before=self.started_before,
            text=self.q or None,
            attributes=dict(each.split("=", 1) for each in self.attribute or ()),
            version=self.version,
            trigger=self.trigger,
            worker=self.worker,
            min_seconds=self.min_seconds,
            max_seconds=self.max_seconds,
            look_back=LOOK_BACK if self.look_back is None else self.look_back,
        )


class ExecutionFilter(ExecutionScope):
    """Which executions are meant; null = any. A name that is none of these is refused, not overlooked."""

    status: list[ExecutionStatus] | None = Field(None, description="Only these; null or none: of any status.")

    @field_validator("status", mode="before")
    @classmethod
    def _one_is_several(cls, status: object) -> object:
        return [status] if isinstance(status, str) else status


class ExecutionQuery(ExecutionFilter):
    """A page of a list."""

    limit: int = Field(50, ge=1, le=PAGE_LIMIT, description="At most this many.")
    cursor: IdParameter | None = Field(None, description="`next_cursor` of the page above, of the same order.")
    sort: Literal["newest", "cost"] = Field(
        "newest", description="`cost`: the dearest first, without those of which no cost is known."
    )


class RunRequest(BaseModel):
    """What an execution starts with."""

    model_config = ConfigDict(extra="forbid")

    input_data: JsonObject = Field(
        default_factory=dict,
        description="By the parameters of the pipeline; its `input_schema` says which.",
        examples=[{"folder": "examples", "fail_on": "error"}],
    )
    version: int | None = Field(None, ge=1, le=LARGEST_CURSOR, description="null: the current one.")
    execution_id: ExecutionName | None = Field(
        None,
        description="An id of your own, kept as `alias`: with the same input it starts nothing twice.",
        examples=["order-17"],
    )
    run_at: TimeParameter | None = Field(
        None,
        description="It waits until this time, with its offset, by the database's clock; null: a worker may take it.",
        examples=["2026-12-01T02:00:00+01:00"],
    )
    priority: int | None = Field(None, ge=-(2**31), lt=2**31, description="The highest is taken first; null: 0.")
