"""What becomes of what is still open when nobody goes on with it."""

from dataclasses import dataclass, replace

from ia_modules.models import StepStatus
from ia_modules.states import InteractionState, StepState
from ia_modules.transitions import ENDED_EARLY, Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What becomes of the open attempts of an execution that nobody goes on with.

    ``has_ended``: also of those that wait for a person, and of their questions.
    """

    status: StepStatus
    failure: Failure
    has_ended: bool

    def closed(self, step: StepState) -> StepState:
        """A step as it is afterwards."""
        is_open = not step.status.is_terminal and (self.has_ended or step.status is not StepStatus.WAITING)
        return replace(step, status=self.status) if is_open else step

    def closed_question(self, question: InteractionState) -> InteractionState:
        """A question as it is afterwards."""
        is_open = self.has_ended and question.status == "pending"
        return replace(question, status="cancelled") if is_open else question


END = Closing(status=StepStatus.CANCELLED, failure=ENDED_EARLY, has_ended=True)
