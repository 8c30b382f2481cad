"""What a runner needs remembered, and what operators need beside it.

The tracker implements both over the database; :class:`ia_modules.pipeline.memory_journal.MemoryJournal` serves a run
without records. ``ia_modules.testing`` holds every journal to the protocols.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Protocol

from ia_modules.models import (
    AttemptRecord,
    Changes,
    ClaimedExecution,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    InteractionRecord,
    InteractionSummary,
    Json,
    Lease,
    LeftExecution,
    LogRecord,
    PipelineVersionRecord,
    RegisteredVersion,
    RunPath,
    StalledExecution,
    StepExecutionId,
    StepExecutionRecord,
    StepSummary,
)
from ia_modules.paths import GRAPH
from ia_modules.pieces import OutputPage, OutputPiece
from ia_modules.traces.running import TraceSource
from ia_modules.transitions import Recorded, Recovery, Transition

PAGE_LIMIT = 1000
"""Rows of each kind in one page of changes, unless a single sequence number has more."""


class StepJournal(Protocol):
    """What the code of a running step needs remembered: what it says, and what it calls within itself."""

    @property
    def owner(self) -> str:
        """Who writes through this journal: every execution that is started through it belongs to this owner."""
        ...

    async def now(self) -> datetime:
        """The time of this journal."""
        ...

    async def record(self, transition: Transition) -> object:
        """As :meth:`Journal.record`."""
        ...

    async def get_execution_steps(self, execution_id: str, *, within: RunPath = GRAPH) -> list[StepExecutionRecord]:
        """As :meth:`Journal.get_execution_steps`."""
        ...


class Journal(StepJournal, Protocol):
    """What a runner needs remembered. Every method returns only when what it says is durable, or read from what is.

    Journals can be hashed and referenced weakly: pipelines remember what each of them has on record.

    Where an ``execution_id`` names an execution that exists, its own id is looked for first, then its caller's (alias).
    """

    @property
    def owner(self) -> str:
        """Who writes through this journal: every execution that is started through it belongs to this owner."""
        ...

    @property
    def traces(self) -> TraceSource | None:
        """What makes the traces of executions that run here; None: none are made."""
        ...

    async def now(self) -> datetime:
        """The time by the clock of the records: the database's, where there is one. It may be set back."""
        ...

    async def register_version(
        self,
        slug: str,
        name: str,
        definition: Json = None,
        *,
        description: str | None = None,
        source_folder: str | None = None,
        new_version: bool = False,
        make_current: bool = True,
    ) -> RegisteredVersion:
        """The pipeline with this slug, made when there is none, and the version that this definition is of it.

        The same content is the same version.

        Args:
            make_current: False leaves the current version, where there is one.

        Raises:
            PipelineConflict: the slug has other definitions, and this was not said to be a new version.
            PayloadError: the definition is not JSON.
        """
        ...

    async def get_pipeline_version(self, pipeline_id: str, version: int) -> PipelineVersionRecord | None:
        """One definition of a pipeline; None when there is no such pipeline or version."""
        ...

    async def record(self, transition: Transition) -> Recorded:
        """Make a transition true, whole or not at all; acknowledged only when it is.

        Raises:
            TrackerError: the records do not allow it (see :func:`ia_modules.transitions.decide`).
        """
        ...

    async def take_over(
        self, execution_id: str, *, owner: str, reopen: bool = False, epoch: int | None = None
    ) -> Lease:
        """Make ``owner`` the owner of an unfinished execution; returns its lease. Older ones can write no more.

        Args:
            reopen: it runs from here on, also when it had failed or was cancelled.
            epoch: take it only while this is its epoch; None: whatever that is.

        Raises:
            ExecutionNotFound
            LeaseLost: somebody else has taken it since that epoch.
            AlreadyFinished: it has ended; with ``reopen``: it has completed.
        """
        ...

    async def wait(self, execution_id: str) -> ExecutionRecord:
        """Wait until an execution has ended or waits for a person, whoever runs it; as it stands then.

        Raises:
            ExecutionNotFound: there is none, or it was deleted meanwhile.
        """
        ...

    async def end_if_lost(self, execution: ExecutionRecord) -> bool:
        """End an execution that no worker runs, as ``ProcessLost``, where the process that ran it counts as gone.

        Returns:
            False: it lives as far as anybody knows, workers run it, or somebody else has written it since.
        """
        ...

    def watch_cancellation(self, execution_id: ExecutionId, on_request: Callable[[], object]) -> Callable[[], None]:
        """Call ``on_request``, on the loop, when the cancellation of an execution that ``owner`` runs is asked for.

        It may be called more than once. Returns what ends the watch; after that it is not called any more.
        """
        ...

    async def get_interactions(
        self, execution_id: str, *, awaited: bool = False, within: RunPath | None = None
    ) -> list[InteractionRecord]:
        """The questions of an execution, with their answers, in the order in which they were asked.

        Args:
            awaited: only those that an attempt still waits for, answered or not.
            within: only those of the parts of the run with this path; None: those of all levels.
        """
        ...

    async def get_execution(self, execution_id: str) -> ExecutionRecord | None:
        """The execution; None when there is none."""
        ...

    async def get_execution_steps(self, execution_id: str, *, within: RunPath = GRAPH) -> list[StepExecutionRecord]:
        """All attempts of one level in the order in which they began; empty also when there is no such execution.

        Args:
            within: the path of the run whose parts they are; the graph's own steps by default.
        """
        ...

    async def get_attempts(self, execution_id: str, *, within: RunPath = GRAPH) -> list[AttemptRecord]:
        """The same without any payload: what the course of the execution follows from."""
        ...

    async def results(self, attempts: Iterable[StepExecutionId]) -> dict[StepExecutionId, Json]:
        """What these attempts gave (``output_data``), by their ids; one that is not on record is left out."""
        ...


