"""Ids, statuses and frozen records of the rows, the same on SQLite and PostgreSQL.

Rows become typed in records only: ``from_row`` accepts the rows of both databases and ``to_dict`` is equal on
both. A *summary* is a row without its payloads, which is what lists and live updates carry; a *record* adds them.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, Literal, NewType, Self, TypeVar, cast, get_args, get_type_hints

import orjson
import uuid_utils
from msgspec import Struct

from ia_modules.cards import card
from ia_modules.errors import InvalidStatus
from ia_modules.errors.running import failure_sentence

PipelineId = NewType("PipelineId", str)
ExecutionId = NewType("ExecutionId", str)
StepExecutionId = NewType("StepExecutionId", str)
WorkerId = NewType("WorkerId", str)
RunPath = NewType("RunPath", str)

Row = Mapping[str, Any]
Json = dict[str, Any] | list[Any] | str | int | float | bool | None
JsonText = NewType("JsonText", str)
"""JSON as it is stored: checked and encoded by :func:`ia_modules.payload.encode`."""


Effect = Literal["pure", "read", "write", "external"]
"""What a step does outside of its execution, as its author says: nothing, and its result depends on its input alone
(``pure``); it only reads; it writes what is ours; or it does what nobody here can take back (``external``)."""

EFFECTS: tuple[Effect, ...] = get_args(Effect)


def may_have_effects(effect: Effect | None) -> bool:
    """Whether running a step once more may do something outside once more; so it may where nobody said (None)."""
    return effect not in ("pure", "read")


def effect_text(effect: Effect | None) -> str:
    """An effect in words for people."""
    return "not said: may have effects" if effect is None else effect


def new_id() -> str:
    """A UUIDv7 as text: ids made later sort later, so a list ordered by id is ordered by time (RFC 9562)."""
    return str(uuid_utils.uuid7())


NO_ID = "00000000-0000-0000-0000-000000000000"
"""The id that no row has; it comes before every other."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: object) -> bool:
    """Whether a row may have this id: it is a UUID as we write it. In capitals or in braces it is no id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def sought_id(text: str | None) -> str | None:
    """The id to look for, for a text that came from outside; :data:`NO_ID` where it is none, so nothing is found."""
    return text if text is None or is_id(text) else NO_ID


def ids_beginning(text: str) -> tuple[str, str] | None:
    """The lowest and the highest id that begin with a text; None where no id does."""
    lowest, highest = text + NO_ID[len(text) :], text + NO_ID.replace("0", "f")[len(text) :]
    return (lowest, highest) if is_id(lowest) else None


class _Word(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self:
        raise InvalidStatus(value, expected=list(cls), what="level" if cls.__name__ == "LogLevel" else "status")


class ExecutionStatus(_Word):
    """Status of an execution.

    ``waiting``: nobody runs it until its time has come. ``waiting_for_human``: nothing of it can run until a person
    answers, or the time for that is over.
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    WAITING_FOR_HUMAN = "waiting_for_human"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __init__(self, word: str) -> None:
        self.is_terminal: Final = word in ("completed", "failed", "cancelled")

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs until somebody does something: it has ended, or waits for a person."""
        return self.is_terminal or self is ExecutionStatus.WAITING_FOR_HUMAN


class StepStatus(_Word):
    """Status of one attempt of a step. ``lost``: the process that ran it died."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    LOST = "lost"

    def __init__(self, word: str) -> None:
        self.is_terminal: Final = word not in ("pending", "running", "waiting")


class LogLevel(_Word):
    """Level of a log line. ``output``: a piece of what a step gives as it comes, which is no more or less severe."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    OUTPUT = "output"


SEVERITIES = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR)
"""The levels of what is logged, the least severe first."""

GAP_LOGGER = "ia_modules.left_out"
"""The logger of a line that stands for what is left out; of lines, their count is ``left_out`` in its data."""


def parse_time(value: datetime | str) -> datetime:
    """A time in UTC from a column of either database: PostgreSQL has a datetime, SQLite ISO 8601 text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds, so that the order of the texts is the order of the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@cache
