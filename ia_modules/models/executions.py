"""Records of executions: as they are listed, whole, claimed, stalled, left."""

from datetime import datetime
from typing import Self

import orjson
from msgspec import Struct

from ia_modules.cards import card
from ia_modules.errors.running import failure_sentence
from ia_modules.models.ids import ExecutionId, PipelineId
from ia_modules.models.pipelines import version_key
from ia_modules.models.records import Json, Record, seconds_between
from ia_modules.models.words import ExecutionStatus


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
    """An execution that is ``running`` on record while no process runs it.

    ``is_elsewhere``: an attempt of it goes on, on a Ray cluster.
    """

    managed: bool
    recoveries: int
    cancel_requested: bool
    is_elsewhere: bool

    @classmethod
    def of(cls, record: "ExecutionRecord", *, is_elsewhere: bool) -> Self:
        """As a record has it."""
        return cls(
            execution_id=record.execution_id,
            epoch=record.epoch,
            managed=record.managed,
            recoveries=record.recoveries,
            cancel_requested=record.cancel_requested,
            is_elsewhere=is_elsewhere,
        )


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
        return seconds_between(self.created_at, self.started_at)

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None until both are known."""
        return seconds_between(self.started_at, self.completed_at)

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


def cause_of(error_type: str | None, error_message: str | None, failed_step: str | None) -> str | None:
    """What went wrong, without the sentence of :func:`failure_sentence` around it; None: nothing is on record."""
    before = None if failed_step is None else failure_sentence(failed_step, "")
    if before is not None and error_message is not None and error_message.startswith(before):
        return error_message.removeprefix(before)
    return ": ".join(part for part in (error_type, error_message) if part) or None
