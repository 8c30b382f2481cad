"""Two executions beside each other as the API tells it, read from the library's comparison and from nothing else."""

from typing import Literal

from pydantic import Field

from ia_modules.models import StepStatus
from showcase_app.backend.schemas.base import Out, Time
from showcase_app.backend.schemas.executions import ExecutionOut


class JsonChangeOut(Out):
    """A place at which two values differ. Its values are JSON texts, so that numbers keep every digit."""

    path: str = Field(description="In A or, if only B has it, in B.", examples=["$.items[2].price"])
    a: str | None = Field(description="The JSON text there, of a long one 200 characters; null: A has no such place.")
    b: str | None
    a_bytes: int = Field(description="Size of the whole text.")
    b_bytes: int


class ContrastOut(Out):
    """Whether two values are the same JSON, whatever the order of their keys: 1 and 1.0 are not."""

    same: bool | None = Field(description="null: not compared; `note` says why.")
    a_bytes: int | None = Field(description="null: it is not stored, but made of results.")
    b_bytes: int | None
    changes: list[JsonChangeOut] = Field(description="Where they differ, at most 50 places.")
    left_out: int = Field(description="So many places beyond those.")
    note: str | None = Field(description="Why there is less to see; of more than 1 MiB only hashes are compared.")


class ComparedRunOut(Out):
    """A run as one of the two executions has it: by its last attempt that has a result, or else its last one."""

    step_execution_id: str
    status: StepStatus
    attempts: int = Field(description="How many were made.")
    duration_seconds: float | None = Field(description="null until it has ended.")
    error_type: str | None
    error_message: str | None
    code: str | None = Field(description="null: no definition says it.", examples=["steps.Download"])
    taken: list[str] | None = Field(description="Where the paths lead that were taken; null: nothing was decided.")
    copied_from: str | None = Field(description="The attempt of an execution before whose result it has; null: it ran.")


class AlignedRunOut(Out):
    """A run that both executions have, or one of them."""

    within: str = Field(description="The path of the run that it is a part of; empty for the steps of the graph.")
    step_id: str
    iteration: int
    step_name: str
    a: ComparedRunOut | None
    b: ComparedRunOut | None
    input: ContrastOut | None = Field(description="null: only one has the run; so for `output`.")
    output: ContrastOut | None
    error: bool | None = Field(description="Whether both failed in the same way; null: not both failed.")
    routes: bool | None = Field(description="Whether the same paths were taken; null: one has not decided.")
    definitions: ContrastOut | None = Field(description="Of the step; null: both ran one definition, or one ran none.")
    differs: bool = Field(description="Whether anything does, but for durations and numbers of attempts.")


class DivergenceOut(Out):
    """The run, in causal order, at which the executions first went different ways."""

    kind: Literal["outcome", "input", "presence"] = Field(
        description="`outcome`: the first with the same input and another output, error or paths; where there is "
        "none, `input`: the first with another input; or else `presence`: the first that only one has."
    )
    within: str
    step_id: str
    iteration: int
    sentence: str = Field(examples=["score got the same input in both, and failed in A, but completed in B."])


class ComparedCountsOut(Out):
    """How many runs there are of each kind, those that are not listed too."""

    same: int
    different: int
    only_a: int
    only_b: int


class ComparisonOut(Out):
    """Two executions beside each other."""

    a: ExecutionOut
    b: ExecutionOut
    as_of: Time | None = Field(description="When they were read, where one has not ended; null: both have.")
    definitions: ContrastOut | None = Field(
        description="Of the pipelines but for what stands in their steps; null: both ran one definition, or one none."
    )
    input: ContrastOut
    output: ContrastOut
    divergence: DivergenceOut | None = Field(description="null: there is none, as far as both have come.")
    counts: ComparedCountsOut
    steps: list[AlignedRunOut] = Field(description="In causal order; at most 1,000, those that differ first.")
    steps_left_out: int
    notes: list[str] = Field(description="What one must know to read it rightly.")
