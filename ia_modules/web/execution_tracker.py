"""The tracker: every execution and every step on record, while it happens.

:class:`ExecutionTracker` is the truth of what ran. It writes each transition to the database and answers only from
there; nothing of an execution is kept in memory. It is the journal of the runner, and records any other program too:

    async with tracker.execution(pipeline_id, input_data={"day": "2026-11-24"}) as execution:
        async with execution.step("download") as step:
            step.output = {"rows": 3}
"""

import os
import secrets
import socket
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.errors import (
    AlreadyAnswered,
    AlreadyFinished,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseUnavailable,
    ExecutionNotFound,
    InteractionNotFound,
    InvalidStatus,
    PipelineConflict,
    PipelineNotFound,
    StaleVersion,
    StepExecutionNotFound,
)
from ia_modules.models import (
    Changes,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    JsonText,
    LogLevel,
    PipelineId,
    RegisteredVersion,
    Row,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    WorkerId,
    new_id,
)
from ia_modules.payload import (
    PAYLOAD_LIMIT_BYTES,
    check_count,
    check_name,
    clean_text,
    content_hash,
    encode,
    is_storable_id,
)
from ia_modules.transitions import (
    ENDED_EARLY,
    ExecutionUpdate,
    Failure,
    LogLine,
    NewExecution,
    Recorded,
    StepStart,
    StepUpdate,
    Transition,
)
from ia_modules.web.background import set_within
from ia_modules.web.cancellation import Cancellations
from ia_modules.web.claims import Claims
from ia_modules.web.committer import Committer
from ia_modules.web.heartbeat import Heartbeat
from ia_modules.web.lists import ExecutionFilters, ExecutionPage, ExecutionStatistics
from ia_modules.web.live import Live
from ia_modules.web.reading import ExecutionReader
from ia_modules.web.recording import RecordedExecution

__all__ = [
    "ExecutionFilters",
    "ExecutionPage",
    "ExecutionRecord",
    "ExecutionStatistics",
    "ExecutionStatus",
    "ExecutionTracker",
    "StepExecutionRecord",
    "StepStatus",
]


