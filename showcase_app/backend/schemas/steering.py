"""What a person does to executions, one or many: cancel, resume, run again; and what that would run."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from ia_modules.models import Effect, ExecutionStatus
from ia_modules.pipeline.overrides import ItemsAgain
from ia_modules.tracker.bulk import BULK_LIMIT, TOKEN_LIMIT_CHARACTERS
from ia_modules.tracker.rerunning import RerunFrom
from showcase_app.backend.schemas.base import Out, storable
from showcase_app.backend.schemas.requests import ExecutionFilter, ExecutionName


class RerunRequest(BaseModel):
    """What is repeated, and with which changes. Without any, all of it runs once more on the same input."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"from_step": "score", "step_input": {"document": "Another text."}}]},
    )

    input_data: dict[str, Any] | None = Field(None, description="Of a whole one: instead of the input that it had.")
    from_step: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="What does not depend on this step is copied; it and all after it run again."
    )
    iteration: Annotated[int, Field(ge=1)] | None = Field(None, description="Of `from_step`; its last one if left out.")
    step_input: dict[str, Any] | None = Field(None, description="What `from_step` gets, once, instead of its input.")
    step_output: Any = Field(None, description="The result of `from_step`, which then does not run.")
    items: ItemsAgain | None = Field(
        None,
        description="Of a `from_step` with a map: only the items run that have not completed; the others are copied "
        "with their results, found by their keys.",
    )
    version: Annotated[int, Field(ge=1)] | None = Field(None, description="To run; the one that it ran if left out.")

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        of_a_step = (self.iteration, self.step_input, self.step_output, self.items)
        if self.from_step is None and of_a_step != (None, None, None, None):
            raise PydanticCustomError("without_a_step", "iteration, step_input, step_output and items need a from_step")
        if self.from_step is not None and self.input_data is not None:
            raise PydanticCustomError("input_of_a_part", "Input should have either input_data or from_step")
        return self

    @property
    def begin(self) -> RerunFrom | None:
        if self.from_step is None:
            return None
        return RerunFrom(
            step_id=self.from_step,
            iteration=self.iteration,
            step_input=self.step_input,
            step_output=self.step_output,
            items=self.items,
        )


ReasonText = Annotated[str, StringConstraints(min_length=1, max_length=1_000), AfterValidator(storable)]


class CancelRequest(BaseModel):
    """Why an execution is stopped."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "It was the wrong file."}]})

    reason: ReasonText | None = Field(None, description="Kept in the audit log.")


class ResumeRequest(BaseModel):
    """Why an execution goes on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "The bucket is back."}]})

    reason: ReasonText | None = Field(None, description="Kept in the audit log.")


class StepRunOut(Out):
    """One iteration of a step."""

    step_id: str
    iteration: int


class StepEffectOut(Out):
    """A step that runs, or may: whether a path is taken is seen when it is."""

    step_id: str
    step_name: str
    effect: Effect | None = Field(description="What it does outside, as its author says; null: not said.")
    effect_text: str = Field(description="The same in words.", examples=["write", "not said: may have effects"])
    may_have_effects: bool = Field(description="Unless it is `pure` or `read`.")


class StepAheadOut(StepEffectOut):
    """A step that runs, or may, in one execution."""

    runs: int = Field(description="How many of its runs on record are made again.")


class ItemsAheadOut(StepRunOut):
    """What becomes of the items of a step with a map, where only the failed ones run."""

    kept: int = Field(description="How many are copied, with their results.")
    runs: int | None = Field(description="How many run; null: the list may be another one, and is not known yet.")


