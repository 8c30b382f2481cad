"""Records of attempts of steps, and of the lines that they wrote."""

from datetime import datetime
from typing import Self

from msgspec.structs import replace

from ia_modules.models.clusters import StepPlace
from ia_modules.models.ids import ExecutionId, RunPath, StepExecutionId
from ia_modules.models.records import Json, Record, Row, seconds_between
from ia_modules.models.words import Effect, LogLevel, StepStatus


class StepSummary(Record, kw_only=True, frozen=True):
    """One attempt of one iteration of one step, without its payloads (whose sizes in bytes are known).

    ``within``: the path of the run that it is a part of; empty for the steps of the graph. ``wake_at``: it waits until
    this time at most, or did; ``awaits``: what it waits for beside, or did; or where it runs, or ran
    (``transitions.ELSEWHERE``). None: nothing. ``effect``: as its step said when it began; None: it did not say, and
    may have effects. ``usage``: what it has told of its calls of models, a list by model with OpenTelemetry's names
    (:class:`ia_modules.usage.ModelUsage`), with the sums beside it as those of an execution; ``first_token_ms`` is that
    of the first call that told one. None: nothing was told. ``place`` None: it does not run on a cluster, or what
    it is read for needs no place.
    """

    step_execution_id: StepExecutionId
    execution_id: ExecutionId
    within: RunPath
    step_id: str
    step_name: str
    step_type: str
    iteration: int
    attempt: int
    retry_count: int
    status: StepStatus
    worker: str | None
    wake_at: datetime | None
    awaits: str | None
    effect: Effect | None
    routes: Json
    error_type: str | None
    error_message: str | None
    progress: float | None
    progress_message: str | None
    copied_from: StepExecutionId | None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_micros: int | None = None
    unpriced_calls: int | None = None
    usage: Json = None
    first_token_ms: int | None = None
    place: StepPlace | None = None
    input_bytes: int
    output_bytes: int
    sequence: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """As of every record; its place where the row has that beside it."""
        step = super().from_row(row)
        return step if row.get("node") is None else replace(step, place=StepPlace.from_row(row))

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None until both are known."""
        return seconds_between(self.started_at, self.completed_at)


class StepExecutionRecord(StepSummary, kw_only=True, frozen=True):
    """One attempt of one iteration of one step, with what went in and what came out."""

    input_data: Json
    input_refs: Json
    output_data: Json
    metadata: Json
    traceback: str | None

    def as_attempt(
        self, asked_at: datetime | None = None, *, carries: bool = False, is_reopened: bool = False
    ) -> "AttemptRecord":
        """The part of it that the course of its execution follows from."""
        beside = {"asked_at": asked_at, "carries": carries, "is_reopened": is_reopened}
        names = (name for name in AttemptRecord.__struct_fields__ if name not in beside)
        return AttemptRecord(**beside, **{name: getattr(self, name) for name in names})


class AttemptRecord(Record, kw_only=True, frozen=True):
    """One attempt of a step in the graph, as much of it as the course of its execution follows from: no payload.

    Attributes:
        step_name: of an item of a map its key.
        copied_from: the attempt of an execution before, whose result it has; None: it was made in this one.
        asked_at: when it asked a person; None: it never did.
        carries: the answer is kept by a re-run with an edit in front of it.
        is_reopened: it had ended when its execution, which had ended badly, was told to go on.
    """

    step_execution_id: StepExecutionId
    step_id: str
    step_name: str
    iteration: int
    attempt: int
    status: StepStatus
    wake_at: datetime | None
    awaits: str | None
    routes: Json
    input_refs: Json
    error_type: str | None
    error_message: str | None
    copied_from: StepExecutionId | None
    sequence: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    asked_at: datetime | None
    carries: bool
    is_reopened: bool


class LogRecord(Record, kw_only=True, frozen=True):
    """One line that a step, or the program itself (``step_execution_id`` None), wrote.

    Attributes:
        within: its attempt's.
        logger: of ``logging`` its name, ``stdout`` of what was printed; None: it was logged for the record. Of output
            it is the channel.
    """

    log_id: str
    execution_id: ExecutionId
    within: RunPath
    step_execution_id: StepExecutionId | None
    level: LogLevel
    logger: str | None
    message: str
    data: Json
    logged_at: datetime
    sequence: int