class ExecutionTracker(ExecutionReader):
    """Every execution and step on record. One per process is enough; use it from the tasks of one event loop."""

    def __init__(
        self,
        database: DatabaseManager,
        *,
        payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES,
        give_up_seconds: float = 15.0,
        lease_seconds: float | None = 15.0,
    ) -> None:
        """Record into a database.

        Args:
            database: initialized; the caller closes it, after this tracker.
            payload_limit_bytes: the largest input, output or metadata, as JSON.
            give_up_seconds: how long a write is tried again while the database is unreachable or busy.
            lease_seconds: how long this process may be silent before what it runs is given to others; it gives signs
                of life from the first execution that it runs. None: it gives none, and nothing is taken from it.
        """
        self.owner = WorkerId(f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}")
        super().__init__(database)
        self._payload_limit_bytes = payload_limit_bytes
        self._live = Live(database)
        self._cancellations = Cancellations(database, self.owner)
        self.heartbeat = None if lease_seconds is None else Heartbeat(database, self.owner, lease_seconds=lease_seconds)
        self.claims = Claims(database, self.owner, on_commit=self._live.committed)
        self._committer = Committer(database, on_commit=self._live.committed, give_up_seconds=give_up_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what is being written; tell other processes of it."""
        await self._committer.close()
        await self._cancellations.close()
        if self.heartbeat is not None:
            await self.heartbeat.end()
        await self._live.close()

    @property
    def live(self) -> Live:
        """Wakes who watches executions. What is written past this tracker is to be told to it: ``live.committed``."""
        return self._live

    # Pipelines

    async def register_pipeline(
        self,
        slug: str,
        name: str,
        definition: Json = None,
        *,
        description: str | None = None,
        source_folder: str | None = None,
        new_version: bool = False,
    ) -> PipelineId:
        """The id of the pipeline with this slug; as :meth:`register_version`, for who needs no version."""
        registered = await self.register_version(
            slug, name, definition, description=description, source_folder=source_folder, new_version=new_version
        )
        return registered.pipeline_id

    async def register_version(
        self,
        slug: str,
        name: str,
        definition: Json = None,
        *,
        description: str | None = None,
        source_folder: str | None = None,
        new_version: bool = False,
        base_version: int | None = None,
    ) -> RegisteredVersion:
        """The pipeline with this slug, made when there is none, its name brought up to date.

        A definition that the pipeline has had before becomes the current one again (same content = same version).

        Args:
            description: None leaves the one that stands; an empty one takes it away.
            base_version: store nothing unless this is the current version; None: do not look.

        Raises:
            PipelineConflict: the slug has other definitions, and this was not said to be a new version.
            StaleVersion: ``base_version`` is not the current one.
            PayloadError: the definition is not JSON.
        """
        stored = None if definition is None else self._encode(definition, f"definition of pipeline {slug!r}")
        pipeline = {
            "id": new_id(),
            "slug": check_name(slug, "slug of the pipeline"),
            "name": check_name(name, f"name of pipeline {slug!r}"),
            "description": None if description is None else clean_text(description),
        }
        query = self._database.query

        def register() -> Script[RegisteredVersion]:
            row = (yield Statement(query("upsert_pipeline"), [pipeline]))[0]
            if base_version not in (None, row["current_version"]):
                raise StaleVersion(slug, base_version=base_version, current_version=row["current_version"])
            if stored is None:
                return RegisteredVersion(pipeline_id=row["id"], version=None)
            version = {
                "pipeline_id": row["id"],
                "definition": stored,
                "content_hash": content_hash(stored),
                "source_folder": None if source_folder is None else clean_text(source_folder),
            }
            known = yield Statement(query("read_pipeline_version"), [version])
            if not known and row["current_version"] is not None and not new_version:
                raise PipelineConflict(slug, row["current_version"])
            current = (known or (yield Statement(query("insert_pipeline_version"), [version])))[0]
            yield Statement(query("set_current_version"), [{"pipeline_id": row["id"], "version": current["version"]}])
            return RegisteredVersion(pipeline_id=row["id"], version=current["version"])

        return await self._database.run(register())

    # Writing

    async def record(self, transition: Transition) -> Recorded:
        """Make a transition true, whole or not at all; returns after its commit.

        Raises:
            TrackerError: the records do not allow it (see :func:`ia_modules.transitions.decide`); nothing was written.
            DatabaseError: it could not be written.
        """
        new = transition.new
        if new is not None and new.status is not ExecutionStatus.PENDING and transition.writer == self.owner:
            await self._show_life()
        return await self._committer.record(transition)

    async def _show_life(self) -> None:
        """Be on record as alive before owning anything, so that what is left behind is always found."""
        if self.heartbeat is not None:
            await self.heartbeat.begin()

    async def start_execution(
        self,
        pipeline_id: str,
        pipeline_name: str | None = None,
        input_data: Json = None,
        total_steps: int = 0,
        metadata: Json = None,
        *,
        pipeline_version: int | None = None,
        trigger: str = "program",
    ) -> ExecutionId:
        """Record that an execution of a registered pipeline runs in this process; returns its id.

        Args:
            pipeline_name: what lists show; None = the name the pipeline is registered under.
            total_steps: how many steps it will have; 0 = not known.

        Raises:
            PipelineNotFound: no pipeline has this id; ``register_pipeline`` makes one.
            PayloadError: the input or the metadata is not JSON.
        """
        if not is_storable_id(pipeline_id):
            raise PipelineNotFound(pipeline_id)
        execution_id = ExecutionId(new_id())
        new = NewExecution(
            pipeline_id=PipelineId(pipeline_id),
            pipeline_name=None if pipeline_name is None else check_name(pipeline_name, "name of the pipeline"),
            pipeline_version=None if pipeline_version is None else check_count(pipeline_version, "version", low=1),
            trigger=check_name(trigger, "trigger of the execution"),
            total_steps=check_count(total_steps, "total_steps"),
            input_data=self._encode_some(input_data, f"input of pipeline {(pipeline_name or pipeline_id)!r}"),
            metadata=self._encode_some(metadata, f"metadata of an execution of {(pipeline_name or pipeline_id)!r}"),
        )
        await self.record(Transition(execution_id=execution_id, writer=self.owner, new=new))
        return execution_id

    async def start_step_execution(
        self,
        execution_id: str,
        step_id: str,
        step_name: str,
        step_type: str,
        input_data: Json = None,
        metadata: Json = None,
    ) -> StepExecutionId:
        """Record that a step has begun; returns the id of this attempt.

        After an attempt that failed it is the next attempt of the same iteration, otherwise the next iteration.

        Raises:
            ExecutionNotFound, AlreadyFinished, LeaseLost: the execution takes no steps, or not from this process.
            PayloadError: the input or the metadata is not JSON.
        """
        self._check_id(execution_id)
        step_execution_id = StepExecutionId(new_id())
        start = StepStart(
            step_execution_id=step_execution_id,
            step_id=check_name(step_id, "id of the step"),
            step_name=check_name(step_name, f"name of step {step_id!r}"),
            step_type=check_name(step_type, f"type of step {step_id!r}"),
            worker=self.owner,
            input_data=self._encode_some(input_data, f"input of step {step_id!r}"),
            metadata=self._encode_some(metadata, f"metadata of step {step_id!r}"),
        )
        await self.record(Transition(execution_id=ExecutionId(execution_id), writer=self.owner, starts=(start,)))
        return step_execution_id

    async def complete_step_execution(
        self,
        step_execution_id: str,
        status: StepStatus | str,
        output_data: Json = None,
        error_message: str | None = None,
        retry_count: int = 0,
        *,
        failure: Failure | None = None,
    ) -> bool:
        """Record how an attempt ended; False when it was recorded before in the same way.

        Args:
            error_message: why it failed, when there is no more to say; ``failure`` also takes type and traceback.
            retry_count: retries that the program made by itself inside this attempt.

        Raises:
            InvalidStatus: the status is no end of a step.
            StepExecutionNotFound: no attempt has this id.
            AlreadyFinished: the attempt ended differently.
            PayloadError: the output is not JSON.
        """
        if not is_storable_id(step_execution_id):
            raise StepExecutionNotFound(step_execution_id)
        ended = StepStatus(status)
        if not ended.is_terminal:
            raise InvalidStatus(status, expected=[status for status in StepStatus if status.is_terminal])
        update = StepUpdate(
            step_execution_id=StepExecutionId(step_execution_id),
            status=ended,
            output_data=self._encode_some(output_data, f"output of step execution {step_execution_id!r}"),
            failure=_failure(failure, error_message),
            retry_count=check_count(retry_count, "retry_count"),
        )
        recorded = await self.record(Transition(execution_id=None, writer=self.owner, updates=(update,)))
        return recorded.changed

    async def update_execution_status(
        self,
        execution_id: str,
        status: ExecutionStatus | str,
        completed_steps: int | None = None,
        failed_steps: int | None = None,
        output_data: Json = None,
        error_message: str | None = None,
        *,
        failure: Failure | None = None,
    ) -> bool:
        """Record where an execution stands; False when that was on record. Ending it cancels steps that are still open.

        Args:
            completed_steps, failed_steps: replace what was counted from the steps.

        Raises:
            InvalidStatus: there is no such status.
            ExecutionNotFound, LeaseLost: it does not exist, or is not this process's.
            AlreadyFinished: it ended differently; the first terminal status stands.
            InvalidTransition: this status cannot follow the one that stands.
            PayloadError: the output is not JSON.
        """
        self._check_id(execution_id)
        change = ExecutionUpdate(
            status=ExecutionStatus(status),
            completed_steps=None if completed_steps is None else check_count(completed_steps, "completed_steps"),
            failed_steps=None if failed_steps is None else check_count(failed_steps, "failed_steps"),
            output_data=self._encode_some(output_data, f"output of execution {execution_id!r}"),
            failure=_failure(failure, error_message),
        )
        recorded = await self.record(
            Transition(execution_id=ExecutionId(execution_id), writer=self.owner, change=change)
        )
        return recorded.changed

    async def log(
        self,
        execution_id: str,
        message: str,
        *,
        level: LogLevel | str = LogLevel.INFO,
        step_execution_id: str | None = None,
        data: Json = None,
    ) -> None:
        """Keep a line of text, and ``data`` with it, at an execution or at one of its steps."""
        self._check_id(execution_id)
        if step_execution_id is not None and not is_storable_id(step_execution_id):
            raise StepExecutionNotFound(step_execution_id)
        line = LogLine(
            log_id=new_id(),
            message=clean_text(message),
            level=LogLevel(level),
            step_execution_id=None if step_execution_id is None else StepExecutionId(step_execution_id),
            data=self._encode_some(data, f"data of a log line of execution {execution_id!r}"),
        )
        await self.record(Transition(execution_id=ExecutionId(execution_id), writer=self.owner, logs=(line,)))

    async def take_over(self, execution_id: ExecutionId, *, owner: str | None = None, reopen: bool = False) -> int:
        """Make this process (or ``owner``) the one that may write an unfinished execution; returns the new epoch.

        From here on, writes under an older claim raise ``LeaseLost``.

        Args:
            reopen: it runs from here on, also when it had failed or was cancelled.

        Raises:
            ExecutionNotFound
            AlreadyFinished: it has ended; with ``reopen``: it has completed.
        """
        self._check_id(execution_id)
        claim = {"execution_id": execution_id, "owner": check_name(owner or self.owner, "owner")}
        if claim["owner"] == self.owner:
            await self._show_life()
        sql = self._database.query("reopen" if reopen else "take_over")
        row = await self._database.fetch_one_async(sql, claim)
        if row is None:
            summary = await self.get_execution_summary(execution_id)
            if summary is None:
                raise ExecutionNotFound(execution_id)
            raise AlreadyFinished("execution", execution_id, status=summary.status, asked=f"owned by {claim['owner']}")
        self._live.committed([execution_id])
        return row["epoch"]

    async def request_cancel(self, execution_id: ExecutionId) -> ExecutionStatus:
        """Ask for an execution to be stopped, whoever runs it; what nobody runs is cancelled at once.

        Returns:
            Its status now: ``cancelled``, or ``running`` until its owner has stopped it.

        Raises:
            ExecutionNotFound, AlreadyFinished
        """
        self._check_id(execution_id)
        query = self._database.query

        def cancel() -> Script[Row | None]:
            rows = yield Statement(query("request_cancel"), [{"execution_id": execution_id}])
            if rows and rows[0]["status"] == ExecutionStatus.CANCELLED:
                closing = rows[0] | {"error_type": ENDED_EARLY.type, "error_message": ENDED_EARLY.message}
                yield Statement(query("close_open_steps"), [closing])
                yield Statement(query("close_open_interactions"), [closing])
            return rows[0] if rows else None

        row = await self._database.run(cancel())
        if row is None:
            summary = await self.get_execution_summary(execution_id)
            if summary is None:
                raise ExecutionNotFound(execution_id)
            raise AlreadyFinished("execution", execution_id, status=summary.status, asked="cancelled")
        self._cancellations.request(execution_id)
        self._live.committed([execution_id])
        return ExecutionStatus(row["status"])

    async def cancellation(self, execution_id: ExecutionId) -> None:
        """Wait until the cancellation of an execution that this process runs is asked for, by any process."""
        await self._cancellations.requested(execution_id)

    async def answer_interaction(self, interaction_id: str, response: Json, *, actor: str) -> ExecutionId:
        """Keep a person's answer; an execution that waited for people only becomes ``pending``.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; names who answered.
            PayloadError: the answer is not JSON.
        """
        if not is_storable_id(interaction_id):
            raise InteractionNotFound(interaction_id)
        answer = {
            "interaction_id": interaction_id,
            "actor": check_name(actor, "name of who answers"),
            "response": self._encode(response, "answer"),
        }
        query = self._database.query

        def take_answer() -> Script[ExecutionId]:
            woken = yield Statement(query("wake_waiting_execution"), [answer])
            if not woken:
                raise InteractionNotFound(interaction_id)
            if not (yield Statement(query("answer_interaction"), [answer])):
                known = yield Statement(query("get_interaction"), [answer])
                raise AlreadyAnswered(interaction_id, status=known[0]["status"], actor=known[0]["actor"])
            yield Statement(query("insert_response"), [answer])
            return ExecutionId(woken[0]["execution_id"])

        execution_id = await self._database.run(take_answer())
        self._live.committed([execution_id])
        return execution_id

    def execution(
        self,
        pipeline_id: str,
        *,
        pipeline_name: str | None = None,
        input_data: Json = None,
        total_steps: int = 0,
        metadata: Json = None,
    ) -> RecordedExecution:
        """``async with`` this to record a program: how it ended, its result, its exception, its cancellation."""
        return RecordedExecution(
            self,
            pipeline_id,
            pipeline_name=pipeline_name,
            input_data=input_data,
            total_steps=total_steps,
            metadata=metadata,
        )

    async def subscribe(
        self, execution_id: str, after: int = 0, *, poll_seconds: float = 1.0
    ) -> AsyncGenerator[Changes]:
        """What came after the cursor, then what comes, for as long as it is iterated.

        Pages in rising order, each beginning where the last ended; what happens while the reader is busy arrives
        merged. The stream does not end by itself: ``changes.execution.status.is_terminal`` says that it is over. A
        database that is away for a while only delays it.

        Args:
            poll_seconds: how often to look without being told; only a wake-up that got lost needs it.

        Raises:
            ExecutionNotFound: there is none, or it was deleted meanwhile.
            DatabaseUnavailable: the database cannot be reached at the beginning, or was closed in this process.
        """
        shown: Changes | None = None
        async with self._live.watching(ExecutionId(execution_id)) as look:
            while True:
                look.clear()
                try:
                    changes = await self.changes(execution_id, after)
                except (DatabaseUnavailable, DatabaseBusy) as error:
                    if shown is None or isinstance(error, DatabaseClosed):
                        raise
                    changes = shown  # the database is away for a while: nothing is lost by looking again later
                shown = changes
                if changes.upto > after:
                    after = changes.upto
                    yield changes
                if not changes.more:
                    await set_within(poll_seconds, look)

    def _check_id(self, execution_id: str) -> None:
        if not is_storable_id(execution_id):
            raise ExecutionNotFound(execution_id)

    def _encode(self, value: Json, where: str) -> JsonText:
        return encode(value, where, limit_bytes=self._payload_limit_bytes)

    def _encode_some(self, value: Json, where: str) -> JsonText | None:
        return None if value is None else self._encode(value, where)


def _failure(failure: Failure | None, error_message: str | None) -> Failure | None:
    if failure is None and error_message is None:
        return None
    failure = failure or Failure(type=None, message=error_message or "")
    return Failure(
        type=None if failure.type is None else clean_text(failure.type),
        message=clean_text(failure.message),
        traceback=None if failure.traceback is None else clean_text(failure.traceback),
    )
