"""Recording what a program does: executions, their steps and log lines, each written by the process that owns it."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

from ia_modules.database.blocking import run_on
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, InvalidStatus
from ia_modules.live.wake_up import Live
from ia_modules.models import (
    EFFECTS,
    Effect,
    ExecutionId,
    ExecutionStatus,
    Json,
    JsonText,
    LogLevel,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
    WorkerId,
    is_id,
    new_id,
)
from ia_modules.paths import GRAPH, named, not_too_deep, path_of
from ia_modules.payload import (
    check_count,
    check_id,
    check_name,
    clean_text,
    encode,
)
from ia_modules.place import here, is_run_by_pipeline
from ia_modules.traces.running import outer_traceparent
from ia_modules.tracker.calls import CallLog
from ia_modules.tracker.committer import Committer
from ia_modules.tracker.heartbeat import Heartbeat
from ia_modules.tracker.reader import ExecutionReader
from ia_modules.tracker.tracing import TraceWriter, Tracing
from ia_modules.transitions import (
    ExecutionUpdate,
    Failure,
    LogLine,
    NewExecution,
    Recorded,
    StepStart,
    StepUpdate,
    Transition,
)

T = TypeVar("T")


class StartedRun(NamedTuple):
    """An attempt that has begun, and what its code records within it."""

    step_execution_id: StepExecutionId
    path: RunPath


class ExecutionWriter(ExecutionReader):
    """What a program writes of the executions that it runs; every call returns after its commit."""

    def __init__(
        self,
        database: DatabaseManager,
        *,
        payload_limit_bytes: int,
        give_up_seconds: float,
        lease_seconds: float | None,
        known_executions: int,
        traces: TraceWriter | None = None,
    ) -> None:
        super().__init__(database)
        self.owner = WorkerId(f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}")
        self.heartbeat = (
            None
            if lease_seconds is None
            else Heartbeat(database, self.owner, lease_seconds=lease_seconds, give_up_seconds=give_up_seconds)
        )
        self._payload_limit_bytes = payload_limit_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self.behind: dict[ExecutionId, CallLog] = {}  # calls of tracked functions that are not written yet
        self._live = Live(database)
        self.traces = traces
        self._tracing = None if traces is None else Tracing(database, self.owner, traces, show_life=self._show_life)
        self._committer = Committer(
            database,
            on_commit=self._committed,
            give_up_seconds=give_up_seconds,
            known_executions=known_executions,
        )

    @property
    def _committed(self) -> Callable[[Iterable[ExecutionId]], None]:
        """What is told after each commit which executions it has changed."""
        live, tracing = self._live, self._tracing
        if tracing is None:
            return live.committed

        def committed(execution_ids: Iterable[ExecutionId]) -> None:
            ids = set(execution_ids)
            live.committed(ids)
            tracing.changed(ids)

        return committed

    async def record(self, transition: Transition) -> Recorded:
        """Make a transition true, whole or not at all; returns after its commit.

        Raises:
            TrackerError: the records do not allow it (see :func:`ia_modules.transitions.decide`); nothing was written.
            DatabaseError: it could not be written.
            InvalidArgument: what begins here has another id than :func:`ia_modules.models.new_id` makes.
        """
        if self.behind:
            await self._catch_up(transition.execution_id)
        return await self.write(transition)

    async def write(self, transition: Transition) -> Recorded:
        """As :meth:`record`, before calls of tracked functions that have been reported and are not written yet."""
        self._loop = asyncio.get_running_loop()
        _check_new_ids(transition)
        new = transition.new
        if new is not None and new.status is ExecutionStatus.RUNNING and transition.writer == self.owner:
            await self._show_life()
        return await self._committer.record(transition)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what uses this tracker from a thread without an event loop, and wait for it.

        On the loop on which the tracker is at work; otherwise on that of the database's own blocking methods.
        """
        loop = self._loop
        if loop is None or not loop.is_running():
            return self._database.call(coroutine)
        self._database.refuse_inside_transaction("the tracker")
        return run_on(loop, coroutine)

    async def _catch_up(self, execution_id: ExecutionId | None) -> None:
        """What code has reported is on record before what is said of it later; None: of all executions."""
        for each, log in list(self.behind.items()):
            if execution_id in (None, each):
                await log.catch_up()
                if not log.is_behind:
                    self.behind.pop(each, None)

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
        execution_id = ExecutionId(new_id())
        new = recorded_execution(
            PipelineId(pipeline_id),
            pipeline_name=None if pipeline_name is None else check_name(pipeline_name, "name of the pipeline"),
            pipeline_version=None if pipeline_version is None else check_count(pipeline_version, "version", low=1),
            trigger=check_name(trigger, "trigger of the execution"),
            total_steps=check_count(total_steps, "total_steps"),
            input_data=self._encode_some(input_data, f"input of pipeline {(pipeline_name or pipeline_id)!r}"),
            metadata=self._encode_some(metadata, f"metadata of an execution of {(pipeline_name or pipeline_id)!r}"),
            traceparent=outer_traceparent(),
        )
        await self.record(Transition(execution_id=execution_id, writer=self.owner, new=new))
        return execution_id

    async def start_program(
        self,
        execution_id: ExecutionId,
        pipeline_id: PipelineId,
        name: str,
        input_data: JsonText | None,
        metadata: JsonText,
        *,
        traceparent: str | None,
        age_seconds: float,
    ) -> None:
        """As :meth:`start_execution`, of an outermost call of a tracked function that began so long ago."""
        new = recorded_execution(
            pipeline_id,
            pipeline_name=name,
            input_data=input_data,
            metadata=metadata,
            traceparent=traceparent,
            age_seconds=age_seconds,
        )
        await self.write(Transition(execution_id=execution_id, writer=self.owner, new=new))

    async def start_step_execution(
        self,
        execution_id: str,
        step_id: str,
        step_name: str,
        step_type: str,
        input_data: Json = None,
        metadata: Json = None,
        *,
        effect: Effect | None = None,
        within: str | None = None,
    ) -> StepExecutionId:
        """Record that a step has begun; returns the id of this attempt.

        After an attempt that failed it is the next attempt of the same iteration, otherwise the next iteration. What is
        open within a run is closed when that ends.

        Args:
            effect: what the step does outside; None: not said.
            within: the path of the run that it is a part of; empty: a step of the graph. None: the run in which this
                code runs, where that is of the same execution; otherwise the graph.

        Raises:
            ExecutionNotFound, AlreadyFinished, LeaseLost: the execution takes no steps, or not from this process.
            PayloadError: the input or the metadata is not JSON.
            InvalidArgument: there is no such effect, no run can have this path, or it would be a step of the graph of
                an execution that its pipeline runs.
            NestingTooDeep: nothing can be within that run.
        """
        started = await self.start_run(
            execution_id, step_id, step_name, step_type, input_data, metadata, effect=effect, within=within
        )
        return started.step_execution_id

    async def start_run(
        self,
        execution_id: str,
        step_id: str,
        step_name: str,
        step_type: str,
        input_data: Json = None,
        metadata: Json = None,
        *,
        effect: Effect | None = None,
        within: str | None = None,
    ) -> StartedRun:
        """As :meth:`start_step_execution`, for callers that record more within it."""
        if effect is not None and effect not in EFFECTS:
            raise InvalidArgument(f"effect of step {step_id!r}", repr(effect)[:80], f"one of {', '.join(EFFECTS)}")
        step_execution_id = StepExecutionId(new_id())
        start = StepStart(
            step_execution_id=step_execution_id,
            step_id=check_id(step_id, "id of the step"),
            step_name=check_name(step_name, f"name of step {step_id!r}"),
            step_type=check_name(step_type, f"type of step {step_id!r}"),
            within=_level(ExecutionId(execution_id), within),
            worker=self.owner,
            input_data=self._encode_some(input_data, f"input of step {step_id!r}"),
            metadata=self._encode_some(metadata, f"metadata of step {step_id!r}"),
            effect=effect,
        )
        recorded = await self.record(
            Transition(execution_id=ExecutionId(execution_id), writer=self.owner, starts=(start,))
        )
        return StartedRun(step_execution_id, path_of(start.within, start.step_id, recorded.iterations[0]))

    async def complete_step_execution(
        self,
        step_execution_id: str,
        status: StepStatus | str,
        output_data: Json = None,
        error_message: str | None = None,
        retry_count: int = 0,
        *,
        failure: Failure | None = None,
        metadata: Json = None,
    ) -> bool:
        """Record how an attempt ended; False when it was recorded before in the same way.

        Args:
            metadata: in the place of what was said at its start; None leaves that.
            error_message: why it failed, when there is no more to say; ``failure`` also takes type and traceback.
            retry_count: retries that the program made by itself inside this attempt.

        Raises:
            InvalidStatus: the status is no end of a step.
            StepExecutionNotFound: no attempt has this id.
            AlreadyFinished: the attempt ended differently.
            PayloadError: the output or the metadata is not JSON.
        """
        ended = StepStatus(status)
        if not ended.is_terminal:
            raise InvalidStatus(status, expected=[status for status in StepStatus if status.is_terminal])
        update = StepUpdate(
            step_execution_id=StepExecutionId(step_execution_id),
            status=ended,
            output_data=self._encode_some(output_data, f"output of step execution {step_execution_id!r}"),
            failure=_failure(failure, error_message),
            retry_count=check_count(retry_count, "retry_count"),
            metadata=self._encode_some(metadata, f"metadata of step execution {step_execution_id!r}"),
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
        metadata: Json = None,
    ) -> bool:
        """Record where an execution stands; False when that was on record. Ending it cancels steps that are still open.

        Args:
            metadata: in the place of what was said when it began; None leaves that.
            completed_steps, failed_steps: replace what was counted from the steps.

        Raises:
            InvalidStatus: there is no such status.
            ExecutionNotFound, LeaseLost: it does not exist, or is not this process's.
            AlreadyFinished: it ended differently; the first terminal status stands.
            InvalidTransition: this status cannot follow the one that stands.
            PayloadError: the output or the metadata is not JSON.
        """
        ended = ExecutionStatus(status)
        change = ExecutionUpdate(
            status=ended,
            completed_steps=None if completed_steps is None else check_count(completed_steps, "completed_steps"),
            failed_steps=None if failed_steps is None else check_count(failed_steps, "failed_steps"),
            output_data=self._encode_some(output_data, f"output of execution {execution_id!r}"),
            failure=_failure(failure, error_message),
            finds_failed_step=ended is ExecutionStatus.FAILED,
            metadata=self._encode_some(metadata, f"metadata of execution {execution_id!r}"),
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
        line = LogLine(
            log_id=new_id(),
            message=clean_text(message),
            level=LogLevel(level),
            step_execution_id=None if step_execution_id is None else StepExecutionId(step_execution_id),
            data=self._encode_some(data, f"data of a log line of execution {execution_id!r}"),
        )
        await self.record(Transition(execution_id=ExecutionId(execution_id), writer=self.owner, logs=(line,)))

    def _encode(self, value: Json, where: str) -> JsonText:
        return encode(value, where, limit_bytes=self._payload_limit_bytes)

    def _encode_some(self, value: Json, where: str) -> JsonText | None:
        return None if value is None else self._encode(value, where)


def recorded_execution(
    pipeline_id: PipelineId,
    *,
    pipeline_name: str | None,
    input_data: JsonText | None,
    metadata: JsonText | None,
    pipeline_version: int | None = None,
    trigger: str = "program",
    total_steps: int = 0,
    traceparent: str | None = None,
    age_seconds: float = 0.0,
) -> NewExecution:
    """The execution of a program that records itself; as in :meth:`ExecutionWriter.start_execution`."""
    return NewExecution(
        pipeline_id=pipeline_id,
        pipeline_name=pipeline_name,
        pipeline_version=pipeline_version,
        trigger=trigger,
        total_steps=total_steps,
        input_data=input_data,
        metadata=metadata,
        traceparent=traceparent,
        age_seconds=age_seconds,
    )


def _level(execution_id: ExecutionId, within: str | None) -> RunPath:
    """The level that a step stands at: the one that is named, or that of the code that records it."""
    if within is not None:
        level = named(within)
    else:
        place = here.get()
        level = place.path if place is not None and place.execution_id == execution_id else GRAPH
    if level == GRAPH and is_run_by_pipeline(execution_id):
        found = f"a step of the graph of execution {execution_id}, which is run by its pipeline"
        raise InvalidArgument("level of the step", found, "one inside a step: context.step, or within=…")
    return not_too_deep(level)


def _check_new_ids(transition: Transition) -> None:
    if transition.new is not None:
        _check_new_id("execution_id", transition.execution_id)
    for start in transition.starts:
        _check_new_id("step_execution_id", start.step_execution_id)
    for line in transition.logs:
        _check_new_id("log_id", line.log_id)
    for ask in transition.asks:
        _check_new_id("interaction_id", ask.interaction_id)
        _check_new_id("step_execution_id", ask.step_execution_id)


def _check_new_id(name: str, id_: str | None) -> None:
    if not is_id(id_):
        raise InvalidArgument(name, repr(id_)[:80], "a UUID in small letters, as new_id() makes it")


def _failure(failure: Failure | None, error_message: str | None) -> Failure | None:
    if failure is None and error_message is None:
        return None
    failure = failure or Failure(type=None, message=error_message or "")
    return Failure(
        type=None if failure.type is None else clean_text(failure.type),
        message=clean_text(failure.message),
        traceback=None if failure.traceback is None else clean_text(failure.traceback),
    )
