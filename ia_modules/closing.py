"""What becomes of what is still open when nobody goes on with it: decided here once, written by one script."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from ia_modules.models import RunPath, StepExecutionId, StepStatus
from ia_modules.paths import GRAPH, is_inside
from ia_modules.states import InteractionState, StepState
from ia_modules.transitions import ENDED_EARLY, PART_OF_WHAT_ENDED, PROCESS_LOST, Failure


class Closing(Struct, kw_only=True, frozen=True):
    """What becomes of what is open in an execution, or within one run of it at every depth.

    Attributes:
        status: ``cancelled``: all of it ends, its questions too. ``lost``: so do the attempts that were running; what
            has not begun and what waits keeps its place and its time.
        path: of the run that ended; ``GRAPH``: of the whole execution.
        attempt: which attempt of that run; its own question closes with it.
        spares_elsewhere: an attempt that runs elsewhere goes on: only its owner's process is gone.
    """

    status: StepStatus
    failure: Failure
    path: RunPath = GRAPH
    attempt: StepExecutionId | None = None
    spares_elsewhere: bool = False

    @property
    def has_ended(self) -> bool:
        return self.status is StepStatus.CANCELLED

    def closed(self, step: StepState) -> StepState:
        """A step as it is afterwards."""
        is_open = not step.status.is_terminal and (self.has_ended or step.status is StepStatus.RUNNING)
        if is_open and self.spares_elsewhere and step.is_elsewhere:
            return step
        return step.with_status(self.status) if is_open and is_inside(step.within, self.path) else step

    def closed_question(
        self, question: InteractionState, steps: Mapping[StepExecutionId, StepState]
    ) -> InteractionState:
        """A question as it is afterwards; ``steps``: those that are known."""
        asker = steps.get(question.step_execution_id)
        is_meant = (
            self.path == GRAPH
            or question.step_execution_id == self.attempt
            or (asker is not None and is_inside(asker.within, self.path))
        )
        is_open = self.has_ended and question.status == "pending"
        return replace(question, status="cancelled") if is_open and is_meant else question

    def upto(self, sequence: int) -> int:
        """Below which sequence it closes rows. What a transition itself writes within a run that it ends is spared."""
        return sequence + 1 if self.path == GRAPH else sequence


END = Closing(status=StepStatus.CANCELLED, failure=ENDED_EARLY)
_PART = Closing(status=StepStatus.CANCELLED, failure=PART_OF_WHAT_ENDED)


def lost(failure: Failure) -> Closing:
    """The process that ran an execution is gone, and with it what ran there; what runs elsewhere does not."""
    return Closing(status=StepStatus.LOST, failure=failure, spares_elsewhere=True)


def around(ended: StepState, failure: Failure | None) -> Closing:
    """An attempt has ended, and what is open within its run with it; was it lost, so was all that ran there."""
    closing = _PART
    if ended.status is StepStatus.LOST:
        closing = Closing(status=StepStatus.LOST, failure=failure or PROCESS_LOST)
    return replace(closing, path=ended.path, attempt=ended.step_execution_id)