class LastingJournal(Journal, Protocol):
    """A journal that outlives its process, so that another can go on with what it left."""

    def left_behind(self, slug: str) -> AsyncIterator[LeftExecution]:
        """What programs of their own have left of a pipeline: running without a process, or ended as ``ProcessLost``.

        The oldest first, each as soon as it is certain. What a process runs that is silent, but not yet for its lease,
        comes when the lease is over, or as alive when it is heard of again.
        """
        ...


class ExecutionQueue(Protocol):
    """What waits for a worker, what one owner has taken of it, and what is left when an owner is gone."""

    async def claim(
        self, limit: int, *, unusable: Iterable[str] = (), cluster: str | None = None
    ) -> list[ClaimedExecution]:
        """Take up to ``limit`` pending executions, the most urgent and oldest first.

        Args:
            unusable: versions that are left to others, as ``ClaimedExecution.version_key`` names them.
            cluster: the Ray cluster that the claimer is joined to; what has an attempt on another is left to others.
                None: it is joined to none.
        """
        ...

    async def wake_due(self) -> float | None:
        """Put managed executions into the queue that wait for a time which has come: each once, up to 100.

        Returns:
            Seconds until the next time, by the clock of the records; 0: more may have come already. None: there is
            none, or somebody else has its row locked.
        """
        ...

    async def owned(self) -> list[StalledExecution]:
        """The managed executions that are this owner's to run: stalled, except where it does run them."""
        ...

    async def recover(self, stalled: StalledExecution, recovery: Recovery) -> bool:
        """Write what becomes of a stalled execution; False when it is not stalled any more."""
        ...


class OperatorJournal(Journal, Protocol):
    """What those need who steer and watch executions, whoever runs them."""

    @property
    def ownership(self) -> ExecutionQueue: ...

    async def request_cancel(self, execution_id: str) -> ExecutionStatus:
        """Ask for an execution to be stopped, whoever runs it; what nobody runs is cancelled at once.

        Returns:
            Its status now: ``cancelled``, or ``running`` until its owner has stopped it.

        Raises:
            ExecutionNotFound
            AlreadyFinished: it has ended; says how and when.
        """
        ...

    async def get_interaction(self, interaction_id: str) -> InteractionRecord | None:
        """One question to a person, with its answers; None when there is none."""
        ...

    async def answer_interaction(
        self, interaction_id: str, response: Json, *, actor: str, verified: bool = False
    ) -> ExecutionId:
        """Keep a person's answer; an execution that waited for people only becomes ``pending`` when that decides it.

        The same answer by the same person again changes nothing, also when the question is not open any more. Another
        one, while it is, is a further revision: the newest of a person counts, and all stay on record.

        Args:
            verified: the name is that of a key.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; names who answered, and when.
        """
        ...

    async def assign_interaction(self, interaction_id: str, users: Iterable[str], *, actor: str) -> ExecutionId:
        """Let others answer a question, by name; nobody: it is assigned to nobody by name.

        What was answered stays, and where that is enough now, it is decided.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more.
            TooFewUsers: they could never decide it.
        """
        ...

    async def output(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        limit: int = 200,
    ) -> OutputPage:
        """What steps gave as it came after a cursor, at all levels, of one moment; at most ``limit`` pieces.

        Args:
            after: the ``cursor`` of a piece or a page, or a sequence; None: the beginning.
            step_execution_id: only of this attempt; None: of all.

        Raises:
            ExecutionNotFound, StepExecutionNotFound
            InvalidArgument: the cursor or the limit is none.
        """
        ...

    def stream(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        to_rest: bool = False,
    ) -> AsyncGenerator[OutputPiece]:
        """The same piece by piece, and then what comes, until what gives it has ended; raises as :meth:`output`.

        Args:
            to_rest: ends also when the execution waits for a person.
        """
        ...

    async def changes(
        self, execution_id: str, after: int = 0, *, within: RunPath = GRAPH, limit: int = PAGE_LIMIT
    ) -> Changes:
        """What is newer than a cursor, of one moment; a page never splits one sequence number.

        Args:
            within: the path of the run whose parts and lines are read; the graph's own by default. Questions are
                those of all levels.

        Raises:
            ExecutionNotFound
        """
        ...


def page_of(
    execution: ExecutionSummary,
    steps: list[StepSummary],
    interactions: list[InteractionSummary],
    logs: list[LogRecord],
    *,
    after: int,
    limit: int,
) -> Changes:
    """The first page of what is newer than ``after``: at most ``limit`` of each, and whole sequence numbers only."""
    upto = execution.sequence
    for rows in (steps, interactions, logs):
        sequences = sorted(row.sequence for row in rows)
        if len(sequences) > limit:
            last_whole = sequences[limit] - 1  # the first row that is left out takes its number with it ...
            upto = min(upto, max(last_whole, sequences[0]))  # ... unless the page would be empty
    return Changes(
        execution=execution,
        steps=tuple(sorted((s for s in steps if s.sequence <= upto), key=lambda s: (s.sequence, s.step_execution_id))),
        interactions=tuple(
            sorted(
                (question for question in interactions if question.sequence <= upto),
                key=lambda question: (question.sequence, question.interaction_id),
            )
        ),
        logs=tuple(
            sorted((line for line in logs if line.sequence <= upto), key=lambda line: (line.sequence, line.log_id))
        ),
        after=after,
        upto=max(after, upto),
    )