def _readers(record: type) -> dict[str, Callable[[Any], Any] | None]:
    """How each field of a record class is read from a row; None = as it is."""
    known: dict[Any, Callable[[Any], Any]] = {
        datetime: parse_time,
        datetime | None: parse_time,
        bool: bool,
        bool | None: bool,
        ExecutionStatus: ExecutionStatus,
        ExecutionStatus | None: ExecutionStatus,
        StepStatus: StepStatus,
        LogLevel: LogLevel,
        Json: orjson.loads,
    }
    return {name: known.get(hint) for name, hint in get_type_hints(record).items()}


R = TypeVar("R", bound="Record")


class Record(Struct, kw_only=True, frozen=True):
    """A row with types. Columns that the record does not name are ignored; one that it names must be there."""

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The record of a row of either database.

        Raises:
            KeyError: the row lacks a column.
        """
        return cls(**{name: _read(read, row[name]) for name, read in _readers(cls).items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: statuses as words, times as ISO 8601 text in UTC with microseconds; equal on both databases."""
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__}

    def narrow(self, to: type[R]) -> R:
        """The part of this record that another record is: all of its fields must be among these."""
        return to(**{name: getattr(self, name) for name in to.__struct_fields__})


def _read(read: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if read is None or value is None else read(value)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):  # payloads have none
        entries = cast("tuple[object, ...]", value)
        return [each.to_dict() if isinstance(each, Record) else each for each in entries]
    return format_time(value) if isinstance(value, datetime) else value


class PipelineRecord(Record, kw_only=True, frozen=True):
    """A pipeline: a name that executions are recorded under. ``current_version`` is None without a definition."""

    id: PipelineId
    slug: str
    name: str
    description: str | None
    current_version: int | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class PipelineSummary(PipelineRecord, kw_only=True, frozen=True):
    """A pipeline with its newest execution; all three are None before the first."""

    last_execution_id: ExecutionId | None
    last_status: ExecutionStatus | None
    last_created_at: datetime | None


VersionOrigin = Literal["file", "page", "api", "program"]
"""Where a version came from: a pipeline file, the pages, another client over HTTP, or a program's own code."""


class PipelineVersionRecord(Record, kw_only=True, frozen=True):
    """One definition of a pipeline.

    Attributes:
        source_folder: the folder of its file and modules when it was registered.
        origin, author, note: where it came from, who made it and what for; None: nobody said.
    """

    pipeline_id: PipelineId
    version: int
    definition: Json
    content_hash: str
    source_folder: str | None
    created_at: datetime
    origin: VersionOrigin | None = None
    author: str | None = None
    note: str | None = None


class Lease(Struct, frozen=True):
    """The right to write one execution: valid until somebody else claims it, which raises the epoch."""

    execution_id: ExecutionId
    epoch: int


class LeasedExecution(Record, kw_only=True, frozen=True):
    """An execution and the epoch under which it is, or was, owned."""

    execution_id: ExecutionId
    epoch: int

    @property
    def lease(self) -> Lease:
        return Lease(self.execution_id, self.epoch)


def version_key(pipeline_id: PipelineId, version: int | None) -> str:
    """Names a version where a claim leaves versions to others."""
    return f"{pipeline_id}:{version or 0}"


class ClaimedExecution(LeasedExecution, kw_only=True, frozen=True):
    """An execution that was taken from the queue, with what is needed to run it.

    Attributes:
        source_folder: the one of its version; None: that has none, or there is no version.
        overrides: what stands in the place of single step runs; see :mod:`ia_modules.pipeline.overrides`.
        traceparent: the span of another program that it was begun in; None: of none.
    """

    pipeline_id: PipelineId
    pipeline_version: int | None
    pipeline_name: str
    source_folder: str | None
    input_data: Json
    rerun_of: ExecutionId | None
    overrides: Json
    traceparent: str | None = None

    @property
    def version_key(self) -> str:
        return version_key(self.pipeline_id, self.pipeline_version)

    @property
    def is_untouched(self) -> bool:
        """Whether nothing ever ran of it: it has its first owner, and only owners write more than a wish to cancel."""
        return self.epoch == 1


class StalledExecution(LeasedExecution, kw_only=True, frozen=True):
    """An execution that is ``running`` on record while no process runs it."""

    managed: bool
    recoveries: int
    cancel_requested: bool


