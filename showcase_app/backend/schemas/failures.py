"""Failures in groups, as the API tells them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ia_modules.tracker.failures import MOST_GROUPS, FailureState
from showcase_app.backend.schemas.base import LARGEST_CURSOR, Out, PipelineName, Time, TimeParameter

FailedPipeline = Annotated[PipelineName | None, Field(description="Only of this pipeline, by its slug or its id.")]
SinceParameter = Annotated[
    TimeParameter | None,
    Field(
        description="What failed at this time or later is counted; null: seven days ago.",
        examples=["2026-11-24T03:00:00Z"],
    ),
]


class FailureQuery(BaseModel):
    """Which groups are meant; null = any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline_id: FailedPipeline = None
    since: SinceParameter = None
    state: FailureState | None = Field(None, description="Only these.")
    limit: int = Field(50, ge=1, le=MOST_GROUPS, description="At most this many.")


class TrendOut(Out):
    """How often it failed from `start` on, up to the next part."""

    start: Time
    failures: int


class FailureOut(Out):
    """What failed alike in one pipeline. `failure_group` and `pipeline_id` filter the list of executions."""

    id: str = Field(
        description="What addresses name it by: the pipeline's slug, a full stop, and `failure_group`. With the "
        "pipeline's id in place of its slug it is the same.",
        examples=["nightly.0f3a9c2b7d4e1856"],
    )
    pipeline_id: str
    slug: str = Field(description="The pipeline's.")
    pipeline_name: str
    failure_group: str = Field(description="As it stands at each of its executions.", examples=["0f3a9c2b7d4e1856"])
    step_id: str = Field(description="The step that failed; empty: none did.")
    error_type: str = Field(description="Class name of its exception; empty: there was none.", examples=["KeyError"])
    message: str = Field(
        description="The error's, without what differs from run to run.", examples=["no order <n> in <path>"]
    )
    state: FailureState
    mended_in_version: int | None = Field(description="Which version is said to mend it, or was; null: none.")
    marked_by: str | None = Field(description="Who said what its state is; null: nobody has.")
    marked_at: Time | None
    reopened_at: Time | None = Field(
        description="When it failed again on `mended_in_version` or a later one; null: it has not since it was marked."
    )
    first_at: Time = Field(description="When it failed for the first time, also before the window.")
    first_version: int | None = Field(
        description="Of the pipeline, at the oldest execution that failed so; null: it had none, or they are deleted."
    )
    last_at: Time | None = Field(description="When it failed last; null: its executions are deleted.")
    count: int = Field(description="How often it failed in the window.")
    versions: list[int | None] = Field(
        description="Versions of the pipeline that failed so in the window; null first, for what ran without one."
    )
    trend: list[TrendOut] = Field(
        description="The window in equal parts, oldest first, without gaps: hours, days or weeks."
    )
    execution_id: str | None = Field(description="Its newest execution, for an example; null: they are deleted.")


class FailurePageOut(Out):
    """The groups that failed since a time, the one that failed last first."""

    since: Time
    until: Time = Field(description="The database's time when it was asked.")
    part_seconds: int = Field(description="How long each part of the trends is.")
    items: list[FailureOut]
    more: bool = Field(description="Whether there are others.")


class MendRequest(BaseModel):
    """By which version."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=LARGEST_CURSOR)
