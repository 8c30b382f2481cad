"""What is newer than a cursor, of one execution."""

from msgspec import Struct

from ia_modules.models.executions import ExecutionSummary
from ia_modules.models.questions import InteractionSummary
from ia_modules.models.steps import LogRecord, StepSummary


class Changes(Struct, kw_only=True, frozen=True):
    """What is newer than a cursor: every row with ``after < sequence <= upto``, and the execution as it is now.

    The next cursor is ``upto``. ``more``: newer rows exist already.
    """

    execution: ExecutionSummary
    steps: tuple[StepSummary, ...]
    logs: tuple[LogRecord, ...]
    after: int
    upto: int
    interactions: tuple[InteractionSummary, ...] = ()

    @property
    def rows(self) -> tuple[StepSummary | InteractionSummary | LogRecord, ...]:
        """Everything but the execution, a kind after the other: steps, then their questions and lines."""
        return (*self.steps, *self.interactions, *self.logs)

    @property
    def more(self) -> bool:
        return self.upto < self.execution.sequence