class LeftExecution(Struct, kw_only=True, frozen=True):
    """An execution of a program of its own that has lost its process, by the records: running, or failed for that.

    Attributes:
        lease: under which it was owned last.
        content_hash: of the definition that it began with; None: it has none.
        cancel_requested: it was to be stopped.
        is_alive: its process was heard of again.
    """

    lease: Lease
    owner: str | None
    content_hash: str | None
    cancel_requested: bool
    is_alive: bool


class Attribute(Struct, kw_only=True, frozen=True):
    """A value that an execution is found by; ``key``: where it stood, such as ``input.customer``."""

    key: str
    value: str


class ExecutionSummary(Record, kw_only=True, frozen=True):
    """One run, without its payloads.

    ``sequence`` rises with every change. ``completed_steps`` and ``failed_steps`` count step runs (iterations) by their
    latest attempt; ``total_steps`` is what the program announced, 0 for not known. ``owner`` is the process that may
    write, ``epoch`` how often ownership has changed. ``alias`` is the caller's own id of it, None without one.
    ``run_at`` is when one that waits goes on; None: it does not wait, or for no time. ``failure_group`` is what its
    failure has in common with others of its pipeline (:mod:`ia_modules.failure_groups`); None: it has not failed.
    ``failed_step`` is the step that it failed for; None: it has not failed, or for no step.
    ``imported_at`` is when it came from a run file, ``rows_sha256`` the hash of that file's rows, ``went_on`` whether
    it had not ended when the file was made; all None: it is no copy. ``input_tokens``, ``output_tokens`` and
    ``cost_micros`` (millionths of the installation's currency) are what all of its attempts have told of their calls of
    models, at every level and however they ended, those copied from elsewhere not; ``unpriced_calls`` counts those
    whose cost is not known. None: nothing was told; a cost is None, too, where none is known.
    """

    execution_id: ExecutionId
    alias: str | None
    pipeline_id: PipelineId
    pipeline_name: str
    pipeline_version: int | None
    status: ExecutionStatus
    managed: bool
    trigger: str
    priority: int
    run_at: datetime | None
    owner: str | None
    epoch: int
    recoveries: int
    sequence: int
    cancel_requested: bool
    rerun_of: ExecutionId | None
    total_steps: int
    completed_steps: int
    failed_steps: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_micros: int | None = None
    unpriced_calls: int | None = None
    error_type: str | None
    error_message: str | None
    failure_group: str | None
    failed_step: str | None
    imported_at: datetime | None
    rows_sha256: str | None
    went_on: bool | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def queue_seconds(self) -> float | None:
        """From creation to start; None before the start."""
        return _seconds(self.created_at, self.started_at)

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None until both are known."""
        return _seconds(self.started_at, self.completed_at)

    @property
    def cause(self) -> str | None:
        """Why it failed, in the words of what went wrong: ``ValueError: no customer``; None: nothing is on record.

        The sentence around it, which names the step, is left out where ``failed_step`` says which that is.
        """
        return cause_of(self.error_type, self.error_message, self.failed_step)

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return card(self.pipeline_name, self.status, self._card_rows())

    def _card_rows(self) -> dict[str, str | None]:
        seconds, version = self.duration_seconds, self.pipeline_version
        counts = f"{self.completed_steps} completed, {self.failed_steps} failed"
        return {
            "execution": self.execution_id,
            "version": None if version is None else str(version),
            "started": None if self.started_at is None else self.started_at.isoformat(" ", "seconds"),
            "took": None if seconds is None else f"{seconds:.3f} s",
            "steps": counts if self.total_steps == 0 else f"{counts}, of {self.total_steps}",
            "error": self.cause,
        }


class ExecutionRecord(ExecutionSummary, kw_only=True, frozen=True):
    """One run, with what went in and what came out.

    ``overrides``: what stands in the place of single step runs; see :mod:`ia_modules.pipeline.overrides`.
    ``traceparent``: the span of another program that it was begun in, as W3C Trace Context has it; None: of none.
    """

    input_data: Json
    output_data: Json
    metadata: Json
    overrides: Json
    traceparent: str | None

    def _card_rows(self) -> dict[str, str | None]:
        payloads = {"input": self.input_data, "output": self.output_data, "metadata": self.metadata}
        return super()._card_rows() | {
            name: None if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
            for name, value in payloads.items()
        }


class StepSummary(Record, kw_only=True, frozen=True):
    """One attempt of one iteration of one step, without its payloads (whose sizes in bytes are known).

    ``within``: the path of the run that it is a part of; empty for the steps of the graph. ``wake_at``: it waits until
    this time at most, or did; ``awaits``: what it waits for beside, or did. None: nothing. ``effect``: as its step said
    when it began; None: it did not say, and may have effects. ``usage``: what it has told of its calls of models, a
    list by model with OpenTelemetry's names (:class:`ia_modules.usage.ModelUsage`), with the sums beside it as those of
    an execution; ``first_token_ms`` is that of the first call that told one. None: nothing was told.
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
    input_bytes: int
    output_bytes: int
    sequence: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None until both are known."""
        return _seconds(self.started_at, self.completed_at)


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


class ResponseRecord(Record, kw_only=True, frozen=True):
    """What one person answered, once; the newest revision of a person counts.

    ``verified``: the name is that of a key, which the server has checked; otherwise it is what was said.
    """

    actor: str
    verified: bool
    revision: int
    response: Json
    answered_at: datetime


class InteractionSummary(Record, kw_only=True, frozen=True):
    """A question to a person. ``status`` is ``pending``, ``answered``, ``expired`` or ``cancelled``.

    ``deadline_at`` is the time that its attempt waits for; None: it waits for ever. ``actor`` gave the answer that it
    was answered with, the last of several; None until then. ``verified``: that is the name of a key.

    Attributes:
        assigned_users: the names of those who may answer, a list; empty or None: it is assigned to nobody by name.
        assigned_role: whoever has this role may answer too; with neither, everybody may.
        answers: of how many people it needs answers; None: of all that it is assigned to.
        decided_by: the field of an answer by which it is decided when so many agree on it; None: by their number.
        answered_by: how many people have answered so far.
    """

    interaction_id: str
    execution_id: ExecutionId
    step_execution_id: StepExecutionId
    step_id: str
    pipeline_id: PipelineId
    pipeline_name: str
    pipeline_version: int | None
    status: str
    prompt: str | None
    ui_schema: Json
    assigned_users: Json
    assigned_role: str | None
    answers: int | None
    decided_by: str | None
    deadline_at: datetime | None
    created_at: datetime
    completed_at: datetime | None
    actor: str | None
    verified: bool
    answered_by: int
    sequence: int


class InteractionRecord(InteractionSummary, kw_only=True, frozen=True):
    """A question to a person, with what led to it and what was answered.

    Attributes:
        response: the answer of a question that takes one; None until then, and where it takes several.
        responses: everything that was answered, in its order, what was changed later included.
    """

    data: Json
    on_timeout: Json
    response: Json
    responses: tuple[ResponseRecord, ...]


class InteractionWithInput(InteractionRecord, kw_only=True, frozen=True):
    """A question to a person, with all that led to it.

    Attributes:
        input_data: what its execution began with, where the step gave nothing beside the question; None: ``data`` says
            what led to it.
    """

    input_data: Json


class RegisteredVersion(Record, kw_only=True, frozen=True):
    """A pipeline, and which of its versions a definition is; None without a definition.

    ``current_version`` runs when no other version is requested; None when the pipeline has none. ``stored_beside``: it
    was offered, another version stays current, and that is news.
    """

    pipeline_id: PipelineId
    version: int | None
    current_version: int | None
    stored_beside: bool = False


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


def cause_of(error_type: str | None, error_message: str | None, failed_step: str | None) -> str | None:
    """What went wrong, without the sentence of :func:`failure_sentence` around it; None: nothing is on record."""
    before = None if failed_step is None else failure_sentence(failed_step, "")
    if before is not None and error_message is not None and error_message.startswith(before):
        return error_message.removeprefix(before)
    return ": ".join(part for part in (error_type, error_message) if part) or None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Between two points in time; not negative, even when the clock was set back between them."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