class AheadOut(Out):
    """What a re-run or a resumed execution does. Nothing is recorded by asking for it."""

    kept: list[StepRunOut] = Field(description="What has its result from the beginning: copied, or in a resume kept.")
    begins: list[StepRunOut] = Field(description="What begins first.")
    by_hand: StepRunOut | None = Field(description="The one whose result is `step_output`, so that it does not run.")
    asked_again: list[StepRunOut] = Field(
        description="Questions before the edited step run that are asked again: an answer did not count for an edit."
    )
    steps: list[StepAheadOut] = Field(description="What runs, or may, in the order of the file.")
    items: ItemsAheadOut | None = Field(description="With `items`: of the step that is run again; null otherwise.")


class BulkRequest(BaseModel):
    """An action on many executions: on those named, on those that a filter finds, or that it found in a dry run."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"action": "cancel", "filter": {"status": "pending"}, "dry_run": True}],
        },
    )

    action: Literal["cancel", "resume", "rerun"]
    execution_ids: Annotated[list[ExecutionName], Field(min_length=1, max_length=BULK_LIMIT)] | None = None
    filter: ExecutionFilter | None = Field(
        None,
        description="The newest 1,000 that it finds. Only what has not ended is cancelled, only what failed or was "
        "cancelled is resumed, only what has ended is run again.",
    )
    token: Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_LIMIT_CHARACTERS)] | None = Field(
        None, description="Of a dry run with a `filter`: those that it found, and no others."
    )
    skip: Annotated[int, Field(ge=0, lt=BULK_LIMIT)] | None = Field(
        None,
        description="Of those that the token names, so many are left out from the beginning on. With `limit` they are "
        "gone through in several requests, with the same `Idempotency-Key`.",
    )
    limit: Annotated[int, Field(ge=1, le=BULK_LIMIT)] | None = Field(
        None, description="At most so many of those that the token names."
    )
    rerun: RerunRequest | None = Field(
        None, description="How each is run again; left out: whole, with the same version and the same input."
    )
    reason: ReasonText | None = Field(None, description="Of cancelling and resuming: kept in the audit log.")
    dry_run: bool = Field(False, description="Change nothing: only count, and say what would be refused and would run.")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if [self.execution_ids, self.filter, self.token].count(None) != 2:
            raise PydanticCustomError("bulk_of_what", "Input should have one of execution_ids, filter and token")
        if self.token is None and (self.skip, self.limit) != (None, None):
            raise PydanticCustomError("bulk_part_of_what", "Input should have skip and limit only with a token")
        if self.rerun is not None and self.action != "rerun":
            raise PydanticCustomError("bulk_rerun_of_what", "Input should have rerun only where that is the action")
        if self.reason is not None and self.action == "rerun":
            raise PydanticCustomError("bulk_reason_of_what", "Input should have no reason where it runs again")
        return self


class RefusedExecution(Out):
    execution_id: str
    reason: str = Field(examples=["The execution '0199c3f2' is already completed; it cannot become cancelled."])


class LeftOutExecution(Out):
    """One that is not run again, since it is already; name it in `execution_ids` to run it again all the same."""

    execution_id: str
    rerun_id: str = Field(description="What repeats it: a re-run, or a re-run of one.")
    status: ExecutionStatus = Field(
        description="Of that: under way or completed; or another, where it is to run again itself."
    )


class StepOfManyOut(StepEffectOut):
    """A step that runs, or may, in some of many executions."""

    executions: int = Field(description="In how many.")


class BulkOut(Out):
    """What was done. ``dry_run``: nothing was, ``done`` is 0, and ``refused`` are those that would be."""

    matched: int = Field(description="How many were found, at most 1,000: done, refused and left out.")
    matched_capped: bool = Field(description="Whether there are more: ask again for the rest.")
    done: int = Field(description="Now, or by the same request with the same `Idempotency-Key` before.")
    refused: list[RefusedExecution]
    left_out: list[LeftOutExecution] = Field(
        description="Of a re-run by `filter` or `token`: those with a re-run that is under way or completed."
    )
    token: str | None = Field(description="Of a dry run with a `filter`: names what it found, for the same action.")
    steps: list[StepOfManyOut] = Field(description="Of a dry run: what a re-run or a resume of them runs, or may.")
