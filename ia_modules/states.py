"""The rows that a change is decided on, which status may follow which, and the refusals that this leads to."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from ia_modules.errors import AlreadyFinished, InvalidTransition, LeaseLost
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    Json,
    JsonText,
    Lease,
    Record,
    RunPath,
    StepExecutionId,
    StepStatus,
)
from ia_modules.paths import path_of
from ia_modules.transitions import Transition, cluster_in
from ia_modules.usage import Spent


class ExecutionState(Record, kw_only=True, frozen=True):
    """What a decision needs to know of an execution's row.

    ``completed_at`` is also None when it ended in a decision whose time is not on record yet.
    """

    execution_id: ExecutionId
    status: ExecutionStatus
    owner: str | None
    epoch: int
    recoveries: int
    sequence: int
    cancel_requested: bool
    total_steps: int
    completed_steps: int
    failed_steps: int
    completed_at: datetime | None

    def with_counts(self, *, sequence: int, completed_steps: int, failed_steps: int) -> "ExecutionState":
        """What every step that ends changes."""
        return replace(self, sequence=sequence, completed_steps=completed_steps, failed_steps=failed_steps)


class StepState(Record, kw_only=True, frozen=True):
    """What a decision needs to know of a step execution's row.

    What it has used is None where nothing was told; ``awaits``, where it awaits nothing.
    """

    step_execution_id: StepExecutionId
    execution_id: ExecutionId
    within: RunPath
    step_id: str
    iteration: int
    attempt: int
    status: StepStatus
    awaits: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_micros: int | None = None
    unpriced_calls: int | None = None

    @property
    def spent(self) -> Spent:
        return Spent(
            input_tokens=self.input_tokens or 0,
            output_tokens=self.output_tokens or 0,
            cost_micros=self.cost_micros,
            unpriced_calls=self.unpriced_calls or 0,
        )

    def with_spent(self, spent: Spent) -> "StepState":
        """The attempt that has used so much so far."""
        return replace(
            self,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost_micros=spent.cost_micros,
            unpriced_calls=spent.unpriced_calls,
        )

    def with_status(self, status: StepStatus) -> "StepState":
        """The attempt as it is then."""
        return replace(self, status=status)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on a Ray cluster, and so outlives the process that owns the execution."""
        return self.awaits is not None and self.status is StepStatus.RUNNING and cluster_in(self.awaits) is not None

    @property
    def path(self) -> RunPath:
        """The address of its run: what is inside of it has this as ``within``."""
        return path_of(self.within, self.step_id, self.iteration)


class GivenAnswer(Record, kw_only=True, frozen=True):
    """What a decision needs to know of an answer; ``revision`` counts those of one person."""

    actor: str
    revision: int
    response: JsonText


class InteractionState(Record, kw_only=True, frozen=True):
    """What a decision needs to know of a question's row, and of its answers.

    ``completed_at`` is also None when it closed in a decision whose time is not on record yet.

    Attributes:
        responses: everything that was answered, in its order.
    """

    interaction_id: str
    execution_id: ExecutionId
    step_execution_id: StepExecutionId
    status: str
    assigned_users: Json
    assigned_role: str | None
    answers: int | None
    decided_by: str | None
    completed_at: datetime | None
    responses: tuple[GivenAnswer, ...] = ()

    @property
    def actor(self) -> str | None:
        """Who gave the answer that it was answered with; None until then."""
        return self.responses[-1].actor if self.status == "answered" and self.responses else None


class Known(Struct, kw_only=True, frozen=True):
    """The rows that a transition is decided on.

    Attributes:
        execution: its row; None when there is none.
        steps: the rows of the attempts that the transition updates, starts or logs for, where they exist.
        latest: for each ``follows`` of the starts the row of that newest attempt, where there is one.
        interactions: the rows of the questions that the transition asks, answers, assigns or lets expire, where they
            exist.
        already_recorded: ids of the transition's log lines that are stored. Only filled for an ended execution.
        has_inner: the execution has runs within runs.
        others_open: ids of questions that the transition answers and beside which another is open within the same run.
        is_owner_gone: the owner counts as gone. Only filled for a recovery.
    """

    execution: ExecutionState | None
    steps: Mapping[StepExecutionId, StepState]
    latest: Mapping[tuple[RunPath, str, int | None], StepState]
    interactions: Mapping[str, InteractionState] = field(default_factory=dict[str, InteractionState])
    already_recorded: Container[str] = ()
    has_inner: bool = False
    others_open: Container[str] = ()
    is_owner_gone: bool = False


WAITING = (ExecutionStatus.WAITING, ExecutionStatus.WAITING_FOR_HUMAN)
AT_REST = (ExecutionStatus.PENDING, *WAITING)
NEXT: Mapping[ExecutionStatus, tuple[ExecutionStatus, ...]] = {
    ExecutionStatus.PENDING: (ExecutionStatus.RUNNING, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED),
    ExecutionStatus.RUNNING: tuple(status for status in ExecutionStatus if status is not ExecutionStatus.RUNNING),
    ExecutionStatus.WAITING: (  # it may never have run, and then has asked nobody
        ExecutionStatus.PENDING,
        ExecutionStatus.RUNNING,
        ExecutionStatus.FAILED,
        ExecutionStatus.CANCELLED,
    ),
    ExecutionStatus.WAITING_FOR_HUMAN: tuple(
        status for status in ExecutionStatus if status is not ExecutionStatus.WAITING_FOR_HUMAN
    ),
}


def is_current(lease: Lease | None, execution: ExecutionState) -> bool:
    return lease is None or lease.epoch == execution.epoch


def lease_lost(transition: Transition, execution: ExecutionState) -> LeaseLost:
    owner, epoch = execution.owner, execution.epoch
    return LeaseLost(execution.execution_id, owner=owner, epoch=epoch, writer=transition.writer)


def already_finished(execution: ExecutionState, wanted: str) -> AlreadyFinished:
    status, ended_at = execution.status, execution.completed_at
    return AlreadyFinished("execution", execution.execution_id, status=status, wanted=wanted, ended_at=ended_at)


def not_allowed(
    execution: ExecutionState, wanted: ExecutionStatus, allowed: Iterable[ExecutionStatus]
) -> InvalidTransition:
    status = execution.status
    return InvalidTransition("execution", execution.execution_id, status=status, wanted=wanted, allowed=allowed)


def at_rest(status: ExecutionStatus, execution: ExecutionState) -> ExecutionStatus:
    """What is to be cancelled does not come to rest: nobody would run it, and so nobody would stop it."""
    return ExecutionStatus.CANCELLED if execution.cancel_requested and status in AT_REST else status
