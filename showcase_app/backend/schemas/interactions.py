"""Questions to people as the API tells them, and what it takes for an answer."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from ia_modules.models import PipelineId
from ia_modules.tracker.bulk import BULK_LIMIT, AnsweredEach
from ia_modules.tracker.inbox import InteractionFilters, InteractionPage, Person
from showcase_app.backend.schemas.base import Out, Time
from showcase_app.backend.schemas.executions import InteractionOut, ResponseOut
from showcase_app.backend.schemas.requests import PAGE_LIMIT, IdParameter, PersonName


class ListedInteraction(InteractionOut):
    """A question to a person, and where it was asked."""

    execution_id: str
    pipeline_id: str
    pipeline_name: str = Field(examples=["Code review"])
    pipeline_version: int | None


class InteractionDetail(ListedInteraction):
    """A question to a person, with what led to it and everything that was answered."""

    data: Any = Field(description="What the step that asks has returned beside the question.")
    input_data: Any = Field(description="What its execution began with, where `data` is empty; else null.")
    on_timeout: Any = Field(description="`fail`, a default answer, or a step: what happens at `deadline_at`.")
    response: Any = Field(description="The answer; null until then, and where it takes several.")
    responses: list[ResponseOut] = Field(description="In the order in which they came, those that were changed too.")


class InteractionPageOut(Out):
    """Some questions, newest first. ``next_cursor`` asks for those below; null: there are none."""

    items: list[ListedInteraction]
    next_cursor: str | None

    @classmethod
    def of(cls, page: InteractionPage) -> Self:
        items = [ListedInteraction.from_record(item) for item in page.items]
        return cls(items=items, next_cursor=page.next_cursor)


class InteractionCountOut(Out):
    """How many questions wait for an answer."""

    pending: int = Field(description="At most 1,000.")
    capped: bool = Field(description="Whether there are more than were counted.")


class InteractionQuery(BaseModel):
    """A page of a list of questions; null = any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["pending", "answered", "expired", "cancelled"] | None = Field(None, description="Only these.")
    assigned_to: PersonName | None = Field(None, description="Only those that are assigned to this name.")
    pipeline_id: IdParameter | None = Field(None, description="Only of this pipeline.")
    execution_id: IdParameter | None = Field(None, description="Only of this execution, by its id or alias.")
    limit: int = Field(50, ge=1, le=PAGE_LIMIT, description="At most this many.")
    cursor: IdParameter | None = Field(None, description="`next_cursor` of the page above.")

    def as_filters(self, answerable_by: Person | None) -> InteractionFilters:
        """What the tracker is asked for."""
        return InteractionFilters(
            status=self.status,
            assigned_to=self.assigned_to,
            answerable_by=answerable_by,
            pipeline_id=None if self.pipeline_id is None else PipelineId(self.pipeline_id),
            execution_id=self.execution_id,
        )


class AnswerRequest(BaseModel):
    """An answer of a person."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"response": {"approved": True}}]})

    response: Any = Field(description="By the `ui_schema` of the question.")
    responded_by: PersonName | None = Field(
        None,
        description="Who answers. With keys it is the name of the key and may be left out; without, it is on record as "
        "not verified, and needed where the question is assigned to people or takes several answers.",
    )


class AnswerEachRequest(AnswerRequest):
    """One answer to many questions of the same pipeline, version, step and schema."""

    model_config = ConfigDict(extra="forbid")

    interaction_ids: Annotated[list[IdParameter], Field(min_length=1, max_length=BULK_LIMIT)]


class AssignRequest(BaseModel):
    """Who may answer a question from here on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"assigned_users": ["ann"]}]})

    assigned_users: Annotated[list[PersonName], Field(max_length=1000)] = Field(
        description="Names, with keys those of keys; empty: it is assigned to nobody by name."
    )


class RefusedAnswerOut(Out):
    """A question that did not take the answer."""

    interaction_id: str
    reason: str
    actor: str | None = Field(description="Who had answered it; null: nobody, or it was refused for another reason.")
    closed_at: Time | None


class AnswerEachOut(Out):
    """What was done: how many questions have the answer, and those that were left as they are."""

    done: int
    refused: list[RefusedAnswerOut]

    @classmethod
    def of(cls, result: AnsweredEach) -> Self:
        return cls(done=result.done, refused=[RefusedAnswerOut.from_record(each) for each in result.refused])
